//! What extraction needs from around it, so that the crate itself reads nothing but the bytes it was given.

use crate::ExtractError;
use domain::Area;

/// Takes the files that lie in a file, and reads pictures.
pub trait Host {
    /// Takes a file out of an archive, a mail or a mailbox. It is read later as a document of its own.
    ///
    /// # Errors
    /// [`ExtractError::TooLarge`] when it takes no more; extraction ends with that.
    fn child(&mut self, child: Child) -> Result<(), ExtractError>;

    /// Recognises the text in a picture, in reading order; `None` where there is nothing that could.
    ///
    /// # Errors
    /// [`ExtractError::Damaged`] when recognition itself failed.
    fn recognize(&mut self, picture: &Picture) -> Result<Option<Vec<Line>>, ExtractError>;
}

/// A file in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Child {
    /// Its path or name in there, with `/` between parts; no part is empty, `.` or `..`. Not unique.
    pub name: String,
    /// Its bytes, unpacked; never empty.
    pub bytes: Vec<u8>,
}

/// A picture, upright, one byte of grey a pixel, row by row, 0 is black.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// `width` × `height` bytes.
    pub grey: Vec<u8>,
}

/// A line of text recognised in a picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// What it says.
    pub text: String,
    /// Where, in ten-thousandths of the picture's width and height.
    pub area: Area,
    /// How sure recognition is, 0 to 1.
    pub confidence: f32,
}

/// Nobody around: files in files are dropped, pictures stay pictures.
#[derive(Debug, Clone, Copy, Default)]
pub struct Alone;

impl Host for Alone {
    fn child(&mut self, _: Child) -> Result<(), ExtractError> {
        Ok(())
    }

    fn recognize(&mut self, _: &Picture) -> Result<Option<Vec<Line>>, ExtractError> {
        Ok(None)
    }
}
