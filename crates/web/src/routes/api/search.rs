//! `POST /api/v1/search`

use crate::app::App;
use crate::error::WebError;
use crate::finding::{Facets, FoundPassage, Search, also_in, find};
use crate::programs::{Filter, Program, read_json};
use crate::session::scope_of;
use answer::Candidate;
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Results in one answer, unless the request says otherwise.
const RESULTS: u32 = 10;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    query: String,
    limit: Option<u32>,
    offset: Option<u32>,
    #[serde(default)]
    filter: Filter,
    #[serde(default)]
    facets: bool,
}

/// `POST /api/v1/search`
pub(super) async fn post(
    State(app): State<App>,
    program: Program,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, WebError> {
    let wanted: Wanted = read_json(body)?;
    let query = wanted.query.trim();
    if query.is_empty() {
        return Err(WebError::Invalid("query: search for something; it was empty".to_owned()));
    }
    let window = super::window(Some(wanted.limit.unwrap_or(RESULTS)), wanted.offset)?;
    let scope = scope_of(&app, &program).await?;
    let scope = wanted.filter.scope(&app, scope).await?;
    let search = Search {
        query,
        scope: &scope,
        collections: None,
        filter: wanted.filter.documents()?,
        year: None,
        facets: wanted.facets,
        offset: window.offset as usize,
        limit: window.limit as usize,
    };
    let found = find(&app, &program, &search).await?;
    let results = (1 + window.offset..).zip(found.results).map(|(rank, found)| result(rank, found));
    let mut told = json!({
        "query": query,
        "total": found.passages.0,
        "capped": found.passages.1,
        "took_ms": u64::try_from(found.took.as_millis()).unwrap_or(u64::MAX),
        "results": results.collect::<Vec<_>>(),
    });
    if wanted.facets {
        told["facets"] = facets(&found.facets);
    }
    Ok(Json(told))
}

fn result(rank: u32, found: FoundPassage) -> Value {
    let FoundPassage { candidate: Candidate { passage, document, hit }, snippet, copies } = found;
    let pieces = snippet.iter().map(|(matches, text)| json!({ "text": text, "match": matches }));
    let also = also_in(&document, &copies).into_iter().map(|copy| {
        json!({
            "document_id": copy.document.id,
            "passage_id": copy.passage.id,
            "title": copy.document.title,
            "label": copy.document.label,
        })
    });
    json!({
        "rank": rank,
        "score": hit.score,
        "bm25": hit.bm25,
        "cosine": hit.cosine,
        "document_id": document.id,
        "collection_id": document.collection,
        "title": document.title,
        "source": document.source,
        "media_type": document.media_type,
        "language": document.language,
        "label": document.label,
        "version": passage.version,
        "passage_id": passage.id,
        "heading": passage.heading_path,
        "page": passage.page,
        "places": passage.places,
        "snippet": pieces.collect::<Vec<_>>(),
        "text": passage.text,
        "hash": passage.hash,
        "also_in": also.collect::<Vec<_>>(),
        "url": format!("/documents/{}?passage={}#p{}", document.id, passage.id, passage.id),
    })
}

fn facets(facets: &Facets) -> Value {
    fn counts<K: ToString>(counted: &BTreeMap<K, u64>) -> Vec<Value> {
        let mut counts: Vec<(String, u64)> = counted.iter().map(|(key, count)| (key.to_string(), *count)).collect();
        counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        counts.into_iter().map(|(value, documents)| json!({ "value": value, "documents": documents })).collect()
    }
    json!({
        "collections": counts(&facets.collections),
        "kinds": counts(&facets.kinds),
        "languages": counts(&facets.languages),
        "years": counts(&facets.years),
    })
}
