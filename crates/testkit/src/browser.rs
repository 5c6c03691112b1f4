//! A person at a browser without script: cookies, links and forms.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, StatusCode, header};
use std::collections::BTreeMap;
use tower::ServiceExt;

/// One browser with its own cookies.
pub struct Browser {
    router: Router,
    cookies: BTreeMap<String, String>,
    /// The tag of a file that it has already, sent with the next request (`If-None-Match`).
    pub has: Option<String>,
}

/// What the server answered.
#[derive(Debug)]
pub struct Page {
    /// The status.
    pub status: StatusCode,
    /// Where it redirects to, if it does.
    pub location: Option<String>,
    /// The headers, lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: String,
    /// The same, byte by byte.
    pub bytes: Vec<u8>,
}

impl Page {
    /// The anti-forgery token of the page's forms.
    ///
    /// # Panics
    /// If the page has none.
    #[must_use]
    pub fn csrf(&self) -> String {
        let (_, rest) = self.body.split_once("name=\"csrf\" value=\"").expect("the page has a form");
        rest.split_once('"').expect("the value ends").0.to_owned()
    }

    /// The first address in the page that begins so.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn link(&self, beginning: &str) -> String {
        let mark = format!("href=\"{beginning}");
        let at = self.body.find(&mark).unwrap_or_else(|| panic!("no link to {beginning} in {}", self.body));
        let rest = &self.body[at + "href=\"".len()..];
        rest.split_once('"').expect("the address ends").0.replace("&amp;", "&")
    }

    /// The same page if it has this status.
    ///
    /// # Panics
    /// If it has another one.
    pub fn expect(self, status: StatusCode) -> Self {
        assert_eq!(self.status, status, "{}", self.body);
        self
    }
}

impl Browser {
    pub(crate) const fn new(router: Router) -> Self {
        Self { router, cookies: BTreeMap::new(), has: None }
    }

    /// Opens an address; redirects are not followed.
    pub async fn get(&mut self, address: &str) -> Page {
        self.send(Method::GET, address, "text/plain", Vec::new()).await
    }

    /// Opens an address and follows redirects.
    pub async fn visit(&mut self, address: &str) -> Page {
        let mut page = self.get(address).await;
        while let Some(next) = page.location.take() {
            page = self.get(&next).await;
        }
        page
    }

    /// Sends a form as it stands, without adding a token.
    pub async fn post_raw(&mut self, address: &str, fields: &[(&str, &str)]) -> Page {
        let body = serde_urlencoded::to_string(fields).expect("fields can be written");
        self.send(Method::POST, address, "application/x-www-form-urlencoded", body.into_bytes()).await
    }

    /// Sends a form with the token of the account page.
    pub async fn post(&mut self, address: &str, fields: &[(&str, &str)]) -> Page {
        let csrf = self.get("/account").await.csrf();
        let mut all = vec![("csrf", csrf.as_str())];
        all.extend_from_slice(fields);
        self.post_raw(address, &all).await
    }

    /// Uploads a file with the form of a collection.
    pub async fn upload(&mut self, address: &str, label: &str, name: &str, bytes: &[u8]) -> Page {
        self.upload_all(address, &[("label", label)], &[(name, bytes)], "text/html").await
    }

    /// Uploads files with the form of a collection, as a page or as its script, which accepts `application/json`.
    pub async fn upload_all(
        &mut self,
        address: &str,
        fields: &[(&str, &str)],
        files: &[(&str, &[u8])],
        accept: &str,
    ) -> Page {
        let csrf = self.get("/account").await.csrf();
        let mut body = Vec::new();
        for (field, value) in [("csrf", csrf.as_str())].iter().chain(fields) {
            body.extend(format!("--XX\r\nContent-Disposition: form-data; name=\"{field}\"\r\n\r\n{value}\r\n").bytes());
        }
        for (name, bytes) in files {
            let head = format!("--XX\r\nContent-Disposition: form-data; name=\"files\"; filename=\"{name}\"\r\n\r\n");
            body.extend(head.bytes().chain(bytes.iter().copied()).chain(*b"\r\n"));
        }
        body.extend(*b"--XX--\r\n");
        self.send_for(Method::POST, address, "multipart/form-data; boundary=XX", body, accept).await
    }

    /// Signs in; says whether it worked.
    pub async fn sign_in(&mut self, name: &str, password: &str) -> bool {
        let csrf = self.get("/sign-in").await.csrf();
        let fields = [("name", name), ("password", password), ("csrf", csrf.as_str()), ("next", "/ask")];
        self.post_raw("/sign-in", &fields).await.status == StatusCode::SEE_OTHER
    }

    async fn send(&mut self, method: Method, address: &str, kind: &str, body: Vec<u8>) -> Page {
        self.send_for(method, address, kind, body, "text/html").await
    }

    async fn send_for(&mut self, method: Method, address: &str, kind: &str, body: Vec<u8>, accept: &str) -> Page {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let address = address.split('#').next().unwrap_or(address);
        let mut request = Request::builder();
        if let Some(tag) = self.has.take() {
            request = request.header(header::IF_NONE_MATCH, tag);
        }
        let request = request
            .method(method)
            .uri(address)
            .header(header::HOST, "carrel.test")
            .header(header::CONTENT_TYPE, kind)
            .header(header::ACCEPT, accept)
            .header(header::COOKIE, cookies.join("; "))
            .body(Body::from(body))
            .expect("the request is well formed");
        let response = self.router.clone().oneshot(request).await.expect("the router always answers");
        for cookie in response.headers().get_all(header::SET_COOKIE) {
            let cookie = cookie.to_str().expect("cookies are text");
            let (pair, attributes) = cookie.split_once(';').unwrap_or((cookie, ""));
            let (name, value) = pair.split_once('=').expect("a cookie has a value");
            if attributes.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let status = response.status();
        let text = |value: &header::HeaderValue| value.to_str().unwrap_or_default().to_owned();
        let location = response.headers().get(header::LOCATION).map(text);
        let headers = response.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        let bytes = to_bytes(response.into_body(), usize::MAX).await.expect("the body can be read");
        Page { status, location, headers, body: String::from_utf8_lossy(&bytes).into_owned(), bytes: bytes.to_vec() }
    }
}
