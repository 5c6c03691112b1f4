//! DOCX: Office Open XML word processing (ECMA-376, part 1, WordprocessingML).

mod body;
mod package;
mod styles;

use crate::blocks::{Blocks, clean_title, first_heading};
use crate::xml::{self, Xml};
use crate::{ExtractError, Extracted, Limits};
use body::{Body, Part};
use package::Package;
use styles::Styles;

/// Says whether an archive is a DOCX file; if not, it holds files that nobody asks after.
///
/// # Errors
/// [`ExtractError::UnknownKind`] with what it is instead, [`ExtractError::Damaged`], [`ExtractError::TooLarge`].
pub(crate) fn recognise(bytes: &[u8]) -> Result<bool, ExtractError> {
    let limits = Limits::default();
    let package = Package::open(bytes, &limits)?;
    if package.main_part().is_some() {
        return Ok(true);
    }
    Err(ExtractError::unknown(match () {
        () if package.has_prefix("xl/") => "it is a spreadsheet; save it as PDF",
        () if package.has_prefix("ppt/") => "it is a presentation; save it as PDF",
        () if package.has_prefix("content.xml") => "it is an OpenDocument file; save it as DOCX or PDF",
        () if package.has_prefix("META-INF/container.xml") => "it is an e-book; save it as DOCX or PDF",
        () => return Ok(false),
    }))
}

pub(crate) fn extract(bytes: &[u8], limits: &Limits) -> Result<Extracted, ExtractError> {
    let mut package = Package::open(bytes, limits)?;
    let main = package.main_part().ok_or_else(|| ExtractError::damaged("its main part is missing"))?;
    let folder = main.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
    let document = package.read(&main)?.ok_or_else(|| ExtractError::damaged("its main part is missing"))?;

    let mut warnings = Vec::new();
    let styles = match package
        .read(&format!("{folder}/styles.xml"))
        .and_then(|part| part.as_deref().map_or_else(|| Ok(Styles::default()), Styles::read))
    {
        Ok(styles) => styles,
        Err(error @ ExtractError::TooLarge { .. }) => return Err(error),
        Err(_) => {
            warnings.push("the styles are damaged, so headings may be missing".to_owned());
            Styles::default()
        }
    };

    let mut body = Body::new(Blocks::new(limits), &styles, limits);
    body.read(&document, Part::Document)?;
    let pages = body.pages();
    for notes in ["footnotes", "endnotes"] {
        let Some(part) = package.read(&format!("{folder}/{notes}.xml"))? else { continue };
        if matches!(body.read(&part, Part::Notes), Err(ExtractError::Damaged { .. })) {
            warnings.push(format!("the {notes} are damaged and partly missing"));
        }
    }
    let (blocks, heading_title) = body.finish()?;
    if blocks.is_empty() {
        let reason = "it has only pictures or nothing at all; run text recognition or bring the original";
        return Err(ExtractError::NoText { reason });
    }
    let title = package.read("docProps/core.xml").ok().flatten().and_then(|part| core_title(&part));
    let title = title.or(heading_title).or_else(|| first_heading(&blocks));
    Ok(Extracted { title, blocks, pages, warnings, ..Extracted::default() })
}

/// `dc:title` of the core properties (ECMA-376, part 2, section 11).
fn core_title(part: &[u8]) -> Option<String> {
    let (mut title, mut inside) = (String::new(), false);
    // A damaged properties part costs only the title.
    let _ = xml::for_each(part, |event| {
        match event {
            Xml::Start(_, name) => inside = name == "title",
            Xml::End(_) => inside = false,
            Xml::Text(text) if inside => title.push_str(text),
            Xml::Text(_) => {}
        }
        Ok(())
    });
    clean_title(&title)
}
