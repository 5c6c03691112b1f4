//! `carrel eval answers`

use super::beir::lines;
use crate::Outcome;
use crate::commands::print_json;
use crate::config::Configuration;
use crate::progress::bar;
use crate::site::Site;
use ::audit::Actor;
use answer::{Answer, Support};
use serde::Deserialize;
use serde_json::json;
use std::path::PathBuf;
use storage::AnswerState;
use tokio_util::sync::CancellationToken;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// JSONL: id, question, answer, document, page, answerable
    #[arg(long, value_name = "FILE")]
    dataset: PathBuf,
    /// Whose eyes: the sign-in name of a user who may see the documents
    #[arg(long)]
    user: String,
    /// Only retrieval and refusal, without the generation model
    #[arg(long)]
    retrieval_only: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// One question with what is expected of its answer.
#[derive(Deserialize)]
struct Expected {
    question: String,
    #[serde(default)]
    answer: String,
    #[serde(default)]
    document: String,
    page: Option<u32>,
    answerable: bool,
}

#[derive(Default)]
struct Tally {
    answerable: u32,
    matched: u32,
    refused_rightly: u32,
    refused: u32,
    unanswerable: u32,
    cited: u32,
    cited_rightly: u32,
    source_cited: u32,
    source_retrieved: u32,
    sentences: u32,
    supported: u32,
    first_words: Vec<u64>,
    confidences: Vec<(bool, f32)>,
}

pub(crate) async fn run(arguments: Arguments, configuration: &Configuration) -> Outcome {
    let site = Site::open(configuration).await?;
    let expected: Vec<Expected> = lines(&arguments.dataset)?;
    let (user, scope) = site.eyes_of(&arguments.user).await?;
    let retrieval = site.own_retrieval().await?;
    let generator = if arguments.retrieval_only { None } else { site.generator().await? };
    let answering = site.answering(&retrieval, generator).await?;
    let progress = bar(expected.len() as u64, "questions");
    let mut tally = Tally::default();
    for item in &expected {
        if arguments.retrieval_only {
            let found = answering.judged(&item.question, &scope).await?;
            tally.retrieved(item, &found.0, found.1, configuration.answer.least_confidence);
        } else {
            let (actor, operation) = (Actor::console(), site.operation());
            let question = answering.open(user.id, None, &item.question, scope.clone(), &actor, operation).await?;
            let answer = answering.ask(&question, &CancellationToken::new(), |_| {}).await?;
            tally.answered(item, &answer);
        }
        progress.inc(1);
    }
    progress.finish_and_clear();
    let figures = tally.figures(expected.len(), arguments.retrieval_only);
    if arguments.json {
        print_json(&figures);
    } else {
        println!("{figures:#}");
    }
    Ok(())
}

impl Tally {
    fn retrieved(&mut self, item: &Expected, sources: &[answer::Source], confidence: f32, least: f32) {
        self.confidences.push((item.answerable, confidence));
        self.count(item, confidence < least);
        if item.answerable && sources.iter().any(|source| is_expected(item, source)) {
            self.source_retrieved += 1;
        }
    }

    fn answered(&mut self, item: &Expected, answer: &Answer) {
        self.retrieved(item, &answer.sources, answer.confidence, -1.0);
        let refused = answer.state == AnswerState::Refused;
        if refused {
            self.refused += 1;
            self.refused_rightly += u32::from(!item.answerable);
            return;
        }
        self.first_words.extend(answer.timings.first_word.map(|time| time.as_millis() as u64));
        self.sentences += answer.sentences.len() as u32;
        self.supported += answer.sentences.iter().filter(|s| s.support == Support::Supported).count() as u32;
        if !item.answerable {
            return;
        }
        self.matched += u32::from(matches(&item.answer, &answer.text));
        let cited = answer.sources.iter().filter(|s| answer.sentences.iter().any(|t| t.citations.contains(&s.rank)));
        let cited: Vec<_> = cited.collect();
        self.cited += cited.len() as u32;
        let right = cited.iter().filter(|source| is_expected(item, source)).count() as u32;
        self.cited_rightly += right;
        self.source_cited += u32::from(right > 0);
    }

    fn count(&mut self, item: &Expected, refused: bool) {
        if item.answerable {
            self.answerable += 1;
        } else {
            self.unanswerable += 1;
        }
        self.refused += u32::from(refused);
        self.refused_rightly += u32::from(refused && !item.answerable);
    }

    fn figures(mut self, questions: usize, retrieval_only: bool) -> serde_json::Value {
        let share = |part: u32, whole: u32| (whole > 0).then(|| f64::from(part) / f64::from(whole));
        self.first_words.sort_unstable();
        let mut figures = json!({
            "questions": questions,
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
        } else {
            figures["answer_match"] = json!(share(self.matched, self.answerable));
            figures["citation_precision"] = json!(share(self.cited_rightly, self.cited));
            figures["citation_recall"] = json!(share(self.source_cited, self.answerable));
            figures["supported_sentences"] = json!(share(self.supported, self.sentences));
            figures["ttft_ms"] = json!({ "p50": self.first_words.get(self.first_words.len() / 2) });
        }
        figures
    }
}

fn is_expected(item: &Expected, source: &answer::Source) -> bool {
    let same_document = source.document.source.rsplit('/').next() == item.document.rsplit('/').next();
    let near = |expected: u32| source.passage.page.is_none_or(|page| page.abs_diff(expected) <= 1);
    same_document && item.page.is_none_or(near)
}

/// Every number of the expected answer stands in the given one, or, without numbers, most of its long words.
fn matches(expected: &str, given: &str) -> bool {
    let given = given.to_lowercase();
    let words: Vec<String> = expected
        .split(|c: char| !c.is_alphanumeric() && c != '.' && c != ',')
        .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase())
        .filter(|word| !word.is_empty())
        .collect();
    let numbers: Vec<&String> = words.iter().filter(|word| word.starts_with(|c: char| c.is_ascii_digit())).collect();
    if !numbers.is_empty() {
        return numbers.iter().all(|number| given.contains(number.as_str()));
    }
    let long: Vec<&String> = words.iter().filter(|word| word.chars().count() > 3).collect();
    let found = long.iter().filter(|word| given.contains(word.as_str())).count();
    !long.is_empty() && found * 2 > long.len()
}
