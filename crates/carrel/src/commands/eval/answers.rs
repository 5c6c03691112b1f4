//! `carrel eval answers`

use super::answer_set::AnswerSet;
use super::baseline::differences;
use super::scratch;
use super::tally::Tally;
use crate::Outcome;
use crate::commands::print_json;
use crate::config::Configuration;
use crate::progress::bar;
use crate::site::{Failure, Site};
use ::audit::Actor;
use answer::{Answer, Answering, Calibration, Probing};
use domain::{AccessScope, ConversationId, User};
use models::By;
use serde_json::json;
use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use tokio_util::sync::CancellationToken;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// JSONL with questions about the documents of this data directory; or a SQuAD file, or a folder with corpus.jsonl
    /// and qa.jsonl, whose documents are imported into a data directory of their own
    #[arg(long, value_name = "PATH")]
    dataset: PathBuf,
    /// Whose eyes: the sign-in name of a user who may see the documents; not needed if the set brings them
    #[arg(long)]
    user: Option<String>,
    /// Only retrieval and refusal, without the generation model
    #[arg(long)]
    retrieval_only: bool,
    /// Which questions: all, those that calibrations are fitted on, or those that are held out
    #[arg(long, value_enum, default_value_t = Part::All)]
    part: Part,
    /// Questions at most, taken evenly from the set
    #[arg(long)]
    limit: Option<usize>,
    /// Of the documents that come with a set every Nth is left out, so that its questions have no answer; 0 for none
    #[arg(long, value_name = "N", default_value_t = 3)]
    leave_out: usize,
    /// Write what each question and its answer are judged by as JSONL, for 'carrel eval calibrate'; nothing is refused
    #[arg(long, value_name = "FILE")]
    features: Option<PathBuf>,
    /// Write no answers: half the time, and 'carrel eval calibrate' fits hidden states on it, and nothing else
    #[arg(long, requires = "features", conflicts_with = "retrieval_only")]
    states_only: bool,
    /// Print the differences from the figures in this file
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    All,
    Fit,
    HeldOut,
}

pub(crate) async fn run(arguments: Arguments, configuration: &Configuration) -> Outcome {
    let mut configuration = configuration.clone();
    if arguments.features.is_some() {
        configuration.answer.least_confidence = 0.0;
    }
    let mut set = AnswerSet::read(&arguments.dataset, arguments.leave_out)?;
    set.questions
        .retain(|question| arguments.part == Part::All || question.held_out == (arguments.part == Part::HeldOut));
    if let Some(limit) = arguments.limit {
        set.thin(limit);
    }
    let own = Site::open(&configuration).await?;
    let folder = tempfile::tempdir()?;
    let (site, user) = match (set.documents.is_empty(), &arguments.user) {
        (false, _) => (scratch::site(&own, folder.path(), &set.documents).await?, scratch::READER.to_owned()),
        (true, Some(user)) => (own, user.clone()),
        (true, None) => return Err("name with --user whose eyes see the documents that the questions are about".into()),
    };
    let figures = measure(&arguments, &configuration, &site, &user, &set).await?;
    if arguments.json {
        print_json(&figures);
    } else {
        println!("{figures:#}");
    }
    if let Some(file) = &arguments.baseline {
        let name = arguments.dataset.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        eprintln!("{:34} {:>10} {:>10} {:>10}", "", "before", "now", "difference");
        differences(file, &name, &figures)?.iter().for_each(|line| eprintln!("{line}"));
    }
    Ok(())
}

async fn measure(
    arguments: &Arguments,
    configuration: &Configuration,
    site: &Site,
    user: &str,
    set: &AnswerSet,
) -> Result<serde_json::Value, Failure> {
    let retrieval = site.own_retrieval().await?;
    let generator = if arguments.retrieval_only { None } else { site.generator().await? };
    let model = generator.as_ref().map(|named| named.generator.info().sha256.clone()).unwrap_or_default();
    let mut answering = site.answering(&retrieval, generator).await?;
    let mut features = match &arguments.features {
        Some(file) => {
            let probing = if arguments.states_only { Probing::Alone } else { Probing::Always };
            answering = answering.judged_by(Calibration::default(), probing);
            // What a calibration is fitted on is one model's own answers.
            answering.engines().escalate_to(None);
            Some(create(file)?)
        }
        None => None,
    };
    let mut eyes: HashMap<&str, (User, AccessScope)> = HashMap::new();
    // Of a document that is left out of such a set no question has an answer.
    let left_out = !set.documents.is_empty();
    let progress = bar(set.questions.len() as u64, "questions");
    let mut tally = Tally::default();
    for item in &set.questions {
        let asker = item.asker.as_deref().unwrap_or(user);
        if !eyes.contains_key(asker) {
            eyes.insert(asker, site.eyes_of(asker).await?);
        }
        let (user, scope) = &eyes[asker];
        if arguments.retrieval_only {
            let found = answering.judged(&item.question, scope).await?;
            tally.retrieved(item, &found.0, found.1, configuration.answer.least_confidence);
        } else {
            let by = By { actor: Actor::console(), operation: site.operation() };
            let (_, answer) = ask(&answering, &by, &item.question, user, scope).await?;
            if let Some(file) = &mut features {
                let line = json!({
                    "id": item.id, "document": left_out.then_some(&item.document),
                    "answerable": item.answerable, "held_out": item.held_out, "model_sha256": model,
                    "features": answer.judgement.features, "state": answer.judgement.state,
                    "state_version": inference::STATE_VERSION, "text": answer.text,
                    "written": !arguments.states_only,
                });
                writeln!(file, "{line}")?;
            }
            tally.answered(item, &answer);
        }
        progress.inc(1);
    }
    progress.finish_and_clear();
    // Nothing was answered, so no figure of answers means anything.
    Ok(match arguments.states_only {
        true => json!({ "questions": set.questions.len() }),
        false => tally.figures(arguments.retrieval_only),
    })
}

fn create(file: &Path) -> Result<std::fs::File, Failure> {
    std::fs::File::create(file).map_err(|error| format!("{}: {error}", file.display()).into())
}

/// Asks, and says in which conversation.
pub(crate) async fn ask(
    answering: &Answering,
    by: &By,
    text: &str,
    user: &User,
    scope: &AccessScope,
) -> Result<(ConversationId, Answer), Failure> {
    let question = answering.open(user.id, None, text, scope.clone(), &by.actor, by.operation).await?;
    let answer = answering.ask(&question, &CancellationToken::new(), |_| {}).await?;
    Ok((question.conversation, answer))
}
