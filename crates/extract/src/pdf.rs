//! PDF (ISO 32000): text by page from the positions of its glyphs; paragraphs and headings from the layout.
//!
//! The library underneath decodes fonts well, but panics and recurses on what it does not know. So it gets to see
//! only what this module hands it: one page at a time, rewritten to text operators ([`flatten`]), with checked fonts
//! ([`fonts`]) and streams unpacked under limits ([`streams`]).

mod cmap;
mod flatten;
mod fonts;
mod glyphs;
mod headings;
mod layout;
mod page;
mod paragraphs;
mod rows;
mod running_titles;
mod scans;
mod streams;

use crate::blocks::{Blocks, clean_title, first_heading};
use crate::host::Host;
use crate::{ExtractError, Extracted, Limits};
use pdf_extract::{Document, Object};
use scans::Scans;
use streams::Budget;

pub(crate) fn extract(bytes: &[u8], limits: &Limits, host: &mut dyn Host) -> Result<Extracted, ExtractError> {
    streams::check_before_loading(bytes, limits)?;
    let document = load(bytes)?;
    // The iterator ends after as many steps as there are objects, so that circles in the tree do no harm.
    let pages: Vec<_> = document.page_iter().take(limits.pages as usize + 1).collect();
    limits.check_pages(pages.len())?;
    if pages.is_empty() {
        return Err(ExtractError::damaged("it has no pages"));
    }

    let mut budget = Budget::new(limits);
    let mut warnings = Vec::new();
    let mut unread = Vec::new();
    let mut lines = Vec::with_capacity(pages.len());
    for (place, &id) in pages.iter().enumerate() {
        let found = page::read(&document, id, &mut budget)?;
        if found.is_incomplete {
            unread.push(place + 1);
        }
        lines.push(found.lines);
    }
    let scans = Scans::recognise(&document, &pages, &lines, limits, host)?;
    let has_text = scans.has_text() || lines.iter().any(|page| !page.is_empty());
    if !has_text {
        return Err(if unread.is_empty() {
            ExtractError::NoText { reason: scans.reason() }
        } else {
            ExtractError::damaged("none of its pages can be read")
        });
    }
    if !unread.is_empty() {
        warnings.push(format!("some text could not be read on {}", page_list(&unread)));
    }
    let empty = lines.iter().zip(scans.found()).filter(|(page, is_found)| page.is_empty() && !is_found).count();
    if empty * 2 > lines.len() {
        warnings.push(format!(
            "{empty} of {} pages hold no text; if they are scans, run text recognition first",
            lines.len()
        ));
    }

    running_titles::remove(&mut lines);
    let mut blocks = Blocks::new(limits);
    layout::write(lines, &mut blocks)?;
    scans.write(&mut blocks)?;
    let mut blocks = blocks.into_vec();
    // Stable: what was recognised on a page follows what is written on it.
    blocks.sort_by_key(|block| block.location.page);
    if blocks.is_empty() {
        return Err(ExtractError::NoText { reason: "there is nothing on its pages but page numbers" });
    }
    let title = information_title(&document).or_else(|| first_heading(&blocks));
    Ok(Extracted { title, blocks, pages: u32::try_from(pages.len()).ok(), warnings, ..Extracted::default() })
}

fn load(bytes: &[u8]) -> Result<Document, ExtractError> {
    let document = match Document::load_mem(bytes) {
        Ok(document) => document,
        Err(
            pdf_extract::Error::InvalidPassword
            | pdf_extract::Error::Decryption(_)
            | pdf_extract::Error::UnsupportedSecurityHandler(_),
        ) => return Err(ExtractError::Encrypted),
        Err(_) => return Err(ExtractError::damaged("its table of contents cannot be read; it may be cut short")),
    };
    // Loading tries the empty password by itself: many files only forbid changes.
    if document.trailer.get(b"Encrypt").is_ok() { Err(ExtractError::Encrypted) } else { Ok(document) }
}

/// `Title` of the document information dictionary, PDFDocEncoding or UTF-16 with a byte order mark.
fn information_title(document: &Document) -> Option<String> {
    let (_, information) = document.dereference(document.trailer.get(b"Info").ok()?).ok()?;
    let (_, title) = document.dereference(information.as_dict().ok()?.get(b"Title").ok()?).ok()?;
    let Object::String(bytes, _) = title else { return None };
    let title = match bytes.as_slice() {
        [0xfe, 0xff, ..] | [0xff, 0xfe, ..] | [0xef, 0xbb, 0xbf, ..] => crate::encoding::decode(bytes, None).0,
        // Windows-1252 is PDFDocEncoding but for a few signs between 0x80 and 0x9f.
        _ => encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned(),
    };
    clean_title(&title)
}

/// `page 3`, or `pages 3, 4, 9 and 12 more`.
fn page_list(pages: &[usize]) -> String {
    const NAMED: usize = 5;
    let named: Vec<String> = pages.iter().take(NAMED).map(usize::to_string).collect();
    let more = pages.len().saturating_sub(NAMED);
    let word = if pages.len() == 1 { "page" } else { "pages" };
    if more == 0 {
        format!("{word} {}", named.join(", "))
    } else {
        format!("{word} {} and {more} more", named.join(", "))
    }
}
