//! PDF (ISO 32000): text by page from the positions of its glyphs; paragraphs and headings from the layout.
//!
//! The library underneath loads objects and knows the names and widths of glyphs. It panics on what it does not know,
//! and unpacks and recurses without limits. So the content of pages is run here ([`interpreter`]), streams are unpacked
//! under limits ([`streams`]), and about fonts the library is asked once, with checked values ([`fonts`]).

mod cmap;
mod columns;
mod content;
mod drop_caps;
mod fonts;
mod geometry;
mod glyphs;
mod headings;
mod information;
mod interpreter;
mod layout;
mod listing;
mod objects;
mod order;
mod page;
mod paragraphs;
mod parallel;
mod rows;
mod running_titles;
mod scans;
mod streams;

use crate::blocks::{Blocks, first_heading};
use crate::host::Host;
use crate::{ExtractError, Extracted, Limits};
use glyphs::Line;
use page::Page;
use pdf_extract::Document;
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

    let budget = Budget::new(limits);
    let read = parallel::read_pages(&document, &pages, &budget)?;
    let places = |wanted: fn(&Page) -> bool| -> Vec<usize> {
        (1..).zip(&read).filter(|(_, page)| wanted(page)).map(|(number, _)| number).collect()
    };
    let unread = places(|page| page.is_incomplete);
    // A scan in strips has no large picture, and nothing else.
    let mut pictures = places(|page| page.is_picture() || page.lines.is_empty());
    let scans = Scans::recognise(&document, &pages, &pictures, limits, host)?;
    let unseen = places(Page::is_picture);
    pictures.retain(|number| unseen.contains(number) && !scans.has_found_on(*number));
    let mut lines: Vec<Vec<Line>> = read.into_iter().map(|page| page.lines).collect();
    let has_text = scans.has_text() || lines.iter().any(|page| !page.is_empty());
    if !has_text {
        return Err(if unread.is_empty() {
            ExtractError::NoText { reason: scans.reason() }
        } else {
            ExtractError::damaged("none of its pages can be read")
        });
    }
    let mut warnings = Vec::new();
    if !unread.is_empty() {
        warnings.push(format!("some text could not be read on {}", page_list(&unread)));
    }
    if !pictures.is_empty() {
        let holds = if pictures.len() == 1 { "holds" } else { "hold" };
        warnings.push(format!("{} {holds} only a picture", page_list(&pictures)));
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
    let mut extracted = Extracted { pages: u32::try_from(pages.len()).ok(), warnings, ..Extracted::default() };
    information::read(&document, &budget, &mut extracted)?;
    extracted.title = extracted.title.take().or_else(|| first_heading(&blocks));
    extracted.blocks = blocks;
    Ok(extracted)
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
