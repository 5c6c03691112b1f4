//! Paragraph styles: which are headings and which are lists.

use crate::ExtractError;
use crate::xml::{self, Xml};
use std::collections::HashMap;

/// How many styles may stand on each other.
const CHAIN: usize = 32;

/// What a style says about a paragraph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Role {
    /// Heading level, 1 to 9; `Some(0)` says that it is no heading although the style below is.
    pub(crate) heading: Option<u8>,
    pub(crate) is_title: bool,
    pub(crate) is_list: bool,
    pub(crate) breaks_page: bool,
}

/// The paragraph styles of a document by their id.
#[derive(Debug, Default)]
pub(crate) struct Styles {
    styles: HashMap<String, Style>,
}

#[derive(Debug, Default)]
struct Style {
    base: Option<String>,
    role: Role,
}

impl Styles {
    /// Reads `word/styles.xml`.
    pub(crate) fn read(part: &[u8]) -> Result<Self, ExtractError> {
        let mut styles = HashMap::new();
        let mut open: Option<(String, Style)> = None;
        xml::for_each(part, |event| {
            match event {
                Xml::Start(element, "style") => {
                    open = xml::attribute(element, "styleId").map(|id| (id, Style::default()));
                }
                Xml::End("style") => styles.extend(open.take()),
                Xml::Start(element, name) => {
                    let Some((_, style)) = &mut open else { return Ok(()) };
                    let value = || xml::attribute(element, "val");
                    match name {
                        "name" => style.role = by_name(&value().unwrap_or_default(), style.role),
                        "basedOn" => style.base = value(),
                        "outlineLvl" => style.role.heading = outline_level(value().as_deref()),
                        "numPr" => style.role.is_list = true,
                        "pageBreakBefore" => style.role.breaks_page = is_on(value().as_deref()),
                        _ => {}
                    }
                }
                _ => {}
            }
            Ok(())
        })?;
        Ok(Self { styles })
    }

    /// The role of a style, with what it inherits from the styles that it is based on.
    pub(crate) fn role(&self, id: &str) -> Role {
        let mut role = Role::default();
        let mut next = Some(id);
        // Styles can be based on each other in a circle.
        for _ in 0..CHAIN {
            let Some(style) = next.and_then(|id| self.styles.get(id)) else { break };
            role.heading = role.heading.or(style.role.heading);
            role.is_title |= style.role.is_title;
            role.is_list |= style.role.is_list;
            role.breaks_page |= style.role.breaks_page;
            next = style.base.as_deref();
        }
        if self.styles.is_empty() {
            role = by_name(id, role);
        }
        role
    }
}

/// Built-in styles keep their English names in every language of Word (ECMA-376, part 1, section 17.7.4.9); only
/// their ids are translated. Other programs write translated names, so the usual ones are known, too.
pub(crate) fn by_name(name: &str, mut role: Role) -> Role {
    let name = name.trim().to_lowercase();
    if matches!(name.as_str(), "title" | "titel" | "titre" | "título" | "titolo") {
        role.is_title = true;
    }
    role.is_list |= name.starts_with("list bullet") || name.starts_with("list number");
    let headings = ["heading", "überschrift", "titre", "título", "titolo", "kop", "rubrik", "nagłówek", "заголовок"];
    for heading in headings {
        let level = name.strip_prefix(heading).map(str::trim_start).and_then(|level| level.parse::<u8>().ok());
        if let Some(level) = level.filter(|level| (1..=9).contains(level)) {
            role.heading = role.heading.or(Some(level));
        }
    }
    role
}

/// A heading level from an outline level: 0 is the highest, 9 means running text.
pub(crate) fn outline_level(value: Option<&str>) -> Option<u8> {
    let level: u8 = value?.parse().ok()?;
    Some(if level < 9 { level + 1 } else { 0 })
}

/// An on/off property (ECMA-376, part 1, section 17.17.4): on unless it says otherwise.
pub(crate) fn is_on(value: Option<&str>) -> bool {
    !matches!(value, Some("0" | "false" | "off"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(id: &str, heading: Option<u8>, is_title: bool, is_list: bool) {
        let part = br#"<w:styles xmlns:w="w">
            <w:style w:type="paragraph" w:styleId="Standard"><w:name w:val="Normal"/></w:style>
            <w:style w:type="paragraph" w:styleId="berschrift2"><w:name w:val="heading 2"/><w:basedOn w:val="Standard"/>
                <w:pPr><w:numPr/><w:outlineLvl w:val="1"/></w:pPr></w:style>
            <w:style w:type="paragraph" w:styleId="Kapitel"><w:name w:val="Kapitel"/><w:basedOn w:val="berschrift2"/></w:style>
            <w:style w:type="paragraph" w:styleId="Flach"><w:basedOn w:val="Kapitel"/><w:pPr><w:outlineLvl w:val="9"/></w:pPr></w:style>
            <w:style w:type="paragraph" w:styleId="Titel"><w:name w:val="Title"/></w:style>
            <w:style w:type="paragraph" w:styleId="LB"><w:name w:val="List Bullet"/></w:style>
            <w:style w:type="paragraph" w:styleId="A"><w:basedOn w:val="B"/></w:style>
            <w:style w:type="paragraph" w:styleId="B"><w:basedOn w:val="A"/></w:style>
            <w:style w:type="paragraph" w:styleId="LO"><w:name w:val="&#220;berschrift 3"/></w:style>
        </w:styles>"#;
        let role = Styles::read(part).unwrap().role(id);
        assert_eq!((role.heading, role.is_title, role.is_list), (heading, is_title, is_list), "{id}");
    }

    #[test]
    fn roles_of_localised_and_derived_styles() {
        check("Standard", None, false, false);
        check("berschrift2", Some(2), false, true);
        check("Kapitel", Some(2), false, true);
        check("Flach", Some(0), false, true);
        check("Titel", None, true, false);
        check("LB", None, false, true);
        check("LO", Some(3), false, false);
        check("A", None, false, false);
        check("missing", None, false, false);
    }

    #[test]
    fn without_a_styles_part_the_id_speaks() {
        assert_eq!(Styles::default().role("Heading1").heading, Some(1));
    }
}
