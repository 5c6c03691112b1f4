//! Alike: passages that say the same. In a prompt only the best of them stands, on the search page the others stand behind it.

use crate::cite::turns;
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Passages with a greater share of their words in common than this say the same.
const ALIKE: f64 = 0.85;

/// The words of a text as hashes, in order and each once: comparing numbers is what lets two hundred passages be
/// compared with one another while somebody waits.
#[derive(Debug, Clone)]
pub struct Words {
    all: Vec<u64>,
    /// Those with a digit in them.
    figures: Vec<u64>,
    /// Words such as `not` and `before`, each as often as it stands there.
    turning: Vec<u64>,
}

impl Words {
    /// Those of `text`, in small letters.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let small = text.to_lowercase();
        let words = || small.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        let is_figure = |word: &&str| word.contains(char::is_numeric);
        // `don't` is one word there.
        let whole = small.split(|c: char| !(c.is_alphanumeric() || matches!(c, '\'' | '’')));
        let mut turning: Vec<u64> = whole.filter(|word| turns(word)).map(hash).collect();
        turning.sort_unstable();
        Self { all: hashes(words()), figures: hashes(words().filter(is_figure)), turning }
    }

    /// Whether the Jaccard similarity is above 0.85 and the figures and the words that turn what is said are the same ones: two
    /// clauses, two rows of a table or two years of a rule may differ in nothing else, nor may a rule and its opposite. Texts
    /// without words are like nothing.
    #[allow(clippy::cast_precision_loss, reason = "counts of words in a passage")]
    #[must_use]
    pub fn alike(&self, other: &Self) -> bool {
        let (a, b) = (&self.all, &other.all);
        let (least, most) = (a.len().min(b.len()), a.len().max(b.len()));
        // The similarity is at most the ratio of the lengths.
        if most == 0 || (least as f64) <= ALIKE * most as f64 || self.differ(other) {
            return false;
        }
        let (mut i, mut j, mut common) = (0, 0, 0);
        while i < a.len() && j < b.len() {
            match a[i].cmp(&b[j]) {
                std::cmp::Ordering::Less => i += 1,
                std::cmp::Ordering::Greater => j += 1,
                std::cmp::Ordering::Equal => (i, j, common) = (i + 1, j + 1, common + 1),
            }
        }
        common as f64 > ALIKE * (a.len() + b.len() - common) as f64
    }

    fn differ(&self, other: &Self) -> bool {
        self.figures != other.figures || self.turning != other.turning
    }
}

fn hash(word: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    word.hash(&mut hasher);
    hasher.finish()
}

fn hashes<'a>(words: impl Iterator<Item = &'a str>) -> Vec<u64> {
    words.map(hash).collect::<BTreeSet<u64>>().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::Words;

    #[test]
    fn a_copy_with_another_head_is_alike_and_another_clause_is_not() {
        let text: String = (0..40).map(|number| format!("word{number} ")).collect();
        let copy = format!("COPY {}", text.to_uppercase());
        assert!(Words::of(&text).alike(&Words::of(&copy)));
        let half: String = (20..60).map(|number| format!("word{number} ")).collect();
        assert!(!Words::of(&text).alike(&Words::of(&half)));
        assert!(!Words::of("").alike(&Words::of("")), "nothing is no copy of nothing");
    }
    #[test]
    fn what_differs_in_a_figure_is_no_copy() {
        let rule = |figure: &str| {
            Words::of(&format!(
                "Whoever moors at a berth of the outer harbour longer than the notice on the quay allows pays a fee of {figure} \
                 euros for each day that has begun, and leaves the berth as soon as the harbour master says so."
            ))
        };
        assert!(rule("40").alike(&rule("40")));
        for other in ["45", "40.5", "40 or 45", "no", "٤٥"] {
            assert!(!rule("40").alike(&rule(other)), "{other}");
        }
        assert!(rule("some").alike(&rule("few")), "words may differ");
    }

    #[test]
    fn a_rule_and_its_opposite_are_no_copies() {
        let rule = |how: &str| {
            Words::of(&format!(
                "Every permit for welding in the engine room of a tanker {how} by the head of the safety department, the \
                 harbour master is not told of it, and the permit hangs at the door until the work has ended for the day."
            ))
        };
        let signed = rule("must be signed");
        assert!(signed.alike(&rule("must be stamped")));
        for opposite in ["must not be signed", "mustn’t be signed", "must only be signed", "must never be signed"] {
            assert!(!signed.alike(&rule(opposite)), "{opposite}");
        }
    }
}
