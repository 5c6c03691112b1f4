//! Numbers that begin at a cache line.

use std::ops::Deref;

/// A cache line.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; 16]);

/// f32 numbers that begin at a cache line, so that no register is read from two. Memory is kept when they get fewer.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    lines: Vec<Line>,
    length: usize,
}

impl Lines {
    /// Makes room for `length` numbers and gives them: what was there before, or 0.
    pub(crate) fn resize(&mut self, length: usize) -> &mut [f32] {
        let lines = length.div_ceil(16);
        if lines > self.lines.len() {
            self.lines.resize(lines, Line([0.0; 16]));
        }
        self.length = length;
        // SAFETY: lines are arrays of f32 without gaps, and there are enough of them.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), length) }
    }

    /// The same memory as bytes.
    pub(super) fn bytes(&self) -> &[i8] {
        // SAFETY: as in `resize`; any four bytes are an f32, and the other way round.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.lines.len() * 64) }
    }

    /// The same memory as bytes.
    pub(super) fn bytes_mut(&mut self) -> &mut [i8] {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.lines.len() * 64) }
    }
}

impl Deref for Lines {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        // SAFETY: as in `resize`.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.length) }
    }
}
