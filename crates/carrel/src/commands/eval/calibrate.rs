//! `carrel eval calibrate`: coefficients and thresholds of refusal, from what `carrel eval answers --features` wrote.

use super::beir::lines;
use crate::Outcome;
use crate::commands::print_json;
use crate::site::Failure;
use answer::{Calibration, Features, Observation, Stages, fit};
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
    let stages = |probe: bool| -> Result<Stages, Failure> {
        let fitted = |after: bool| {
            let lack = "there must be questions with and without an answer among those that are not held out";
            fit(&known, after, probe, arguments.penalty).ok_or(lack)
        };
        Ok(Stages { before: fitted(false)?, after: fitted(true)? })
    };
    let probed = questions.iter().any(|line| line.features.contains_key("probe")).then(|| stages(true)).transpose()?;
    let calibration = Calibration { model_sha256, probed, plain: Some(stages(false)?) };
    if let Some(file) = &arguments.output {
        std::fs::write(file, serde_json::to_string_pretty(&calibration)? + "\n")
            .map_err(|error| format!("{}: {error}", file.display()))?;
    }
    let told = |stages: &Option<Stages>| {
        stages.as_ref().map(|stages| json!({ "fitted": judged(stages, &known), "held_out": judged(stages, &held_out) }))
    };
    print_json(&json!({ "with_probe": told(&calibration.probed), "without_probe": told(&calibration.plain) }));
    Ok(())
}

/// How refusals by both stages stand to the truth. What the check of the sentences alone refuses comes on top of it.
fn judged(stages: &Stages, questions: &[Observation]) -> Value {
    let early = |one: &Observation| stages.before.probability(&one.features) < stages.before.threshold;
    let refuses = |one: &&Observation| early(one) || stages.after.probability(&one.features) < stages.after.threshold;
    let refused: Vec<&Observation> = questions.iter().filter(refuses).collect();
    let right = refused.iter().filter(|one| !one.answerable).count();
    let unanswerable = questions.iter().filter(|one| !one.answerable).count();
    #[allow(clippy::cast_precision_loss, reason = "a few hundred questions")]
    let share = |part: usize, whole: usize| (whole > 0).then(|| part as f64 / whole as f64);
    let of = |answerable: bool| questions.iter().filter(move |one| one.answerable == answerable);
    // The chance that an answerable question scores above an unanswerable one (area under the ROC curve).
    let pairs = of(true).flat_map(|one| of(false).map(move |other| (one, other)));
    let p = |one: &Observation| stages.after.probability(&one.features);
    let above = pairs.filter(|(one, other)| p(one) > p(other)).count();
    json!({
        "questions": questions.len(),
        "unanswerable": unanswerable,
        "refusal_precision": share(right, refused.len()),
        "refusal_recall": share(right, unanswerable),
        "refused_before_writing": questions.iter().filter(|one| early(one)).count(),
        "auc": share(above, of(true).count() * of(false).count()),
    })
}
