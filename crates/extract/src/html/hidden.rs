//! What a page's styles keep from the eyes of people. It is not read: words that nobody who looks at the page can see
//! would otherwise be found, cited, and obeyed by a model.

use scraper::{ElementRef, Html, Selector};

/// Selectors at most; those of a page that has more count no further.
const SELECTORS: usize = 64;

/// The selectors of a page's style sheets under which nothing shows.
pub(super) struct Hidden(Vec<Selector>);

impl Hidden {
    /// Those of `style` elements. Rules inside other rules (for print, for narrow screens) do not count, nor do selectors
    /// of more than one element's name, class and id: what only a script or a pointer shows is text of the page.
    pub(super) fn of(page: &Html) -> Self {
        let sheets = Selector::parse("style").ok().into_iter();
        let sheets = sheets
            .flat_map(|style| page.select(&style).map(|sheet| sheet.text().collect::<String>()).collect::<Vec<_>>());
        let mut selectors = Vec::new();
        for sheet in sheets {
            for (names, declarations) in rules(&without_comments(&sheet)) {
                if hides(declarations) {
                    let plain = names.split(',').map(str::trim).filter(|name| is_plain(name));
                    selectors.extend(plain.filter_map(|name| Selector::parse(name).ok()));
                }
            }
        }
        selectors.truncate(SELECTORS);
        Self(selectors)
    }

    /// Whether the element, with all that is in it, is kept from sight.
    pub(super) fn hides(&self, element: ElementRef<'_>) -> bool {
        element.attr("style").is_some_and(hides) || self.0.iter().any(|selector| selector.matches(&element))
    }
}

fn without_comments(sheet: &str) -> String {
    let mut pieces = sheet.split("/*");
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.filter_map(|piece| piece.split_once("*/")).fold(first, |text, (_, after)| text + after)
}

/// The rules of the outermost level: what stands before `{` and what stands between the braces.
fn rules(sheet: &str) -> Vec<(&str, &str)> {
    let (mut rules, mut depth, mut start, mut names) = (Vec::new(), 0_usize, 0, "");
    for (at, brace) in sheet.match_indices(['{', '}']) {
        if brace == "{" {
            if depth == 0 {
                (names, start) = (sheet[start..at].trim(), at + 1);
            }
            depth += 1;
        } else {
            if depth == 1 && !names.starts_with('@') {
                rules.push((names, &sheet[start..at]));
            }
            depth = depth.saturating_sub(1);
            start = if depth == 0 { at + 1 } else { start };
        }
    }
    rules
}

/// A name, classes and an id, in any order, and nothing else.
fn is_plain(selector: &str) -> bool {
    let is_whole_page = matches!(selector, "html" | "body" | "main" | "");
    !is_whole_page && selector.chars().all(|letter| letter.is_ascii_alphanumeric() || ".#-_".contains(letter))
}

/// Whether one of the declarations leaves nothing to see (CSS Display 3, CSS 2.2 sections 11.2 and 15.7, CSS Color 4).
fn hides(declarations: &str) -> bool {
    declarations.split(';').filter_map(|declaration| declaration.split_once(':')).any(|(property, value)| {
        let value = value.trim().to_ascii_lowercase();
        let value = value.strip_suffix("!important").unwrap_or(&value).trim_end();
        match property.trim().to_ascii_lowercase().as_str() {
            "display" => value == "none",
            "visibility" => matches!(value, "hidden" | "collapse"),
            "font-size" | "opacity" => {
                let end = value.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(value.len());
                value[..end].parse::<f32>().is_ok_and(|size| size == 0.0)
            }
            _ => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(markup: &str) -> String {
        let page = Html::parse_document(markup);
        let hidden = Hidden::of(&page);
        let all = Selector::parse("p").unwrap();
        page.select(&all).filter(|p| !hidden.hides(*p)).flat_map(|p| p.text()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_styles_keep_from_sight_is_known() {
        let sheet = "<style>@media print { .b { display: none } } /* x */ .a, p#i { color: red; DISPLAY : None !important }\
                     .c{opacity:0.0} .d:hover, div .b {visibility:hidden}</style>";
        let page = "<p class=a>1<p id=i>2<p class=b>3<p class=c>4<p class=d>5<p style='font-size:0px'>6\
                    <p style='visibility: hidden;'>7<p style='font-size: 0.8em; display:block'>8<p>9";
        assert_eq!(shown(&format!("{sheet}{page}")), "3 5 8 9");
    }

    #[test]
    fn a_page_that_fades_in_is_shown_and_a_broken_sheet_harms_nothing() {
        assert_eq!(shown("<style>body{opacity:0}</style><p>1"), "1");
        assert_eq!(shown("<style>}}{ .a{display:none</style><p class=a>1"), "1");
        assert_eq!(shown("<style>}.a{display:none}}</style><p class=a>1<p>2"), "2");
    }
}
