//! One job, from the original's bytes to a published version: a straight line through the stages.

use crate::chunk::{Chunk, Sizes, chunks};
use crate::content::ContentStore;
use crate::publish::{PublishError, Publisher, embed, embedded_text};
use crate::read::{ReadError, Reading, read};
use crate::stage::file_name;
use audit::{Action, Actor, Event};
use domain::{ContentHash, OperationId, Passage, PassageId};
use extract::Limits;
use inference::Embedder;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use storage::{Job, PublishedVersion, StorageError, Store};
use unicode_segmentation::UnicodeSegmentation;

/// Passages embedded between two signs of life.
const EMBED_BATCH: usize = 16;
/// The longest a document may take to be read.
const READING_TIME: Duration = Duration::from_secs(300);

/// What a job works with.
#[derive(Clone)]
pub(crate) struct Bench {
    pub(crate) store: Store,
    pub(crate) content: ContentStore,
    pub(crate) embedder: Arc<Embedder>,
    pub(crate) model: String,
    pub(crate) publisher: Publisher,
    /// Name under which jobs are leased.
    pub(crate) owner: String,
}

/// Why a job did not end well.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JobError {
    /// The document is the reason: trying again would end the same.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The document has no text to make passages of.
    #[error("no text was found in it; scanned pages need text recognition before they can be imported")]
    NoPassages,
    /// The document went away meanwhile.
    #[error("the document was deleted while it was being read")]
    Gone,
    /// The job was cancelled, or another worker has it now.
    #[error("the job was cancelled or taken over")]
    Lost,
    /// Something around the document failed: trying again may help.
    #[error(transparent)]
    Around(#[from] PublishError),
}

impl From<StorageError> for JobError {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::LeaseLost => Self::Lost,
            other => Self::Around(other.into()),
        }
    }
}

impl JobError {
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self, Self::Around(_))
    }
}

/// Runs `job` to its end; `report` is told the stage and how far it is, 0 to 1.
pub(crate) async fn run(bench: &Bench, job: &Job, report: impl Fn(&'static str, f32)) -> Result<(), JobError> {
    report("reading", 0.0);
    let Reading { format, extracted } =
        read(&bench.content, job.content, &job.source, Limits::default(), READING_TIME).await?;
    let title = extracted.title.clone().unwrap_or_else(|| title_of(&job.source));

    report("dividing", 0.1);
    let embedder = Arc::clone(&bench.embedder);
    let blocks = extracted.blocks;
    let chunks = tokio::task::spawn_blocking(move || {
        let sizes =
            Sizes { most: Sizes::default().most.min(embedder.max_tokens().saturating_sub(40)), ..Sizes::default() };
        chunks(&blocks, sizes, |text| embedder.count_tokens(text))
    })
    .await
    .map_err(|_| PublishError::Interrupted)?;
    if chunks.is_empty() {
        return Err(JobError::NoPassages);
    }

    let mut vectors = Vec::with_capacity(chunks.len());
    for batch in chunks.chunks(EMBED_BATCH) {
        report("embedding", 0.1 + 0.85 * ratio(vectors.len(), chunks.len()));
        let texts = batch.iter().map(|chunk| embedded_text(&title, &chunk.heading_path, &chunk.text)).collect();
        vectors.extend(embed(&bench.embedder, texts).await?);
    }

    report("publishing", 0.95);
    let document = bench.store.document_for_ingest(job.document).await?.ok_or(JobError::Gone)?;
    let version = document.version + 1;
    let environment = bench.store.environment();
    let passages = (0..).zip(chunks).zip(vectors).map(|((ordinal, chunk), vector)| {
        let Chunk { page, heading_path, text } = chunk;
        let hash = ContentHash::of(text.as_bytes());
        let id = PassageId::new(environment);
        (Passage { id, document: document.id, version, ordinal, page, heading_path, text, hash }, vector)
    });
    let passages: Vec<(Passage, Vec<f32>)> = passages.collect();
    let count = passages.len();
    let published = PublishedVersion {
        document: document.id,
        version,
        content: job.content,
        size_bytes: job.size_bytes,
        language: language_of(&passages),
        title: title.clone(),
        media_type: format.media_type().to_owned(),
        pages: extracted.pages,
        warnings: extracted.warnings,
        passages,
        model: bench.model.clone(),
    };
    let mut act = bench.store.begin().await?;
    act.publish(&published).await?;
    // In the same transaction: a crash leaves the version published and the job done, or neither; a lease that was
    // lost meanwhile undoes both.
    act.finish(job.id, &bench.owner).await?;
    act.record(
        Event::new(Action::DocumentPublished, &Actor::system(), OperationId::new(environment))
            .on("document", document.id, &title)
            .detail(json!({ "version": version, "content": job.content, "passages": count, "source": job.source })),
    )
    .await?;
    act.commit().await?;
    Ok(())
}

fn ratio(done: usize, of: usize) -> f32 {
    #[allow(clippy::cast_precision_loss, reason = "a progress bar")]
    let ratio = done as f32 / of.max(1) as f32;
    ratio
}

/// A title for a document that has none: its file name without the ending, with spaces for separators.
fn title_of(source: &str) -> String {
    let name = file_name(source);
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let words = stem.replace(['_', '-'], " ");
    let mut graphemes = words.trim().graphemes(true);
    graphemes.next().map_or_else(|| name.to_owned(), |first| first.to_uppercase() + graphemes.as_str())
}

/// The language of most of a document's text, as ISO 639-1; `None` if that is not clear.
fn language_of(passages: &[(Passage, Vec<f32>)]) -> Option<String> {
    let sample: String = passages.iter().take(20).flat_map(|(passage, _)| [passage.text.as_str(), " "]).collect();
    let found = whatlang::detect(&sample).filter(whatlang::Info::is_reliable)?;
    // whatlang names languages by ISO 639-3.
    let code = match found.lang().code() {
        "cmn" => "zh",
        "eng" => "en",
        "deu" => "de",
        "fra" => "fr",
        "spa" => "es",
        "ita" => "it",
        "nld" => "nl",
        "por" => "pt",
        "swe" => "sv",
        "dan" => "da",
        "nob" => "nb",
        "fin" => "fi",
        "jpn" => "ja",
        "kor" => "ko",
        "tha" => "th",
        "rus" => "ru",
        "ukr" => "uk",
        "pol" => "pl",
        "ces" => "cs",
        "hun" => "hu",
        "ron" => "ro",
        "tur" => "tr",
        "ell" => "el",
        "arb" => "ar",
        "heb" => "he",
        _ => return None,
    };
    Some(code.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_reads_as_a_title() {
        assert_eq!(title_of("hr/travel-and_expenses.v2.pdf"), "Travel and expenses.v2");
        assert_eq!(title_of("C:\\scans\\.pdf"), ".pdf");
    }
}
