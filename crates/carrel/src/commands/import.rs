//! `carrel import`

use super::print_json;
use crate::Outcome;
use crate::config::Configuration;
use crate::progress::bar;
use crate::site::{Failure, Retrieval, Site};
use ::audit::Actor;
use domain::{BatchId, Collection, Label};
use ingest::Origin;
use serde_json::json;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use storage::{Batch, JobState, Removal};
use tokio_util::sync::CancellationToken;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Files or folders
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// The collection that they go into
    #[arg(long)]
    collection: String,
    /// Label of new documents [default: the collection's]
    #[arg(long)]
    label: Option<Label>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What an import did.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) imported: usize,
    pub(crate) unchanged: usize,
    pub(crate) failed: Vec<(String, String)>,
    /// Until every document was found by its words.
    pub(crate) words_seconds: f64,
}

pub(crate) async fn run(arguments: Arguments, configuration: &Configuration) -> Outcome {
    let site = Site::open(configuration).await?;
    let collection = site.collection(&arguments.collection).await?;
    let retrieval = site.retrieval().await?;
    let begin = Instant::now();
    let passages = |retrieval: &Option<Retrieval>| retrieval.as_ref().map_or(0, |r| r.index.passages());
    let before = passages(&retrieval);
    let report = import(&site, retrieval.as_ref(), &arguments.paths, &collection, arguments.label).await?;
    let seconds = begin.elapsed().as_secs_f64();
    if arguments.json {
        #[allow(clippy::cast_precision_loss, reason = "a rate")]
        let per_second = |count: usize| count as f64 / seconds;
        let made = passages(&retrieval).saturating_sub(before);
        let failed: Vec<_> =
            report.failed.iter().map(|(file, reason)| json!({ "file": file, "reason": reason })).collect();
        print_json(&json!({
            "imported": report.imported,
            "unchanged": report.unchanged,
            "failed": failed,
            "seconds": seconds,
            "words_seconds": report.words_seconds,
            "documents_per_s": per_second(report.imported),
            "passages": made,
            "passages_per_s": per_second(made),
        }));
    } else {
        print_report(&report, seconds);
    }
    if report.failed.is_empty() { Ok(()) } else { Err("some files were not imported".into()) }
}

pub(crate) fn print_report(report: &Report, seconds: f64) {
    println!(
        "{} imported, {} unchanged, {} failed in {seconds:.1} s",
        report.imported,
        report.unchanged,
        report.failed.len()
    );
    for (file, reason) in &report.failed {
        println!("  {file}: {reason}");
    }
}

/// Stages every file, then waits until all jobs have ended: done by this process if it has the index, else by the
/// server that has it.
pub(crate) async fn import(
    site: &Site,
    retrieval: Option<&Retrieval>,
    paths: &[PathBuf],
    collection: &Collection,
    label: Option<Label>,
) -> Result<Report, Failure> {
    let begin = Instant::now();
    let stage = site.stage()?;
    let (actor, operation) = (Actor::console(), site.operation());
    let (files, unreadable) = ingest::files(paths)?;
    if files.is_empty() {
        return Err("there are no files there".into());
    }
    let batch = Batch {
        id: BatchId::new(site.store.environment()),
        title: paths.first().map_or_else(String::new, |path| path.display().to_string()),
        collection: collection.id,
        unchanged: 0,
        submitted_by: None,
        submitted_by_name: actor.name.clone(),
        created_at: site.store.environment().now(),
    };
    let mut act = site.store.begin().await?;
    act.insert_batch(&batch).await?;
    act.commit_housekeeping().await?;
    let batch = batch.id;

    let progress = bar(files.len() as u64, "files");
    progress.set_message("taking in");
    let origin = Origin { label, batch: Some(batch), ..Origin::of(collection) };
    let done = |files: usize| progress.set_position(files as u64);
    let taken = stage.take_in_changes(&origin, &files, Removal::Keep, &actor, operation, done);
    let worker = match retrieval {
        Some(retrieval) => Some(site.worker(retrieval).await?),
        None => None,
    };
    let scanned = match &worker {
        // Reading begins while files are still being taken in.
        Some(worker) => {
            let stop = CancellationToken::new();
            let scan = async {
                let scanned = taken.await;
                stop.cancel();
                scanned
            };
            tokio::join!(scan, worker.run(stop.clone())).0?
        }
        None => taken.await?,
    };
    progress.finish_and_clear();
    let mut report = Report { failed: unreadable, ..Report::default() };
    report.failed.extend(scanned.failed);
    report.imported = scanned.found.changed as usize;
    report.unchanged = (scanned.found.files - scanned.found.changed - scanned.found.failed) as usize;
    let mut act = site.store.begin().await?;
    act.add_unchanged(batch, report.unchanged as u64).await?;
    act.commit_housekeeping().await?;
    if report.imported > 0 {
        match worker {
            Some(worker) => {
                let work = async { worker.run_until_idle().await };
                tokio::pin!(work);
                tokio::select! {
                    done = &mut work => done?,
                    words = watch(site, batch, begin) => { report.words_seconds = words?; work.await?; }
                }
            }
            None => report.words_seconds = watch(site, batch, begin).await?,
        }
        for job in site.store.jobs_of(batch).await?.into_iter().filter(|job| job.state != JobState::Done) {
            report.imported = report.imported.saturating_sub(1);
            report.failed.push((job.source, job.reason.unwrap_or_else(|| job.state.as_str().to_owned())));
        }
    }
    Ok(report)
}

/// Follows a batch with a progress bar until all its documents are found by their words; gives the seconds since `begin`.
async fn watch(site: &Site, batch: BatchId, begin: Instant) -> Result<f64, Failure> {
    let progress = bar(site.store.batch_progress(batch).await?.jobs(), "documents");
    loop {
        let state = site.store.batch_progress(batch).await?;
        progress.set_length(state.jobs());
        progress.set_position(state.jobs() - state.open());
        let left = state.seconds_left().map_or_else(String::new, |seconds| format!(" · {seconds} s left"));
        let rate = state.per_second().map_or_else(String::new, |rate| format!("{rate:.1}/s{left}"));
        progress.set_message(rate);
        if state.waiting + state.running == 0 {
            progress.finish_and_clear();
            return Ok(begin.elapsed().as_secs_f64());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
