//! `carrel import`

use super::print_json;
use crate::Outcome;
use crate::config::Configuration;
use crate::progress::bar;
use crate::site::{Failure, Retrieval, Site};
use ::audit::Actor;
use domain::{Collection, JobId, Label};
use ingest::{Origin, Staged};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use storage::{Job, JobState};

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
    let stage = site.stage()?;
    let batch = JobId::new(site.store.environment());
    let (actor, operation) = (Actor::console(), site.operation());
    let mut report = Report::default();
    let files = files(paths)?;
    if files.is_empty() {
        return Err("there are no files there".into());
    }
    let progress = bar(files.len() as u64, "files");
    progress.set_message("taking in");
    for (path, source) in &files {
        let origin = Origin { collection, source, label, batch: Some(batch) };
        let staged = match tokio::fs::read(path).await {
            Ok(bytes) => stage.submit(origin, bytes, &actor, operation).await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match staged {
            Ok(Staged::Queued(..)) => report.imported += 1,
            Ok(Staged::Unchanged(_)) => report.unchanged += 1,
            Err(reason) => report.failed.push((source.clone(), reason)),
        }
        progress.inc(1);
    }
    progress.finish_and_clear();
    if report.imported > 0 {
        let jobs = match retrieval {
            Some(retrieval) => {
                let worker = site.worker(retrieval)?;
                let work = async { worker.run_until_idle().await };
                tokio::pin!(work);
                tokio::select! {
                    done = &mut work => { done?; site.store.jobs_of(batch).await? }
                    jobs = watch(site, batch) => { let jobs = jobs?; work.await?; jobs }
                }
            }
            None => watch(site, batch).await?,
        };
        for job in jobs.into_iter().filter(|job| job.state != JobState::Done) {
            report.imported -= 1;
            report.failed.push((job.source, job.reason.unwrap_or_else(|| job.state.as_str().to_owned())));
        }
    }
    Ok(report)
}

/// Follows the jobs of `batch` with a progress bar until all have ended.
async fn watch(site: &Site, batch: JobId) -> Result<Vec<Job>, Failure> {
    let open = |job: &Job| matches!(job.state, JobState::Waiting | JobState::Running);
    let jobs = site.store.jobs_of(batch).await?;
    let progress = bar(jobs.len() as u64, "documents");
    loop {
        let jobs = site.store.jobs_of(batch).await?;
        let left = jobs.iter().filter(|job| open(job)).count();
        progress.set_position((jobs.len() - left) as u64);
        if let Some(job) = jobs.iter().find(|job| job.state == JobState::Running) {
            progress.set_message(format!("{} · {}", job.stage, job.source));
        }
        if left == 0 {
            progress.finish_and_clear();
            return Ok(jobs);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// All files under `paths` with the source name of each: its path from the given folder on. Hidden ones are passed
/// over, and so are links, which may lead out of the folder.
fn files(paths: &[PathBuf]) -> Result<Vec<(PathBuf, String)>, Failure> {
    let mut found = Vec::new();
    for path in paths {
        let kind = std::fs::metadata(path).map_err(|error| format!("{}: {error}", path.display()))?;
        if kind.is_dir() {
            walk(path, path, &mut found)?;
        } else {
            found.push((path.clone(), name_of(path)));
        }
    }
    found.sort();
    Ok(found)
}

fn walk(root: &Path, folder: &Path, found: &mut Vec<(PathBuf, String)>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        if kind.is_dir() {
            walk(root, &path, found)?;
        } else if kind.is_file() {
            let source = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
            found.push((path, source));
        }
    }
    Ok(())
}

fn name_of(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}
