//! Lines to paragraphs.

use super::glyphs::Line;
use crate::outline::list_item;
use std::collections::{HashMap, HashSet};

/// Consecutive lines that belong together.
#[derive(Debug, Clone)]
pub(super) struct Paragraph {
    pub(super) lines: Vec<Line>,
}

/// What all pages together say about the setting of the text.
pub(super) struct Setting {
    /// Distance of baselines within a paragraph by font size in tenths of a point.
    leading: HashMap<i64, f64>,
    /// All words, in lower case.
    words: HashSet<String>,
    /// The size of most of the text.
    pub(super) body_size: f64,
    /// Whether most of the text is set in letters of one width, as by a typewriter.
    pub(super) is_mostly_fixed: bool,
}

impl Setting {
    pub(super) fn of<'l>(pages: impl Iterator<Item = &'l [Line]>) -> Self {
        const WORDS: usize = 200_000;
        let mut distances: HashMap<(i64, i64), usize> = HashMap::new();
        let mut sizes: HashMap<i64, usize> = HashMap::new();
        let mut words = HashSet::new();
        let (mut fixed, mut all) = (0, 0);
        for lines in pages {
            for line in lines {
                all += line.text.len();
                fixed += if line.is_fixed { line.text.len() } else { 0 };
                *sizes.entry(tenths(line.size)).or_default() += line.text.len();
                for word in
                    line.text.split(|c: char| !c.is_alphanumeric() && c != '-').filter(|word| !word.ends_with('-'))
                {
                    if words.len() < WORDS {
                        words.insert(word.to_lowercase());
                    }
                }
            }
            for pair in lines.windows(2) {
                let distance = pair[0].baseline - pair[1].baseline;
                let is_same = tenths(pair[0].size) == tenths(pair[1].size) && (pair[0].left - pair[1].left).abs() < 1.0;
                if is_same && distance > 0.8 * pair[0].size && distance < 2.5 * pair[0].size {
                    *distances.entry((tenths(pair[0].size), tenths(distance))).or_default() += 1;
                }
            }
        }
        // The smallest distance that is about as common as the most common one: paragraphs of a single line are
        // farther apart, and there may be many of them.
        let mut leading = HashMap::new();
        for &size in sizes.keys() {
            let of_size = || distances.iter().filter(move |((other, _), _)| *other == size);
            let most = of_size().map(|(_, &count)| count).max().unwrap_or(0);
            let common = of_size().filter(|(_, count)| **count * 4 >= most).map(|((_, distance), _)| *distance).min();
            if let Some(distance) = common {
                leading.insert(size, distance as f64 / 10.0);
            }
        }
        let body = sizes.iter().max_by_key(|&(size, count)| (*count, -size)).map_or(100, |(size, _)| *size);
        Self { leading, words, body_size: body as f64 / 10.0, is_mostly_fixed: fixed * 5 > all * 3 }
    }

    fn leading(&self, size: f64) -> f64 {
        let found = self.leading.get(&tenths(size)).copied();
        found.filter(|leading| *leading < 1.9 * size).unwrap_or(1.3 * size)
    }
}

#[allow(clippy::cast_possible_truncation)]
fn tenths(points: f64) -> i64 {
    (points * 10.0).round() as i64
}

/// Splits consecutive lines of one page into paragraphs.
pub(super) fn split(lines: Vec<Line>, setting: &Setting) -> Vec<Paragraph> {
    // Where lines end on the right, to see which ones end early: the farthest of all that begin in the same place.
    let mut ends: HashMap<(i64, u8), (f64, usize)> = HashMap::new();
    for line in &lines {
        let end = ends.entry((tenths(line.left) / 40, line.turn)).or_insert((line.right, 0));
        *end = (end.0.max(line.right), end.1 + 1);
    }
    let mut paragraphs: Vec<Paragraph> = Vec::new();
    for line in lines {
        let end = ends.get(&(tenths(line.left) / 40, line.turn)).filter(|(_, count)| *count >= 3).map(|(end, _)| *end);
        match paragraphs.last_mut() {
            Some(open) if open.takes(&line, end, setting) => open.lines.push(line),
            _ => paragraphs.push(Paragraph { lines: vec![line] }),
        }
    }
    paragraphs
}

impl Paragraph {
    fn takes(&self, line: &Line, end: Option<f64>, setting: &Setting) -> bool {
        let (Some(first), Some(last)) = (self.lines.first(), self.lines.last()) else { return true };
        let size = last.size.max(line.size);
        let distance = last.baseline - line.baseline;
        if line.turn != last.turn || (last.size - line.size).abs() > 0.06 * size || last.is_bold != line.is_bold {
            return false;
        }
        // A line of a table of contents.
        if last.text.contains('…') && last.text.ends_with(|c: char| c.is_ascii_digit()) {
            return false;
        }
        // Up: the next column or box.
        if distance < 0.0 || distance > 1.2 * setting.leading(last.size) + 0.5 {
            return false;
        }
        let is_sentence_over = last.text.trim_end().ends_with(['.', ':', ';', '?', '!']);
        let is_item = list_item(&first.text).is_some();
        if list_item(line.text.trim()).is_some()
            && (is_item || is_sentence_over || line.text.trim().starts_with(|c: char| !c.is_alphanumeric()))
        {
            return false;
        }
        let indent = line.left - last.left;
        if self.lines.len() > 1 && indent.abs() > 0.8 * size && !is_centred(line, last) {
            return false;
        }
        if self.lines.len() == 1 && indent > 0.8 * size && !is_item && is_sentence_over {
            return false;
        }
        // The line before ended although the next word had room: whoever wrote it meant it to end.
        let word = line.text.split_whitespace().next().unwrap_or_default();
        let width =
            (line.right - line.left) * (word.chars().count() + 1) as f64 / line.text.chars().count().max(1) as f64;
        let had_room = end.is_some_and(|end| last.right + width + 1.5 * size < end);
        let begins_anew = word.starts_with(|c: char| c.is_uppercase() || c.is_ascii_digit());
        let is_divided = last.text.trim_end().ends_with(['-', '\u{ad}', '\u{2010}']);
        !(had_room && !is_divided && (is_sentence_over || begins_anew))
    }

    pub(super) fn text(&self, setting: &Setting) -> String {
        let mut text = String::new();
        for line in &self.lines {
            append(&mut text, &line.text, setting);
        }
        text
    }
}

fn is_centred(line: &Line, other: &Line) -> bool {
    ((line.left + line.right) - (other.left + other.right)).abs() < line.size
}

/// Appends a line, and repairs a word that was divided at the end of the one before it.
pub(super) fn append(text: &mut String, line: &str, setting: &Setting) {
    let line = line.trim();
    let trimmed = text.trim_end().len();
    text.truncate(trimmed);
    if text.ends_with('\u{ad}') {
        text.pop();
    } else if let Some(before) = text.strip_suffix(['-', '\u{2010}']) {
        let word_start = before
            .rfind(|c: char| !c.is_alphanumeric() && c != '-')
            .map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
        let next_end = line.find(|c: char| !c.is_alphanumeric()).unwrap_or(line.len());
        let (left, right) = (before[word_start..].to_lowercase(), line[..next_end].to_lowercase());
        match () {
            () if left.is_empty() || right.is_empty() || !line.starts_with(char::is_lowercase) => {
                // A dash, or a compound such as `Werk-` before `Tag`; no space after a compound.
                if left.is_empty() || right.is_empty() {
                    text.push(' ');
                }
            }
            () if is_divided(&left, &right, &setting.words) => {
                text.pop();
            }
            () if matches!(right.as_str(), "und" | "oder" | "and" | "or" | "bzw") => text.push(' '),
            () => {}
        }
    } else {
        let is_one_word = text.ends_with(is_unspaced) && line.starts_with(is_unspaced);
        if !text.is_empty() && !is_one_word {
            text.push(' ');
        }
    }
    text.push_str(line);
}

/// Whether the script does without spaces between words: Chinese and Japanese, with their punctuation.
fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{2e80}'..='\u{312f}' | '\u{31a0}'..='\u{9fff}' | '\u{f900}'..='\u{faff}'
        | '\u{ff00}'..='\u{ff60}' | '\u{20000}'..='\u{3ffff}')
}

/// Whether a hyphen at the end of a line only divides a word. What the document itself writes decides: the whole
/// word, the word with its hyphen, or both of its parts as words of their own.
fn is_divided(left: &str, right: &str, words: &HashSet<String>) -> bool {
    let both_are_words = left.chars().count() > 1 && words.contains(left) && words.contains(right);
    let has_number = left.ends_with(|c: char| c.is_ascii_digit());
    if words.contains(&format!("{left}{right}")) {
        return true;
    }
    let is_conjunction = matches!(right, "und" | "oder" | "and" | "or" | "bzw");
    let is_compound = left.contains('-') || has_number || both_are_words || words.contains(&format!("{left}-{right}"));
    !is_compound && !is_conjunction
}

#[cfg(test)]
mod tests {
    use super::super::glyphs::line;
    use super::*;

    fn check(lines: Vec<Line>, expected: &[&str]) {
        let setting = Setting::of(std::iter::once(lines.as_slice()));
        let found: Vec<String> = split(lines, &setting).iter().map(|paragraph| paragraph.text(&setting)).collect();
        assert_eq!(found, expected);
    }

    fn down(texts: &[&str], leading: f64) -> Vec<Line> {
        texts.iter().enumerate().map(|(place, text)| line(text, 68.0, 700.0 - leading * place as f64, 10.0)).collect()
    }

    #[test]
    fn lines_join_and_gaps_divide() {
        let mut lines = down(&["You get 24 days of leave in", "your first year with us, and", "more later on."], 14.0);
        lines.push(line("Another paragraph stands here.", 68.0, 650.0, 10.0));
        check(
            lines,
            &[
                "You get 24 days of leave in your first year with us, and more later on.",
                "Another paragraph stands here.",
            ],
        );
    }

    #[test]
    fn divided_words_are_whole_again() {
        check(
            down(
                &[
                    "The maintenance of cranes is a long-",
                    "term task, and the mainte-",
                    "nance plan of the ship-to-",
                    "shore crane names the long",
                    "term and the Werk-",
                    "Tag.",
                ],
                14.0,
            ),
            &[
                "The maintenance of cranes is a long-term task, and the maintenance plan of the ship-to-shore crane names the long term and the Werk-Tag.",
            ],
        );
    }

    #[test]
    fn japanese_has_no_spaces_between_lines() {
        check(
            down(&["以下のオプションを任意の順序で使用することが", "できます。"], 14.0),
            &["以下のオプションを任意の順序で使用することができます。"],
        );
    }

    #[test]
    fn an_early_end_of_a_line_is_meant() {
        check(
            down(
                &[
                    "The first one is long enough to show the edge.",
                    "It ends.",
                    "The next one is as long as the first one was,",
                    "and goes on.",
                ],
                14.0,
            ),
            &[
                "The first one is long enough to show the edge. It ends.",
                "The next one is as long as the first one was, and goes on.",
            ],
        );
    }

    #[test]
    fn list_items_are_apart() {
        check(down(&["• one item that is", "longer", "• two"], 14.0), &["• one item that is longer", "• two"]);
    }
}
