//! The sizes of a convolution, and where pixels and windows lie in its frames.
#![cfg_attr(not(feature = "flex"), allow(dead_code))]

use std::ops::Range;

use burn::nn::PaddingConfig2d;
use burn::nn::conv::Conv2d;

/// A two-dimensional convolution of one example.
///
/// Its sliding windows form a matrix of `window` rows (channel, kernel row, kernel column) and
/// `columns` columns. The image is first laid into a frame: padded, and its pixels sorted by their place
/// within a stride, so that a row of the matrix is one run of the frame, to be copied at once. The run also covers the few
/// places where the kernel would wrap around the frame's right edge; those columns are dropped from outputs and are zero
/// in gradients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Convolution {
    /// Channels, height, width.
    pub input: [usize; 3],
    /// Channels of the output.
    pub channels_out: usize,
    /// Height and width of the kernel.
    pub kernel: [usize; 2],
    /// Distance between windows, along height and width.
    pub stride: [usize; 2],
    /// Distance between elements of the kernel, along height and width.
    pub dilation: [usize; 2],
    /// `[(top, bottom), (left, right)]`
    pub padding: [(usize, usize); 2],
    /// Groups of channels that don't see each other.
    pub groups: usize,
}

/// Elements of a kernel whose places in a frame follow one another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    /// Where the first of them lies.
    pub(crate) place: usize,
    /// Their numbers in the kernel.
    pub(crate) elements: Vec<usize>,
}

impl Convolution {
    /// The layer's convolution of one of `[batch, channels, height, width]`.
    pub fn of(layer: &Conv2d, input: [usize; 4]) -> Self {
        let [_, channels, height, width] = input;
        let [channels_out, _, kernel_height, kernel_width] = layer.weight.val().dims();
        Self {
            input: [channels, height, width],
            channels_out,
            kernel: [kernel_height, kernel_width],
            stride: layer.stride,
            dilation: layer.dilation,
            padding: padding_pairs(layer, input),
            groups: layer.groups,
        }
    }

    pub(crate) fn padded(&self, axis: usize) -> usize {
        self.input[axis + 1] + self.padding[axis].0 + self.padding[axis].1
    }

    /// Whether there is anything to compute, from a kernel of so many entries that fits into the padded image.
    pub(crate) fn fits(&self, kernel_entries: usize) -> bool {
        let along = |axis: usize| {
            let reach = self.dilation[axis] * (self.kernel[axis].max(1) - 1) + 1;
            self.kernel[axis] > 0 && self.stride[axis] > 0 && self.padded(axis) >= reach
        };
        let fit = |channels: usize| channels > 0 && channels.is_multiple_of(self.groups);
        let channels = self.groups > 0 && fit(self.input[0]) && fit(self.channels_out);
        channels && along(0) && along(1) && self.input_entries() > 0 && self.entries() == kernel_entries
    }

    /// Height or width of the output.
    pub(crate) fn output(&self, axis: usize) -> usize {
        (self.padded(axis) - self.dilation[axis] * (self.kernel[axis] - 1) - 1) / self.stride[axis] + 1
    }

    pub(crate) fn input_entries(&self) -> usize {
        self.input.iter().product()
    }

    pub(crate) fn output_entries(&self) -> usize {
        self.channels_out * self.positions()
    }

    pub(crate) fn input_dims(&self, examples: usize) -> [usize; 4] {
        let [channels, height, width] = self.input;
        [examples, channels, height, width]
    }

    pub(crate) fn output_dims(&self, examples: usize) -> [usize; 4] {
        [examples, self.channels_out, self.output(0), self.output(1)]
    }

    pub(crate) fn positions(&self) -> usize {
        self.output(0) * self.output(1)
    }

    /// Entries of the kernel.
    pub fn entries(&self) -> usize {
        self.channels_out * self.window()
    }

    /// Entries of a sliding window of one group.
    pub(crate) fn window(&self) -> usize {
        self.input[0] / self.groups * self.kernel[0] * self.kernel[1]
    }

    /// Height or width of the part of a frame that holds one place within a stride: columns from one row of outputs to the
    /// next.
    fn frame(&self, axis: usize) -> usize {
        self.padded(axis).div_ceil(self.stride[axis])
    }

    pub(crate) fn pitch(&self) -> usize {
        self.frame(1)
    }

    /// Entries of one channel's frame.
    pub(crate) fn frame_entries(&self) -> usize {
        self.stride[0] * self.stride[1] * self.part_entries()
    }

    /// Entries of the part of one channel's frame that holds one place within a stride.
    pub(crate) fn part_entries(&self) -> usize {
        self.frame(0) * self.frame(1)
    }

    /// The elements of the kernel, joined where their places in a frame follow one another within a part.
    pub(crate) fn runs(&self) -> Vec<Run> {
        let [height, width] = self.kernel;
        let mut places: Vec<(usize, usize)> = (0..height * width)
            .map(|element| {
                let (y, x) = (element / width, element % width);
                (self.place(y * self.dilation[0], x * self.dilation[1]), element)
            })
            .collect();
        places.sort_unstable();
        let mut runs: Vec<Run> = Vec::new();
        for (place, element) in places {
            match runs.last_mut() {
                Some(run) if place == run.place + run.elements.len() && place % self.part_entries() > 0 => {
                    run.elements.push(element);
                }
                _ => runs.push(Run { place, elements: vec![element] }),
            }
        }
        runs
    }

    /// The places that hold pixels, and some between them, of the parts of a frame.
    pub(crate) fn places_of_pixels(&self) -> Range<usize> {
        let mut places = self.part_entries()..0;
        self.for_each_line_of_a_channel(|line, place| {
            let first = place % self.part_entries();
            let pixels = line.len().div_ceil(self.stride[1]);
            places = places.start.min(first)..places.end.max(first + pixels);
        });
        places
    }

    /// Where a pixel of the padded channel lies in its frame.
    fn place(&self, y: usize, x: usize) -> usize {
        let [down, across] = self.stride;
        let part = (y % down) * across + x % across;
        (part * self.frame(0) + y / down) * self.frame(1) + x / across
    }

    pub(crate) fn columns(&self) -> usize {
        (self.output(0) - 1) * self.pitch() + self.output(1)
    }

    /// Whether the image is its own frame.
    pub(crate) fn is_framed(&self) -> bool {
        self.padding == [(0, 0), (0, 0)] && self.stride == [1, 1]
    }

    /// Whether the image is its own matrix of windows.
    pub(crate) fn is_pointwise(&self) -> bool {
        self.kernel == [1, 1] && self.is_framed()
    }

    pub(crate) fn channels_of_group(&self, group: usize, channels: usize) -> Range<usize> {
        let each = channels / self.groups;
        group * each..(group + 1) * each
    }

    /// The group's part of an image whose channels have `size` entries.
    pub(crate) fn part<'a>(&self, image: &'a [f32], group: usize, channels: usize, size: usize) -> &'a [f32] {
        let channels = self.channels_of_group(group, channels);
        &image[channels.start * size..channels.end * size]
    }

    /// Where each row of the matrix of windows starts in the group's frames.
    fn row_starts(&self) -> impl Iterator<Item = usize> {
        let [height, width] = self.kernel;
        (0..self.input[0] / self.groups).flat_map(move |channel| {
            (0..height * width).map(move |element| {
                let (y, x) = (element / width, element % width);
                channel * self.frame_entries() + self.place(y * self.dilation[0], x * self.dilation[1])
            })
        })
    }

    /// Fills the matrix of windows from the group's frames.
    pub(crate) fn unfold(&self, frames: &[f32], windows: &mut [f32]) {
        let columns = self.columns();
        for (start, row) in self.row_starts().zip(windows.chunks_exact_mut(columns)) {
            row.copy_from_slice(&frames[start..start + columns]);
        }
    }

    /// Adds the matrix of windows to the group's frames: the adjoint of [`unfold`](Self::unfold).
    pub(crate) fn fold(&self, windows: &[f32], frames: &mut [f32]) {
        let columns = self.columns();
        for (start, row) in self.row_starts().zip(windows.chunks_exact(columns)) {
            for (pixel, value) in frames[start..start + columns].iter_mut().zip(row) {
                *pixel += value;
            }
        }
    }

    /// Lays an image into its frames, whose padding is zero already.
    pub(crate) fn lay(&self, image: &[f32], frames: &mut [f32]) {
        self.for_each_line(|line, start| {
            if self.stride[1] == 1 {
                frames[start..start + line.len()].copy_from_slice(&image[line]);
                return;
            }
            for (to, from) in frames[start..].iter_mut().zip(image[line].iter().step_by(self.stride[1])) {
                *to = *from;
            }
        });
    }

    /// Takes an image out of its frames.
    pub(crate) fn lift(&self, frames: &[f32], image: &mut [f32]) {
        self.for_each_line(|line, start| {
            if self.stride[1] == 1 {
                image[line.clone()].copy_from_slice(&frames[start..start + line.len()]);
                return;
            }
            for (to, from) in image[line].iter_mut().step_by(self.stride[1]).zip(&frames[start..]) {
                *to = *from;
            }
        });
    }

    /// Every `stride`-th pixel of a row of the image, from each of the first `stride` on: where they lie in the image, and
    /// where they start in the frames.
    fn for_each_line(&self, mut visit: impl FnMut(Range<usize>, usize)) {
        let [channels, height, width] = self.input;
        for channel in 0..channels {
            let image = channel * height * width;
            self.for_each_line_of_a_channel(|line, place| {
                visit(image + line.start..image + line.end, channel * self.frame_entries() + place);
            });
        }
    }

    /// [`for_each_line`](Self::for_each_line) of the first channel.
    pub(crate) fn for_each_line_of_a_channel(&self, mut visit: impl FnMut(Range<usize>, usize)) {
        let [_, height, width] = self.input;
        for y in 0..height {
            for x in 0..self.stride[1].min(width) {
                let place = self.place(y + self.padding[0].0, x + self.padding[1].0);
                visit(y * width + x..(y + 1) * width, place);
            }
        }
    }

    /// The output gradients of a group by column. The columns between the rows of outputs are left as they are: zero.
    pub(crate) fn gradient_columns<'a>(&self, gradient: &'a [f32], columns: &'a mut [f32]) -> &'a [f32] {
        if self.columns() == self.positions() {
            return gradient;
        }
        self.for_each_output_line(self.channels_out / self.groups, |line, column| {
            columns[column].copy_from_slice(&gradient[line]);
        });
        columns
    }

    /// Each row of outputs: where it lies in the output, and where among the columns.
    pub(crate) fn for_each_output_line(&self, channels: usize, mut visit: impl FnMut(Range<usize>, Range<usize>)) {
        let [height, width] = [self.output(0), self.output(1)];
        for channel in 0..channels {
            for y in 0..height {
                let line = (channel * height + y) * width;
                let column = channel * self.columns() + y * self.pitch();
                visit(line..line + width, column..column + width);
            }
        }
    }
}

/// `[(top, bottom), (left, right)]`, as Burn computes it from the configuration (its function is not public):
/// `Same` pads to `ceil(size / stride)` outputs, the odd pixel at the end.
fn padding_pairs(layer: &Conv2d, input: [usize; 4]) -> [(usize, usize); 2] {
    let same = |axis: usize| {
        let (size, stride, kernel) = (input[axis + 2], layer.stride[axis], layer.kernel_size[axis]);
        let needed = (size.div_ceil(stride).max(1) - 1) * stride + kernel;
        let total = needed.saturating_sub(size);
        (total / 2, total - total / 2)
    };
    match layer.padding {
        PaddingConfig2d::Valid => [(0, 0), (0, 0)],
        PaddingConfig2d::Same => [same(0), same(1)],
        PaddingConfig2d::Explicit(top, left, bottom, right) => [(top, bottom), (left, right)],
    }
}
