//! Reads pages on two threads, and gives them back in order.

use super::fonts::Fonts;
use super::page::{self, Page};
use super::streams::Budget;
use crate::ExtractError;
use pdf_extract::{Document, ObjectId};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

/// Fewer pages are read before a second thread has begun.
const WORTH_A_THREAD: usize = 8;
/// Pages that a thread takes at once.
const PORTION: usize = 4;

pub(super) fn read_pages(
    document: &Document,
    pages: &[ObjectId],
    budget: &Budget<'_>,
) -> Result<Vec<Page>, ExtractError> {
    let fonts = Fonts::default();
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, Vec<Page>)>> = Mutex::new(Vec::new());
    let work = || -> Result<(), ExtractError> {
        loop {
            let from = next.fetch_add(PORTION, Relaxed);
            let Some(portion) = pages.get(from..pages.len().min(from + PORTION)).filter(|some| !some.is_empty()) else {
                return Ok(());
            };
            let read: Result<Vec<Page>, _> =
                portion.iter().map(|&id| page::read(document, id, &fonts, budget)).collect();
            match read {
                Ok(read) => done.lock().unwrap_or_else(PoisonError::into_inner).push((from, read)),
                Err(error) => {
                    // Nothing is left for the other thread.
                    next.store(pages.len(), Relaxed);
                    return Err(error);
                }
            }
        }
    };
    std::thread::scope(|scope| {
        let second = (pages.len() > WORTH_A_THREAD)
            // Where no thread may begin, this one does it all.
            .then(|| std::thread::Builder::new().spawn_scoped(scope, work).ok())
            .flatten();
        let first = work();
        let second = second.map(|thread| thread.join());
        first?;
        match second {
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(ExtractError::damaged("its pages cannot be read")),
            None => Ok(()),
        }
    })?;
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(from, _)| *from);
    Ok(done.into_iter().flat_map(|(_, pages)| pages).collect())
}
