//! Styles: which paragraphs are titles, which slides are hidden, how large slides are (part 3, sections 16 and 17).

use crate::ExtractError;
use crate::xml::{self, Xml};
use std::collections::{HashMap, HashSet};

/// How many styles may stand on each other.
const CHAIN: usize = 32;

/// The styles of a file, from its two parts.
#[derive(Debug, Default)]
pub(super) struct Styles {
    /// The style that a paragraph style is based on.
    parents: HashMap<String, String>,
    /// Drawing page styles that hide a slide.
    hiding: HashSet<String>,
    /// Width and height of page layouts, in points.
    layouts: HashMap<String, (f64, f64)>,
    /// The page layouts of master pages.
    masters: HashMap<String, String>,
}

impl Styles {
    pub(super) fn read(&mut self, part: &[u8]) -> Result<(), ExtractError> {
        // The style or page layout that is open.
        let mut open = String::new();
        xml::for_each(part, |event| {
            let Xml::Start(element, name) = event else { return Ok(()) };
            let value = |name: &str| xml::attribute(element, name);
            match name {
                "style" => {
                    open = value("name").unwrap_or_default();
                    if value("family").as_deref() == Some("paragraph") {
                        self.parents.extend(value("parent-style-name").map(|parent| (open.clone(), parent)));
                    }
                }
                "drawing-page-properties" if value("visibility").as_deref() == Some("hidden") => {
                    self.hiding.insert(open.clone());
                }
                "page-layout" => open = value("name").unwrap_or_default(),
                "page-layout-properties" => {
                    let size = value("page-width").zip(value("page-height"));
                    let size = size.and_then(|(width, height)| length(&width).zip(length(&height)));
                    self.layouts.extend(size.map(|size| (open.clone(), size)));
                }
                "master-page" => self.masters.extend(value("name").zip(value("page-layout-name"))),
                _ => {}
            }
            Ok(())
        })
    }

    /// Whether a paragraph style is the one for titles, or based on it.
    pub(super) fn is_title(&self, style: &str) -> bool {
        self.chain(style).any(|style| style == "Title")
    }

    /// The level of headings in this style: paragraphs that are headings by their looks alone, which LibreOffice writes
    /// where a heading opens a page.
    pub(super) fn heading_level(&self, style: &str) -> Option<u8> {
        self.chain(style).find_map(|style| style.strip_prefix("Heading_20_")?.parse().ok())
    }

    /// A style and those that it is based on.
    fn chain<'a>(&'a self, style: &'a str) -> impl Iterator<Item = &'a str> {
        std::iter::successors(Some(style), |style| self.parents.get(*style).map(String::as_str)).take(CHAIN)
    }

    pub(super) fn hides(&self, style: &str) -> bool {
        self.hiding.contains(style)
    }

    /// Width and height of the slides on a master page, in points.
    pub(super) fn page_size(&self, master: &str) -> Option<(f64, f64)> {
        let size = *self.layouts.get(self.masters.get(master)?)?;
        (size.0 > 0.0 && size.1 > 0.0).then_some(size)
    }
}

/// A length with its unit (part 3, section 18.3.18), in points.
pub(super) fn length(text: &str) -> Option<f64> {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '+'));
    let points = match unit {
        "cm" => 72.0 / 2.54,
        "mm" => 72.0 / 25.4,
        "in" => 72.0,
        "pt" => 1.0,
        "pc" => 12.0,
        "px" => 0.75,
        _ => return None,
    };
    let number: f64 = text.strip_suffix(unit)?.parse().ok()?;
    Some(number * points).filter(|length| length.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_sizes_and_hidden_slides() {
        let part = "<x><style name='P1' family='paragraph' parent-style-name='Mine'/>\
                    <style name='Mine' family='paragraph' parent-style-name='Title'/>\
                    <style name='P2' family='paragraph' parent-style-name='Heading_20_2'/>\
                    <style name='A' family='paragraph' parent-style-name='B'/><style name='B' family='paragraph' parent-style-name='A'/>\
                    <style name='dp1' family='drawing-page'><drawing-page-properties visibility='hidden'/></style>\
                    <page-layout name='L'><page-layout-properties page-width='1in' page-height='2.54cm'/></page-layout>\
                    <master-page name='M' page-layout-name='L'/></x>";
        let mut styles = Styles::default();
        styles.read(part.as_bytes()).unwrap();
        assert!(styles.is_title("P1") && styles.is_title("Title") && !styles.is_title("A") && !styles.is_title(""));
        assert_eq!((styles.heading_level("P2"), styles.heading_level("A")), (Some(2), None));
        assert!(styles.hides("dp1") && !styles.hides("P1"));
        assert_eq!(styles.page_size("M"), Some((72.0, 72.0)));
        assert_eq!(styles.page_size("L"), None);
    }

    #[test]
    fn lengths_need_a_unit() {
        for (text, points) in [("1in", Some(72.0)), ("-12pt", Some(-12.0)), ("5", None), ("cm", None), ("1e3in", None)]
        {
            assert_eq!(length(text), points, "{text}");
        }
    }
}
