//! `carrel import`

use super::failures::{Failed, write_csv};
use super::job::failure;
use super::serve::interrupted;
use super::{plain, print_json};
use crate::Outcome;
use crate::config::Configuration;
use crate::progress::bar;
use crate::site::{Failure, Retrieval, Site};
use ::audit::Actor;
use domain::{BatchId, Collection, Label};
use ingest::{Origin, Scan};
use serde_json::json;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
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
    /// Only say what would be taken in
    #[arg(long)]
    dry_run: bool,
    /// Write the files that could not be taken in, and why, to a CSV file
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What an import did.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) imported: usize,
    pub(crate) unchanged: usize,
    /// Files that are one more place of a document that was there, or came with another file.
    pub(crate) duplicates: usize,
    pub(crate) failed: Vec<Failed>,
    /// The batch, to ask for later.
    pub(crate) batch: Option<BatchId>,
    /// Until every document was found by its words.
    pub(crate) words_seconds: f64,
    /// Whether a running server goes on with the vectors.
    pub(crate) beside_a_server: bool,
}

pub(crate) async fn run(arguments: Arguments, configuration: &Configuration) -> Outcome {
    let site = Site::open(configuration).await?;
    let collection = site.collection(&arguments.collection).await?;
    if arguments.dry_run {
        return dry_run(&site, &arguments, &collection).await;
    }
    let retrieval = site.retrieval().await?;
    let begin = Instant::now();
    let passages = |retrieval: &Option<Retrieval>| retrieval.as_ref().map_or(0, |r| r.index.passages());
    let before = passages(&retrieval);
    let report = import(&site, retrieval.as_ref(), &arguments.paths, &collection, arguments.label).await?;
    let seconds = begin.elapsed().as_secs_f64();
    if let Some(file) = &arguments.report {
        write_csv(file, &report.failed)?;
    }
    if arguments.json {
        #[allow(clippy::cast_precision_loss, reason = "a rate")]
        let per_second = |count: usize| count as f64 / seconds;
        let made = passages(&retrieval).saturating_sub(before);
        let pages = match report.batch {
            Some(batch) => site.store.pages_of_batch(batch).await?,
            None => 0,
        };
        #[allow(clippy::cast_precision_loss, reason = "a rate")]
        let by_words = |count: u64| (report.words_seconds > 0.0).then(|| count as f64 / report.words_seconds);
        print_json(&json!({
            "imported": report.imported,
            "unchanged": report.unchanged,
            "duplicates": report.duplicates,
            "failed": failed_json(&report.failed),
            "batch": report.batch,
            "seconds": seconds,
            "words_seconds": report.words_seconds,
            "documents_per_s": per_second(report.imported),
            "passages": made,
            "passages_per_s": per_second(made),
            "words_documents_per_s": by_words(report.imported as u64),
            "pages": pages,
            "words_pages_per_s": by_words(pages),
            "peak_rss_bytes": super::bench::peak_rss(),
        }));
    } else {
        print_report(&report, seconds);
        if report.beside_a_server && report.imported > 0 {
            println!("they are found by their words; the running server makes their vectors");
        }
    }
    if report.failed.is_empty() { Ok(()) } else { Err("some files were not imported".into()) }
}

fn failed_json(failed: &[Failed]) -> Vec<serde_json::Value> {
    failed.iter().map(|(file, reason)| json!({ "file": file, "reason": reason })).collect()
}

pub(crate) fn print_report(report: &Report, seconds: f64) {
    let duplicates = match report.duplicates {
        0 => String::new(),
        some => format!("{some} duplicates, "),
    };
    println!(
        "{} imported, {} unchanged, {duplicates}{} failed in {seconds:.1} s",
        report.imported,
        report.unchanged,
        report.failed.len()
    );
    for (file, reason) in &report.failed {
        println!("  {}: {}", plain(file), plain(reason));
    }
}

/// Says what an import would take in, and changes nothing.
async fn dry_run(site: &Site, arguments: &Arguments, collection: &Collection) -> Outcome {
    let scan = Scan { tree: ingest::tree(&arguments.paths)?, dry: true, ..Scan::default() };
    let (stage, actor, origin) = (site.stage()?, Actor::console(), Origin::of(collection));
    let found = stage.take_in_changes(&origin, &scan, Removal::Keep, &actor, site.operation(), |_| {}).await?;
    if arguments.json {
        print_json(&json!({
            "would_import": found.changed,
            "unchanged": found.unchanged,
            "failed": failed_json(&found.failed),
        }));
        return Ok(());
    }
    found.changed.iter().for_each(|source| println!("{}", plain(source)));
    found.failed.iter().for_each(|(source, reason)| println!("! {}: {}", plain(source), plain(reason)));
    println!("{} would be imported, {} are unchanged", found.changed.len(), found.unchanged);
    Ok(())
}

/// Stages every file, then waits until all jobs have ended: done by this process if it has the index, else by the
/// server that has it. Interrupted, it leaves what is whole, and the next run does the rest.
pub(crate) async fn import(
    site: &Site,
    retrieval: Option<&Retrieval>,
    paths: &[PathBuf],
    collection: &Collection,
    label: Option<Label>,
) -> Result<Report, Failure> {
    let worker = match retrieval {
        Some(retrieval) => Some(site.worker(retrieval).await?),
        None => None,
    };
    let stop = CancellationToken::new();
    let working = AtomicBool::new(worker.is_some());
    let work = async {
        match &worker {
            Some(worker) => worker.run(stop.clone()).await,
            None => take_over(site, &working, &stop).await,
        }
    };
    let take_in = async {
        let done = tokio::select! {
            done = follow(site, &working, paths, collection, label) => done,
            () = interrupted() => {
                tokio::spawn(leave_at_once());
                Err(INTERRUPTED.into())
            }
        };
        stop.cancel();
        done
    };
    // Reading begins while files are still being taken in. What is being read when it is interrupted is read to its end.
    tokio::join!(take_in, work).0
}

/// Works from the moment on at which whoever has the index gives it up: a server that is stopped, or another command,
/// which reads no documents.
async fn take_over(site: &Site, working: &AtomicBool, stop: &CancellationToken) {
    let taken = async {
        loop {
            tokio::time::sleep(LOOK_FOR_INDEX).await;
            match site.retrieval().await {
                Ok(None) => {}
                Ok(Some(retrieval)) => return Ok((site.worker(&retrieval).await?, retrieval)),
                Err(error) => return Err::<_, Failure>(error),
            }
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        taken = taken => match taken {
            Ok((worker, _retrieval)) => {
                working.store(true, Ordering::Relaxed);
                worker.run(stop.clone()).await;
            }
            Err(error) => {
                tracing::error!(%error, "nobody reads the documents; start the server, which does");
                stop.cancelled().await;
            }
        },
    }
}

/// Whoever interrupts twice does not want to wait. Nothing is lost: a killed process leaves what is whole, too.
async fn leave_at_once() {
    interrupted().await;
    std::process::exit(130);
}

const LOOK_FOR_INDEX: Duration = Duration::from_secs(1);
const INTERRUPTED: &str = "interrupted; what was taken in stays, and the same command goes on from there";

async fn follow(
    site: &Site,
    working: &AtomicBool,
    paths: &[PathBuf],
    collection: &Collection,
    label: Option<Label>,
) -> Result<Report, Failure> {
    let begin = Instant::now();
    let stage = site.stage()?;
    let (actor, operation) = (Actor::console(), site.operation());
    let roots = paths.to_vec();
    let tree = tokio::task::spawn_blocking(move || ingest::tree(&roots)).await??;
    if tree.files.is_empty() && tree.unreadable.is_empty() {
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

    let progress = bar(tree.files.len() as u64, "files");
    progress.set_message("taking in");
    let origin = Origin { label, batch: Some(batch), ..Origin::of(collection) };
    let done = |files: usize| progress.set_position(files as u64);
    let scan = Scan { tree, ..Scan::default() };
    let scanned = stage.take_in_changes(&origin, &scan, Removal::Keep, &actor, operation, done).await?;
    progress.finish_and_clear();
    let queued = scanned.found.changed - scanned.duplicates;
    let mut act = site.store.begin().await?;
    act.add_unchanged(batch, scanned.unchanged).await?;
    act.commit_housekeeping().await?;
    let mut report = Report {
        imported: queued as usize,
        unchanged: scanned.unchanged as usize,
        duplicates: scanned.duplicates as usize,
        failed: scanned.failed,
        batch: Some(batch),
        words_seconds: 0.0,
        beside_a_server: false,
    };
    let changing = "it is being written to; import it again when it is whole";
    report.failed.extend(scanned.changing.into_iter().map(|source| (source, changing.to_owned())));
    if queued > 0 {
        words(site, batch).await?;
        report.words_seconds = begin.elapsed().as_secs_f64();
    }
    report.beside_a_server = !working.load(Ordering::Relaxed);
    if !report.beside_a_server {
        // An earlier import may have been interrupted: its files are unchanged, and not read yet.
        rest(site).await?;
        vectors(site).await?;
    }
    if queued > 0 {
        for job in site.store.jobs_of(batch).await?.into_iter().filter(|job| job.state != JobState::Done) {
            // A file in a file was not among those that were counted.
            report.imported = report.imported.saturating_sub(usize::from(job.depth == 0));
            report.failed.push(failure(job));
        }
    }
    Ok(report)
}

/// Follows a batch with a progress bar until all its documents are found by their words.
async fn words(site: &Site, batch: BatchId) -> Result<(), Failure> {
    let progress = bar(site.store.batch_progress(batch).await?.jobs(), "documents");
    loop {
        let asked = Instant::now();
        let state = site.store.batch_progress(batch).await?;
        progress.set_length(state.jobs());
        progress.set_position(state.jobs() - state.open());
        let left = state.seconds_left().map_or_else(String::new, |seconds| format!(" · {seconds} s left"));
        let failed = if state.failed > 0 { format!(" · {} failed", state.failed) } else { String::new() };
        let rate = state.per_second().map_or_else(String::new, |rate| format!("{rate:.1}/s{left}"));
        progress.set_message(rate + &failed);
        if state.waiting + state.running == 0 {
            progress.finish_and_clear();
            return Ok(());
        }
        pause(asked).await;
    }
}

/// Follows whatever else waits in the queue until nothing does.
async fn rest(site: &Site) -> Result<(), Failure> {
    let progress = bar(site.store.open_jobs().await?, "documents of earlier imports");
    loop {
        let asked = Instant::now();
        let open = site.store.open_jobs().await?;
        progress.set_position(progress.length().unwrap_or_default().saturating_sub(open));
        if open == 0 {
            progress.finish_and_clear();
            return Ok(());
        }
        pause(asked).await;
    }
}

/// Follows the vectors with a progress bar until every passage has its own.
async fn vectors(site: &Site) -> Result<(), Failure> {
    let (mut documents, mut left) = site.store.unembedded_count().await?;
    let progress = bar(left, "passages");
    let mut most = left;
    while documents > 0 {
        let asked = Instant::now();
        most = most.max(left);
        progress.set_length(most);
        progress.set_position(most - left);
        progress.set_message(format!("vectors: {left} passages left"));
        pause(asked).await;
        (documents, left) = site.store.unembedded_count().await?;
    }
    progress.finish_and_clear();
    Ok(())
}

/// Asks no more often than costs a tenth of the time.
async fn pause(asked: Instant) {
    tokio::time::sleep(Duration::from_millis(100).max(asked.elapsed() * 9)).await;
}
