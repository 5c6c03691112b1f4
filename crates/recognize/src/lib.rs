//! Text recognition: pictures in, lines of text out, in process and on the processor.
//!
//! Two models of the PP-OCR family do the work: one says where in a picture there is text ([`detect`]), the other reads
//! one line at a time ([`read`]). Around them: the angle of a page that was not laid straight on the scanner
//! ([`regions`]), pages on their side or upside down ([`Recognizer::recognize`]), and the order in which people read
//! lines ([`order`]).
//!
//! The crate reads nothing but the model files that it is given, and knows nothing of documents.

mod detect;
mod error;
mod order;
mod pixels;
mod read;
mod recognizer;
mod regions;

pub use error::RecognizeError;
pub use recognizer::{FILES, Options, Pack, Recognizer};
