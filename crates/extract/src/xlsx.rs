//! XLSX: Office Open XML spreadsheets (ECMA-376, part 1, SpreadsheetML). Results of formulas are read, not formulas.

mod parts;
mod worksheet;

use crate::blocks::first_heading;
use crate::grid::Grid;
use crate::grid::texts::Texts;
use crate::package::Package;
use crate::properties::Properties;
use crate::{ExtractError, Extracted, Limits};
use parts::{Workbook, read_shared_strings, read_styles};
use worksheet::Worksheet;

pub(crate) fn extract(bytes: &[u8], limits: &Limits) -> Result<Extracted, ExtractError> {
    let mut package = Package::open(bytes, limits)?;
    let main = package.main_part()?.ok_or_else(|| ExtractError::damaged("its main part is missing"))?;
    let workbook = Workbook::read(&package.need(&main)?, limits)?;
    let relations = package.relations(&main)?;
    let related = |kind: &str| relations.values().find(|relation| relation.kind == kind).map(|found| &found.target);

    let mut warnings = Vec::new();
    let strings = match related("sharedStrings") {
        Some(name) => read_shared_strings(&package.need(name)?)?,
        None => Texts::default(),
    };
    let styles = match related("styles") {
        Some(name) => package.read_extra(name)?.and_then(|part| read_styles(&part).ok()).unwrap_or_else(|| {
            warnings.push("the styles are damaged, so dates may be shown as numbers".to_owned());
            Vec::new()
        }),
        None => Vec::new(),
    };

    let mut grid = Grid::new(limits);
    for (number, sheet) in (1..).zip(&workbook.sheets) {
        let Some(relation) = relations.get(&sheet.relation) else {
            warnings.push(format!("the sheet \"{}\" is missing in the file", sheet.name));
            continue;
        };
        if relation.kind != "worksheet" {
            continue;
        }
        if sheet.is_hidden {
            warnings.push(format!("the sheet \"{}\" is hidden and was read", sheet.name));
        }
        let part = package.read(&relation.target)?.unwrap_or_default();
        grid.begin_sheet(number, &sheet.name)?;
        match Worksheet::new(&strings, &styles, workbook.from_1904).read(&part, limits, &mut grid) {
            Err(ExtractError::Damaged { .. }) => {
                warnings.push(format!("the sheet \"{}\" is damaged and partly missing", sheet.name));
            }
            result => result?,
        }
    }
    let blocks = grid.finish()?;
    if blocks.is_empty() && !warnings.is_empty() {
        return Err(ExtractError::damaged("none of its sheets can be read"));
    }
    if blocks.is_empty() {
        return Err(ExtractError::NoText { reason: "all its sheets are empty; check that it is the right file" });
    }
    let properties = Properties::of_office(&mut package)?;
    let title = properties.title.clone().or_else(|| only_sheet(workbook.sheets.len(), &blocks));
    let pages = u32::try_from(workbook.sheets.len()).ok();
    Ok(properties.with(Extracted { title, blocks, pages, warnings, ..Extracted::default() }))
}

/// The name of the only sheet, if a person gave it: programs call them `Sheet1`, `Tabelle1`, `Feuil1`.
pub(crate) fn only_sheet(sheets: usize, blocks: &[domain::Block]) -> Option<String> {
    first_heading(blocks).filter(|name| sheets == 1 && !name.ends_with(|c: char| c.is_ascii_digit()))
}
