//! Read: sniff the kind and extract its blocks, on a thread of its own and within a time.

use domain::ContentHash;
use extract::{ExtractError, Extracted, Format, Limits};
use std::time::Duration;

use crate::content::{ContentError, ContentStore};

/// A document's text and what it came from.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) format: Format,
    pub(crate) extracted: Extracted,
}

/// Why a document could not be read. None of these would pass if tried again.
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

/// Reads the original behind `content`. A reading that takes longer than `time` is given up.
pub(crate) async fn read(
    store: &ContentStore,
    content: ContentHash,
    source: &str,
    limits: Limits,
    time: Duration,
) -> Result<Reading, ReadError> {
    let (store, source) = (store.clone(), source.to_owned());
    let task = tokio::task::spawn_blocking(move || {
        let bytes = store.get(&content)?;
        let format = extract::sniff(&bytes, crate::stage::file_name(&source))?;
        let extracted = extract::extract(&bytes, format, &limits, &mut extract::Alone)?;
        Ok(Reading { format, extracted })
    });
    match tokio::time::timeout(time, task).await {
        Ok(Ok(read)) => read,
        Ok(Err(_)) => Err(ReadError::Interrupted),
        Err(_) => Err(ReadError::TooSlow(time)),
    }
}
