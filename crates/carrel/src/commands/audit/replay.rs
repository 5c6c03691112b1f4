//! `carrel audit replay`

use crate::Outcome;
use crate::commands::print_json;
use crate::site::{Failure, Site};
use ::audit::{Action, Actor, Event};
use answer::replay::{Difference, compare_sources, replay};
use domain::AnswerId;
use inference::{Generator, ModelKind};
use serde_json::json;
use storage::AnswerRecord;

pub(super) async fn run(site: &Site, id: &str, json: bool) -> Outcome {
    let id: AnswerId =
        id.parse().map_err(|_| format!("'{id}' is no answer's record; an answer's page names its own"))?;
    let Some(record) = site.store.answer_for_audit(id).await? else {
        let advice = "if its conversation was deleted, the log still has its question, passages and text: look for this id on the audit page";
        return Err(format!("there is no record of the answer {id}; {advice}").into());
    };
    let mut differences = compare_sources(&site.store, &site.store.sources(id).await?).await?;
    let generator = generator(site, &record).await?;
    let replayed = replay(&record, generator.as_ref()).await?;
    let same = replayed.is_same_text();
    differences.extend(replayed.differences);
    let sentences: Vec<String> = differences.iter().map(Difference::to_string).collect();
    // Whoever replays has read what was asked and answered.
    let mut act = site.store.begin().await?;
    let event = Event::new(Action::AnswerReplayed, &Actor::console(), site.operation()).on("answer", id, "");
    act.record(event.detail(json!({ "same_text": same, "differences": sentences }))).await?;
    act.commit().await?;
    if json {
        print_json(&json!({
            "record": id, "question": record.question, "recorded": record.text, "written": replayed.text,
            "same_text": same, "differences": sentences, "model": record.model, "model_sha256": record.model_hash,
        }));
    } else {
        println!("question: {}", record.question);
        match (&replayed.text, same) {
            (Some(_), true) => println!("the same text was written again"),
            (Some(text), false) => println!("recorded: {}\nwritten now: {text}", record.text),
            (None, _) => println!("no text was written again"),
        }
        sentences.iter().for_each(|sentence| println!("- {sentence}"));
    }
    let failed = differences
        .iter()
        .any(|difference| matches!(difference, Difference::Text { .. } | Difference::ModelGone { .. }));
    if failed { Err("the answer could not be written again as it was".into()) } else { Ok(()) }
}

/// The model with the recorded weights, if it is here and unchanged.
async fn generator(site: &Site, record: &AnswerRecord) -> Result<Option<Generator>, Failure> {
    let kind = ModelKind::Generate.as_str();
    let of_record = |model: &storage::Model| model.kind == kind && model.sha256 == record.model_hash;
    let Some(model) = site.store.models().await?.into_iter().find(of_record) else { return Ok(None) };
    let (file, options) = (site.data.join(&model.file), site.engine_options());
    if !file.exists() {
        return Ok(None);
    }
    let loaded = tokio::task::spawn_blocking(move || Generator::load(&file, options)).await??;
    Ok(Some(loaded).filter(|generator| generator.info().sha256 == record.model_hash))
}
