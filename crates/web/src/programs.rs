//! Programs with a person's token, whichever of the two interfaces they speak (`/v1`, `/api/v1`): who they are, how
//! their bodies are read, and what they may narrow a search to.

use crate::app::App;
use crate::error::WebError;
use crate::routes::narrowing::moment;
use crate::session::{Acting, bearer, client, operation};
use audit::Actor;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::IntoResponse;
use domain::{AccessScope, CollectionId, DocumentFilter, Label, OperationId, Principal};
use identity::TokenBearer;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;

/// Most values of one list of a filter, and most fields of the site's own.
const FILTER_VALUES: usize = 200;
const FILTER_FIELDS: usize = 20;

/// The program behind a request. Cookies count for nothing here.
#[derive(Clone)]
pub(crate) struct Program {
    pub(crate) bearer: TokenBearer,
    pub(crate) address: String,
    pub(crate) operation: OperationId,
}

impl Acting for Program {
    fn principal(&self) -> &Principal {
        &self.bearer.principal
    }

    fn actor(&self) -> Actor {
        self.bearer.actor(&self.address)
    }

    fn operation(&self) -> OperationId {
        self.operation
    }
}

impl Program {
    /// Who calls; `None` without a token, or with one that is not good, which is recorded.
    pub(crate) async fn of(parts: &Parts, app: &App) -> Result<Option<Self>, WebError> {
        let (address, operation) = (client(parts).address, operation(parts, app));
        let Some(secret) = bearer(&parts.headers) else { return Ok(None) };
        let bearer = app.identity.authenticate_token(secret, &address, operation).await?;
        Ok(bearer.map(|bearer| Self { bearer, address, operation }))
    }
}

/// `scope` within the collections that are named, by name or id.
///
/// # Errors
/// `NoCollection` for one that is not there; one that may not be read answers alike.
pub(crate) async fn within(app: &App, scope: AccessScope, names: &[String]) -> Result<AccessScope, WebError> {
    let readable: Vec<CollectionId> = scope.collections().collect();
    let mut known = app.store.collections().await?;
    known.retain(|collection| readable.contains(&collection.id));
    let mut chosen = Vec::new();
    for name in names {
        let found = known.iter().find(|known| known.name == *name || known.id.to_string() == *name);
        chosen.push(found.ok_or_else(|| WebError::NoCollection(name.clone()))?.id);
    }
    Ok(scope.narrowed_to(&chosen))
}

/// What a program narrows a search or a question to: the filter of the search page, in JSON. An unknown field is an
/// error, since leaving it out would find more than was meant.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Filter {
    /// By name or id; without it all that may be read.
    pub(crate) collections: Option<Vec<String>>,
    /// Media types; `image/*` stands for all of a kind.
    kinds: Vec<String>,
    /// ISO 639-1 codes.
    languages: Vec<String>,
    labels: Vec<Label>,
    /// A part of the author's name.
    author: Option<String>,
    /// A part of the title.
    title: Option<String>,
    /// The beginning of a path.
    path: Option<String>,
    /// A day or a moment: dated then or later.
    since: Option<String>,
    /// A day, itself included, or a moment: dated before.
    until: Option<String>,
    /// Fields of the site's own.
    fields: BTreeMap<String, String>,
}

impl Filter {
    /// As searches take it.
    pub(crate) fn documents(&self) -> Result<DocumentFilter, WebError> {
        let lists = [self.kinds.len(), self.languages.len(), self.labels.len()];
        if lists.into_iter().any(|length| length > FILTER_VALUES) || self.fields.len() > FILTER_FIELDS {
            let most = format!("a filter has at most {FILTER_VALUES} values in a list and {FILTER_FIELDS} fields");
            return Err(WebError::Invalid(most));
        }
        let text = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let lower = |(name, value): (&String, &String)| (name.trim().to_lowercase(), value.trim().to_owned());
        Ok(DocumentFilter {
            languages: self.languages.clone(),
            media_types: self.kinds.clone(),
            labels: self.labels.clone(),
            author: text(&self.author),
            title: text(&self.title),
            path: text(&self.path),
            since: self.since.as_deref().map(|since| moment(since, 0)).transpose()?,
            before: self.until.as_deref().map(|until| moment(until, 1)).transpose()?,
            fields: self.fields.iter().map(lower).collect(),
        })
    }

    /// `scope` within the collections of the filter.
    pub(crate) async fn scope(&self, app: &App, scope: AccessScope) -> Result<AccessScope, WebError> {
        match &self.collections {
            Some(names) => within(app, scope, names).await,
            None => Ok(scope),
        }
    }
}

/// What is wrong with a body.
#[derive(Debug)]
pub(crate) enum BodyFault {
    /// Larger than its route takes.
    TooLarge,
    /// The field it is about, empty for none, and a sentence that names it.
    Field(String, String),
}

impl From<BodyFault> for WebError {
    fn from(fault: BodyFault) -> Self {
        match fault {
            BodyFault::TooLarge => Self::TooLarge("the request is too large".to_owned()),
            BodyFault::Field(_, sentence) => Self::Invalid(sentence),
        }
    }
}

/// Reads a JSON body; a fault names the field it is about.
pub(crate) fn read_json<T: DeserializeOwned>(body: Result<Bytes, BytesRejection>) -> Result<T, BodyFault> {
    let fault = |field: &str, sentence: String| BodyFault::Field(field.to_owned(), sentence);
    let body = body.map_err(|rejection| match rejection.into_response().status() {
        StatusCode::PAYLOAD_TOO_LARGE => BodyFault::TooLarge,
        _ => fault("", "the request could not be read".to_owned()),
    })?;
    let mut reader = serde_json::Deserializer::from_slice(&body);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let reason = error.inner().to_string();
        // The position in the text helps nobody who did not write it by hand.
        let reason = reason.split(" at line ").next().unwrap_or_default();
        match path.as_str() {
            _ if !error.inner().is_data() => fault("", format!("the request is no JSON: {reason}")),
            "." => fault(missing(reason).unwrap_or(""), reason.to_owned()),
            path => fault(path, format!("{path}: {reason}")),
        }
    })?;
    reader.end().map_err(|_| fault("", "something follows the request's JSON".to_owned()))?;
    Ok(value)
}

/// The field that a message about a missing one names.
fn missing(reason: &str) -> Option<&str> {
    reason.strip_prefix("missing field `")?.split('`').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(text: &str) -> Result<DocumentFilter, String> {
        let read: Result<Filter, BodyFault> = read_json(Ok(Bytes::from(text.to_owned())));
        let read = read.map_err(|fault| WebError::from(fault).to_string())?;
        read.documents().map_err(|error| error.to_string())
    }

    #[test]
    fn a_filter_in_json_is_the_one_of_the_search_page() {
        assert!(filter("{}").unwrap().is_empty());
        let text = r#"{"kinds":["application/pdf"],"languages":["de"],"labels":["public"],"author":"Ada","path":"",
            "since":"2026-01-01","until":"2026-01-01","fields":{"Case Number":" 12 "}}"#;
        let read = filter(text).unwrap();
        assert_eq!((read.media_types.len(), read.labels.as_slice()), (1, &[Label::Public][..]));
        assert_eq!((read.author.as_deref(), read.path), (Some("Ada"), None));
        assert_eq!(read.fields["case number"], "12");
        assert!(read.before.unwrap().duration_since(read.since.unwrap()).as_hours() >= 23, "the last day is inside");
        let exact = filter(r#"{"since":"2026-01-01T10:00:00Z"}"#).unwrap();
        assert_eq!(exact.since.unwrap().to_string(), "2026-01-01T10:00:00Z");
    }

    #[test]
    fn what_would_find_more_than_was_meant_is_refused() {
        assert!(filter(r#"{"kind":["application/pdf"]}"#).unwrap_err().contains("kind"));
        assert!(filter(r#"{"labels":["top secret"]}"#).unwrap_err().starts_with("labels[0]"));
        assert!(filter(r#"{"since":"last week"}"#).unwrap_err().contains("last week"));
        let many = serde_json::json!({ "languages": vec!["de"; FILTER_VALUES + 1] });
        assert!(filter(&many.to_string()).unwrap_err().contains("at most"));
    }
}
