//! `carrel model evaluate`: a site's own questions to a model, and to the one in use, before it is promoted.

use super::eval::{AnswerSet, READER, scratch_site};
use super::print_json;
use crate::Outcome;
use crate::evaluations::{Asker, Progress, sha256};
use crate::progress::bar;
use crate::site::{Failure, Retrieval, Site};
use inference::ModelKind;
use models::{By, Evaluation, Models, Order, Standing};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use storage::Model;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Name of the model to evaluate
    name: String,
    /// Questions about the documents of this data directory, as CSV or JSONL, or a set that brings its documents ('carrel eval
    /// answers')
    #[arg(long, value_name = "PATH")]
    dataset: PathBuf,
    /// Whose eyes: the sign-in name of a user who may see the documents; not needed if the set brings them
    #[arg(long)]
    user: Option<String>,
    /// Questions at most, taken evenly from the set
    #[arg(long, default_value_t = 30)]
    limit: usize,
}

/// What is compared, how it is called, and whether more of it is better.
const SHOWN: [(&str, &str); 5] = [
    ("answer_match", "right answers"),
    ("citation_precision", "right citations"),
    ("supported_sentences", "supported sentences"),
    ("refusal_recall", "refused what has no answer"),
    ("refusal_precision", "refused only that"),
];

/// How long a server may take to see what is wanted, before it is taken for something else that has the index.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) async fn run(site: &Site, models: &Models, arguments: Arguments, by: &By, json: bool) -> Outcome {
    let Arguments { name, dataset, user, limit } = arguments;
    let model = models.find(&name).await?;
    if model.kind != ModelKind::Generate.as_str() {
        return Err(format!("'{name}' writes no answers; 'carrel eval retrieval' measures embedding models").into());
    }
    let mut set = AnswerSet::read(&dataset, 3)?;
    set.thin(limit);
    let folder = tempfile::tempdir()?;
    let (asked, eyes) = match (set.documents.is_empty(), user) {
        (false, _) => (scratch_site(site, folder.path(), &set.documents).await?, READER.to_owned()),
        (true, Some(user)) => (site.clone(), user),
        (true, None) => return Err("name with --user whose eyes see the documents that the questions are about".into()),
    };
    let found = match asked.retrieval().await? {
        Some(retrieval) => {
            let asker = Asker { site: &asked, eyes: &eyes, by };
            here(&asker, models, &model, &retrieval, &dataset, &set).await?
        }
        None => by_the_server(site, models, &model, &dataset, &eyes, limit, by).await?,
    };
    if json {
        print_json(&json!({ "name": name, "evaluation": found }));
    } else {
        print(&name, &found);
    }
    Ok(())
}

/// In this process, which has the index.
async fn here(
    asker: &Asker<'_>,
    models: &Models,
    model: &Model,
    retrieval: &Retrieval,
    dataset: &Path,
    set: &AnswerSet,
) -> Result<Evaluation, Failure> {
    // One after the other: two large models at once may not fit.
    let beside = match models.in_use(ModelKind::Generate).await?.filter(|stable| stable.name != model.name) {
        Some(stable) => {
            let figures = figures(asker, models, &stable.name, retrieval, set).await?;
            Some((stable.name, figures))
        }
        None => None,
    };
    let found = Evaluation {
        sha256: model.sha256.clone(),
        at: asker.site.store.environment().now(),
        set: file_name(dataset),
        set_sha256: sha256(&bytes_of(dataset)?),
        figures: figures(asker, models, &model.name, retrieval, set).await?,
        beside,
    };
    models.note_evaluation(model, found.clone(), asker.by).await?;
    Ok(found)
}

async fn figures(
    asker: &Asker<'_>,
    models: &Models,
    name: &str,
    retrieval: &Retrieval,
    set: &AnswerSet,
) -> Result<Value, Failure> {
    let generator = models.open_for_trial(name).await?;
    let answering = asker.site.answering(retrieval, Some(generator)).await?;
    let shown = bar(set.questions.len() as u64, "questions");
    let figures = asker.figures(&answering, set, &mut Progress::Bar(shown.clone())).await;
    shown.finish_and_clear();
    figures
}

/// By the server that has the index and the models: it is told in the database, and watched there.
async fn by_the_server(
    site: &Site,
    models: &Models,
    model: &Model,
    dataset: &Path,
    eyes: &str,
    limit: usize,
    by: &By,
) -> Result<Evaluation, Failure> {
    let order = Order {
        id: by.operation,
        model: model.name.clone(),
        set: file_name(dataset),
        questions: std::fs::read_to_string(dataset)?,
        user: site.eyes_of(eyes).await?.0.id,
        limit,
        actor: by.actor.clone(),
        at: site.store.environment().now(),
        standing: Standing::Waiting,
    };
    models.place_order(&order).await?;
    eprintln!("the running server asks; it goes on if this command is ended, and the models page shows how far it is");
    let (progress, begin) = (bar(0, "answers"), Instant::now());
    loop {
        let kept = models.order().await?.filter(|kept| kept.id == order.id);
        match kept.ok_or("somebody asked for another evaluation meanwhile")?.standing {
            Standing::Waiting if begin.elapsed() > PATIENCE => {
                let reason = "another command works on this data directory, and no server; try again when it has ended";
                models.withdraw_order(reason).await?;
                return Err(reason.into());
            }
            Standing::Waiting => {}
            Standing::Running { done, of } => {
                progress.set_length(of as u64);
                progress.set_position(done as u64);
            }
            Standing::Failed(reason) => return Err(reason.into()),
            Standing::Done => break,
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    progress.finish_and_clear();
    let found = models.evaluations().await?.remove(&model.name);
    Ok(found.ok_or("the figures are gone: the model was replaced meanwhile")?)
}

fn print(name: &str, found: &Evaluation) {
    let beside = found.beside.as_ref();
    let other_name = beside.map_or("", |(name, _)| name.as_str());
    let (own, other) = (name.chars().count().max(8), other_name.chars().count());
    let line = |what: &str, figure: &dyn Fn(&Value) -> String| {
        let beside = beside.map(|(_, figures)| figure(figures)).unwrap_or_default();
        println!("{what:28} {:>own$}  {beside:>other$}", figure(&found.figures));
    };
    println!("{:28} {name:>own$}  {other_name:>other$}", "");
    for (key, label) in SHOWN {
        line(label, &|figures| {
            let share = figures.get(key).and_then(Value::as_f64);
            share.map_or_else(|| "–".to_owned(), |share| format!("{:.0} %", 100.0 * share))
        });
    }
    line("first word after (median)", &|figures| {
        let ms = figures.get("ttft_ms").and_then(|times| times.get("p50")?.as_f64());
        ms.map_or_else(|| "–".to_owned(), |ms| format!("{:.1} s", ms / 1000.0))
    });
    println!("the models page shows it; 'carrel model promote {name}' takes the model into use");
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Of a file, or of all files of a folder in the order of their names.
fn bytes_of(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut files = vec![path.to_owned()];
    if path.is_dir() {
        files = std::fs::read_dir(path)?.flatten().map(|entry| entry.path()).filter(|path| path.is_file()).collect();
        files.sort();
    }
    let mut bytes = Vec::new();
    for file in files {
        bytes.extend(std::fs::read(file)?);
    }
    Ok(bytes)
}
