//! Searching without asking.

use crate::app::App;
use crate::error::WebError;
use crate::routes::narrowing;
use crate::session::Reader;
use crate::show::page;
use crate::views::{Facet, Nav, SearchPage, SearchResult};
use answer::{Candidate, Source};
use axum::extract::{RawQuery, State};
use axum::response::Response;
use domain::CollectionId;
use index::Mode;
use std::collections::BTreeMap;

const RESULTS: usize = 20;
/// Characters of a snippet.
const SNIPPET: usize = 320;
const LONGEST_QUERY: usize = 400;

/// `GET /search?q=&collection=`
pub(crate) async fn get(State(app): State<App>, reader: Reader, RawQuery(raw): RawQuery) -> Result<Response, WebError> {
    let fields = pairs(raw.as_deref().unwrap_or_default());
    let query: String = fields.iter().find(|(name, _)| name == "q").map_or("", |(_, q)| q.trim()).to_owned();
    let asked: Vec<CollectionId> =
        fields.iter().filter(|(name, _)| name == "collection").filter_map(|(_, id)| id.parse().ok()).collect();
    let all = reader.scope(&app).await?;
    let scope = if asked.is_empty() { all.clone() } else { all.narrowed_to(&asked) };
    let names: BTreeMap<CollectionId, String> = {
        let allowed: Vec<_> = all.collections().collect();
        let known = app.store.collections().await?;
        known.into_iter().filter(|c| allowed.contains(&c.id)).map(|c| (c.id, c.name)).collect()
    };
    let filter = narrowing::filter(&fields);
    let (kinds, languages) = app.store.kinds_and_languages(&all).await?;
    let too_long = query.chars().count() > LONGEST_QUERY;
    let mut shown = SearchPage {
        chrome: reader.chrome(&app, "Search", Nav::Search),
        query,
        results: Vec::new(),
        facets: Vec::new(),
        time: None,
        passages: app.store.passage_count(&all).await?,
        narrowing: narrowing::shown(&fields, &kinds, &languages),
        error: match &filter {
            _ if too_long => Some(format!("A search has at most {LONGEST_QUERY} characters.")),
            Err(error) => Some(error.to_string()),
            Ok(_) => None,
        },
    };
    let mut counts: BTreeMap<CollectionId, u64> = BTreeMap::new();
    if let Ok(filter) = &filter
        && !shown.query.is_empty()
        && !too_long
    {
        let found = app.answering.retrieve_within(&shown.query, Mode::Hybrid, RESULTS, &scope, filter).await?;
        shown.time = Some(format!("{} ms", found.took.as_millis().max(1)));
        record(&app, &reader, &shown.query, &found.candidates).await?;
        let terms = app.index.terms(&shown.query, None);
        for candidate in found.candidates {
            *counts.entry(candidate.document.collection).or_default() += 1;
            let collection = names.get(&candidate.document.collection).cloned().unwrap_or_default();
            shown.results.push(result(&app, candidate, collection, &terms));
        }
        shown.chrome.banner = shown.results.iter().map(|result| result.label).max();
    }
    shown.facets = names
        .into_iter()
        .map(|(id, name)| Facet {
            id: id.to_string(),
            name,
            count: counts.get(&id).copied().unwrap_or(0),
            selected: asked.contains(&id),
        })
        .collect();
    shown.facets.sort_by(|a, b| a.name.cmp(&b.name));
    page(&shown)
}

/// Writes down what was searched for and what is about to be shown.
async fn record(app: &App, reader: &Reader, query: &str, candidates: &[Candidate]) -> Result<(), WebError> {
    let sources: Vec<Source> = (1..)
        .zip(candidates)
        .map(|(rank, candidate)| Source {
            rank,
            passage: candidate.passage.clone(),
            document: candidate.document.clone(),
            score: candidate.hit.cosine.unwrap_or_default(),
        })
        .collect();
    Ok(app.answering.record_search(query, &sources, &reader.actor(), reader.operation).await?)
}

fn result(app: &App, candidate: Candidate, collection: String, terms: &[String]) -> SearchResult {
    let Candidate { passage, document, .. } = candidate;
    SearchResult {
        snippet: snippet(&passage.text, |word| {
            let stems = app.index.terms(word, document.language.as_deref());
            stems.iter().any(|stem| terms.contains(stem))
        }),
        document: document.id.to_string(),
        passage: passage.id.to_string(),
        title: document.title,
        heading: passage.heading_path.join(" › "),
        collection,
        page: passage.page,
        version: passage.version,
        label: document.label,
    }
}

/// The part of `text` with the most words that match, in marked and unmarked pieces.
pub(crate) fn snippet(text: &str, matches: impl Fn(&str) -> bool) -> Vec<(bool, String)> {
    let mut pieces: Vec<(bool, &str)> = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let word = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
        let gap = rest.find(char::is_alphanumeric).unwrap_or(rest.len());
        let (end, marked) = if word > 0 { (word, matches(&rest[..word])) } else { (gap, false) };
        pieces.push((marked, &rest[..end]));
        rest = &rest[end..];
    }
    let total: usize = pieces.iter().map(|(_, piece)| piece.chars().count()).sum();
    let begin = if total <= SNIPPET { 0 } else { densest(&pieces) };
    let mut shown: Vec<(bool, String)> = Vec::new();
    if begin > 0 {
        shown.push((false, "… ".to_owned()));
    }
    let mut length = 0;
    for (marked, piece) in &pieces[begin..] {
        if length >= SNIPPET {
            shown.push((false, " …".to_owned()));
            break;
        }
        length += piece.chars().count();
        match shown.last_mut() {
            Some((before, text)) if before == marked => text.push_str(piece),
            _ => shown.push((*marked, (*piece).to_owned())),
        }
    }
    shown
}

/// The piece at which a snippet with the most matches begins.
fn densest(pieces: &[(bool, &str)]) -> usize {
    let count = |begin: usize| {
        let mut length = 0;
        let inside = pieces[begin..].iter().take_while(|(_, piece)| {
            length += piece.chars().count();
            length <= SNIPPET
        });
        inside.filter(|(marked, _)| *marked).count()
    };
    let starts_word = |at: &usize| pieces[*at].1.starts_with(char::is_alphanumeric);
    let best = (0..pieces.len()).filter(starts_word).max_by_key(|at| (count(*at), std::cmp::Reverse(*at)));
    best.unwrap_or(0)
}

/// The fields of a query.
fn pairs(query: &str) -> Vec<(String, String)> {
    serde_urlencoded::from_str(query).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snippet_shows_where_the_words_are() {
        let text = format!("{} Annual leave is 24 days. {}", "Nothing here. ".repeat(40), "More of it. ".repeat(40));
        let found = snippet(&text, |word| ["Annual", "leave", "days"].contains(&word));
        let marked: Vec<&str> = found.iter().filter(|(marked, _)| *marked).map(|(_, piece)| piece.as_str()).collect();
        assert_eq!(marked, ["Annual", "leave", "days"]);
        let length: usize = found.iter().map(|(_, piece)| piece.chars().count()).sum();
        assert!(length < SNIPPET + 40);
    }

    #[test]
    fn a_short_text_is_shown_whole() {
        let found = snippet("Soup of the day", |_| false);
        assert_eq!(found, [(false, "Soup of the day".to_owned())]);
    }
}
