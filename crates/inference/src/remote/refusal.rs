//! What a response that is no answer means, in a sentence.

use crate::ModelError;
use hyper::StatusCode;
use hyper::header::{HeaderMap, RETRY_AFTER};
use serde_json::Value;
use std::time::Duration;

/// Longest part of a foreign message that is passed on.
const SENTENCE: usize = 200;
/// Longest time that a foreign server may ask to wait.
const LONGEST_WAIT: u64 = 3600;

/// Whether the engine is there but has failed; other refusals are about the request.
pub(super) fn is_failure(status: StatusCode) -> bool {
    status.is_server_error() && status != StatusCode::SERVICE_UNAVAILABLE
}

/// A response with a status other than 200.
pub(super) fn refused(address: &str, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> ModelError {
    let said = serde_json::from_slice(body).map(|body: Value| sentence(body.get("error").unwrap_or(&body)));
    let said = said.unwrap_or_else(|_| tidy(&String::from_utf8_lossy(body)));
    let quoted = if said.is_empty() { String::new() } else { format!(" ('{said}')") };
    let reason = match status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            let seconds = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
            let retry_after = Duration::from_secs(seconds.unwrap_or(5).clamp(1, LONGEST_WAIT));
            return ModelError::Overloaded { waiting: 0, retry_after };
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            format!("it does not accept the key{quoted}; check the file that key_file names")
        }
        StatusCode::NOT_FOUND => {
            format!("it knows no such model or path{quoted}; check model and address in the configuration")
        }
        _ if status.is_redirection() => {
            "it sends elsewhere, and redirects are not followed; configure its final address".to_owned()
        }
        _ => format!("status {}{quoted}; see that engine's own log", status.as_u16()),
    };
    ModelError::RemoteRefused { address: address.to_owned(), reason }
}

/// The message of an error object, or the text itself.
pub(super) fn sentence(error: &Value) -> String {
    let message = error.get("message").or_else(|| error.get("detail")).unwrap_or(error);
    tidy(&message.as_str().map_or_else(|| message.to_string(), str::to_owned))
}

/// One line without control characters, cut short.
fn tidy(text: &str) -> String {
    let words: Vec<&str> =
        text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty()).collect();
    words.join(" ").chars().take(SENTENCE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, body: &str) -> ModelError {
        refused("http://engine", StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), body.as_bytes())
    }

    #[test]
    fn each_status_says_what_to_do() {
        for (status, body, words) in [
            (401, r#"{"error":{"message":"bad key","type":"x"}}"#, "key ('bad key'); check the file"),
            (404, r#"{"error":"model 'x' not found"}"#, "('model 'x' not found'); check model"),
            (404, "", "no such model or path; check"),
            (400, r#"{"detail":"too\u0000 long"}"#, "status 400 ('too long')"),
            (302, "", "redirects are not followed"),
            (500, "<html>", "status 500 ('<html>')"),
        ] {
            let error = of(status, body).to_string();
            assert!(error.contains(words) && error.lines().count() == 1, "{error}");
        }
        assert!(of(500, &"x".repeat(100_000)).to_string().len() < 400);
    }

    #[test]
    fn a_busy_engine_is_overload_with_its_own_time() {
        let mut headers = HeaderMap::new();
        let wait = |headers: &HeaderMap| match refused("", StatusCode::TOO_MANY_REQUESTS, headers, b"") {
            ModelError::Overloaded { retry_after, .. } => retry_after.as_secs(),
            other => panic!("{other}"),
        };
        assert_eq!(wait(&headers), 5);
        for (value, seconds) in [("12", 12), ("soon", 5), ("99999999", LONGEST_WAIT), ("0", 1)] {
            headers.insert(RETRY_AFTER, value.parse().unwrap());
            assert_eq!(wait(&headers), seconds);
        }
        assert!(!is_failure(StatusCode::SERVICE_UNAVAILABLE) && is_failure(StatusCode::BAD_GATEWAY));
    }
}
