//! The archive around the parts of an Office file, under limits.

use crate::xml::{self, Xml};
use crate::{ExtractError, Limits};
use std::io::{Cursor, Read};
use zip::ZipArchive;
use zip::result::ZipError;

/// An Open Packaging Conventions archive (ECMA-376, part 2).
pub(crate) struct Package<'a> {
    archive: ZipArchive<Cursor<&'a [u8]>>,
    limits: &'a Limits,
    /// Bytes unpacked so far.
    unpacked: u64,
    main_part: Option<String>,
}

impl<'a> Package<'a> {
    /// Opens the archive and checks what it declares: the number of its entries and their sizes.
    pub(crate) fn open(bytes: &'a [u8], limits: &'a Limits) -> Result<Self, ExtractError> {
        limits.check_entries(declared_entries(bytes))?;
        let archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| damaged(&error))?;
        limits.check_entries(archive.len())?;
        if let Some(declared) = archive.decompressed_size() {
            limits.check_unpacked(u64::try_from(declared).unwrap_or(u64::MAX))?;
        }
        let mut package = Self { archive, limits, unpacked: 0, main_part: None };
        package.main_part = package.find_main_part()?;
        Ok(package)
    }

    /// The name of the part that holds the text, if this is a word processing file.
    pub(crate) fn main_part(&self) -> Option<String> {
        self.main_part.clone()
    }

    pub(crate) fn has_prefix(&self, prefix: &str) -> bool {
        self.archive.file_names().any(|name| name.starts_with(prefix))
    }

    /// Unpacks one part; `None` if there is none of this name.
    pub(crate) fn read(&mut self, name: &str) -> Result<Option<Vec<u8>>, ExtractError> {
        let part = match self.archive.by_name(name.trim_start_matches('/')) {
            Ok(part) => part,
            Err(ZipError::FileNotFound) => return Ok(None),
            Err(error) => return Err(damaged(&error)),
        };
        // Declared sizes can lie: what counts is how much really comes out.
        let left = self.limits.unpacked_bytes.saturating_sub(self.unpacked);
        let mut bytes = Vec::new();
        part.take(left.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(|_| ExtractError::damaged("a part of it cannot be unpacked"))?;
        self.unpacked += bytes.len() as u64;
        self.limits.check_unpacked(self.unpacked)?;
        Ok(Some(bytes))
    }

    /// Follows the package's relation to its main document; some programs name that part differently.
    fn find_main_part(&mut self) -> Result<Option<String>, ExtractError> {
        let usual = "word/document.xml";
        let relations =
            if self.archive.index_for_name("_rels/.rels").is_some() { self.read("_rels/.rels")? } else { None };
        let mut target = None;
        if let Some(relations) = relations {
            // A damaged relations part is no reason to refuse a file that has the usual part.
            let _ = xml::for_each(&relations, |event| {
                if let Xml::Start(element, "Relationship") = event {
                    let kind = xml::attribute(element, "Type").unwrap_or_default();
                    if kind.ends_with("/officeDocument") {
                        target = xml::attribute(element, "Target");
                    }
                }
                Ok(())
            });
        }
        let target = target.map(|target| target.trim_start_matches('/').to_owned());
        let found =
            target.filter(|target| target.starts_with("word/") && self.archive.index_for_name(target).is_some());
        Ok(found.or_else(|| self.archive.index_for_name(usual).map(|_| usual.to_owned())))
    }
}

/// The number of entries that the end of the central directory declares (APPNOTE.TXT, section 4.3.16), before
/// anything is allocated for them; 0 if there is no such record.
fn declared_entries(bytes: &[u8]) -> usize {
    let tail = &bytes[bytes.len().saturating_sub(66_000)..];
    let Some(at) = tail.windows(4).rposition(|window| window == b"PK\x05\x06") else { return 0 };
    match tail.get(at + 10..at + 12) {
        Some(&[low, high]) => usize::from(u16::from_le_bytes([low, high])),
        _ => 0,
    }
}

fn damaged(error: &ZipError) -> ExtractError {
    match error {
        ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) => ExtractError::Encrypted,
        ZipError::UnsupportedArchive(_) => ExtractError::damaged("it is packed in an unusual way"),
        _ => ExtractError::damaged("the archive in it cannot be opened"),
    }
}
