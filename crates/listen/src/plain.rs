//! What is answered to those who come without TLS.

use axum::Router;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Redirect, Response};

/// Leads every address to the same one over TLS on `port`. Serves nothing itself.
pub fn redirect(port: u16) -> Router {
    Router::new().fallback(move |headers: HeaderMap, uri: Uri| async move { lead(&headers, &uri, port) })
}

fn lead(headers: &HeaderMap, uri: &Uri, port: u16) -> Response {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).map(without_port);
    let Some(host) = host.filter(|host| is_host(host)) else {
        return (StatusCode::BAD_REQUEST, "use https\n").into_response();
    };
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let port = if port == 443 { String::new() } else { format!(":{port}") };
    Redirect::permanent(&format!("https://{host}{port}{path}")).into_response()
}

fn without_port(host: &str) -> &str {
    match host.rfind(':') {
        Some(at) if !host[at..].contains(']') => &host[..at],
        _ => host,
    }
}

/// A name or an address, and nothing that could lead elsewhere.
fn is_host(host: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".-[]:".contains(&byte);
    !host.is_empty() && host.len() < 256 && host.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_is_led_to_the_same_page_over_tls() {
        let led = |host: &'static str, path: &'static str, port| {
            let headers = HeaderMap::from_iter([(header::HOST, host.parse().unwrap())]);
            let response = lead(&headers, &path.parse().unwrap(), port);
            response.headers().get(header::LOCATION).map(|to| to.to_str().unwrap().to_owned())
        };
        assert_eq!(led("desk.example", "/ask?x=1", 443).as_deref(), Some("https://desk.example/ask?x=1"));
        assert_eq!(led("desk.example:80", "/", 8443).as_deref(), Some("https://desk.example:8443/"));
        assert_eq!(led("[::1]:80", "/", 8443).as_deref(), Some("https://[::1]:8443/"));
        assert_eq!(led("evil@desk.example", "/", 443), None);
    }
}
