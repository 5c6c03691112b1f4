//! DOCX: Office Open XML word processing (ECMA-376, part 1, WordprocessingML).

mod body;
mod styles;

use crate::blocks::{Blocks, first_heading};
use crate::package::Package;
use crate::properties::Properties;
use crate::{ExtractError, Extracted, Limits};
use body::{Body, Part};
use styles::Styles;

pub(crate) fn extract(bytes: &[u8], limits: &Limits) -> Result<Extracted, ExtractError> {
    let mut package = Package::open(bytes, limits)?;
    let main = package.main_part()?.ok_or_else(|| ExtractError::damaged("its main part is missing"))?;
    let folder = main.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
    let document = package.need(&main)?;

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
    let properties = Properties::of_office(&mut package)?;
    let title = properties.title.clone().or(heading_title).or_else(|| first_heading(&blocks));
    Ok(properties.with(Extracted { title, blocks, pages, warnings, ..Extracted::default() }))
}

/// The heading level that the name of a paragraph style speaks for, in any program.
pub(crate) fn style_by_name(name: &str) -> Option<u8> {
    let role = styles::by_name(name, styles::Role::default());
    if role.is_title { Some(1) } else { role.heading }
}
