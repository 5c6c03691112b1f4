//! What stands around every route: an operation id, headers that keep browsers strict, the same-origin rule for
//! posts, and the rendering of errors.

use crate::app::App;
use crate::error::{Problem, WebError, retry_after};
use crate::names;
use crate::routes::{api, openai};
use crate::session::theme_of;
use crate::views::{Chrome, ErrorPage, Nav};
use askama::Template;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum_extra::extract::CookieJar;
use domain::OperationId;
use serde_json::json;

const HEADERS: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; object-src 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), microphone=(), geolocation=()"),
];

/// Who reads an error.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ErrorsFor {
    Person,
    Program,
    OpenAi,
}

pub(crate) async fn guard(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let operation = OperationId::new(app.store.environment());
    request.extensions_mut().insert(operation);
    let path = request.uri().path();
    let for_openai = openai::is_ours(path);
    let for_program = api::is_ours(path);
    let reader = if for_openai {
        ErrorsFor::OpenAi
    } else if for_program || wants_json(request.headers()) {
        ErrorsFor::Program
    } else {
        ErrorsFor::Person
    };
    let jar = CookieJar::from_headers(request.headers());
    let cacheable = request.uri().path().starts_with("/static/");
    // No cookie counts under /v1 and /api/v1, so no page elsewhere can borrow someone's rights there: only a token gives any.
    let answer = if !for_openai && !for_program && foreign(request.method(), request.headers()) {
        WebError::Forged.into_response()
    } else {
        names::with(app.site.names.get(), next.run(request)).await
    };
    let problem = answer.extensions().get::<Problem>().cloned();
    let mut response = match &problem {
        Some(problem) => render(&app, answer, problem, operation, &jar, reader),
        None => answer,
    };
    let headers = response.headers_mut();
    if let Some(wait) = problem.as_ref().and_then(|problem| problem.retry_after) {
        headers.insert(header::RETRY_AFTER, retry_after(wait));
    }
    if for_program && problem.as_ref().is_some_and(|problem| problem.code == WebError::Token.code().1) {
        // RFC 6750, section 3.
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if !cacheable {
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    }
    if let Ok(value) = HeaderValue::from_str(&operation.to_string()) {
        if for_openai {
            // By this name OpenAI's clients know it.
            headers.insert("x-request-id", value.clone());
        }
        headers.insert("x-operation-id", value);
    }
    response
}

/// Whether a changing request comes from another site's page (Fetch Metadata, or else the Origin header).
fn foreign(method: &Method, headers: &HeaderMap) -> bool {
    if [Method::GET, Method::HEAD, Method::OPTIONS].contains(method) {
        return false;
    }
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return !matches!(site, "same-origin" | "none");
    }
    match (text("origin"), text("host")) {
        (Some(origin), Some(host)) => origin.split_once("://").is_none_or(|(_, from)| from != host),
        _ => false,
    }
}

fn wants_json(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|accept| accept.contains("application/json") && !accept.contains("text/html"))
}

fn render(
    app: &App,
    answer: Response,
    problem: &Problem,
    operation: OperationId,
    jar: &CookieJar,
    reader: ErrorsFor,
) -> Response {
    let (parts, _) = answer.into_parts();
    if parts.status.is_server_error() {
        tracing::error!(operation = %operation, status = parts.status.as_u16(), "answered with an error");
    }
    if reader == ErrorsFor::OpenAi {
        return openai::render_problem(parts.status, problem);
    }
    if reader == ErrorsFor::Program {
        let error = json!({ "code": problem.code, "message": problem.sentence, "operation_id": operation });
        return (parts.status, axum::Json(json!({ "error": error }))).into_response();
    }
    let mut sentence = problem.sentence.clone();
    if let Some(first) = sentence.get(..1) {
        sentence.replace_range(..1, &first.to_uppercase());
    }
    let page = ErrorPage {
        chrome: Chrome {
            title: parts.status.canonical_reason().unwrap_or("Error").to_owned(),
            organisation: app.site.organisation(),
            active: Nav::None,
            person: None,
            csrf: String::new(),
            banner: None,
            flash: None,
            theme: theme_of(jar),
            asking: app.site.answers,
        },
        status: parts.status.as_u16(),
        sentence: format!("{sentence}."),
        operation: Some(operation.to_string()),
    };
    match page.render() {
        Ok(html) => (parts.status, axum::response::Html(html)).into_response(),
        Err(_) => (parts.status, sentence).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_post_from_another_site_is_foreign() {
        let headers = |pairs: &[(&'static str, &'static str)]| -> HeaderMap {
            pairs.iter().map(|(k, v)| (HeaderName::from_static(k), HeaderValue::from_static(v))).collect()
        };
        assert!(foreign(&Method::POST, &headers(&[("sec-fetch-site", "cross-site")])));
        assert!(foreign(&Method::POST, &headers(&[("origin", "http://evil.example"), ("host", "carrel.site")])));
        assert!(!foreign(&Method::POST, &headers(&[("origin", "https://carrel.site"), ("host", "carrel.site")])));
        assert!(!foreign(&Method::POST, &headers(&[("sec-fetch-site", "same-origin")])));
        assert!(!foreign(&Method::GET, &headers(&[("sec-fetch-site", "cross-site")])));
    }
}
