//! One question to the provider and its answer: HTTP/1.1, over TLS or, on this machine, without. The one place of signing
//! in with OpenID that connects, and only to the host that the site configured: no redirect, no proxy.

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

/// For the whole question.
const PATIENCE: Duration = Duration::from_secs(10);
/// The largest answer.
const LARGEST: usize = 256 * 1024;

/// A question.
pub(super) struct Question<'a> {
    pub(super) address: &'a Uri,
    /// Fields of a form to send; without any it is a GET.
    pub(super) form: Option<String>,
    /// Name and password, as `Authorization: Basic` has them.
    pub(super) credentials: Option<String>,
}

/// Asks, and gives the body of a good answer.
pub(super) async fn ask(question: Question<'_>, tls: Option<&Arc<ClientConfig>>) -> Result<Vec<u8>, String> {
    let answer = tokio::time::timeout(PATIENCE, connect(question, tls)).await;
    answer.map_err(|_| format!("no answer within {} s", PATIENCE.as_secs()))?
}

async fn connect(question: Question<'_>, tls: Option<&Arc<ClientConfig>>) -> Result<Vec<u8>, String> {
    let authority = question.address.authority().ok_or("its address has no host")?;
    let host = authority.host().trim_matches(['[', ']']).to_owned();
    let secure = question.address.scheme_str() == Some("https");
    let port = authority.port_u16().unwrap_or(if secure { 443 } else { 80 });
    let stream = TcpStream::connect((host.as_str(), port)).await.map_err(|error| error.to_string())?;
    if !secure {
        return over(question, stream).await;
    }
    let tls = tls.ok_or("its address wants TLS, and the issuer's is without")?;
    let name = ServerName::try_from(host).map_err(|error| error.to_string())?;
    let stream = TlsConnector::from(Arc::clone(tls)).connect(name, stream).await.map_err(|error| error.to_string())?;
    over(question, stream).await
}

async fn over(
    question: Question<'_>,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> Result<Vec<u8>, String> {
    let Question { address, form, credentials } = question;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    let driver = tokio::spawn(async move {
        let _ = connection.await;
    });
    let path = address.path_and_query().map_or("/", |path| path.as_str());
    let authority = address.authority().map_or("", |authority| authority.as_str());
    let mut request = Request::builder().uri(path).header(HOST, authority);
    request = request.header(ACCEPT, "application/json").header(CONNECTION, "close");
    if let Some(credentials) = credentials {
        request = request.header(AUTHORIZATION, credentials);
    }
    if form.is_some() {
        request = request.method("POST").header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    }
    let request = request.body(Full::<Bytes>::from(form.unwrap_or_default())).map_err(|error| error.to_string())?;
    let answer = async {
        let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
        if response.status() != StatusCode::OK {
            return Err(format!("it answers with status {}", response.status().as_u16()));
        }
        let body = Limited::new(response.into_body(), LARGEST).collect().await;
        Ok(body.map_err(|error| error.to_string())?.to_bytes().to_vec())
    };
    let answer = answer.await;
    driver.abort();
    answer
}

/// An address that may be asked: with TLS, or on this machine.
pub(super) fn address(text: &str) -> Result<Uri, String> {
    let uri: Uri = text.parse().map_err(|_| format!("'{text}' is no address"))?;
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let here = host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    match uri.scheme_str() {
        Some("https") if !host.is_empty() => Ok(uri),
        Some("http") if here => Ok(uri),
        _ => Err(format!("'{text}' is not an address that begins with https://")),
    }
}
