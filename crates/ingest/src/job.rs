//! One job, from the original's bytes to a document that is found by its words: a straight line through the stages.

use crate::chunk::{Chunk, Sizes, chunks};
use crate::content::ContentStore;
use crate::leases::Leases;
use crate::members::take_in_members;
use crate::publish::PublishError;
use crate::read::{ReadError, Reader, Reading};
use crate::stage::file_name;
use audit::{Action, Actor, Event, Outcome};
use domain::{ContentHash, Metadata, OperationId, Passage, PassageId};
use inference::Embedder;
use jiff::tz::TimeZone;
use serde_json::json;
use std::sync::Arc;
use storage::{Act, Job, PublishedVersion, StorageError, Store};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use unicode_segmentation::UnicodeSegmentation;
use whatlang::Lang;

/// Files in files in files: deeper ones are left out, with a warning.
const DEEPEST: u32 = 5;

/// Files in all that were taken out of one file, at any depth; more are left out, with a warning. A mailbox of many years
/// has fewer, and archives in archives can have any number.
const MOST_INSIDE: u32 = 100_000;

/// What a job works with.
#[derive(Clone)]
pub(crate) struct Bench {
    pub(crate) store: Store,
    pub(crate) content: ContentStore,
    pub(crate) reader: Reader,
    pub(crate) embedder: Arc<Embedder>,
    pub(crate) model: String,
    /// Name under which jobs are leased.
    pub(crate) owner: String,
    pub(crate) leases: Leases,
    pub(crate) memory: Arc<Semaphore>,
}

/// A document that was read and divided, not yet in the database.
#[derive(Debug)]
pub(crate) struct Prepared {
    reading: Reading,
    language: Option<String>,
    chunks: Vec<Chunk>,
    /// Its share of the memory for what waits to be written.
    _memory: OwnedSemaphorePermit,
}

impl Prepared {
    pub(crate) fn passages(&self) -> usize {
        self.chunks.len()
    }
}

/// What documents that are read and not yet written may take together, in KiB, and a single one at most. Estimated by the
/// size of their files: what a small file unpacks to is bounded by the reader.
const MEMORY_KIB: u32 = 192 << 10;
const MOST_KIB: u64 = 64 << 10;
const LEAST_KIB: u64 = 256;

/// The memory that all jobs of a worker share.
pub(crate) fn memory() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(MEMORY_KIB as usize))
}

/// Why a job did not end well.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JobError {
    /// The document is the reason: trying again would end the same.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The document has no text to make passages of.
    #[error("no text was found in it; if it is a scan, text recognition has to be switched on")]
    NoPassages,
    /// Our own code gave up.
    #[error("reading it failed unexpectedly; the log has more")]
    Panicked,
    /// The job was leased again and again without coming to an end.
    #[error("the server stopped {0} times while it was being read; it is left out until someone tries it again")]
    Deadly(u32),
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
        match self {
            Self::Around(_) => true,
            Self::Read(error) => error.may_pass(),
            _ => false,
        }
    }
}

/// Reads and divides the document of `job`; changes nothing in the database.
pub(crate) async fn prepare(bench: &Bench, job: &Job) -> Result<Prepared, JobError> {
    let share = u32::try_from((job.size_bytes >> 10).clamp(LEAST_KIB, MOST_KIB)).unwrap_or(MEMORY_KIB);
    let memory = Arc::clone(&bench.memory).acquire_many_owned(share).await.map_err(|_| PublishError::Interrupted)?;
    let mut reading = bench.reader.read(&bench.content, job.content, &job.source).await?;
    if job.depth >= DEEPEST && !reading.children.is_empty() {
        reading.children.clear();
        reading.extracted.warnings.push(format!("files in it, {DEEPEST} files deep, are left out"));
    }
    if job.depth > 0 && !reading.children.is_empty() {
        let beside = bench.store.taken_out_beside(job.document, MOST_INSIDE).await?;
        let room = usize::try_from(u64::from(MOST_INSIDE).saturating_sub(beside)).unwrap_or(usize::MAX);
        if reading.children.len() > room {
            reading.children.truncate(room);
            let warning =
                format!("files in it are left out: it came in a file that has more than {MOST_INSIDE} in all");
            reading.extracted.warnings.push(warning);
        }
    }
    bench.leases.report(job.id, "dividing", 0.8);
    let embedder = Arc::clone(&bench.embedder);
    let blocks = std::mem::take(&mut reading.extracted.blocks);
    let chunks = tokio::task::spawn_blocking(move || {
        let sizes =
            Sizes { most: Sizes::default().most.min(embedder.max_tokens().saturating_sub(40)), ..Sizes::default() };
        chunks(&blocks, sizes, |text| embedder.count_tokens(text))
    })
    .await
    .map_err(|_| PublishError::Interrupted)?;
    if chunks.is_empty() && reading.children.is_empty() {
        return Err(JobError::NoPassages);
    }
    bench.leases.report(job.id, "publishing", 0.95);
    Ok(Prepared { language: language_of(&chunks), reading, chunks, _memory: memory })
}

/// Publishes what was read, within `act`: version, passages, the files found in it, the end of the job, the event. A
/// crash leaves all of it or nothing.
///
/// # Errors
/// [`StorageError`]; drop the act then.
pub(crate) async fn publish(act: &mut Act, bench: &Bench, job: &Job, ready: &Prepared) -> Result<(), StorageError> {
    if !act.holds(job.id, &bench.owner).await? {
        return Ok(());
    }
    let Some(document) = act.document(job.document).await? else {
        return act.fail(job.id, &bench.owner, "the document was deleted while it was being read", None).await;
    };
    let environment = bench.store.environment();
    let version = document.version + 1;
    let extracted = &ready.reading.extracted;
    // Dates without a zone are those of the site, as they are shown and narrowed by.
    let zone = TimeZone::system();
    // By the path that it has now: it may have been renamed while it waited.
    let title = extracted.title.clone().unwrap_or_else(|| title_of(&document.source));
    let passage = |(chunk, ordinal): (&Chunk, u32)| Passage {
        id: PassageId::new(environment),
        document: document.id,
        version,
        ordinal,
        page: chunk.page,
        heading_path: chunk.heading_path.clone(),
        text: chunk.text.clone(),
        places: chunk.places.clone(),
        hash: ContentHash::of(chunk.text.as_bytes()),
    };
    let published = PublishedVersion {
        document: document.id,
        version,
        content: job.content,
        size_bytes: job.size_bytes,
        language: ready.language.clone(),
        title: title.clone(),
        media_type: ready.reading.format.media_type().to_owned(),
        pages: extracted.pages,
        warnings: extracted.warnings.clone(),
        metadata: Metadata {
            author: extracted.author.clone(),
            written_at: extracted.created_at.and_then(|at| at.within(&zone)),
            modified_at: extracted.modified_at.and_then(|at| at.within(&zone)),
            fields: extracted.fields.clone(),
        },
        passages: ready.chunks.iter().zip(0..).map(passage).collect(),
        model: bench.model.clone(),
    };
    act.publish(&published).await?;
    let operation = OperationId::new(environment);
    let files = take_in_members(act, environment, job, &ready.reading.children, &document, operation).await?;
    act.finish(job.id, &bench.owner).await?;
    act.record(
        Event::new(Action::DocumentPublished, &Actor::system(), operation).on("document", document.id, &title).detail(
            json!({
                "version": version,
                "content": job.content,
                "passages": ready.chunks.len(),
                "files": files,
                "source": job.source,
            }),
        ),
    )
    .await?;
    Ok(())
}

/// Gives a job up, within `act`.
///
/// # Errors
/// [`StorageError`]; drop the act then.
pub(crate) async fn give_up(act: &mut Act, bench: &Bench, job: &Job, reason: &str) -> Result<(), StorageError> {
    if !act.holds(job.id, &bench.owner).await? {
        return Ok(());
    }
    tracing::warn!(job.id = %job.id, source = %job.source, %reason, "ingest failed");
    act.fail(job.id, &bench.owner, reason, None).await?;
    if act.document(job.document).await?.is_some_and(|document| document.version == 0) {
        act.fail_document(job.document).await?;
    }
    act.record(
        Event::new(Action::DocumentFailed, &Actor::system(), OperationId::new(bench.store.environment()))
            .on("document", job.document, &job.source)
            .outcome(Outcome::Failed)
            .detail(json!({ "reason": reason })),
    )
    .await?;
    Ok(())
}

/// A title for a document that has none: its file name without the ending, with spaces for separators, and without what
/// would make a page or a terminal show something else.
pub(crate) fn title_of(source: &str) -> String {
    let name = extract::shown_name(file_name(source));
    let stem = name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem);
    let words = stem.replace(['_', '-'], " ");
    let mut graphemes = words.trim().graphemes(true);
    match graphemes.next() {
        Some(first) => first.to_uppercase() + graphemes.as_str(),
        // A title is what people click on.
        None if name.is_empty() => "?".to_owned(),
        None => name,
    }
}

/// The language of most of a document's text, as ISO 639-1; `None` if that is not clear.
fn language_of(chunks: &[Chunk]) -> Option<String> {
    let sample: String = chunks.iter().take(20).flat_map(|chunk| [chunk.text.as_str(), " "]).collect();
    let found = whatlang::detect(&sample).filter(whatlang::Info::is_reliable)?;
    Some(iso_639_1(found.lang()).to_owned())
}

/// The two letters of a language. Every one that is detected has them, and the compiler keeps it so.
const fn iso_639_1(language: Lang) -> &'static str {
    match language {
        Lang::Afr => "af",
        Lang::Aka => "ak",
        Lang::Amh => "am",
        Lang::Ara => "ar",
        Lang::Aze => "az",
        Lang::Bel => "be",
        Lang::Ben => "bn",
        Lang::Bul => "bg",
        Lang::Cat => "ca",
        Lang::Ces => "cs",
        Lang::Cmn => "zh",
        Lang::Cym => "cy",
        Lang::Dan => "da",
        Lang::Deu => "de",
        Lang::Ell => "el",
        Lang::Eng => "en",
        Lang::Epo => "eo",
        Lang::Est => "et",
        Lang::Fin => "fi",
        Lang::Fra => "fr",
        Lang::Guj => "gu",
        Lang::Heb => "he",
        Lang::Hin => "hi",
        Lang::Hrv => "hr",
        Lang::Hun => "hu",
        Lang::Hye => "hy",
        Lang::Ind => "id",
        Lang::Ita => "it",
        Lang::Jav => "jv",
        Lang::Jpn => "ja",
        Lang::Kan => "kn",
        Lang::Kat => "ka",
        Lang::Khm => "km",
        Lang::Kor => "ko",
        Lang::Lat => "la",
        Lang::Lav => "lv",
        Lang::Lit => "lt",
        Lang::Mal => "ml",
        Lang::Mar => "mr",
        Lang::Mkd => "mk",
        Lang::Mya => "my",
        Lang::Nep => "ne",
        Lang::Nld => "nl",
        Lang::Nob => "nb",
        Lang::Ori => "or",
        Lang::Pan => "pa",
        Lang::Pes => "fa",
        Lang::Pol => "pl",
        Lang::Por => "pt",
        Lang::Ron => "ro",
        Lang::Rus => "ru",
        Lang::Sin => "si",
        Lang::Slk => "sk",
        Lang::Slv => "sl",
        Lang::Sna => "sn",
        Lang::Spa => "es",
        Lang::Srp => "sr",
        Lang::Swe => "sv",
        Lang::Tam => "ta",
        Lang::Tel => "te",
        Lang::Tgl => "tl",
        Lang::Tha => "th",
        Lang::Tuk => "tk",
        Lang::Tur => "tr",
        Lang::Ukr => "uk",
        Lang::Urd => "ur",
        Lang::Uzb => "uz",
        Lang::Vie => "vi",
        Lang::Yid => "yi",
        Lang::Zul => "zu",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_reads_as_a_title() {
        assert_eq!(title_of("hr/travel-and_expenses.v2.pdf"), "Travel and expenses.v2");
        assert_eq!(title_of("C:\\scans\\.pdf"), ".pdf");
    }

    #[test]
    fn a_title_has_nothing_that_cannot_be_seen() {
        assert_eq!(title_of("in/rep\u{202e}fdp\u{200b}_of\u{1b}[2Jmay.txt"), "Repfdp of [2Jmay");
        assert_eq!(title_of("in/\u{200b}\u{2066}"), "?");
    }

    #[test]
    fn a_text_tells_its_language_whatever_its_script() {
        let chunk =
            |text: &str| Chunk { text: text.to_owned(), heading_path: Vec::new(), page: None, places: Vec::new() };
        for (code, text) in [
            ("en", "Members of staff have twenty-four days of annual leave in each calendar year of service."),
            ("ar", "يحق لجميع الموظفين الحصول على إجازة سنوية مدفوعة الأجر مدتها أربعة وعشرون يوما في السنة."),
            (
                "fa",
                "همه کارکنان در هر سال حق دارند بیست و چهار روز مرخصی با حقوق بگیرند و این مرخصی را می‌توان جابه‌جا کرد.",
            ),
            ("hi", "सभी कर्मचारियों को प्रत्येक वर्ष चौबीस दिन की वार्षिक छुट्टी मिलती है और यह अगले वर्ष तक ले जाई जा सकती है।"),
            ("vi", "Tất cả nhân viên được nghỉ phép hai mươi bốn ngày trong mỗi năm làm việc tại cảng của chúng tôi."),
        ] {
            assert_eq!(language_of(&[chunk(text)]).as_deref(), Some(code), "{text}");
        }
    }
}
