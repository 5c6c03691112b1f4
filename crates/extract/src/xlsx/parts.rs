//! The parts around the sheets: the list of sheets, shared texts, number formats.

use crate::grid::number::NumberFormat;
use crate::grid::texts::Texts;
use crate::grid::{STYLES, cut_cell};
use crate::xml::{self, Xml};
use crate::{ExtractError, Limits};
use std::collections::HashMap;

/// `xl/workbook.xml` (section 18.2).
#[derive(Debug, Default)]
pub(super) struct Workbook {
    pub(super) sheets: Vec<Sheet>,
    /// Whether days count from 1904.
    pub(super) from_1904: bool,
}

#[derive(Debug)]
pub(super) struct Sheet {
    pub(super) name: String,
    /// The id of the relation to its part.
    pub(super) relation: String,
    pub(super) is_hidden: bool,
}

impl Workbook {
    pub(super) fn read(part: &[u8], limits: &Limits) -> Result<Self, ExtractError> {
        let mut workbook = Self::default();
        xml::for_each(part, |event| {
            let Xml::Start(element, name) = event else { return Ok(()) };
            let value = |name: &str| xml::attribute(element, name);
            match name {
                "workbookPr" => {
                    workbook.from_1904 = value("date1904").is_some_and(|value| value == "1" || value == "true");
                }
                "sheet" => workbook.sheets.push(Sheet {
                    name: value("name").unwrap_or_default(),
                    relation: xml::prefixed_attribute(element, "id").unwrap_or_default(),
                    is_hidden: value("state").is_some_and(|state| state != "visible"),
                }),
                _ => {}
            }
            limits.check_pages(workbook.sheets.len())
        })?;
        Ok(workbook)
    }
}

/// Reads `xl/sharedStrings.xml` (section 18.4).
pub(super) fn read_shared_strings(part: &[u8]) -> Result<Texts, ExtractError> {
    let mut strings = Texts::default();
    let (mut in_text, mut in_phonetic, mut open) = (false, false, String::new());
    xml::for_each(part, |event| {
        match event {
            Xml::Start(_, "t") => in_text = true,
            Xml::End("t") => in_text = false,
            Xml::Start(_, "rPh") => in_phonetic = true,
            Xml::End("rPh") => in_phonetic = false,
            Xml::Text(text) if in_text && !in_phonetic => open.push_str(text),
            Xml::End("si") => {
                cut_cell(&mut open);
                strings.push(&open);
                open.clear();
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(strings)
}

/// The number formats of the cell styles in `xl/styles.xml` (section 18.8), by the number that cells carry.
pub(super) fn read_styles(part: &[u8]) -> Result<Vec<NumberFormat>, ExtractError> {
    let (mut own, mut styles, mut in_cell_styles) = (HashMap::new(), Vec::new(), false);
    xml::for_each(part, |event| {
        match event {
            Xml::Start(element, "numFmt") => {
                let id = xml::attribute(element, "numFmtId").and_then(|id| id.parse::<u32>().ok());
                let code = xml::attribute(element, "formatCode");
                own.extend(id.zip(code.as_deref().map(NumberFormat::parse)));
            }
            Xml::Start(_, "cellXfs") => in_cell_styles = true,
            Xml::End("cellXfs") => in_cell_styles = false,
            Xml::Start(element, "xf") if in_cell_styles && styles.len() < STYLES => {
                let id = xml::attribute(element, "numFmtId").and_then(|id| id.parse().ok()).unwrap_or(0);
                styles.push(own.get(&id).cloned().unwrap_or_else(|| NumberFormat::built_in(id)));
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(styles)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_strings_join_their_runs_without_reading_aids() {
        let part = "<sst><si><t>one</t></si><si><r><rPr><b/></rPr><t>t</t></r><r><t>wo</t></r><rPh><t>x</t></rPh></si>\
                    <si/><si><t>three &amp; four</t></si></sst>";
        let strings = read_shared_strings(part.as_bytes()).unwrap();
        let found: Vec<_> = (0..5).map(|at| strings.get(at)).collect();
        assert_eq!(found, [Some("one"), Some("two"), Some(""), Some("three & four"), None]);
    }

    #[test]
    fn styles_are_those_of_cells() {
        let part = "<styleSheet><numFmts><numFmt numFmtId='164' formatCode='0.0\"%\"'/></numFmts><cellStyleXfs>\
                    <xf numFmtId='14'/></cellStyleXfs><cellXfs><xf numFmtId='0'/><xf numFmtId='164'/><xf numFmtId='9'/>\
                    </cellXfs></styleSheet>";
        let shown: Vec<_> =
            read_styles(part.as_bytes()).unwrap().iter().map(|style| style.show(0.25, false).0).collect();
        assert_eq!(shown, ["0.25", "0.3%", "25%"]);
    }
}
