//! `carrel eval calibrate`: what refusal goes by, from what `carrel eval answers --features` wrote.

use super::beir::lines;
use crate::Outcome;
use crate::commands::print_json;
use answer::{Calibration, Features, Observation, Probe, Reading, Stages, fit};
use serde::Deserialize;
use serde_json::{Value, json};
use std::cmp::Ordering;
use std::collections::HashMap;
use std::path::PathBuf;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// JSONL of 'carrel eval answers --features'; several files are taken together
    #[arg(long, value_name = "FILE", required = true)]
    features: Vec<PathBuf>,
    /// The same of sets that are fitted on as a whole: nothing of them is held out
    #[arg(long, value_name = "FILE")]
    whole: Vec<PathBuf>,
    /// Where the calibration is written, for [answer] calibration
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// How strongly weights of features are held back
    #[arg(long, default_value_t = 10.0)]
    penalty: f64,
    /// How strongly weights of hidden states are held back: there are more of them than questions
    #[arg(long, default_value_t = 1000.0)]
    state_penalty: f64,
    /// Print one JSON object (it always does)
    #[arg(long)]
    json: bool,
}

#[derive(Deserialize)]
struct Line {
    /// The same for a question in two languages.
    id: String,
    /// The document it is about, the same in two languages, in a set of which documents were left out.
    #[serde(default)]
    document: Option<String>,
    answerable: bool,
    held_out: bool,
    model_sha256: String,
    features: Features,
    /// Empty if the engine tells none.
    #[serde(default)]
    state: Vec<f32>,
    /// What the state tells; earlier files don't say it.
    #[serde(default)]
    state_version: u32,
    /// Whether an answer was written: without one the features say nothing of it.
    #[serde(default = "yes")]
    written: bool,
}

fn yes() -> bool {
    true
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let mut sets: Vec<Vec<Line>> = Vec::new();
    for file in &arguments.features {
        sets.push(lines(file)?);
    }
    for file in &arguments.whole {
        let whole: Vec<Line> = lines(file)?;
        sets.push(whole.into_iter().map(|line| Line { held_out: false, ..line }).collect());
    }
    let all: Vec<&Line> = sets.iter().flatten().collect();
    let first = all.first().ok_or("there are no questions in these files; run 'carrel eval answers --features'")?;
    let model_sha256 = first.model_sha256.clone();
    if all.iter().any(|line| line.model_sha256 != model_sha256) {
        return Err("the files were written with different models; take those of one model".into());
    }
    if all.iter().any(|line| !line.state.is_empty() && line.state_version != inference::STATE_VERSION) {
        return Err("the hidden states in these files are those of an earlier version; run 'carrel eval answers --features' again".into());
    }
    let known: Vec<&Line> = all.iter().filter(|line| !line.held_out).copied().collect();
    let (penalty, state_penalty) = (arguments.penalty, arguments.state_penalty);
    if known.iter().all(|line| line.answerable) || !known.iter().any(|line| line.answerable) {
        return Err("there must be questions with and without an answer among those that are not held out".into());
    }
    let plain = stages(&known, penalty);
    let probe = if known.iter().any(|line| line.state.is_empty()) {
        None
    } else {
        let probe = Probe::fit(&readings(&known), state_penalty);
        Some(probe.ok_or(
            "no threshold can be chosen: either the hidden states are not all of one length, or the questions without an answer \
             are about too few documents",
        )?)
    };
    if probe.is_none() && plain.is_none() {
        return Err("no answers were written and no hidden states were told, so there is nothing to fit".into());
    }
    let calibration = Calibration { model_sha256, probe, plain };
    if let Some(file) = &arguments.output {
        std::fs::write(file, serde_json::to_string_pretty(&calibration)? + "\n")
            .map_err(|error| format!("{}: {error}", file.display()))?;
    }
    let with_probe = calibration.probe.as_ref().map(|probe| {
        let fold = |known: &[&Line]| Probe::fit(&readings(known), state_penalty).map(by_probe);
        told(&all_of(&sets, |_| true), &by_probe(probe.clone()), fold)
    });
    let fold = |known: &[&Line]| stages(known, penalty).map(by_stages);
    let written = all_of(&sets, |line| line.written);
    let without = calibration.plain.map(|plain| told(&written, &by_stages(plain), fold));
    print_json(&json!({ "with_probe": with_probe, "without_probe": without }));
    Ok(())
}

impl Line {
    /// What no two folds share: of a document that was left out no question has an answer, so a question would be judged
    /// by its neighbours.
    fn subject(&self) -> Option<&str> {
        // Lists from a spreadsheet have no ids.
        Some(self.document.as_ref().unwrap_or(&self.id).as_str()).filter(|subject| !subject.is_empty())
    }
}

/// The number of each line's subject, in the order in which they come.
fn subjects<'a>(lines: &[&'a Line]) -> Vec<usize> {
    let mut numbers: HashMap<&'a str, usize> = HashMap::new();
    let mut next = 0;
    let number = |line: &&'a Line| {
        let known = line.subject().map(|subject| *numbers.entry(subject).or_insert(next));
        next += usize::from(known.is_none_or(|known| known == next));
        known.unwrap_or(next - 1)
    };
    lines.iter().map(number).collect()
}

fn readings(lines: &[&Line]) -> Vec<Reading> {
    let of = lines.iter().zip(subjects(lines));
    of.map(|(line, subject)| Reading { state: line.state.clone(), answerable: line.answerable, subject }).collect()
}

fn all_of(sets: &[Vec<Line>], of: impl Fn(&Line) -> bool) -> Vec<Vec<&Line>> {
    sets.iter().map(|set| set.iter().filter(|line| of(line)).collect()).collect()
}

fn stages(lines: &[&Line], penalty: f64) -> Option<Stages> {
    let written = lines.iter().filter(|line| line.written);
    let known = |line: &&Line| Observation { features: line.features.clone(), answerable: line.answerable };
    let known: Vec<Observation> = written.map(known).collect();
    Some(Stages { before: fit(&known, false, penalty)?, after: fit(&known, true, penalty)? })
}

/// What a question is judged by: how likely it is answered, and whether that is refused.
type Judge = Box<dyn Fn(&Line) -> (f32, bool)>;

fn by_probe(probe: Probe) -> Judge {
    Box::new(move |line| {
        let p = probe.probability(&line.state).unwrap_or(1.0);
        (p, p < probe.threshold)
    })
}

fn by_stages(stages: Stages) -> Judge {
    Box::new(move |line| {
        let [before, after] = [&stages.before, &stages.after].map(|stage| stage.probability(&line.features));
        (after, before < stages.before.threshold || after < stages.after.threshold)
    })
}

/// The figures of all files together, and of each: what holds for one set need not hold for another.
fn told(sets: &[Vec<&Line>], judge: &Judge, fold: impl Fn(&[&Line]) -> Option<Judge>) -> Value {
    let all: Vec<&Line> = sets.iter().flatten().copied().collect();
    let unseen = unseen(&all, fold);
    let of = |lines: &[&Line], offset: usize| {
        let part = |held_out: bool| lines.iter().filter(move |line| line.held_out == held_out);
        json!({
            "fitted": judged(part(false).map(|line| (line.answerable, judge(line)))),
            "held_out": judged(part(true).map(|line| (line.answerable, judge(line)))),
            "cross_validated": judged(lines.iter().zip(&unseen[offset..]).map(|(line, told)| (line.answerable, *told))),
        })
    };
    let mut figures = of(&all, 0);
    if sets.len() > 1 {
        let mut offset = 0;
        let each = sets.iter().map(|set| {
            let figures = of(set, offset);
            offset += set.len();
            figures
        });
        figures["files"] = each.collect();
    }
    figures
}

/// What fits on nine tenths of all documents, threshold and all, make of the questions about the tenth they have not seen, in
/// no language: a third held out is too few questions to tell two calibrations apart.
fn unseen(lines: &[&Line], fold: impl Fn(&[&Line]) -> Option<Judge>) -> Vec<(f32, bool)> {
    const FOLDS: usize = 10;
    let mut told = vec![(1.0, false); lines.len()];
    let parts: Vec<usize> = subjects(lines).into_iter().map(|subject| subject % FOLDS).collect();
    for part in 0..FOLDS {
        let known: Vec<&Line> =
            lines.iter().zip(&parts).filter(|(_, of)| **of != part).map(|(line, _)| *line).collect();
        let Some(judge) = fold(&known) else { continue };
        for (at, _) in parts.iter().enumerate().filter(|(_, of)| **of == part) {
            told[at] = judge(lines[at]);
        }
    }
    told
}

/// How refusals stand to the truth. What the check of the sentences alone refuses comes on top of it.
fn judged(questions: impl Iterator<Item = (bool, (f32, bool))>) -> Value {
    let questions: Vec<(bool, f32, bool)> =
        questions.map(|(answerable, (p, refused))| (answerable, p, refused)).collect();
    let count = |of: &dyn Fn(&(bool, f32, bool)) -> bool| questions.iter().filter(|one| of(one)).count();
    let (unanswerable, refused) = (count(&|one| !one.0), count(&|one| one.2));
    let right = count(&|one| one.2 && !one.0);
    // The chance that an answerable question scores above an unanswerable one (area under the ROC curve).
    let of = |answerable: bool| questions.iter().filter(move |one| one.0 == answerable);
    // Of two that score the same either may come first.
    let above = |one: &(bool, f32, bool), other: &(bool, f32, bool)| match one.1.total_cmp(&other.1) {
        Ordering::Greater => 2,
        Ordering::Equal => 1,
        Ordering::Less => 0,
    };
    let halves: usize = of(true).map(|one| of(false).map(|other| above(one, other)).sum::<usize>()).sum();
    json!({
        "questions": questions.len(),
        "unanswerable": unanswerable,
        "refusal_precision": share(right, refused),
        "refusal_recall": share(right, unanswerable),
        "auc": share(halves, 2 * (questions.len() - unanswerable) * unanswerable),
    })
}

#[allow(clippy::cast_precision_loss, reason = "a few hundred questions")]
fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(told: &Value) -> Line {
        let mut line = json!({ "id": "", "answerable": true, "held_out": false, "model_sha256": "", "features": {} });
        line.as_object_mut().unwrap().extend(told.as_object().unwrap().clone());
        serde_json::from_value(line).unwrap()
    }

    #[test]
    fn lines_without_ids_are_about_something_of_their_own() {
        let told = [
            json!({}),
            json!({ "id": "a" }),
            json!({}),
            json!({ "id": "b", "document": "d" }),
            json!({ "id": "a" }),
            json!({ "id": "c", "document": "d" }),
        ];
        let lines: Vec<Line> = told.iter().map(line).collect();
        assert_eq!(subjects(&lines.iter().collect::<Vec<_>>()), [0, 1, 2, 3, 1, 3]);
    }

    #[test]
    fn the_area_under_the_curve_halves_ties() {
        let auc = |scores: [(bool, f32); 4]| judged(scores.map(|(is, p)| (is, (p, false))).into_iter())["auc"].clone();
        assert_eq!(auc([(true, 0.9), (true, 0.5), (false, 0.5), (false, 0.1)]), 0.875);
        assert_eq!(auc([(true, 1.0), (true, 1.0), (false, 1.0), (false, 1.0)]), 0.5);
    }
}
