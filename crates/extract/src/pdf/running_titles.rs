//! Drops what repeats at the top and bottom of the pages: headers, footers and page numbers.

use super::glyphs::Line;
use std::collections::HashMap;

/// How many baselines at either end of a page may hold running titles.
const DEPTH: usize = 3;

/// The most pieces of text at either end that are looked at.
const PIECES: usize = 40;
/// How many pages away the same title of a chapter is looked for: those of left and right pages can differ.
const NEAR: usize = 2;

/// Removes them from all pages: lines at an end of the page whose text, but for its numbers, stands at the same
/// height on at least two pages in five (those of left and right pages can differ), or, on the outermost baseline, on
/// a page nearby; and numbers that count the pages.
pub(super) fn remove(pages: &mut [Vec<Line>]) {
    let mut counts: HashMap<Key, usize> = HashMap::new();
    let found: Vec<Ends> = pages.iter().map(|page| Ends::of(page)).collect();
    for ends in &found {
        let mut keys: Vec<&Key> = ends.keys.iter().collect();
        keys.sort_unstable();
        keys.dedup();
        for key in keys {
            *counts.entry(key.clone()).or_default() += 1;
        }
    }
    let needed = (pages.len() * 2).div_ceil(5).max(2);
    for (number, page) in pages.iter_mut().enumerate() {
        let ends = &found[number];
        let near = || (number.saturating_sub(NEAR)..=number + NEAR).filter(|&other| other != number);
        let mut dropped: Vec<usize> = Vec::new();
        for (&place, key) in ends.places.iter().zip(&ends.keys) {
            let is_outermost = ends.outermost.contains(&place);
            let has_words = key.text.chars().filter(|c| c.is_alphabetic()).count() >= 3;
            let is_repeated = || {
                near().any(|other| {
                    let Some(other) = found.get(other) else { return false };
                    other
                        .places
                        .iter()
                        .zip(&other.keys)
                        .any(|(place, same)| same == key && other.outermost.contains(place))
                })
            };
            let counts_pages = || {
                let value = page_value(&page[place].text);
                value.is_some_and(|value| {
                    near().any(|other| {
                        let expected = value + other as i64 - number as i64;
                        found.get(other).is_some_and(|other| other.numbers.contains(&expected))
                    })
                })
            };
            if counts.get(key).is_some_and(|&count| count >= needed)
                || is_page_number(&key.text)
                || is_outermost && (has_words && is_repeated() || counts_pages())
            {
                dropped.push(place);
            }
        }
        dropped.sort_unstable();
        for place in dropped.into_iter().rev() {
            page.remove(place);
            // What stood beside it now stands alone.
            if let Some(next) = page.get_mut(place) {
                next.is_beside = false;
            }
        }
    }
}

/// What stands at the ends of a page.
struct Ends {
    places: Vec<usize>,
    keys: Vec<Key>,
    /// The places on the first and last baseline.
    outermost: Vec<usize>,
    /// Numbers that stand there alone.
    numbers: Vec<i64>,
}

impl Ends {
    fn of(page: &[Line]) -> Self {
        let places = ends(page, DEPTH);
        let keys = places.iter().map(|&place| Key::new(&page[place])).collect();
        let outermost = ends(page, 1);
        let numbers = outermost.iter().filter_map(|&place| page_value(&page[place].text)).collect();
        Self { places, keys, outermost, numbers }
    }
}

/// The value of a page number that stands alone: `12`, `- 12 -` or `xii`.
fn page_value(text: &str) -> Option<i64> {
    let text = text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '-' | '–' | '—' | '[' | ']' | '|'));
    if !text.is_empty() && text.len() <= 4 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok();
    }
    let digit = |c: char| {
        Some(match c.to_ascii_lowercase() {
            'i' => 1,
            'v' => 5,
            'x' => 10,
            'l' => 50,
            'c' => 100,
            _ => return None,
        })
    };
    let digits: Option<Vec<i64>> = text.chars().map(digit).collect();
    let digits = digits.filter(|digits| (1..=10).contains(&digits.len()))?;
    let value = |place: usize| {
        let is_less = digits.get(place + 1).is_some_and(|next| digits[place] < *next);
        if is_less { -digits[place] } else { digits[place] }
    };
    // Away from the numbers in figures.
    Some(1_000_000 + (0..digits.len()).map(value).sum::<i64>())
}

/// What makes two lines the same running title.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Key {
    text: String,
    height: i64,
}

impl Key {
    fn new(line: &Line) -> Self {
        // Chapters that each begin a page also have headings that differ in a number alone, but larger ones.
        let text = if line.size > 12.0 { line.text.trim().to_owned() } else { without_numbers(&line.text) };
        #[allow(clippy::cast_possible_truncation)]
        let height = (line.baseline / 4.0).round() as i64;
        Self { text, height }
    }
}

/// The lines on so many outermost baselines of a page, each place once.
fn ends(page: &[Line], depth: usize) -> Vec<usize> {
    let mut places: Vec<usize> = (0..page.len()).filter(|&place| page[place].turn == page[0].turn).collect();
    places.sort_by(|&one, &other| page[other].baseline.total_cmp(&page[one].baseline));
    let end = |places: &mut dyn Iterator<Item = usize>| {
        let (mut found, mut heights, mut last) = (Vec::new(), 0, f64::INFINITY);
        for place in places {
            if (page[place].baseline - last).abs() > 2.0 {
                heights += 1;
                last = page[place].baseline;
            }
            if heights > depth || found.len() >= PIECES {
                break;
            }
            found.push(place);
        }
        found
    };
    let mut both = end(&mut places.iter().copied());
    both.extend(end(&mut places.iter().rev().copied()));
    both.sort_unstable();
    both.dedup();
    both
}

/// The text in lower case with `#` for each number.
fn without_numbers(text: &str) -> String {
    let mut result = String::new();
    for c in text.trim().chars() {
        match c {
            '0'..='9' if result.ends_with('#') => {}
            '0'..='9' => result.push('#'),
            c if c.is_whitespace() && result.ends_with(' ') => {}
            c if c.is_whitespace() => result.push(' '),
            c => result.extend(c.to_lowercase()),
        }
    }
    result
}

/// Whether a line says nothing but which page it is on.
fn is_page_number(text: &str) -> bool {
    let Some(rest) = ["page ", "seite ", "p. ", "s. "].iter().find_map(|word| text.strip_prefix(word)) else {
        return false;
    };
    matches!(rest, "#" | "# of #" | "# von #" | "# / #" | "#/#")
}

#[cfg(test)]
mod tests {
    use super::super::glyphs::line;
    use super::*;

    #[test]
    fn headers_footers_and_page_numbers_go() {
        let page = |number: usize| {
            vec![
                line(&format!("Page {number} of 3"), 480.0, 30.0, 8.0),
                line("Handbook, edition 9", 68.0, 30.0, 8.0),
                line(&format!("Chapter {number}"), 68.0, 760.0, 17.0),
                line(&format!("All about {}", ["ropes", "cranes", "ships"][number - 1]), 68.0, 740.0, 11.0),
                line("Always the same sentence.", 68.0, 700.0, 11.0),
                line("And some more.", 68.0, 600.0 - number as f64 * 20.0, 11.0),
                line(&format!("Ends with {number} apples"), 68.0, 400.0 + number as f64 * 20.0, 11.0),
            ]
        };
        let mut pages = vec![page(1), page(2), page(3)];
        remove(&mut pages);
        for (place, page) in pages.iter().enumerate() {
            let texts: Vec<&str> = page.iter().map(|line| line.text.as_str()).collect();
            assert_eq!(texts.len(), 4, "{texts:?}");
            assert_eq!(texts[0], format!("Chapter {}", place + 1));
        }
    }

    #[test]
    fn a_single_page_keeps_all_but_its_number() {
        let mut pages = vec![vec![
            line("Seite 1 von 1", 0.0, 20.0, 8.0),
            line("Text", 0.0, 500.0, 11.0),
            line("7", 0.0, 10.0, 8.0),
        ]];
        remove(&mut pages);
        assert_eq!(pages[0].iter().map(|line| line.text.as_str()).collect::<Vec<_>>(), ["Text", "7"]);
    }
}
