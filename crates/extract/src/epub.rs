//! EPUB: chapters in HTML, in the order of a spine (EPUB 3.3, and Open Packaging Format 2.0.1). There are no pages:
//! where they break is up to the reader's device.

use crate::blocks::{Blocks, clean_title, first_heading};
use crate::package::{Package, resolve};
use crate::properties::{Properties, clean_author};
use crate::xml::{self, Xml};
use crate::{ExtractError, Extracted, Limits, dates, html};
use std::collections::{HashMap, HashSet};

pub(crate) fn extract(bytes: &[u8], limits: &Limits) -> Result<Extracted, ExtractError> {
    let mut package = Package::open(bytes, limits)?;
    let container = package.need("META-INF/container.xml")?;
    let publication = publication_path(&container)?;
    let publication = Publication::read(&package.need(&publication)?, &publication, limits)?;
    let encrypted = encrypted_parts(&mut package)?;
    if !publication.chapters.is_empty() && publication.chapters.iter().all(|chapter| encrypted.contains(chapter)) {
        return Err(ExtractError::Encrypted);
    }

    let mut blocks = Blocks::new(limits);
    let mut warnings = Vec::new();
    for chapter in &publication.chapters {
        let Some(part) = package.read(chapter)? else {
            warnings.push(format!("the chapter {chapter} is missing in the file"));
            continue;
        };
        match html::extract(&part, limits) {
            Ok(found) => {
                for block in found.blocks {
                    blocks.push(block.kind, &block.text, None)?;
                }
            }
            // Covers and full-page pictures.
            Err(ExtractError::NoText { .. } | ExtractError::Empty) => {}
            Err(error @ ExtractError::TooLarge { .. }) => return Err(error),
            Err(_) => warnings.push(format!("the chapter {chapter} is damaged")),
        }
    }
    let blocks = blocks.into_vec();
    if blocks.is_empty() {
        return Err(ExtractError::NoText { reason: "its chapters hold only pictures or nothing; bring it as PDF" });
    }
    let properties = publication.properties;
    let title = properties.title.clone().or_else(|| first_heading(&blocks));
    let fields = publication.language.map(|language| ("language".to_owned(), language)).into_iter().collect();
    Ok(properties.with(Extracted { title, fields, blocks, warnings, ..Extracted::default() }))
}

/// The path of the package document (EPUB 3.3, section 4.2.6.3.1).
fn publication_path(container: &[u8]) -> Result<String, ExtractError> {
    let mut path = None;
    xml::for_each(container, |event| {
        if let Xml::Start(element, "rootfile") = event
            && path.is_none()
        {
            path = xml::attribute(element, "full-path");
        }
        Ok(())
    })?;
    path.ok_or_else(|| ExtractError::damaged("it does not say where its chapters are"))
}

/// What a package document says (EPUB 3.3, section 5).
#[derive(Default)]
struct Publication {
    /// The names of the parts to read, in their order.
    chapters: Vec<String>,
    properties: Properties,
    language: Option<String>,
}

impl Publication {
    fn read(part: &[u8], path: &str, limits: &Limits) -> Result<Self, ExtractError> {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let mut found = Self::default();
        let (mut manifest, mut spine) = (HashMap::new(), Vec::new());
        let (mut text, mut authors, mut is_modified) = (String::new(), Vec::new(), false);
        xml::for_each(part, |event| {
            match event {
                Xml::Start(element, name) => {
                    text.clear();
                    let value = |name: &str| xml::attribute(element, name).unwrap_or_default();
                    is_modified = name == "meta" && value("property") == "dcterms:modified";
                    // The table of contents repeats the headings.
                    if name == "item" && !value("properties").split(' ').any(|property| property == "nav") {
                        let is_page = matches!(value("media-type").as_str(), "application/xhtml+xml" | "text/html");
                        if is_page {
                            manifest.insert(value("id"), resolve(folder, &unescaped(&value("href"))));
                        }
                    } else if name == "itemref" {
                        spine.push(value("idref"));
                    }
                }
                Xml::Text(part) => text.push_str(part),
                Xml::End("title") if found.properties.title.is_none() => found.properties.title = clean_title(&text),
                Xml::End("creator") => authors.extend(clean_author(&text)),
                Xml::End("language") if found.language.is_none() => found.language = clean_author(&text),
                Xml::End("date") if found.properties.created_at.is_none() => {
                    found.properties.created_at = dates::parse(&text);
                }
                Xml::End("meta") if is_modified => found.properties.modified_at = dates::parse(&text),
                Xml::End(_) => {}
            }
            limits.check_entries(manifest.len().max(spine.len()).max(authors.len()))
        })?;
        found.chapters = spine.iter().filter_map(|id| manifest.remove(id)).collect();
        found.properties.author = (!authors.is_empty()).then(|| authors.join(", "));
        Ok(found)
    }
}

/// The parts that `META-INF/encryption.xml` names; obfuscated fonts are among them, chapters only if the book is
/// protected.
fn encrypted_parts(package: &mut Package<'_>) -> Result<HashSet<String>, ExtractError> {
    let mut parts = HashSet::new();
    if let Some(encryption) = package.read_extra("META-INF/encryption.xml")? {
        let _ = xml::for_each(&encryption, |event| {
            if let Xml::Start(element, "CipherReference") = event {
                parts.extend(xml::attribute(element, "URI").map(|uri| resolve("", &unescaped(&uri))));
            }
            Ok(())
        });
    }
    Ok(parts)
}

/// A relative address as a path: without its fragment, `%20` as a space.
fn unescaped(address: &str) -> String {
    let path = address.split(['#', '?']).next().unwrap_or_default();
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()).filter(|_| first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_become_paths() {
        assert_eq!(unescaped("a%20b/%C3%BC.xhtml#part"), "a b/ü.xhtml");
        assert_eq!(unescaped("100%"), "100%");
        assert_eq!(unescaped("%zz%4"), "%zz%4");
    }
}
