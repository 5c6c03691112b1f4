//! Pages of a document as they look, with what was cited marked on them and their text under each.

use domain::Area;
use std::ops::Range;

/// The pages that are shown, and the ways to others. Rendered as a part of the document's page.
#[derive(Debug, Clone)]
pub struct Viewer {
    /// A few pages in a row, the one that was asked for first.
    pub leaves: Vec<Leaf>,
    /// The page that was asked for.
    pub here: u32,
    /// How many there are.
    pub of: u32,
    /// Percent of the width that there is; one of [`Viewer::ZOOMS`].
    pub zoom: u32,
    /// The widths in which there are pictures, in pixels.
    pub widths: Vec<u32>,
    /// Address of the page before this one.
    pub previous: Option<String>,
    /// Address of the page after this one.
    pub next: Option<String>,
    /// Address with larger pages.
    pub larger: Option<String>,
    /// Address with smaller pages.
    pub smaller: Option<String>,
    /// Address of the text alone.
    pub as_text: String,
    /// What stays the same when another page is asked for: names and values of fields.
    pub kept: Vec<(&'static str, String)>,
}

/// A page as it looks.
#[derive(Debug, Clone)]
pub struct Leaf {
    /// Its number.
    pub number: u32,
    /// Address of its picture, to which a width is added.
    pub picture: String,
    /// Why there is no picture of it, if that is known.
    pub refused: Option<String>,
    /// What is marked on it.
    pub marks: Vec<Outline>,
    /// The page on which the text that reaches this one begins, with its address, if that is an earlier one.
    pub begins: Option<(u32, String)>,
    /// Where its text stands among the passages of the document's page.
    pub text: Range<usize>,
    /// Whether the passage that a citation led to stands on it, or begins there.
    pub cited: bool,
}

/// A box drawn over a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    /// The passage, if links to it lead here.
    pub anchor: Option<String>,
    /// Whether it is the passage that a citation led to, or another source of the same answer.
    pub cited: bool,
    /// Its box, in ten-thousandths of the page.
    pub area: Area,
}

impl Viewer {
    /// Percentages of the width that there is.
    pub const ZOOMS: [u32; 5] = [50, 75, 100, 150, 200];

    /// How wide pictures are shown, for the browser to choose among their widths (`sizes`).
    #[must_use]
    pub fn sizes(&self) -> String {
        // What app.css gives them.
        format!("(max-width: 64em) {}vw, {}rem", self.zoom, self.zoom * 56 / 100)
    }
}

impl Leaf {
    /// The widths that a browser may choose from (`srcset`).
    #[must_use]
    pub fn srcset(&self, widths: &[u32]) -> String {
        let width = |width: &u32| format!("{}&width={width} {width}w", self.picture);
        widths.iter().map(width).collect::<Vec<_>>().join(", ")
    }
}

impl Outline {
    /// A box with some air around it.
    #[must_use]
    pub fn around(area: Area, anchor: Option<String>, cited: bool) -> Self {
        const AIR: u16 = 60;
        let more = |edge: u16| edge.saturating_add(AIR).min(10_000);
        let less = |edge: u16| edge.saturating_sub(AIR);
        let area =
            Area { left: less(area.left), top: less(area.top), right: more(area.right), bottom: more(area.bottom) };
        Self { anchor, cited, area }
    }

    /// Its width.
    #[must_use]
    pub const fn width(&self) -> u16 {
        self.area.right.saturating_sub(self.area.left)
    }

    /// Its height.
    #[must_use]
    pub const fn height(&self) -> u16 {
        self.area.bottom.saturating_sub(self.area.top)
    }
}

#[cfg(test)]
mod samples {
    use super::*;

    impl Viewer {
        /// Pages 11 to 13 of the sample document, whose passages are one, one and two.
        pub(crate) fn sample() -> Self {
            let cited = Area { left: 1100, top: 2300, right: 8900, bottom: 3400 };
            let other = Area { left: 1100, top: 5200, right: 8900, bottom: 6000 };
            let leaf = |number: u32, text: Range<usize>, marks: Vec<Outline>| Leaf {
                number,
                picture: format!("/documents/0195d01/pages/{number}.png?version=3"),
                refused: None,
                cited: marks.iter().any(|mark| mark.cited),
                marks,
                begins: (number == 13).then(|| (12, "#page-12".to_owned())),
                text,
            };
            let marks =
                vec![Outline::around(cited, Some("0195a1feed1".to_owned()), true), Outline::around(other, None, false)];
            let mut leaves = vec![leaf(11, 0..1, Vec::new()), leaf(12, 1..2, marks), leaf(13, 2..4, Vec::new())];
            leaves[2].refused = Some("this page cannot be drawn; read its text, or open the original".to_owned());
            let address = |page: u32| format!("/documents/0195d01?version=3&page={page}#page-{page}");
            Self {
                leaves,
                here: 11,
                of: 24,
                zoom: 100,
                widths: vec![500, 1000, 2000],
                previous: Some(address(10)),
                next: Some(address(12)),
                larger: Some("/documents/0195d01?version=3&zoom=150&page=11".to_owned()),
                smaller: Some("/documents/0195d01?version=3&zoom=75&page=11".to_owned()),
                as_text: "/documents/0195d01?version=3&view=text".to_owned(),
                kept: vec![("version", "3".to_owned()), ("zoom", "100".to_owned())],
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_stays_on_its_page() {
        let area = |left, top, right, bottom| Area { left, top, right, bottom };
        let mark = Outline::around(area(10, 5000, 9990, 5100), None, true);
        assert_eq!(mark.area, area(0, 4940, 10_000, 5160));
        assert_eq!((mark.width(), mark.height()), (10_000, 220));
    }

    #[test]
    fn a_browser_chooses_among_all_widths() {
        let viewer = Viewer::sample();
        assert_eq!(viewer.sizes(), "(max-width: 64em) 100vw, 56rem");
        let widths = viewer.leaves[0].srcset(&viewer.widths);
        assert!(widths.starts_with("/documents/0195d01/pages/11.png?version=3&width=500 500w, "), "{widths}");
        assert!(widths.ends_with("&width=2000 2000w"));
    }
}
