//! Tells headings from their type size, weight, numbers and place, and ranks them.

use crate::outline::{could_be_heading, is_all_capitals, is_title_case, list_item, section_depth};

/// A paragraph as far as headings go.
pub(super) struct Candidate<'t> {
    pub(super) text: &'t str,
    pub(super) size: f64,
    pub(super) is_bold: bool,
    pub(super) lines: usize,
}

/// How it is set; headings of one style are of one level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Style {
    /// In half points, negative so that larger ones come first.
    size: i64,
    is_plain: bool,
}

/// The heading level of each paragraph, or `None`. `None` candidates stand for what is no paragraph, such as the row
/// of a table.
pub(super) fn levels(candidates: &[Option<Candidate<'_>>], body_size: f64) -> Vec<Option<u8>> {
    let is_heading: Vec<bool> = (0..candidates.len()).map(|place| is_heading(candidates, place, body_size)).collect();
    let headings = || {
        candidates
            .iter()
            .zip(&is_heading)
            .filter(|(_, is_heading)| **is_heading)
            .filter_map(|(candidate, _)| candidate.as_ref())
    };
    // Without a number a heading ranks with the highest ones of its style.
    let depth = |heading: &Candidate<'_>| {
        let style = heading.style(body_size);
        section_depth(heading.text)
            .or_else(|| {
                headings()
                    .filter(|other| other.style(body_size) == style)
                    .filter_map(|other| section_depth(other.text))
                    .min()
            })
            .unwrap_or(1)
    };
    let mut ranks: Vec<(Style, u8)> =
        headings().map(|heading| (heading.style(body_size), section_depth(heading.text).unwrap_or(0))).collect();
    ranks.sort_unstable();
    ranks.dedup();
    // `depth` looks through all headings: ask it once for each style that has any without a number.
    let mut unnumbered: Vec<(Style, u8)> = Vec::new();
    for (style, _) in ranks.iter().filter(|(_, depth)| *depth == 0) {
        if let Some(heading) =
            headings().find(|heading| heading.style(body_size) == *style && section_depth(heading.text).is_none())
        {
            unnumbered.push((*style, depth(heading)));
        }
    }
    let key = |style: Style, depth: u8| {
        let depth = if depth == 0 {
            unnumbered.iter().find(|(other, _)| *other == style).map_or(1, |(_, depth)| *depth)
        } else {
            depth
        };
        (style, depth)
    };
    let mut order: Vec<(Style, u8)> = ranks.iter().map(|&(style, depth)| key(style, depth)).collect();
    order.sort_unstable();
    order.dedup();
    let levels = spread(&order, |wanted| {
        headings()
            .filter(|heading| key(heading.style(body_size), section_depth(heading.text).unwrap_or(0)) == *wanted)
            .count()
    });
    candidates
        .iter()
        .zip(&is_heading)
        .map(|(candidate, is_heading)| {
            let heading = candidate.as_ref().filter(|_| *is_heading)?;
            let key = key(heading.style(body_size), section_depth(heading.text).unwrap_or(0));
            let rank = order.iter().position(|other| *other == key)?;
            levels.get(rank).copied()
        })
        .collect()
}

/// Levels for ranked styles. Where there are more of them than levels, a style that only occurs once or twice, such as
/// those of a title page, shares the level of the next one.
fn spread<K>(order: &[K], count: impl Fn(&K) -> usize) -> Vec<u8> {
    const LEVELS: usize = 6;
    const RARE: usize = 2;
    let mut level = 1;
    let mut levels = Vec::with_capacity(order.len());
    for (place, style) in order.iter().enumerate() {
        levels.push(level);
        let is_rare = order.len() > LEVELS && place > 0 && count(style) <= RARE;
        if !is_rare && level < LEVELS as u8 {
            level += 1;
        }
    }
    levels
}

fn is_heading(candidates: &[Option<Candidate<'_>>], place: usize, body_size: f64) -> bool {
    let Some(Some(candidate)) = candidates.get(place) else { return false };
    let text = candidate.text;
    // A line of a table of contents.
    if text.starts_with('…') || text.contains('…') && text.contains(|c: char| c.is_ascii_digit()) {
        return false;
    }
    // Signs of music and figures are two small letters at most.
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    let has_letters = letters >= 3 || letters == 2 && !text.chars().all(char::is_lowercase);
    let depth = section_depth(text);
    if !has_letters || candidate.lines > 4 || (list_item(text).is_some() && depth.is_none()) {
        return false;
    }
    let chars = text.chars().count();
    if candidate.size >= 1.12 * body_size {
        return chars <= 200 && !text.ends_with(['.', ';', ',']);
    }
    if candidate.size < 0.95 * body_size {
        return false;
    }
    if candidate.is_bold {
        return could_be_heading(text) || (depth.is_some() && chars <= 120 && !text.ends_with('.'));
    }
    // Only the wording speaks for it: then text must follow, and it must not be one of several in a row.
    let next = candidates.get(place + 1).and_then(Option::as_ref);
    let previous = place.checked_sub(1).and_then(|place| candidates.get(place)).and_then(Option::as_ref);
    let Some(next) = next.filter(|_| candidate.lines == 1 && chars <= 80 && could_be_heading(text)) else {
        return false;
    };
    if depth.is_some() {
        let is_short_numbered = |other: &Candidate<'_>| section_depth(other.text).is_some() && other.lines == 1;
        return !previous.is_some_and(|previous| is_short_numbered(previous) && previous.size < 1.12 * body_size)
            && (!is_short_numbered(next) || section_depth(next.text) > depth);
    }
    let next_chars = next.text.chars().count();
    if is_all_capitals(text) {
        return next_chars > 60.max(chars);
    }
    is_title_case(text) && text.split_whitespace().count() > 1 && chars <= 60 && next_chars > 100
}

impl Candidate<'_> {
    fn style(&self, body_size: f64) -> Style {
        #[allow(clippy::cast_possible_truncation)]
        let size = -(self.size * 2.0).round() as i64;
        // Among large ones, a word in another font makes no difference.
        Style { size, is_plain: !self.is_bold && self.size < 1.12 * body_size }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(paragraphs: &[(&str, f64, bool)], expected: &[Option<u8>]) {
        let candidates: Vec<_> = paragraphs
            .iter()
            .map(|&(text, size, is_bold)| Some(Candidate { text, size, is_bold, lines: 1 + text.len() / 100 }))
            .collect();
        assert_eq!(levels(&candidates, 11.0), expected);
    }

    #[test]
    fn rare_styles_do_not_use_up_the_levels() {
        let counts = [1, 1, 1, 9, 9, 9, 9, 9];
        let order: Vec<usize> = (0..counts.len()).collect();
        assert_eq!(spread(&order, |place| counts[*place]), [1, 2, 2, 2, 3, 4, 5, 6]);
        assert_eq!(spread(&order[..4], |place| counts[*place]), [1, 2, 3, 4]);
    }

    const TEXT: &str = "Employees have a right to leave, which they should take within the year in which it falls due, as a rule in whole weeks.";

    #[test]
    fn sizes_weights_and_numbers_rank() {
        check(
            &[
                ("Employee Handbook", 26.0, true),
                (TEXT, 11.0, false),
                ("Contents", 11.0, true),
                ("1. Joining", 11.0, false),
                ("2. Leave", 11.0, false),
                ("2 Leave", 17.0, true),
                ("2.1 Annual leave", 12.5, true),
                ("Who asks?", 12.5, true),
                (TEXT, 11.0, false),
                ("It is so.", 11.0, true),
                ("Page foot", 8.0, true),
            ],
            &[Some(1), None, Some(4), None, None, Some(2), Some(3), Some(3), None, None, None],
        );
    }

    #[test]
    fn wording_alone_needs_text_after_it() {
        check(
            &[
                ("3 Leave", 11.0, false),
                ("3.2 Annual leave", 11.0, false),
                (TEXT, 11.0, false),
                ("Rights of the Council", 11.0, false),
                (TEXT, 11.0, false),
                ("SAFETY FIRST", 11.0, false),
                (TEXT, 11.0, false),
                ("Quay Street", 11.0, false),
            ],
            &[Some(1), None, None, Some(1), None, Some(1), None, None],
        );
    }
}
