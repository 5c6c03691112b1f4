//! Read: sniff the kind and extract the text, apart from everything else and within a time.

use domain::ContentHash;
use extract::{Alone, Child, ExtractError, Extracted, Format, Host, Limits, Line, Picture};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

use crate::content::{ContentError, ContentStore};

/// The longest that reading one document may take in this process.
const READING_TIME: Duration = Duration::from_secs(300);

/// Reads documents. Cheap to clone.
#[derive(Clone)]
pub struct Reader {
    abreast: Arc<Semaphore>,
    limits: Limits,
}

/// A document's text, the files found in it, and what it came from.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) format: Format,
    pub(crate) extracted: Extracted,
    /// Name and stored bytes of each file found in it.
    pub(crate) children: Vec<(String, ContentHash, u64)>,
}

/// Why a document could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error(transparent)]
    Extract(#[from] ExtractError),
    #[error(transparent)]
    Content(#[from] ContentError),
    #[error("reading it took longer than {} seconds; split the file or save it in another format", .0.as_secs())]
    TooSlow(Duration),
    #[error("reading it failed unexpectedly")]
    Interrupted,
}

impl ReadError {
    /// Whether trying again may help: a full disk may be emptied, a broken file stays broken.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self, Self::Content(ContentError::Full | ContentError::Io(_)))
    }
}

impl Reader {
    /// Reads in this process, so many documents at a time: for tests and tools whose files are their own.
    #[must_use]
    pub fn in_process(abreast: usize) -> Self {
        Self { abreast: Arc::new(Semaphore::new(abreast.max(1))), limits: Limits::default() }
    }

    /// Reads the original behind `content`. What lies in it goes into the store as it is found.
    pub(crate) async fn read(
        &self,
        store: &ContentStore,
        content: ContentHash,
        source: &str,
    ) -> Result<Reading, ReadError> {
        let _turn = self.abreast.acquire().await.map_err(|_| ReadError::Interrupted)?;
        let (store, limits, name) = (store.clone(), self.limits, crate::stage::file_name(source).to_owned());
        let task = tokio::task::spawn_blocking(move || {
            let bytes = store.get(&content)?;
            let format = extract::sniff(&bytes, &name)?;
            let mut host = Keeping { store: &store, children: Vec::new(), failure: None };
            let extracted = extract::extract(&bytes, format, &limits, &mut host);
            match host.failure {
                Some(error) => Err(error.into()),
                None => Ok(Reading { format, extracted: extracted?, children: host.children }),
            }
        });
        match tokio::time::timeout(READING_TIME, task).await {
            Ok(Ok(read)) => read,
            Ok(Err(_)) => Err(ReadError::Interrupted),
            Err(_) => Err(ReadError::TooSlow(READING_TIME)),
        }
    }
}

/// Keeps the files that are found in a file.
struct Keeping<'a> {
    store: &'a ContentStore,
    children: Vec<(String, ContentHash, u64)>,
    failure: Option<ContentError>,
}

impl Host for Keeping<'_> {
    fn child(&mut self, child: Child) -> Result<(), ExtractError> {
        match self.store.put(&child.bytes) {
            Ok(hash) => self.children.push((child.name, hash, child.bytes.len() as u64)),
            Err(error) => {
                self.failure = Some(error);
                // Only to end the extraction; what is reported is the failure.
                return Err(ExtractError::Empty);
            }
        }
        Ok(())
    }

    fn recognize(&mut self, picture: &Picture) -> Result<Option<Vec<Line>>, ExtractError> {
        Alone.recognize(picture)
    }
}
