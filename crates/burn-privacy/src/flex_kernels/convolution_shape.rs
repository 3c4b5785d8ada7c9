use std::ops::Range;

/// A two-dimensional convolution of one example.
///
/// Its sliding windows form a matrix of [`window`](Self::window) rows (channel, kernel row, kernel column) and
/// [`columns`](Self::columns) columns. At stride 1 the columns run over whole rows of the padded image, also over the
/// few places where the kernel would wrap around its right edge: a row of the matrix is then one run of the image, to
/// be copied at once. Those columns are dropped from outputs and are zero in gradients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Convolution {
    /// Channels, height, width.
    pub(crate) input: [usize; 3],
    pub(crate) channels_out: usize,
    pub(crate) kernel: [usize; 2],
    pub(crate) stride: [usize; 2],
    pub(crate) dilation: [usize; 2],
    /// `[(top, bottom), (left, right)]`
    pub(crate) padding: [(usize, usize); 2],
    pub(crate) groups: usize,
}

impl Convolution {
    pub(super) fn padded(&self, axis: usize) -> usize {
        self.input[axis + 1] + self.padding[axis].0 + self.padding[axis].1
    }

    /// Height or width of the output. Burn has checked that the kernel fits.
    pub(super) fn output(&self, axis: usize) -> usize {
        (self.padded(axis) - self.dilation[axis] * (self.kernel[axis] - 1) - 1) / self.stride[axis] + 1
    }

    pub(super) fn input_entries(&self) -> usize {
        self.input.iter().product()
    }

    pub(super) fn output_entries(&self) -> usize {
        self.channels_out * self.positions()
    }

    pub(super) fn input_dims(&self, examples: usize) -> [usize; 4] {
        let [channels, height, width] = self.input;
        [examples, channels, height, width]
    }

    pub(super) fn output_dims(&self, examples: usize) -> [usize; 4] {
        [examples, self.channels_out, self.output(0), self.output(1)]
    }

    pub(super) fn positions(&self) -> usize {
        self.output(0) * self.output(1)
    }

    /// Entries of the kernel.
    pub(super) fn entries(&self) -> usize {
        self.channels_out * self.window()
    }

    /// Entries of a sliding window of one group.
    pub(super) fn window(&self) -> usize {
        self.input[0] / self.groups * self.kernel[0] * self.kernel[1]
    }

    /// Columns from one row of outputs to the next.
    pub(super) fn pitch(&self) -> usize {
        if self.stride == [1, 1] { self.padded(1) } else { self.output(1) }
    }

    pub(super) fn columns(&self) -> usize {
        (self.output(0) - 1) * self.pitch() + self.output(1)
    }

    pub(super) fn is_padded(&self) -> bool {
        self.padding != [(0, 0), (0, 0)]
    }

    /// Whether the image is its own matrix of windows.
    pub(super) fn is_pointwise(&self) -> bool {
        self.kernel == [1, 1] && self.stride == [1, 1] && !self.is_padded()
    }

    pub(super) fn channels_of_group(&self, group: usize, channels: usize) -> Range<usize> {
        let each = channels / self.groups;
        group * each..(group + 1) * each
    }

    /// The group's part of an image whose channels have `size` entries.
    pub(super) fn part<'a>(&self, image: &'a [f32], group: usize, channels: usize, size: usize) -> &'a [f32] {
        let channels = self.channels_of_group(group, channels);
        &image[channels.start * size..channels.end * size]
    }

    /// Where the run of a kernel element starts in the padded channel, and where its windows lie in the matrix.
    pub(super) fn runs(&self) -> impl Iterator<Item = (usize, [usize; 2])> {
        let [height, width] = self.kernel;
        (0..self.input[0] / self.groups)
            .flat_map(move |channel| (0..height).flat_map(move |y| (0..width).map(move |x| (channel, [y, x]))))
    }

    /// Fills the matrix of windows from the group's padded channels.
    pub(super) fn unfold(&self, padded: &[f32], windows: &mut [f32]) {
        let (columns, width, size) = (self.columns(), self.padded(1), self.padded(0) * self.padded(1));
        for ((channel, [y, x]), row) in self.runs().zip(windows.chunks_exact_mut(columns)) {
            let start = channel * size + y * self.dilation[0] * width + x * self.dilation[1];
            if self.stride == [1, 1] {
                row.copy_from_slice(&padded[start..start + columns]);
                continue;
            }
            for (line, out) in row.chunks_exact_mut(self.output(1)).enumerate() {
                let line = &padded[start + line * self.stride[0] * width..];
                for (value, pixel) in out.iter_mut().zip(line.iter().step_by(self.stride[1])) {
                    *value = *pixel;
                }
            }
        }
    }

    /// Adds the matrix of windows to the group's padded channels: the adjoint of [`unfold`](Self::unfold).
    pub(super) fn fold(&self, windows: &[f32], padded: &mut [f32]) {
        let (columns, width, size) = (self.columns(), self.padded(1), self.padded(0) * self.padded(1));
        for ((channel, [y, x]), row) in self.runs().zip(windows.chunks_exact(columns)) {
            let start = channel * size + y * self.dilation[0] * width + x * self.dilation[1];
            if self.stride == [1, 1] {
                for (pixel, value) in padded[start..start + columns].iter_mut().zip(row) {
                    *pixel += value;
                }
                continue;
            }
            for (line, values) in row.chunks_exact(self.output(1)).enumerate() {
                let line = &mut padded[start + line * self.stride[0] * width..];
                for (pixel, value) in line.iter_mut().step_by(self.stride[1]).zip(values) {
                    *pixel += value;
                }
            }
        }
    }

    /// Copies an image into the middle of its padded frame; the frame's border is zero already.
    pub(super) fn pad(&self, image: &[f32], padded: &mut [f32]) {
        self.for_each_line(|line, frame| padded[frame].copy_from_slice(&image[line]));
    }

    pub(super) fn crop(&self, padded: &[f32], image: &mut [f32]) {
        self.for_each_line(|line, frame| image[line].copy_from_slice(&padded[frame]));
    }

    /// Each row of pixels: where it lies in the image, and where in the padded frame.
    fn for_each_line(&self, mut visit: impl FnMut(Range<usize>, Range<usize>)) {
        let [channels, height, width] = self.input;
        for channel in 0..channels {
            for y in 0..height {
                let line = (channel * height + y) * width;
                let frame = (channel * self.padded(0) + y + self.padding[0].0) * self.padded(1) + self.padding[1].0;
                visit(line..line + width, frame..frame + width);
            }
        }
    }

    /// Each row of outputs: where it lies in the output, and where among the columns.
    pub(super) fn for_each_output_line(
        &self,
        channels: usize,
        mut visit: impl FnMut(usize, Range<usize>, Range<usize>),
    ) {
        let [height, width] = [self.output(0), self.output(1)];
        for channel in 0..channels {
            for y in 0..height {
                let line = (channel * height + y) * width;
                let column = channel * self.columns() + y * self.pitch();
                visit(channel, line..line + width, column..column + width);
            }
        }
    }
}
