//! The sizes of a max pooling of planes `[height, width]`, and where a kernel element lies.

/// Max pooling without padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pooling {
    /// Height and width of a plane (one channel of one example).
    pub(crate) input: [usize; 2],
    /// Height and width of a window.
    pub(crate) kernel: [usize; 2],
    /// Distance between windows, along height and width.
    pub(crate) stride: [usize; 2],
}

impl Pooling {
    pub(super) fn output(&self, axis: usize) -> usize {
        (self.input[axis] - self.kernel[axis]) / self.stride[axis] + 1
    }

    pub(super) fn input_entries(&self) -> usize {
        self.input[0] * self.input[1]
    }

    pub(super) fn output_entries(&self) -> usize {
        self.output(0) * self.output(1)
    }

    /// Row and column of an element of the kernel.
    pub(super) fn offset(&self, element: u8) -> (usize, usize) {
        (usize::from(element) / self.kernel[1], usize::from(element) % self.kernel[1])
    }
}
