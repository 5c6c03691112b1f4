//! What can go wrong.

use std::path::PathBuf;
use thiserror::Error;

/// Why pictures cannot be read.
#[derive(Debug, Error)]
pub enum RecognizeError {
    /// A file of the model pack is missing or cannot be read.
    #[error("cannot read {path} of the text recognition models: {reason}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: std::io::Error,
    },
    /// A file of the model pack is not what it should be.
    #[error("{path} is not a file of the text recognition models ({reason}); fetch or import the model pack again")]
    Model {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The picture has another number of bytes than its width and height say, or none.
    #[error("the picture has {bytes} bytes for {width} × {height} pixels")]
    Picture {
        /// Pixels in a row.
        width: u32,
        /// Rows.
        height: u32,
        /// Bytes.
        bytes: usize,
    },
    /// The models could not be run on this picture.
    #[error("text recognition failed: {0}")]
    Inference(String),
}
