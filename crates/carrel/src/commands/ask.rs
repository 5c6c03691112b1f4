//! `carrel ask`

use super::print_json;
use super::search::{print_source, source_json};
use crate::Outcome;
use crate::config::Configuration;
use crate::site::Site;
use ::audit::Actor;
use answer::{Answer, Event, Support};
use serde_json::json;
use std::io::Write;
use storage::AnswerState;
use tokio_util::sync::CancellationToken;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The question
    question: String,
    /// Whose eyes: the sign-in name of a user
    #[arg(long)]
    user: String,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: Arguments, configuration: &Configuration) -> Outcome {
    let site = Site::open(configuration).await?;
    let (user, scope) = site.eyes_of(&arguments.user).await?;
    let retrieval = site.own_retrieval().await?;
    let answering = site.answering(&retrieval, site.generator().await?).await?;
    let actor = Actor::console();
    let question = answering.open(user.id, None, &arguments.question, scope, &actor, site.operation()).await?;
    let stop = CancellationToken::new();
    tokio::spawn({
        let stop = stop.clone();
        async move {
            let _ = tokio::signal::ctrl_c().await;
            stop.cancel();
        }
    });
    let quiet = arguments.json;
    let answer = answering
        .ask(&question, &stop, |event| {
            if quiet {
                return;
            }
            match event {
                Event::Sources(sources) => {
                    sources.iter().for_each(print_source);
                    println!();
                }
                Event::Text(delta) => {
                    print!("{delta}");
                    let _ = std::io::stdout().flush();
                }
                Event::Escalated { model, .. } => println!("\n\n'{model}' writes it again:"),
                Event::Status(_) | Event::Thinking(_) | Event::Logprobs(_) | Event::Answer(_) => {}
            }
        })
        .await?;
    if quiet {
        print_json(&answer_json(&answer));
    } else {
        print_verdict(&answer);
    }
    Ok(())
}

pub(crate) fn print_verdict(answer: &Answer) {
    println!();
    if answer.state == AnswerState::Refused {
        println!("The documents that this person can see do not answer this.");
        return;
    }
    for sentence in &answer.sentences {
        let citations: Vec<String> = sentence.citations.iter().map(|number| format!("[{number}]")).collect();
        let support = match sentence.support {
            Support::Supported => "supported",
            Support::Partly => "partly supported",
            Support::NotFound => "NOT FOUND in the documents",
        };
        println!("  {support} {} {}", citations.concat(), sentence.text);
    }
    if let Some(label) = answer.label {
        println!("label: {label}; record: {}", answer.id);
    }
}

pub(crate) fn answer_json(answer: &Answer) -> serde_json::Value {
    json!({
        "record": answer.id,
        "state": answer.state,
        "text": answer.text,
        "sentences": answer.sentences,
        "sources": answer.sources.iter().map(source_json).collect::<Vec<_>>(),
        "label": answer.label,
        "model": answer.model,
        "model_sha256": answer.model_hash,
        "first": answer.first,
        "confidence": answer.confidence,
        "judgement": answer.judgement,
        "ttft_ms": answer.timings.first_word.map(|time| time.as_millis() as u64),
        "check_ms": answer.timings.check.as_millis() as u64,
        "total_ms": answer.timings.total.as_millis() as u64,
    })
}
