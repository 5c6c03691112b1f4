//! OpenDocument texts and presentations, and what OpenDocument files have in common (OpenDocument 1.3, parts 2 and 3).

mod body;
mod styles;

use crate::blocks::{clean_title, first_heading};
use crate::package::Package;
use crate::properties::Properties;
use crate::xml;
use crate::{ExtractError, Extracted, Limits};
use body::{Body, Kind};
use styles::Styles;

/// How many spaces in a row count.
const SPACES: usize = 64;

/// ODT: texts. They have no pages until they are laid out.
pub(crate) fn extract_text(bytes: &[u8], limits: &Limits) -> Result<Extracted, ExtractError> {
    extract(bytes, limits, Kind::Text)
}

/// ODP: presentations, and drawings. A page is a slide.
pub(crate) fn extract_presentation(bytes: &[u8], limits: &Limits) -> Result<Extracted, ExtractError> {
    extract(bytes, limits, Kind::Presentation)
}

fn extract(bytes: &[u8], limits: &Limits, kind: Kind) -> Result<Extracted, ExtractError> {
    let mut package = open(bytes, limits)?;
    let content = package.need("content.xml")?;
    let mut styles = Styles::default();
    let mut warnings = Vec::new();
    if let Some(part) = package.read_extra("styles.xml")?
        && styles.read(&part).is_err()
    {
        warnings.push("the styles are damaged, so headings may be missing".to_owned());
    }
    // Styles of its own stand in the content before what uses them; a damaged end is told below.
    let _ = styles.read(&content);

    let mut body = Body::new(&styles, limits, kind, &content);
    match xml::for_each(&content, |event| body.read(&event)) {
        Err(ExtractError::Damaged { .. }) if !body.is_empty() => {
            warnings.push("the file is damaged and partly missing".to_owned());
        }
        result => result?,
    }
    let (blocks, pages, heading_title, hidden) = body.finish();
    warnings.extend(hidden.iter().map(|page| format!("slide {page} is hidden and was read")));
    if blocks.is_empty() {
        return Err(ExtractError::NoText { reason: "it has only pictures or nothing at all; save it as PDF" });
    }
    let properties = Properties::read(&mut package, "meta.xml")?;
    let title = properties.title.clone().or(heading_title);
    let title = title.or_else(|| first_heading(&blocks).as_deref().and_then(clean_title));
    Ok(properties.with(Extracted { title, blocks, pages, warnings, ..Extracted::default() }))
}

/// Opens the package of a file that is not encrypted (part 2, section 3.4.1).
pub(crate) fn open<'a>(bytes: &'a [u8], limits: &'a Limits) -> Result<Package<'a>, ExtractError> {
    let mut package = Package::open(bytes, limits)?;
    let manifest = package.read_extra("META-INF/manifest.xml")?.unwrap_or_default();
    let mark = b"encryption-data";
    if manifest.windows(mark.len()).any(|window| window == mark) {
        return Err(ExtractError::Encrypted);
    }
    Ok(package)
}

/// The spaces that a `text:s` element stands for (part 3, section 6.1.3).
pub(crate) fn space(count: Option<String>) -> String {
    " ".repeat(count.and_then(|count| count.parse().ok()).unwrap_or(1).clamp(1, SPACES))
}
