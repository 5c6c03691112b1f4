//! `carrel eval calibrate`: coefficients and thresholds of refusal, from what `carrel eval answers --features` wrote.

use super::beir::lines;
use crate::Outcome;
use crate::commands::print_json;
use crate::site::Failure;
use answer::{ASKED, Calibration, Features, Observation, Stages, fit};
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::PathBuf;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// JSONL of 'carrel eval answers --features'; several files are taken together
    #[arg(long, value_name = "FILE", required = true)]
    features: Vec<PathBuf>,
    /// Where the calibration is written, for [answer] calibration
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// How strongly weights are held back
    #[arg(long, default_value_t = 10.0)]
    penalty: f64,
    /// Print one JSON object (it always does)
    #[arg(long)]
    json: bool,
}

#[derive(Deserialize)]
struct Line {
    answerable: bool,
    held_out: bool,
    model_sha256: String,
    features: Features,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let mut questions: Vec<Line> = Vec::new();
    for file in &arguments.features {
        questions.extend(lines::<Line>(file)?);
    }
    let first =
        questions.first().ok_or("there are no questions in these files; run 'carrel eval answers --features'")?;
    let model_sha256 = first.model_sha256.clone();
    if questions.iter().any(|line| line.model_sha256 != model_sha256) {
        return Err("the files were written with different models; take those of one model".into());
    }
    let part = |held_out: bool| -> Vec<Observation> {
        let lines = questions.iter().filter(|line| line.held_out == held_out);
        lines.map(|line| Observation { features: line.features.clone(), answerable: line.answerable }).collect()
    };
    let (known, held_out) = (part(false), part(true));
    let penalty = arguments.penalty;
    let stages = |asked: bool| -> Result<Stages, Failure> {
        let lack = "there must be questions with and without an answer among those that are not held out";
        Ok(stages(&known, asked, penalty).ok_or(lack)?)
    };
    let probed = questions.iter().any(|line| line.features.contains_key(ASKED)).then(|| stages(true)).transpose()?;
    let calibration = Calibration { model_sha256, probed, plain: Some(stages(false)?) };
    if let Some(file) = &arguments.output {
        std::fs::write(file, serde_json::to_string_pretty(&calibration)? + "\n")
            .map_err(|error| format!("{}: {error}", file.display()))?;
    }
    let all = [&known[..], &held_out[..]].concat();
    let told = |stages: &Option<Stages>, asked: bool| {
        stages.as_ref().map(|stages| {
            json!({
                "fitted": judged(stages, &known),
                "held_out": judged(stages, &held_out),
                "cross_validated": cross_validated(&all, asked, penalty),
            })
        })
    };
    print_json(&json!({
        "with_probe": told(&calibration.probed, true), "without_probe": told(&calibration.plain, false),
    }));
    Ok(())
}

fn stages(questions: &[Observation], asked: bool, penalty: f64) -> Option<Stages> {
    Some(Stages { before: fit(questions, false, asked, penalty)?, after: fit(questions, true, asked, penalty)? })
}

/// What fits on nine tenths of all questions, threshold and all, make of the tenth they have not seen: a third held out is
/// too few questions to tell two calibrations apart.
fn cross_validated(questions: &[Observation], asked: bool, penalty: f64) -> Value {
    const FOLDS: usize = 10;
    let mut sums = (0, 0);
    for fold in 0..FOLDS {
        let part = |inside: bool| -> Vec<Observation> {
            let of = questions.iter().enumerate().filter(|(at, _)| (at % FOLDS == fold) == inside);
            of.map(|(_, one)| one.clone()).collect()
        };
        let Some(stages) = stages(&part(false), asked, penalty) else { continue };
        let (refused, right) = refusals(&stages, &part(true));
        sums = (sums.0 + refused, sums.1 + right);
    }
    let unanswerable = questions.iter().filter(|one| !one.answerable).count();
    json!({
        "questions": questions.len(),
        "unanswerable": unanswerable,
        "refusal_precision": share(sums.1, sums.0),
        "refusal_recall": share(sums.1, unanswerable),
    })
}

fn refused_before(stages: &Stages, one: &Observation) -> bool {
    stages.before.probability(&one.features) < stages.before.threshold
}

/// How many of `questions` are refused, and how many of those rightly.
fn refusals(stages: &Stages, questions: &[Observation]) -> (usize, usize) {
    let after = |one: &Observation| stages.after.probability(&one.features) < stages.after.threshold;
    let refused: Vec<&Observation> = questions.iter().filter(|one| refused_before(stages, one) || after(one)).collect();
    (refused.len(), refused.iter().filter(|one| !one.answerable).count())
}

#[allow(clippy::cast_precision_loss, reason = "a few hundred questions")]
fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// How refusals by both stages stand to the truth. What the check of the sentences alone refuses comes on top of it.
fn judged(stages: &Stages, questions: &[Observation]) -> Value {
    let (refused, right) = refusals(stages, questions);
    let unanswerable = questions.iter().filter(|one| !one.answerable).count();
    let of = |answerable: bool| questions.iter().filter(move |one| one.answerable == answerable);
    // The chance that an answerable question scores above an unanswerable one (area under the ROC curve).
    let pairs = of(true).flat_map(|one| of(false).map(move |other| (one, other)));
    let p = |one: &Observation| stages.after.probability(&one.features);
    let above = pairs.filter(|(one, other)| p(one) > p(other)).count();
    json!({
        "questions": questions.len(),
        "unanswerable": unanswerable,
        "refusal_precision": share(right, refused),
        "refusal_recall": share(right, unanswerable),
        "refused_before_writing": questions.iter().filter(|one| refused_before(stages, one)).count(),
        "auc": share(above, of(true).count() * of(false).count()),
    })
}
