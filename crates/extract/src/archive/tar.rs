//! Tape archives: ustar, with long names as GNU and PAX write them.

use super::Unpacking;
use crate::{ExtractError, Extracted, Host, Limits, encoding};
use std::io::{self, Read};
use tar::{Archive, EntryType};

/// Headers and archives consist of blocks of this size.
const BLOCK: usize = 512;

/// Whether a file begins with a header block whose checksum is right.
pub(crate) fn is_tar(bytes: &[u8]) -> bool {
    let Some(header) = bytes.get(..BLOCK) else { return false };
    let field = header[148..156].trim_ascii().split(|&byte| byte == 0 || byte == b' ').next().unwrap_or_default();
    let declared = std::str::from_utf8(field).ok().and_then(|digits| u64::from_str_radix(digits, 8).ok());
    // The field itself counts as eight spaces.
    let rest = header[..148].iter().chain(&header[156..]).map(|&byte| u64::from(byte)).sum::<u64>();
    declared == Some(rest + 8 * u64::from(b' ')) && header[0] != 0
}

pub(crate) fn extract(bytes: &[u8], limits: &Limits, host: &mut dyn Host) -> Result<Extracted, ExtractError> {
    read(bytes, limits, host)
}

/// Reads an archive from a stream that may be without end.
pub(crate) fn read(stream: impl Read, limits: &Limits, host: &mut dyn Host) -> Result<Extracted, ExtractError> {
    // Each entry has a header and is filled up to a whole block; long names take two more.
    let overhead = (limits.entries as u64).saturating_add(1).saturating_mul(8 * BLOCK as u64);
    let bounded = Bounded { stream, left: limits.unpacked_bytes.saturating_add(overhead), is_over: false };
    let mut archive = Archive::new(bounded);
    let mut unpacking = Unpacking::new(limits, host);
    let taken = take_all(&mut archive, &mut unpacking);
    if archive.into_inner().is_over {
        limits.check_unpacked(u64::MAX)?;
    }
    taken?;
    unpacking.finish()
}

fn take_all<R: Read>(archive: &mut Archive<Bounded<R>>, unpacking: &mut Unpacking<'_>) -> Result<(), ExtractError> {
    let entries = archive.entries().map_err(|_| ExtractError::damaged("the archive cannot be read"))?;
    let mut last = String::new();
    for entry in entries {
        unpacking.count()?;
        let Ok(mut entry) = entry else {
            // Without this header it is unknown where the next one is.
            let place = if last.is_empty() { "the beginning of the archive".to_owned() } else { last };
            unpacking.warn(&place, "is followed by damage, and files after it are missing");
            return Ok(());
        };
        let name = encoding::decode(&entry.path_bytes(), None).0;
        last.clone_from(&name);
        if !matches!(entry.header().entry_type(), EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse) {
            continue;
        }
        let Some(name) = unpacking.name(&name) else { continue };
        let packed = entry.header().entry_size().unwrap_or(0);
        unpacking.take(name, &mut entry, packed)?;
    }
    Ok(())
}

/// A stream that fails when more comes out of it than it may.
struct Bounded<R> {
    stream: R,
    left: u64,
    is_over: bool,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            self.is_over = true;
            return Err(io::Error::other("more than the limit"));
        }
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let count = self.stream.read(&mut buffer[..wanted])?;
        self.left -= count as u64;
        Ok(count)
    }
}
