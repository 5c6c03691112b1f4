//! Gzip (RFC 1952): one file, or a tape archive.

use super::{Inflated, Unpacking, tar};
use crate::{ExtractError, Extracted, Host, Limits, encoding};
use flate2::read::{GzDecoder, MultiGzDecoder};
use std::io::Read;

pub(crate) fn extract(bytes: &[u8], limits: &Limits, host: &mut dyn Host) -> Result<Extracted, ExtractError> {
    let mut head = Vec::new();
    // A file that is damaged further on may still show what it is.
    let _ = MultiGzDecoder::new(bytes).take(512).read_to_end(&mut head);
    if tar::is_tar(&head) {
        return tar::read(MultiGzDecoder::new(bytes), limits, host);
    }
    let name = file_name(bytes);
    let mut unpacking = Unpacking::new(limits, host);
    match unpacking.inflate(&mut MultiGzDecoder::new(bytes), bytes.len() as u64)? {
        Inflated::Whole(content) => unpacking.give(name, content)?,
        Inflated::Broken => return Err(ExtractError::damaged("it cannot be unpacked to its end")),
        Inflated::Dense => limits.check_unpacked(u64::MAX)?,
    }
    unpacking.finish()
}

/// The name of the file in it, as far as it says one. The standard wants Latin-1, programs write what they have.
fn file_name(bytes: &[u8]) -> String {
    let decoder = GzDecoder::new(bytes);
    let given = decoder.header().and_then(|header| header.filename());
    let name = given.and_then(|name| crate::names::file(&encoding::decode(name, None).0));
    name.unwrap_or_else(|| "content".to_owned())
}
