//! Windows: the few sentences of the passages that a question, or an answer to it, is most likely about. A small model
//! sees what three sentences say, and whether they say it, far better than what six passages do.

use super::features::Wanted;
use crate::pack::Source;
use index::Index;
use std::collections::BTreeSet;
use unicode_segmentation::UnicodeSegmentation;

/// Sentences, or rows of a table, in a window.
const LENGTH: usize = 3;
/// Windows that are looked at.
const COUNT: usize = 2;
/// How much the passage's likeness to the question counts beside the window's words.
const LIKENESS: f32 = 0.5;

struct Window {
    passage: usize,
    first: usize,
    text: String,
    terms: BTreeSet<String>,
}

/// The best windows of `sources` for `text`, best first, each under its title and heading.
pub(super) fn best(index: &Index, text: &str, sources: &[Source]) -> String {
    let windows: Vec<Window> =
        sources.iter().enumerate().flat_map(|(passage, source)| of_passage(index, passage, source)).collect();
    let terms: Vec<BTreeSet<String>> = windows.iter().map(|window| window.terms.clone()).collect();
    let wanted = Wanted::of(index, text, &terms);
    let mut scored: Vec<(f32, &Window)> = windows
        .iter()
        .map(|window| {
            let words = wanted.share(|term| window.terms.contains(term));
            (words + LIKENESS * sources[window.passage].score, window)
        })
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut taken: Vec<&Window> = Vec::new();
    for (_, window) in scored {
        let overlaps = |other: &&Window| other.passage == window.passage && other.first.abs_diff(window.first) < LENGTH;
        if !taken.iter().any(overlaps) {
            taken.push(window);
        }
        if taken.len() == COUNT {
            break;
        }
    }
    taken.iter().map(|window| window.text.as_str()).collect::<Vec<_>>().join("\n\n")
}

fn of_passage(index: &Index, passage: usize, Source { passage: text, document, .. }: &Source) -> Vec<Window> {
    let heading = text.heading_path.last().map_or("", String::as_str);
    let head = format!("{} – {heading}", document.title);
    let pieces: Vec<&str> =
        text.text.lines().flat_map(str::unicode_sentences).map(str::trim).filter(|piece| !piece.is_empty()).collect();
    let starts = 0..=pieces.len().saturating_sub(LENGTH);
    let window = |first: usize| {
        let end = pieces.len().min(first + LENGTH);
        let text = format!("{head}\n{}", pieces[first..end].join("\n"));
        let terms = index.terms(&text, document.language.as_deref()).into_iter().collect();
        Window { passage, first, text, terms }
    };
    starts.map(window).collect()
}
