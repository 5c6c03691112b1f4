//! The archive around the parts of a file, under limits.

use crate::xml::{self, Xml};
use crate::{ExtractError, Limits};
use std::collections::HashMap;
use std::io::{Cursor, Read};
use zip::ZipArchive;
use zip::result::ZipError;

/// An archive of parts: Open Packaging Conventions (ECMA-376, part 2), OpenDocument or EPUB.
pub(crate) struct Package<'a> {
    archive: ZipArchive<Cursor<&'a [u8]>>,
    limits: &'a Limits,
    /// Bytes unpacked so far.
    unpacked: u64,
}

/// Where a part points to (ECMA-376, part 2, section 9.3).
pub(crate) struct Relation {
    /// The last segment of its type, such as `slide`.
    pub(crate) kind: String,
    /// The name of the part.
    pub(crate) target: String,
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
        Ok(Self { archive, limits, unpacked: 0 })
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.archive.index_for_name(name).is_some()
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

    /// Unpacks a part without which nothing can be read.
    pub(crate) fn need(&mut self, name: &str) -> Result<Vec<u8>, ExtractError> {
        self.read(name)?.ok_or_else(|| ExtractError::damaged(format!("its part {name} is missing")))
    }

    /// Unpacks a part that only adds to the text: one that is missing or damaged is no reason to refuse the file.
    pub(crate) fn read_extra(&mut self, name: &str) -> Result<Option<Vec<u8>>, ExtractError> {
        match self.read(name) {
            Err(error @ ExtractError::TooLarge { .. }) => Err(error),
            Err(_) => Ok(None),
            Ok(part) => Ok(part),
        }
    }

    /// The main part of an Office file: what the package's relations point to, or else the part of the usual name.
    /// Some programs name that part differently.
    pub(crate) fn main_part(&mut self) -> Result<Option<String>, ExtractError> {
        const USUAL: [&str; 3] = ["word/document.xml", "xl/workbook.xml", "ppt/presentation.xml"];
        let relations = self.relations("")?;
        let found = relations.into_values().find(|found| found.kind == "officeDocument" && self.has(&found.target));
        let found = found.map(|relation| relation.target);
        Ok(found.or_else(|| USUAL.into_iter().find(|usual| self.has(usual)).map(str::to_owned)))
    }

    /// The relations of a part by their id, without those that point out of the package; `""` is the package itself.
    /// A damaged relations part gives those that can be read.
    pub(crate) fn relations(&mut self, part: &str) -> Result<HashMap<String, Relation>, ExtractError> {
        let (folder, name) = part.rsplit_once('/').unwrap_or(("", part));
        let slash = if folder.is_empty() { "" } else { "/" };
        let (mut found, most) = (HashMap::new(), self.limits.entries);
        let Some(relations) = self.read_extra(&format!("{folder}{slash}_rels/{name}.rels"))? else { return Ok(found) };
        let _ = xml::for_each(&relations, |event| {
            let Xml::Start(element, "Relationship") = event else { return Ok(()) };
            let value = |name: &str| xml::attribute(element, name).unwrap_or_default();
            if value("TargetMode") != "External" && found.len() < most {
                let kind = value("Type").rsplit('/').next().unwrap_or_default().to_owned();
                found.insert(value("Id"), Relation { kind, target: resolve(folder, &value("Target")) });
            }
            Ok(())
        });
        Ok(found)
    }

    /// The media type that `[Content_Types].xml` gives a part (ECMA-376, part 2, section 10.1.2.2); empty if none.
    pub(crate) fn content_type(&mut self, part: &str) -> Result<String, ExtractError> {
        let mut found = String::new();
        let Some(types) = self.read_extra("[Content_Types].xml")? else { return Ok(found) };
        let _ = xml::for_each(&types, |event| {
            if let Xml::Start(element, "Override") = event
                && xml::attribute(element, "PartName").is_some_and(|name| name.trim_start_matches('/') == part)
            {
                found = xml::attribute(element, "ContentType").unwrap_or_default();
            }
            Ok(())
        });
        Ok(found)
    }
}

/// A path as seen from a folder, both with `/` between names and none at the start; `..` goes up.
pub(crate) fn resolve(folder: &str, path: &str) -> String {
    let folder = if path.starts_with('/') { "" } else { folder };
    let mut names: Vec<&str> = folder.split('/').filter(|name| !name.is_empty()).collect();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => {
                names.pop();
            }
            name => names.push(name),
        }
    }
    names.join("/")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_resolved_inside_the_package() {
        assert_eq!(resolve("ppt/slides", "../media/../charts/./c.xml"), "ppt/charts/c.xml");
        assert_eq!(resolve("ppt/slides", "/xl/a.xml"), "xl/a.xml");
        assert_eq!(resolve("a", "../../../etc/passwd"), "etc/passwd");
        assert_eq!(resolve("", "a.xml"), "a.xml");
    }
}
