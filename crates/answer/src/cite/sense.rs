//! Sense: whether a clause says that something is so or is not so, before or after, at least or at most.
//!
//! Small words decide this, and neither terms nor vectors have them: "Visitors may not enter the quay" has every term of
//! "Visitors may enter the quay". So clauses are compared: one that shares nearly all of its terms with a clause of the
//! passage and is turned the other way, while no clause says as much of it the same way round, contradicts its source. Only
//! the words listed here are known; "refuse" is not the opposite of "accept".

use super::words::{Token, tokens};
use index::Index;
use std::collections::BTreeSet;

/// Which way round a clause says what it says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sense {
    negated: bool,
    /// `Some(true)`: after; above, at least; outside. Not told if both or neither is said.
    time: Option<bool>,
    bound: Option<bool>,
    place: Option<bool>,
}

impl Sense {
    fn opposes(self, other: Self) -> bool {
        let turned = [(self.time, other.time), (self.bound, other.bound), (self.place, other.place)];
        let turned = turned.iter().any(|(one, other)| one.zip(*other).is_some_and(|(one, other)| one != other));
        // Not before is after.
        (self.negated != other.negated) != turned
    }
}

/// A clause with its terms.
#[derive(Debug)]
pub(super) struct Clause {
    terms: BTreeSet<String>,
    sense: Sense,
    /// What to mark if it is turned, in bytes of its text: the words that turn it, or else all of it.
    marked: (usize, usize),
}

/// Clauses with fewer terms say too little to be compared.
const LEAST_TERMS: usize = 2;
/// Of the terms of the clause that says no, this share must be in the other one.
const SAME: f32 = 0.75;

/// The clauses of `text`, in the terms of `language`.
pub(super) fn clauses(index: &Index, text: &str, language: Option<&str>) -> Vec<Clause> {
    let tokens = tokens(text);
    let mut found = Vec::new();
    let mut from = 0;
    for at in 0..tokens.len() {
        let connects = |word: &str| {
            matches!(word.to_lowercase().as_str(), "and" | "or" | "but" | "und" | "oder" | "aber" | "sondern")
        };
        let ends = tokens[at].ends_clause || tokens.get(at + 1).is_none_or(|next| connects(next.text));
        if !ends {
            continue;
        }
        let clause = without_yes(&tokens[from..=at]);
        from = at + 1;
        let (Some(first), Some(last)) = (clause.first(), clause.last()) else { continue };
        let terms: BTreeSet<String> = index.terms(&text[first.start..last.end], language).into_iter().collect();
        if terms.len() >= LEAST_TERMS {
            let (sense, turns) = sense(clause);
            found.push(Clause { terms, sense, marked: turns.unwrap_or((first.start, last.end)) });
        }
    }
    found
}

/// Where `sentence` says the opposite of what stands in `passages`, if it does.
pub(super) fn turned(sentence: &[Clause], passages: &[&[Clause]]) -> Option<(usize, usize)> {
    let contradicted = sentence.iter().find(|own| {
        let (mut same, mut opposite) = (0, 0);
        for other in passages.iter().copied().flatten() {
            let shared = own.terms.intersection(&other.terms).count();
            if !own.sense.opposes(other.sense) {
                same = same.max(shared);
                continue;
            }
            let negative = if other.sense.negated && !own.sense.negated { other } else { own };
            if shared >= LEAST_TERMS && super::share(shared, negative.terms.len()) >= SAME {
                opposite = opposite.max(shared);
            }
        }
        opposite > same
    });
    contradicted.map(|clause| clause.marked)
}

/// "No, it may not be passed on" says no once.
fn without_yes<'a, 'b>(clause: &'a [Token<'b>]) -> &'a [Token<'b>] {
    match clause {
        [first, rest @ ..]
            if matches!(first.text.to_lowercase().as_str(), "yes" | "no" | "ja" | "nein") && first.ends_clause =>
        {
            rest
        }
        _ => clause,
    }
}

/// The sense of a clause, and where the words stand that turn it.
fn sense(clause: &[Token<'_>]) -> (Sense, Option<(usize, usize)>) {
    let words: Vec<String> = clause.iter().map(|token| token.text.to_lowercase()).collect();
    let word = |at: usize| words.get(at).map(String::as_str).unwrap_or_default();
    let before = |at: usize| at.checked_sub(1).map(word).unwrap_or_default();
    let mut sense = Sense::default();
    let mut span: Option<(usize, usize)> = None;
    let mut sides: [BTreeSet<bool>; 3] = Default::default();
    for (at, token) in clause.iter().enumerate() {
        let negates =
            is_negation(word(at)) && !is_bound(word(at + 1), word(at + 2)) && !begins_with_digit(word(at + 1));
        let pole = match word(at) {
            "before" | "vor" | "prior" => Some((0, false)),
            "after" | "nach" => Some((0, true)),
            "most" if before(at) == "at" => Some((1, false)),
            "least" if before(at) == "at" => Some((1, true)),
            "to" if before(at) == "up" => Some((1, false)),
            "zu" if before(at) == "bis" => Some((1, false)),
            "maximum" | "höchstens" | "maximal" | "under" | "below" | "unter" | "unterhalb" => Some((1, false)),
            "minimum" | "mindestens" | "minimal" | "over" | "above" | "über" | "oberhalb" => Some((1, true)),
            "more" | "mehr" if matches!(word(at + 1), "than" | "als") => Some((1, !is_negation(before(at)))),
            "less" | "fewer" | "weniger" if matches!(word(at + 1), "than" | "als") => {
                Some((1, is_negation(before(at))))
            }
            "inside" | "within" | "innerhalb" => Some((2, false)),
            "outside" | "außerhalb" => Some((2, true)),
            _ => None,
        };
        if negates {
            sense.negated = !sense.negated;
        }
        if let Some((which, side)) = pole {
            sides[which].insert(side);
        }
        if negates || pole.is_some() {
            span = Some((span.map_or(token.start, |(first, _)| first), token.end));
        }
    }
    let only = |sides: &BTreeSet<bool>| if sides.len() == 1 { sides.first().copied() } else { None };
    [sense.time, sense.bound, sense.place] = sides.each_ref().map(only);
    (sense, span)
}

fn is_negation(word: &str) -> bool {
    const WORDS: [&str; 27] = [
        "not",
        "no",
        "never",
        "none",
        "nobody",
        "nothing",
        "neither",
        "without",
        "cannot",
        "prohibited",
        "forbidden",
        "banned",
        "nicht",
        "kein",
        "keine",
        "keinen",
        "keinem",
        "keiner",
        "keines",
        "nie",
        "niemals",
        "niemand",
        "nichts",
        "ohne",
        "weder",
        "verboten",
        "untersagt",
    ];
    WORDS.contains(&word) || word.ends_with("n't") || word.ends_with("n’t")
}

/// Whether a word in small letters may turn what is said with it into its opposite.
pub(crate) fn turns(word: &str) -> bool {
    const WORDS: [&str; 29] = [
        "only",
        "nur",
        "except",
        "außer",
        "unless",
        "before",
        "vor",
        "after",
        "nach",
        "most",
        "least",
        "maximum",
        "minimum",
        "höchstens",
        "mindestens",
        "maximal",
        "minimal",
        "under",
        "below",
        "unter",
        "over",
        "above",
        "über",
        "more",
        "less",
        "inside",
        "within",
        "outside",
        "außerhalb",
    ];
    is_negation(word) || WORDS.contains(&word)
}

/// `not only`, `no later than`, `nicht mehr als`: limits, not negations.
fn is_bound(next: &str, third: &str) -> bool {
    let compares = matches!(third, "than" | "als");
    matches!(next, "only" | "nur" | "later" | "earlier" | "später" | "früher")
        || compares && matches!(next, "more" | "less" | "fewer" | "longer" | "mehr" | "weniger" | "länger")
}

/// `No. 5`
fn begins_with_digit(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contradicts(answer: &str, passage: &str, language: &str) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        let index = Index::open(folder.path(), 1).unwrap();
        let [own, other] = [answer, passage].map(|text| clauses(&index, text, Some(language)));
        turned(&own, &[&other]).map(|(start, end)| answer[start..end].to_owned())
    }

    #[test]
    fn what_is_turned_round_is_noticed() {
        for (answer, passage) in [
            ("Visitors may enter the quay.", "Visitors may not enter the quay. Staff may enter the quay."),
            ("Visitors may not enter the quay.", "Visitors may enter the quay, if they wear a helmet."),
            ("A visitor may enter the quay.", "No visitor may enter the quay."),
            ("Smoking is allowed in the control room.", "Smoking is prohibited in the control room."),
            ("The permit is signed after the shift begins.", "The permit is signed before the shift begins."),
            ("Gifts over EUR 40 may be kept.", "Gifts up to EUR 40 may be kept. Gifts over EUR 40 are handed in."),
            ("Staff can't park at gate 2.", "Staff can park at gate 2."),
        ] {
            assert!(contradicts(answer, passage, "en").is_some(), "{answer} | {passage}");
        }
        for (answer, passage) in [
            ("Gäste dürfen die Halle betreten.", "Gäste dürfen die Halle nicht betreten."),
            ("Die Freigabe erfolgt nach der Schicht.", "Die Freigabe erfolgt vor der Schicht."),
            (
                "Die Halle darf mit Genehmigung nicht betreten werden.",
                "Die Halle darf mit Genehmigung betreten werden.",
            ),
        ] {
            assert!(contradicts(answer, passage, "de").is_some(), "{answer} | {passage}");
        }
        let marked = contradicts("Visitors may not enter the quay.", "Visitors may enter the quay.", "en");
        assert_eq!(marked.as_deref(), Some("not"));
    }

    #[test]
    fn what_says_the_same_is_left_alone() {
        for (answer, passage) in [
            ("No, visitors may not enter the quay.", "Visitors may not enter the quay."),
            ("Employees receive 24 days of leave.", "Employees receive 24 days of leave, which cannot be paid out."),
            (
                "Employees receive 24 days of leave.",
                "Employees do not receive leave in probation. Employees receive 24 days of leave.",
            ),
            ("The report is due by 31 March.", "The report is due no later than 31 March."),
            ("Smoking is not allowed in the control room.", "Smoking is prohibited in the control room."),
            ("The hall may be entered with a permit.", "The hall may not be entered without a permit."),
            ("Up to five days may be carried over.", "No more than five days may be carried over."),
            ("Ask the harbour master.", "Do not call the fire brigade."),
        ] {
            assert_eq!(contradicts(answer, passage, "en"), None, "{answer} | {passage}");
        }
        let (answer, passage) = (
            "Die Halle darf nur mit Genehmigung betreten werden.",
            "Die Halle darf nicht ohne Genehmigung betreten werden.",
        );
        assert_eq!(contradicts(answer, passage, "de"), None);
    }
}
