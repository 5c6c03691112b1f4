//! Drops what repeats at the top and bottom of the pages: headers, footers and page numbers.

use super::glyphs::Line;
use std::collections::HashMap;

/// How many baselines at either end of a page may hold running titles.
const DEPTH: usize = 3;

/// Removes them from all pages: lines at an end of the page whose text, but for its numbers, stands at the same
/// height on at least two pages in five (those of left and right pages can differ), and page numbers with a word.
pub(super) fn remove(pages: &mut [Vec<Line>]) {
    let mut counts: HashMap<Key, usize> = HashMap::new();
    for page in pages.iter() {
        let mut keys: Vec<Key> = ends(page).into_iter().map(|place| Key::new(&page[place])).collect();
        keys.sort_unstable();
        keys.dedup();
        for key in keys {
            *counts.entry(key).or_default() += 1;
        }
    }
    let needed = (pages.len() * 2).div_ceil(5).max(2);
    for page in pages.iter_mut() {
        let mut dropped = ends(page);
        dropped.retain(|&place| {
            let key = Key::new(&page[place]);
            counts.get(&key).is_some_and(|&count| count >= needed) || is_page_number(&key.text)
        });
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

/// What makes two lines the same running title.
#[derive(PartialEq, Eq, Hash, PartialOrd, Ord)]
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

/// The lines on the outermost baselines of a page, each place once.
fn ends(page: &[Line]) -> Vec<usize> {
    let mut places: Vec<usize> = (0..page.len()).filter(|&place| page[place].turn == page[0].turn).collect();
    places.sort_by(|&one, &other| page[other].baseline.total_cmp(&page[one].baseline));
    let end = |places: &mut dyn Iterator<Item = usize>| {
        let (mut found, mut heights, mut last) = (Vec::new(), 0, f64::INFINITY);
        for place in places {
            if (page[place].baseline - last).abs() > 2.0 {
                heights += 1;
                last = page[place].baseline;
            }
            if heights > DEPTH {
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
