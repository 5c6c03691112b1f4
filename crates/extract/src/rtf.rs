//! RTF: Rich Text Format (specification 1.9.1).

mod encodings;
mod reader;
mod state;
mod tokens;

use crate::blocks::{clean_title, first_heading};
use crate::{ExtractError, Extracted, Limits};
use reader::Reader;

pub(crate) fn extract(bytes: &[u8], limits: &Limits) -> Result<Extracted, ExtractError> {
    let mut reader = Reader::new(limits);
    for token in tokens::Tokens::new(bytes.trim_ascii_start()) {
        reader.read(token)?;
    }
    let (blocks, properties, is_whole) = reader.finish()?;
    let warnings = if is_whole { Vec::new() } else { vec!["the file ends too early".to_owned()] };
    if blocks.is_empty() {
        return Err(ExtractError::NoText { reason: "it has only pictures or nothing at all; save it as PDF" });
    }
    let title = properties.title.clone();
    let title = title.or_else(|| first_heading(&blocks).as_deref().and_then(clean_title));
    Ok(properties.with(Extracted { title, blocks, warnings, ..Extracted::default() }))
}
