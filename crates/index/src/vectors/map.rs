//! A file in memory as the system maps it: read when it is needed, given back when memory is short.

use std::fs::File;
use std::io;
use std::ops::Deref;

/// A whole file, read-only.
pub(crate) struct Map(memmap2::Mmap);

impl Map {
    /// Maps `file`, whose bytes nobody changes from now on.
    pub(crate) fn of(file: &File) -> io::Result<Self> {
        // SAFETY: the bytes must not change while they are mapped. Only files of codes are mapped. They are written whole,
        // under another name, and renamed into place; one that is replaced keeps its bytes until it is unmapped. The
        // index holds a lock that keeps other processes of ours away, and the directory is its owner's alone.
        #[allow(unsafe_code, reason = "a memory map has no safe form")]
        let map = unsafe { memmap2::Mmap::map(file) }?;
        Ok(Self(map))
    }
}

impl Deref for Map {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}
