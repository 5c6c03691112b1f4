//! A program with a token, or with none.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use serde_json::Value;
use tower::ServiceExt;

/// One program.
pub struct Program {
    router: Router,
    token: Option<String>,
}

/// What the server answered it.
#[derive(Debug)]
pub struct Told {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as text.
    pub text: String,
}

impl Told {
    /// The body as JSON.
    ///
    /// # Panics
    /// If it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error} in {}", self.text))
    }

    /// The data of the events of a stream that came to its end.
    ///
    /// # Panics
    /// If it did not, or an event is no JSON.
    #[must_use]
    pub fn events(&self) -> Vec<Value> {
        let data: Vec<&str> = self.text.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
        let (last, events) = data.split_last().expect("there are events");
        assert_eq!(*last, "[DONE]", "{}", self.text);
        events.iter().map(|event| serde_json::from_str(event).expect("an event is JSON")).collect()
    }

    /// Itself, if it has this status.
    ///
    /// # Panics
    /// If it has another.
    #[must_use]
    pub fn expect(self, status: StatusCode) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }
}

impl Program {
    pub(crate) fn new(router: Router, token: Option<&str>) -> Self {
        Self { router, token: token.map(str::to_owned) }
    }

    /// Reads an address.
    pub async fn get(&self, address: &str) -> Told {
        self.send(Method::GET, address, &[], String::new()).await
    }

    /// Sends JSON.
    pub async fn post(&self, address: &str, body: &Value) -> Told {
        self.send(Method::POST, address, &[], body.to_string()).await
    }

    /// Asks for something to be deleted.
    pub async fn delete(&self, address: &str) -> Told {
        self.send(Method::DELETE, address, &[], String::new()).await
    }

    /// Sends fields and then files of text as a form.
    pub async fn upload(&self, address: &str, fields: &[(&str, &str)], files: &[(&str, &str)]) -> Told {
        let mut body = String::new();
        for (name, value) in fields {
            body += &format!("--XX\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        }
        for (name, text) in files {
            let head = format!("--XX\r\nContent-Disposition: form-data; name=\"files\"; filename=\"{name}\"");
            body += &format!("{head}\r\n\r\n{text}\r\n");
        }
        body += "--XX--\r\n";
        self.send(Method::POST, address, &[("content-type", "multipart/form-data; boundary=XX")], body).await
    }

    /// Sends whatever it is, with more headers.
    ///
    /// # Panics
    /// If the request cannot be made.
    pub async fn send(&self, method: Method, address: &str, headers: &[(&str, &str)], body: String) -> Told {
        let response = self.open(method, address, headers, body).await;
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = to_bytes(response.into_body(), usize::MAX).await.expect("the body can be read");
        Told { status, headers, text: String::from_utf8_lossy(&bytes).into_owned() }
    }

    /// As [`Program::send`], with the body still to be read.
    ///
    /// # Panics
    /// If the request cannot be made.
    pub async fn open(
        &self,
        method: Method,
        address: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> axum::response::Response {
        let mut request = Request::builder().method(method).uri(address).header(header::HOST, "carrel.test");
        if headers.iter().all(|(name, _)| *name != "content-type") {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body)).expect("the request is well formed");
        self.router.clone().oneshot(request).await.expect("the router always answers")
    }
}
