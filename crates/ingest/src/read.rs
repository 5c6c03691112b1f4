//! Read: sniff the kind and extract the text, apart from everything else and within limits.

use confine::{Pool, ReadFailure, Receiver, ReceiverError, Source};
use domain::ContentHash;
use extract::{Alone, Child, ExtractError, Extracted, Format, Host, Limits, Line, Picture};
use std::sync::Arc;
use tokio::sync::Semaphore;

use crate::content::{ContentError, ContentStore};

/// Reads documents. Cheap to clone.
#[derive(Clone)]
pub struct Reader {
    place: Place,
}

#[derive(Clone)]
enum Place {
    /// In processes that can do nothing else, so many at a time.
    Confined(Pool, Arc<Semaphore>),
    /// In this one, so many at a time.
    Here(Arc<Semaphore>),
}

/// A document's text, the files found in it, and what it came from.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) format: Format,
    pub(crate) extracted: Extracted,
    /// Name, stored bytes and size of each file found in it.
    pub(crate) children: Vec<(String, ContentHash, u64)>,
}

/// Why a document could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error(transparent)]
    Extract(#[from] ExtractError),
    #[error(transparent)]
    Content(#[from] ContentError),
    #[error(transparent)]
    Confined(#[from] ReadFailure),
    #[error("reading it failed unexpectedly")]
    Interrupted,
}

impl ReadError {
    /// Whether trying again may help: a full disk may be emptied, a broken file stays broken.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Content(error) => matches!(error, ContentError::Full | ContentError::Io(_)),
            Self::Confined(failure) => failure.may_pass(),
            Self::Extract(_) | Self::Interrupted => false,
        }
    }
}

impl Reader {
    /// Reads in the `workers` processes of this pool: for files that come from strangers, which is all of them.
    #[must_use]
    pub fn confined(pool: Pool, workers: usize) -> Self {
        Self { place: Place::Confined(pool, Arc::new(Semaphore::new(workers.max(1)))) }
    }

    /// Reads in this process, so many documents at a time: for tests and tools whose files are their own.
    #[must_use]
    pub fn in_process(abreast: usize) -> Self {
        Self { place: Place::Here(Arc::new(Semaphore::new(abreast.max(1)))) }
    }

    /// Reads the original behind `content`. What lies in it goes into the store as it is found.
    pub(crate) async fn read(
        &self,
        store: &ContentStore,
        content: ContentHash,
        source: &str,
    ) -> Result<Reading, ReadError> {
        match &self.place {
            Place::Confined(pool, turns) => {
                // Bytes are fetched only once a worker is free: what waits costs no memory.
                let _turn = turns.acquire().await.map_err(|_| ReadError::Interrupted)?;
                confined(pool, store, content, source).await
            }
            Place::Here(turns) => {
                let _turn = turns.acquire().await.map_err(|_| ReadError::Interrupted)?;
                let (store, name) = (store.clone(), crate::stage::file_name(source).to_owned());
                let task = tokio::task::spawn_blocking(move || here(&store, content, &name));
                task.await.map_err(|_| ReadError::Interrupted)?
            }
        }
    }
}

async fn confined(pool: &Pool, store: &ContentStore, content: ContentHash, source: &str) -> Result<Reading, ReadError> {
    let mut keeping = Keeping { store: store.clone(), children: Vec::new(), failure: None };
    let bytes = {
        let store = store.clone();
        tokio::task::spawn_blocking(move || store.get(&content)).await.map_err(|_| ReadError::Interrupted)??
    };
    let read = pool.read(source, Source::Bytes(&bytes), &mut keeping).await;
    match keeping.failure {
        Some(error) => Err(error.into()),
        None => {
            let confine::Reading { format, extracted } = read?;
            Ok(Reading { format, extracted, children: keeping.children })
        }
    }
}

fn here(store: &ContentStore, content: ContentHash, name: &str) -> Result<Reading, ReadError> {
    let bytes = store.get(&content)?;
    let format = extract::sniff(&bytes, name)?;
    let mut keeping = Keeping { store: store.clone(), children: Vec::new(), failure: None };
    let extracted = extract::extract(&bytes, format, &Limits::default(), &mut keeping);
    match keeping.failure {
        Some(error) => Err(error.into()),
        None => Ok(Reading { format, extracted: extracted?, children: keeping.children }),
    }
}

/// Keeps the files that are found in a file.
struct Keeping {
    store: ContentStore,
    children: Vec<(String, ContentHash, u64)>,
    failure: Option<ContentError>,
}

impl Keeping {
    fn keep(&mut self, child: &Child) -> Result<(), ContentError> {
        let hash = self.store.put(&child.bytes)?;
        self.children.push((child_name(&child.name), hash, child.bytes.len() as u64));
        Ok(())
    }
}

/// A name in a file as part of a source: whoever made the file chose it, so it may not lead anywhere else.
fn child_name(name: &str) -> String {
    let parts = name.split(['/', '\\']).map(|part| part.chars().filter(|c| !c.is_control()).collect::<String>());
    let parts = parts.map(|part| part.trim().to_owned()).filter(|part| !matches!(part.as_str(), "" | "." | ".."));
    let clean: String = parts.collect::<Vec<_>>().join("/").chars().take(400).collect();
    if clean.is_empty() { "unnamed".to_owned() } else { clean }
}

impl Receiver for Keeping {
    async fn child(&mut self, child: Child) -> Result<(), ReceiverError> {
        let mut keeping =
            Self { store: self.store.clone(), children: std::mem::take(&mut self.children), failure: None };
        let kept = tokio::task::spawn_blocking(move || {
            let kept = keeping.keep(&child);
            (keeping.children, kept)
        });
        let (children, kept) = kept.await?;
        self.children = children;
        kept.map_err(|error| {
            let said = error.to_string();
            self.failure = Some(error);
            said.into()
        })
    }
}

impl Host for Keeping {
    fn child(&mut self, child: Child) -> Result<(), ExtractError> {
        self.keep(&child).map_err(|error| {
            self.failure = Some(error);
            // Only to end the extraction; what is reported is the failure.
            ExtractError::Empty
        })
    }

    fn recognize(&mut self, picture: &Picture) -> Result<Option<Vec<Line>>, ExtractError> {
        Alone.recognize(picture)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_files_lead_nowhere_else() {
        for (name, clean) in [
            ("../../etc/passwd", "etc/passwd"),
            ("C:\\letters\\a.eml", "C:/letters/a.eml"),
            ("/\u{7}./ /..", "unnamed"),
            ("plan.pdf", "plan.pdf"),
        ] {
            assert_eq!(child_name(name), clean);
        }
    }
}
