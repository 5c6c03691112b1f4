//! Passages that say again what another one says: copies of a page in two documents, versions with a word changed.

use crate::Index;
use std::collections::HashSet;

/// Terms in a row that are compared as one.
const SHINGLE: usize = 4;
/// A text repeats another if so much of the shorter one stands in the other (Broder 1997, containment).
const SAME: f64 = 0.8;

impl Index {
    /// For each of `texts`, best first, which one before it says nearly the same, if one does. Meant for the few passages
    /// that are shown or packed: the time is quadratic in their number.
    ///
    /// A text shorter than four terms repeats only one with the same terms in the same order.
    #[must_use]
    pub fn repeats(&self, texts: &[&str]) -> Vec<Option<usize>> {
        let mut kept: Vec<(usize, HashSet<Vec<String>>)> = Vec::new();
        let mut repeats = Vec::with_capacity(texts.len());
        for (number, text) in texts.iter().enumerate() {
            let shingles = shingles(&self.terms(text, None));
            // Only what repeats nothing itself is compared with: a chain of small changes must not fold into one.
            let first = kept.iter().find(|(_, other)| is_repeat(&shingles, other)).map(|(first, _)| *first);
            if first.is_none() {
                kept.push((number, shingles));
            }
            repeats.push(first);
        }
        repeats
    }
}

fn shingles(terms: &[String]) -> HashSet<Vec<String>> {
    if terms.len() < SHINGLE {
        return HashSet::from([terms.to_vec()]);
    }
    terms.windows(SHINGLE).map(<[String]>::to_vec).collect()
}

fn is_repeat(a: &HashSet<Vec<String>>, b: &HashSet<Vec<String>>) -> bool {
    let (few, many) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let shared = few.iter().filter(|shingle| many.contains(*shingle)).count();
    shared as f64 >= SAME * few.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_and_small_changes_are_repeats_and_other_texts_are_not() {
        let directory = tempfile::tempdir().unwrap();
        let index = Index::open(directory.path(), 4).unwrap();
        let text = "The ferry leaves the northern quay at seven in the morning, at noon and at six in the evening. \
                    Passengers with bicycles board first, and those with dogs travel on the upper deck in all weathers.";
        let changed = text.replace("weathers", "seasons").to_uppercase();
        let longer = format!("Timetable of the islands, valid from May until the first storm of autumn. {text}");
        let other =
            "The ferry to the southern islands is repaired in the dry dock every winter, and a bus goes instead.";
        let found = index.repeats(&[text, other, &changed, &longer, "", "Granite quay", "granite Quay", ""]);
        assert_eq!(found, [None, None, Some(0), Some(0), None, None, Some(5), Some(4)]);
        assert!(index.repeats(&[]).is_empty());
    }
}
