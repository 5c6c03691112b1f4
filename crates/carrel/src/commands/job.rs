//! `carrel job`

use super::{failures, plain, print_json};
use crate::Outcome;
use crate::config::Configuration;
use crate::site::{Failure, Site};
use ::audit::{Action, Actor, Event};
use domain::BatchId;
use serde_json::json;
use storage::{Batch, Job, JobFilter, JobState};

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// List jobs, the latest first
    List {
        /// Only those that are waiting, running, done, failed, cancelled, paused or held
        #[arg(long, value_parser = state)]
        state: Option<JobState>,
        /// Only those of a batch: its id, or latest
        #[arg(long)]
        batch: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 200)]
        limit: u32,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// List batches, the latest first, and how far they are
    Batches {
        /// At most so many
        #[arg(long, default_value_t = 20)]
        limit: u32,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Keep what waits of a batch from being begun
    Pause(One),
    /// Let what was paused go on
    Resume(One),
    /// Call off what has not come to its end
    Cancel(One),
    /// Try what failed again
    Retry(One),
    /// Let what is in quarantine go on
    Release(One),
    /// List the files of a batch that could not be taken in, and why
    Report {
        #[command(flatten)]
        batch: One,
        /// csv or json
        #[arg(long, default_value = "csv")]
        format: Format,
    },
}

/// A batch.
#[derive(clap::Args)]
pub(crate) struct One {
    /// Its id, or latest
    #[arg(value_name = "BATCH")]
    batch: String,
}

#[derive(Clone, Copy, clap::ValueEnum)]
pub(crate) enum Format {
    Csv,
    Json,
}

fn state(text: &str) -> Result<JobState, String> {
    let known = JobState::ALL.into_iter().find(|state| state.as_str() == text);
    let names = JobState::ALL.map(JobState::as_str).join(", ");
    known.ok_or_else(|| format!("'{text}' is none of {names}"))
}

/// What is done with a batch.
#[derive(Clone, Copy)]
enum Deed {
    Pause,
    Resume,
    Cancel,
    Retry,
    Release,
}

impl Deed {
    const fn done(self) -> &'static str {
        match self {
            Self::Pause => "paused",
            Self::Resume => "resumed",
            Self::Cancel => "cancelled",
            Self::Retry => "retried",
            Self::Release => "released",
        }
    }
}

pub(crate) async fn run(command: Command, configuration: &Configuration) -> Outcome {
    let site = Site::open(configuration).await?;
    match command {
        Command::List { state, batch, limit, json } => list(&site, state, batch, limit, json).await,
        Command::Batches { limit, json } => batches(&site, limit, json).await,
        Command::Pause(one) => change(&site, &one, Deed::Pause).await,
        Command::Resume(one) => change(&site, &one, Deed::Resume).await,
        Command::Cancel(one) => change(&site, &one, Deed::Cancel).await,
        Command::Retry(one) => change(&site, &one, Deed::Retry).await,
        Command::Release(one) => change(&site, &one, Deed::Release).await,
        Command::Report { batch, format } => report(&site, &batch, format).await,
    }
}

async fn find(site: &Site, wanted: &str) -> Result<Batch, Failure> {
    if wanted == "latest" {
        let latest = site.store.batches(None, 1).await?.pop();
        return Ok(latest.ok_or("there is no batch yet; 'carrel import' makes one")?);
    }
    let unknown = || format!("there is no batch '{wanted}'; 'carrel job batches' shows them");
    let id: BatchId = wanted.parse().map_err(|_| unknown())?;
    Ok(site.store.batch(id).await?.ok_or_else(unknown)?)
}

async fn list(site: &Site, state: Option<JobState>, batch: Option<String>, limit: u32, json: bool) -> Outcome {
    let batch = match batch {
        Some(batch) => Some(find(site, &batch).await?.id),
        None => None,
    };
    let jobs = site.store.jobs(&JobFilter { state, batch, ..JobFilter::default() }, limit).await?;
    if json {
        print_json(&json!({ "jobs": jobs }));
        return Ok(());
    }
    for job in &jobs {
        let progress = if job.state == JobState::Running {
            format!(" {} {:.0} %", job.stage, job.progress * 100.0)
        } else {
            String::new()
        };
        let reason = job.reason.as_ref().map(|reason| format!(": {}", plain(reason))).unwrap_or_default();
        println!("{:9} {}{progress}{reason}", job.state.as_str(), plain(&job.source));
    }
    Ok(())
}

async fn batches(site: &Site, limit: u32, json: bool) -> Outcome {
    let mut all = Vec::new();
    for batch in site.store.batches(None, limit).await? {
        let progress = site.store.batch_progress(batch.id).await?;
        if json {
            all.push(json!({ "batch": batch, "progress": progress, "seconds_left": progress.seconds_left() }));
            continue;
        }
        let counts = [
            (progress.waiting + progress.running, "open"),
            (progress.paused, "paused"),
            (progress.held, "held"),
            (progress.done, "done"),
            (progress.failed, "failed"),
            (progress.cancelled, "cancelled"),
            (batch.unchanged, "unchanged"),
        ];
        let counts: Vec<String> =
            counts.iter().filter(|(number, _)| *number > 0).map(|(number, what)| format!("{number} {what}")).collect();
        let left = progress.seconds_left().map_or_else(String::new, |seconds| format!(", about {seconds} s left"));
        println!("{}  {}  {}: {}{left}", batch.id, batch.created_at, plain(&batch.title), counts.join(", "));
    }
    if json {
        print_json(&json!({ "batches": all }));
    }
    Ok(())
}

async fn change(site: &Site, one: &One, deed: Deed) -> Outcome {
    let batch = find(site, &one.batch).await?;
    let mut act = site.store.begin().await?;
    let jobs = match deed {
        Deed::Pause => act.pause_batch(batch.id).await?,
        Deed::Resume => act.resume_batch(batch.id).await?,
        Deed::Cancel => act.cancel_batch(batch.id).await?,
        Deed::Retry => act.retry_batch(batch.id).await?,
        Deed::Release => act.release_batch(batch.id).await?,
    };
    if jobs == 0 {
        println!("no job of this batch can be {}", deed.done());
        return Ok(());
    }
    let event = Event::new(Action::BatchChanged, &Actor::console(), site.operation())
        .on("batch", batch.id, &batch.title)
        .detail(json!({ "change": deed.done(), "jobs": jobs }));
    act.record(event).await?;
    act.commit().await?;
    println!("{jobs} {} {}", if jobs == 1 { "job" } else { "jobs" }, deed.done());
    Ok(())
}

async fn report(site: &Site, one: &One, format: Format) -> Outcome {
    let batch = find(site, &one.batch).await?;
    let failed: Vec<failures::Failed> = site
        .store
        .jobs_of(batch.id)
        .await?
        .into_iter()
        .filter(|job| job.state == JobState::Failed)
        .map(failure)
        .collect();
    match format {
        Format::Csv => failures::csv_to(std::io::stdout(), &failed),
        Format::Json => {
            let failed: Vec<_> =
                failed.iter().map(|(file, reason)| json!({ "file": file, "reason": reason })).collect();
            print_json(&json!({ "batch": batch, "failed": failed }));
            Ok(())
        }
    }
}

/// A job that did not end well, and why.
pub(crate) fn failure(job: Job) -> failures::Failed {
    (job.source, job.reason.unwrap_or_else(|| job.state.as_str().to_owned()))
}
