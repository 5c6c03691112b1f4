//! Figures of answers: docs/quality.md defines each.

use super::answer_set::Expected;
use answer::{Answer, Source, Support};
use serde_json::{Value, json};
use std::time::Duration;
use storage::AnswerState;

#[derive(Default)]
pub(crate) struct Tally {
    answerable: u32,
    unanswerable: u32,
    restricted: u32,
    restricted_refused: u32,
    leaked: u32,
    matched: u32,
    escalated: u32,
    refused: u32,
    refused_rightly: u32,
    cited: u32,
    cited_rightly: u32,
    source_cited: u32,
    source_retrieved: u32,
    sentences: u32,
    supported: u32,
    partly: u32,
    unfounded: u32,
    first_words: Vec<u64>,
    checks: Vec<u64>,
    check: Duration,
    total: Duration,
    confidences: Vec<(bool, f32)>,
}

impl Tally {
    pub(super) fn retrieved(&mut self, item: &Expected, sources: &[Source], confidence: f32, least: f32) {
        self.confidences.push((item.answerable, confidence));
        if item.answerable {
            self.answerable += 1;
            self.source_retrieved += u32::from(sources.iter().any(|source| is_expected(item, source)));
        } else {
            self.unanswerable += 1;
        }
        if item.restricted {
            self.restricted += 1;
            // Of the document that the asker may not see nothing is shown, whatever becomes of the answer.
            self.leaked += u32::from(sources.iter().any(|source| is_of(item, source)));
        }
        if confidence < least {
            self.refuse(item);
        }
    }

    fn refuse(&mut self, item: &Expected) {
        self.refused += 1;
        self.refused_rightly += u32::from(!item.answerable);
        self.restricted_refused += u32::from(item.restricted);
    }

    pub(crate) fn answered(&mut self, item: &Expected, answer: &Answer) {
        self.retrieved(item, &answer.sources, answer.confidence, -1.0);
        if !answer.sentences.is_empty() {
            self.check += answer.timings.check;
            self.total += answer.timings.total;
            self.checks.push(answer.timings.check.as_millis() as u64);
        }
        self.escalated += u32::from(answer.first.is_some());
        if answer.state == AnswerState::Refused {
            self.refuse(item);
            return;
        }
        self.first_words.extend(answer.timings.first_word.map(|time| time.as_millis() as u64));
        self.sentences += answer.sentences.len() as u32;
        let count = |level: Support| answer.sentences.iter().filter(|s| s.support == level).count() as u32;
        self.supported += count(Support::Supported);
        self.partly += count(Support::Partly);
        self.unfounded += answer.sentences.iter().filter(|s| !s.unfounded.is_empty()).count() as u32;
        if !item.answerable {
            return;
        }
        let mut ways = std::iter::once(&item.answer).chain(&item.answers).filter(|way| !way.is_empty());
        let said = said(answer);
        self.matched += u32::from(ways.any(|way| matches(way, &said)));
        let cited = answer.sources.iter().filter(|s| answer.sentences.iter().any(|t| t.citations.contains(&s.rank)));
        let cited: Vec<_> = cited.collect();
        self.cited += cited.len() as u32;
        let right = cited.iter().filter(|source| is_expected(item, source)).count() as u32;
        self.cited_rightly += right;
        self.source_cited += u32::from(right > 0);
    }

    pub(crate) fn figures(mut self, retrieval_only: bool) -> Value {
        let share = |part: u32, whole: u32| (whole > 0).then(|| f64::from(part) / f64::from(whole));
        self.first_words.sort_unstable();
        self.checks.sort_unstable();
        let mut figures = json!({
            "questions": self.answerable + self.unanswerable,
            "unanswerable": self.unanswerable,
            "restricted": self.restricted,
            "restricted_refused": share(self.restricted_refused, self.restricted),
            "restricted_leaked": self.leaked,
            "source_retrieved": share(self.source_retrieved, self.answerable),
            "refusal_precision": share(self.refused_rightly, self.refused),
            "refusal_recall": share(self.refused_rightly, self.unanswerable),
        });
        if retrieval_only {
            let of = |answerable: bool| -> Vec<f32> {
                let mut all: Vec<f32> =
                    self.confidences.iter().filter(|(a, _)| *a == answerable).map(|(_, c)| *c).collect();
                all.sort_by(f32::total_cmp);
                all
            };
            figures["confidence_answerable"] = json!(of(true));
            figures["confidence_unanswerable"] = json!(of(false));
            return figures;
        }
        let asked = self.answerable + self.unanswerable;
        figures["escalated"] = json!(share(self.escalated, asked));
        figures["right_of_shown"] = json!(share(self.matched, asked - self.refused));
        figures["answer_match"] = json!(share(self.matched, self.answerable));
        figures["citation_precision"] = json!(share(self.cited_rightly, self.cited));
        figures["citation_recall"] = json!(share(self.source_cited, self.answerable));
        figures["supported_sentences"] = json!(share(self.supported, self.sentences));
        figures["partly_supported_sentences"] = json!(share(self.partly, self.sentences));
        figures["sentences_with_unfounded_facts"] = json!(share(self.unfounded, self.sentences));
        figures["ttft_ms"] = json!({ "p50": self.first_words.get(self.first_words.len() / 2) });
        figures["check_ms"] = json!({ "p50": self.checks.get(self.checks.len() / 2) });
        let whole = self.total.as_secs_f64();
        figures["check_share_of_time"] = json!((whole > 0.0).then(|| self.check.as_secs_f64() / whole));
        figures
    }
}

/// Whether the passage is one of the expected document.
fn is_of(item: &Expected, source: &Source) -> bool {
    let name = |path: &str| path.rsplit('/').next().map(str::to_owned);
    !item.document.is_empty() && name(&source.document.source) == name(&item.document)
}

fn is_expected(item: &Expected, source: &Source) -> bool {
    let near = |expected: u32| source.passage.page.is_none_or(|page| page.abs_diff(expected) <= 1);
    is_of(item, source) && item.page.is_none_or(near)
}

/// What an answer says, without the marks of its citations.
fn said(answer: &Answer) -> String {
    match answer.sentences.is_empty() {
        true => answer.text.clone(),
        false => answer.sentences.iter().map(|sentence| sentence.text.as_str()).collect::<Vec<_>>().join(" "),
    }
}

/// Every number of the expected answer stands in the given one, or, without numbers, most of its long words.
fn matches(expected: &str, given: &str) -> bool {
    let (expected, given) = (words(expected), words(given));
    let is_number = |word: &&String| word.starts_with(|c: char| c.is_ascii_digit());
    let mut numbers = expected.iter().filter(is_number).peekable();
    if numbers.peek().is_some() {
        return numbers.all(|number| given.contains(number));
    }
    let long: Vec<&String> = expected.iter().filter(|word| word.chars().count() > 3).collect();
    let long = if long.is_empty() { expected.iter().collect() } else { long };
    let found = long.iter().filter(|word| given.iter().any(|other| inflected(word, other))).count();
    !long.is_empty() && found * 2 > long.len()
}

/// Words and numbers in small letters; `1,500`, `1.500` and `1500` are the same, and so are `2.5` and `2,5`.
fn words(text: &str) -> Vec<String> {
    let parts = text.split(|c: char| !c.is_alphanumeric() && c != '.' && c != ',');
    let parts = parts.map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase());
    let plain = |word: String| {
        let digits = word.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | ','))).unwrap_or(word.len());
        let groups: Vec<&str> = word[..digits].split(['.', ',']).collect();
        let thousands = groups.len() > 1 && groups.iter().skip(1).all(|group| group.len() == 3);
        format!("{}{}", groups.join(if thousands { "" } else { "." }), &word[digits..])
    };
    parts.map(plain).filter(|word| !word.is_empty()).collect()
}

/// Whether two words are the same but for an ending: `permit` and `permits`, not `six` and `sixteen`.
fn inflected(one: &str, other: &str) -> bool {
    let (short, long) = if one.len() < other.len() { (one, other) } else { (other, one) };
    short == long || short.chars().count() >= 4 && long.starts_with(short) && long.len() - short.len() <= 3
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn an_answer_matches_by_whole_numbers_and_words() {
        for (expected, given) in [
            ("24 days", "Every employee receives 24 days."),
            ("EUR 1,500", "Es sind 1.500 Euro."),
            ("2.5 %", "um 2,5 % mehr"),
            ("by 31 March", "Leave lapses on March 31."),
            ("welding permit", "You need permits for welding."),
            ("six", "Six people."),
        ] {
            assert!(matches(expected, given), "{expected}: {given}");
        }
        for (expected, given) in [
            ("4 days", "Seven days."),
            ("2 hours", "within 24 hours"),
            ("EUR 30", "EUR 300"),
            ("12 seconds", "Call 112."),
            ("six", "Sixteen people."),
            ("EUR 1.5", "EUR 15"),
        ] {
            assert!(!matches(expected, given), "{expected}: {given}");
        }
    }
}
