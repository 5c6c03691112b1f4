//! Searching without asking, for pages and programs alike: what is found, with copies folded, counted by facets, and
//! written down before it is shown.
//!
//! What counts as found: of the [`DEPTH`] best passages those that have a word of the query in common with it, and the
//! best [`NEAREST`] in any case, since meaning alone finds something for every query. All of it is inside the reader's
//! scope, so no number here tells of anything else.

mod facets;
mod snippet;

pub(crate) use facets::{Dimension, Facets};

use crate::app::App;
use crate::error::WebError;
use crate::session::Acting;
use answer::{Candidate, Retrieved, Source, Words};
use domain::{AccessScope, CollectionId, Document, DocumentFilter};
use futures_util::future::try_join_all;
use index::Mode;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use snippet::Marker;
use std::time::{Duration, Instant};

/// Passages looked at for a search.
pub(crate) const DEPTH: usize = 200;
/// Passages that are found by meaning alone.
const NEAREST: usize = 20;
/// Longest query, in characters.
pub(crate) const LONGEST_QUERY: usize = 400;

/// What is searched for.
pub(crate) struct Search<'a> {
    pub(crate) query: &'a str,
    /// All that the person may read.
    pub(crate) scope: &'a AccessScope,
    /// Only these of it.
    pub(crate) collections: Option<Vec<CollectionId>>,
    pub(crate) filter: DocumentFilter,
    /// Only documents dated in this year.
    pub(crate) year: Option<i16>,
    /// Whether facets are wanted, and with them a search without each choice.
    pub(crate) facets: bool,
    /// Which part of what is found is shown.
    pub(crate) offset: usize,
    pub(crate) limit: usize,
}

/// What was found.
pub(crate) struct Found {
    /// The part that is shown, best first.
    pub(crate) results: Vec<FoundPassage>,
    /// How many there are in all, copies aside; `true` if there may be more that were not looked at.
    pub(crate) passages: (usize, bool),
    pub(crate) facets: Facets,
    pub(crate) took: Duration,
}

/// A passage that was found.
pub(crate) struct FoundPassage {
    pub(crate) candidate: Candidate,
    /// Its text in pieces; `true` marks those that match.
    pub(crate) snippet: Vec<(bool, String)>,
    /// Passages that say the same.
    pub(crate) copies: Vec<Candidate>,
}

impl Search<'_> {
    /// Scope and filter, but for what is chosen of one dimension: its other values are counted as if nothing was.
    fn narrowed(&self, without: Option<Dimension>) -> Result<(AccessScope, DocumentFilter), WebError> {
        let but = |dimension| without != Some(dimension);
        let scope = match &self.collections {
            Some(chosen) if but(Dimension::Collection) => self.scope.narrowed_to(chosen),
            _ => self.scope.clone(),
        };
        let mut filter = self.filter.clone();
        if !but(Dimension::Kind) {
            filter.media_types.clear();
        }
        if !but(Dimension::Language) {
            filter.languages.clear();
        }
        if let Some(year) = self.year.filter(|_| but(Dimension::Year)) {
            let (first, after) = (new_year(year)?, new_year(year.saturating_add(1))?);
            filter.since = Some(filter.since.map_or(first, |since| since.max(first)));
            filter.before = Some(filter.before.map_or(after, |before| before.min(after)));
        }
        Ok((scope, filter))
    }

    /// The dimensions of which something is chosen.
    fn chosen(&self) -> Vec<Dimension> {
        if !self.facets {
            return Vec::new();
        }
        [
            (Dimension::Collection, self.collections.is_some()),
            (Dimension::Kind, !self.filter.media_types.is_empty()),
            (Dimension::Language, !self.filter.languages.is_empty()),
            (Dimension::Year, self.year.is_some()),
        ]
        .into_iter()
        .filter_map(|(dimension, chosen)| chosen.then_some(dimension))
        .collect()
    }

    /// What is found, best first, and whether there may be more that was not looked at.
    async fn candidates(&self, app: &App, without: Option<Dimension>) -> Result<(Vec<Candidate>, bool), WebError> {
        let (scope, filter) = self.narrowed(without)?;
        let found = app.answering.retrieve_within(self.query, Mode::Hybrid, DEPTH, &scope, &filter).await?;
        let Retrieved { candidates, .. } = found;
        // Before what has no word of the query is left out: it may have taken the place of what has.
        let capped = candidates.len() == DEPTH;
        let relevant = |(rank, candidate): &(usize, Candidate)| *rank < NEAREST || candidate.hit.bm25.is_some();
        let relevant = candidates.into_iter().enumerate().filter(relevant).map(|(_, candidate)| candidate);
        Ok((relevant.collect(), capped))
    }
}

/// Searches, and writes down what was searched for and what is about to be shown.
pub(crate) async fn find(app: &App, caller: &impl Acting, search: &Search<'_>) -> Result<Found, WebError> {
    let begin = Instant::now();
    if search.query.chars().count() > LONGEST_QUERY {
        return Err(WebError::Invalid(format!("a search has at most {LONGEST_QUERY} characters")));
    }
    let ((candidates, capped), others) = tokio::try_join!(
        search.candidates(app, None),
        try_join_all(search.chosen().into_iter().map(async |dimension| {
            let (counted, _) = search.candidates(app, Some(dimension)).await?;
            Ok::<_, WebError>((dimension, Facets::of(&counted)))
        }))
    )?;
    let mut facets = Facets::of(&candidates);
    for (dimension, counted) in others {
        facets.take(dimension, counted);
    }
    let folded = fold(candidates);
    let passages = (folded.len(), capped);
    let shown: Vec<(Candidate, Vec<Candidate>)> = folded.into_iter().skip(search.offset).take(search.limit).collect();
    record(app, caller, search.query, &shown).await?;
    let words = app.answering.words_of(search.query);
    let mut marker = Marker::new(&app.index, &words);
    let results = shown.into_iter().map(|(candidate, copies)| {
        let snippet = marker.mark(&candidate.document, &candidate.passage.text);
        FoundPassage { candidate, snippet, copies }
    });
    Ok(Found { results: results.collect(), passages, facets, took: begin.elapsed() })
}

/// Each passage with its copies behind it, in the order of the best of them.
fn fold(candidates: Vec<Candidate>) -> Vec<(Candidate, Vec<Candidate>)> {
    let mut kept: Vec<(Words, Candidate, Vec<Candidate>)> = Vec::new();
    for candidate in candidates {
        let words = Words::of(&candidate.passage.text);
        match kept.iter_mut().find(|(known, ..)| known.alike(&words)) {
            Some((_, _, copies)) => copies.push(candidate),
            None => kept.push((words, candidate, Vec::new())),
        }
    }
    kept.into_iter().map(|(_, candidate, copies)| (candidate, copies)).collect()
}

async fn record(
    app: &App,
    caller: &impl Acting,
    query: &str,
    shown: &[(Candidate, Vec<Candidate>)],
) -> Result<(), WebError> {
    let all = shown.iter().flat_map(|(candidate, copies)| std::iter::once(candidate).chain(copies));
    let sources: Vec<Source> = (1..)
        .zip(all)
        .map(|(rank, candidate)| Source {
            rank,
            passage: candidate.passage.clone(),
            document: candidate.document.clone(),
            score: candidate.hit.cosine.unwrap_or_default(),
        })
        .collect();
    Ok(app.answering.record_search(query, &sources, &caller.actor(), caller.operation()).await?)
}

/// The documents of copies, each once, without the document itself.
pub(crate) fn also_in<'a>(document: &Document, copies: &'a [Candidate]) -> Vec<&'a Candidate> {
    let mut seen = vec![document.id];
    let fresh = |candidate: &&Candidate| {
        let new = !seen.contains(&candidate.document.id);
        if new {
            seen.push(candidate.document.id);
        }
        new
    };
    copies.iter().filter(fresh).collect()
}

fn new_year(year: i16) -> Result<Timestamp, WebError> {
    let begin = Date::new(year, 1, 1).ok().and_then(|day| day.to_zoned(TimeZone::system()).ok());
    begin.map(|begin| begin.timestamp()).ok_or_else(|| WebError::Invalid(format!("{year} is no year")))
}
