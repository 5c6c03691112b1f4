//! One connection for one request: HTTP/1.1 over TCP, to the configured host.

use super::address::Address;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// The largest head of a response.
const HEAD_BYTES: usize = 64 * 1024;

/// An open connection. Dropping it closes it.
pub(super) struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    driver: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Connection {
    /// Connects. A name is resolved as this machine resolves names; nothing else is ever looked up.
    pub(super) async fn open(address: &Address) -> Result<Self, String> {
        let stream = TcpStream::connect((address.host.as_str(), address.port)).await.map_err(|error| why(&error))?;
        let _ = stream.set_nodelay(true);
        let mut builder = http1::Builder::new();
        builder.max_buf_size(HEAD_BYTES);
        let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(|error| chain(&error))?;
        let driver = tokio::spawn(async move {
            // Its faults reach the reader of the body, too.
            let _ = connection.await;
        });
        Ok(Self { sender, driver })
    }

    /// Sends the request and waits for the head of the response.
    pub(super) async fn post(
        &mut self,
        address: &Address,
        key: Option<&str>,
        body: Vec<u8>,
    ) -> Result<Response<Incoming>, String> {
        let mut request = Request::post(address.path.as_str())
            .header(HOST, address.authority.as_str())
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "text/event-stream")
            .header(CONNECTION, "close");
        if let Some(key) = key {
            request = request.header(AUTHORIZATION, format!("Bearer {key}"));
        }
        let request = request.body(Full::from(body)).map_err(|error| error.to_string())?;
        self.sender.send_request(request).await.map_err(|error| chain(&error))
    }
}

/// The operating system's word for a fault, without its number.
fn why(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::ConnectionRefused => "the connection was refused".to_owned(),
        _ => error.to_string(),
    }
}

/// A fault with what caused it.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
