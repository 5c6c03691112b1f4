//! `carrel model try`: one question, two models, the same passages.

use super::ask::{answer_json, print_verdict};
use super::print_json;
use super::search::print_source;
use crate::Outcome;
use crate::site::Site;
use ::audit::Actor;
use answer::{Answer, Event};
use models::Models;
use serde_json::json;
use tokio_util::sync::CancellationToken;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Name of the model to try
    name: String,
    /// The question
    question: String,
    /// Whose eyes: the sign-in name of a user
    #[arg(long)]
    user: String,
}

pub(crate) async fn run(site: &Site, models: &Models, arguments: Arguments, json: bool) -> Outcome {
    let (user, scope) = site.eyes_of(&arguments.user).await?;
    let busy = "a server works on this data directory and holds its index; ask there, at /admin/models/compare";
    let retrieval = site.retrieval().await?.ok_or(busy)?;
    let answering = site.answering(&retrieval, site.generator().await?).await?;
    if answering.generator().is_some_and(|stable| stable.name == arguments.name) {
        return Err(format!("'{}' is in use; try another model beside it", arguments.name).into());
    }
    let tried = models.open_for_trial(&arguments.name).await?;
    answering.engines().try_beside(Some(tried));
    let actor = Actor::console();
    let comparison = answering.open_comparison(user.id, &arguments.question, scope, &actor, site.operation()).await?;
    let stop = CancellationToken::new();
    let answers = answering
        .compare(&comparison, [&stop, &stop], |which, event| {
            if let (0, false, Event::Sources(sources)) = (which, json, event) {
                sources.iter().for_each(print_source);
            }
        })
        .await?;
    let [stable, experimental] = &answers;
    if json {
        let side = |answer: &Answer, name: &str| {
            let mut value = answer_json(answer);
            value["model"] = name.into();
            value["decode_tokens_per_s"] = json!(writes(answer));
            value
        };
        let names = [&comparison.stable.1.name, &comparison.experimental.1.name];
        print_json(&json!({ "stable": side(stable, names[0]), "experimental": side(experimental, names[1]) }));
        return Ok(());
    }
    for (title, name, answer) in
        [("stable", &comparison.stable.1.name, stable), ("experimental", &comparison.experimental.1.name, experimental)]
    {
        let first = answer.timings.first_word.map_or(0.0, |time| time.as_secs_f64());
        println!("\n{title}: {name}, first word after {first:.1} s, {:.1} tokens/s\n{}", writes(answer), answer.text);
        print_verdict(answer);
    }
    Ok(())
}

/// Tokens written in a second.
fn writes(answer: &Answer) -> f64 {
    let rate = |usage: &inference::Usage| {
        let seconds = usage.decode.as_secs_f64();
        if seconds > 0.0 { usage.new_tokens.saturating_sub(1) as f64 / seconds } else { 0.0 }
    };
    answer.usage.as_ref().map_or(0.0, rate)
}
