//! Searching without asking.

use crate::app::App;
use crate::error::WebError;
use crate::finding::{FoundPassage, LONGEST_QUERY, also_in, find};
use crate::routes::narrowing;
use crate::session::Reader;
use crate::show::{grouped, page};
use crate::views::{Copy, Nav, Pager, Place, SearchPage, SearchResult};
use answer::Candidate;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Redirect, Response};
use domain::{AccessScope, CollectionId};
use std::collections::BTreeMap;

/// Results on one page.
const RESULTS: usize = 20;
/// Copies of a passage that are named.
const COPIES: usize = 5;

/// `GET /search?q=&collection=&type=&language=&year=&from=…`
pub(crate) async fn get(State(app): State<App>, reader: Reader, RawQuery(raw): RawQuery) -> Result<Response, WebError> {
    let fields: Vec<(String, String)> =
        serde_urlencoded::from_str(raw.as_deref().unwrap_or_default()).unwrap_or_default();
    let scope = reader.scope(&app).await?;
    let search = narrowing::search(&fields, &scope, RESULTS);
    let query = fields.iter().find(|(name, _)| name == "q").map_or("", |(_, q)| q.trim());
    let mut shown = SearchPage {
        chrome: reader.chrome(&app, "Search", Nav::Search),
        query: query.to_owned(),
        results: Vec::new(),
        found: 0,
        capped: false,
        facets: Vec::new(),
        time: None,
        // Counting them takes a look at every document, so only the page that says the number does.
        passages: if query.is_empty() { app.store.passage_count(&scope).await? } else { 0 },
        narrowing: narrowing::shown(&fields),
        pager: None,
        error: None,
    };
    match search {
        Err(error) => shown.error = Some(sentence(&error)),
        Ok(_) if query.chars().count() > LONGEST_QUERY => {
            shown.error = Some(format!("A search has at most {LONGEST_QUERY} characters."));
        }
        Ok(search) if !query.is_empty() => {
            let names = names(&app, &scope).await?;
            let found = find(&app, &reader, &search).await?;
            if let Some(last) = found.passages.0.checked_sub(1).filter(|last| search.offset > *last) {
                // An old address, or one that was written by hand: the end of the list is what is nearest to it.
                let address = narrowing::address(&fields, last / RESULTS * RESULTS);
                return Ok(Redirect::to(&address).into_response());
            }
            shown.time = Some(format!("{} ms", found.took.as_millis().max(1)));
            (shown.found, shown.capped) = (found.passages.0 as u64, found.passages.1);
            shown.facets = narrowing::facets(&fields, &found.facets, &names);
            shown.pager = pager(&fields, search.offset, found.results.len(), found.passages.0);
            shown.results = found.results.into_iter().map(|found| result(found, &names)).collect();
            let labels = shown
                .results
                .iter()
                .flat_map(|result| std::iter::once(result.label).chain(result.copies.iter().map(|copy| copy.label)));
            shown.chrome.banner = labels.max();
        }
        Ok(_) => {}
    }
    page(&shown)
}

/// The collections of a scope with their names.
async fn names(app: &App, scope: &AccessScope) -> Result<BTreeMap<CollectionId, String>, WebError> {
    let allowed: Vec<_> = scope.collections().collect();
    let known = app.store.collections().await?;
    Ok(known.into_iter().filter(|c| allowed.contains(&c.id)).map(|c| (c.id, c.name)).collect())
}

fn sentence(error: &WebError) -> String {
    let mut sentence = format!("{error}.");
    if let Some(first) = sentence.get(..1) {
        sentence.replace_range(..1, &first.to_uppercase());
    }
    sentence
}

fn pager(fields: &narrowing::Pairs, from: usize, listed: usize, total: usize) -> Option<Pager> {
    let to = from.saturating_add(listed);
    (listed > 0 && (from > 0 || to < total)).then(|| Pager {
        summary: format!("{}–{} of {}", grouped(from as u64 + 1), grouped(to as u64), grouped(total as u64)),
        previous: (from > 0).then(|| narrowing::address(fields, from.saturating_sub(RESULTS))),
        next: (to < total).then(|| narrowing::address(fields, from + RESULTS)),
    })
}

fn result(found: FoundPassage, names: &BTreeMap<CollectionId, String>) -> SearchResult {
    let FoundPassage { candidate: Candidate { passage, document, .. }, snippet, copies } = found;
    let copies = also_in(&document, &copies);
    SearchResult {
        more_copies: copies.len().saturating_sub(COPIES) as u64,
        copies: copies
            .into_iter()
            .take(COPIES)
            .map(|copy| Copy {
                document: copy.document.id.to_string(),
                passage: copy.passage.id.to_string(),
                title: copy.document.title.clone(),
                label: copy.document.label,
            })
            .collect(),
        snippet,
        document: document.id.to_string(),
        passage: passage.id.to_string(),
        heading: passage.heading_path.join(" › "),
        collection: names.get(&document.collection).cloned().unwrap_or_default(),
        place: Place::of(&passage, &document.media_type),
        version: passage.version,
        label: document.label,
        lang: document.language,
        title: document.title,
    }
}
