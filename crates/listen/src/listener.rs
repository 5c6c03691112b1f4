//! Accepts connections and shakes hands, many at a time and each within a limit of time, so that nobody who is slow
//! holds up the others.

use crate::client::{ClientCertificate, NameField};
use crate::watch::Reloading;
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// A connection before its handshake.
type Plain = <TcpListener as Listener>::Io;

/// How long a handshake may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Handshakes at a time; further connections wait in the kernel.
const HANDSHAKES: usize = 256;
/// The first byte of every TLS connection: a record of the handshake (RFC 8446, section 5.1).
const HANDSHAKE: u8 = 22;
const SPEAK_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 42\r\nConnection: close\r\n\r\nthis port speaks TLS: begin with https://\n";

/// A listener whose connections are encrypted.
pub struct TlsListener {
    ready: mpsc::Receiver<(TlsStream<Plain>, SocketAddr)>,
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl TlsListener {
    /// Shakes hands with everybody who connects to `listener`.
    ///
    /// # Errors
    /// If the listener is none any more.
    pub fn new(listener: TcpListener, identity: Reloading) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (sender, ready) = mpsc::channel(16);
        let accepting = tokio::spawn(accept(listener, identity, sender));
        Ok(Self { ready, address, accepting })
    }
}

impl Drop for TlsListener {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<Plain>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.ready.recv().await {
            Some(connection) => connection,
            // Nobody accepts any more: only possible while the process ends.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Ok(self.address)
    }
}

async fn accept(mut listener: TcpListener, identity: Reloading, ready: mpsc::Sender<(TlsStream<Plain>, SocketAddr)>) {
    let room = Arc::new(Semaphore::new(HANDSHAKES));
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        // Axum's accept waits and goes on when the process is out of file descriptors.
        let (stream, address) = Listener::accept(&mut listener).await;
        let (identity, ready) = (identity.current(), ready.clone());
        tokio::spawn(async move {
            let _permit = permit;
            let shaken = timeout(PATIENCE, shake_hands(stream, TlsAcceptor::from(identity.config))).await;
            match shaken {
                Ok(Ok(stream)) => {
                    let _ = ready.send((stream, address)).await;
                }
                Ok(Err(error)) => tracing::debug!(%address, %error, "no handshake"),
                Err(_) => tracing::debug!(%address, "a handshake took too long"),
            }
        });
    }
}

async fn shake_hands(mut stream: Plain, acceptor: TlsAcceptor) -> io::Result<TlsStream<Plain>> {
    let _ = stream.set_nodelay(true);
    let mut first = [0];
    if stream.peek(&mut first).await? == 1 && first[0].is_ascii_alphabetic() && first[0] != HANDSHAKE {
        stream.write_all(SPEAK_TLS).await?;
        stream.shutdown().await?;
        // What was sent has to be read, or the answer is lost in a reset (RFC 9112, section 9.6).
        tokio::io::copy(&mut stream.take(8192), &mut tokio::io::sink()).await?;
        return Err(io::Error::other("spoke plain HTTP"));
    }
    acceptor.accept(stream).await
}

/// Who is on the other end of an encrypted connection.
#[derive(Debug, Clone)]
pub struct Connection {
    /// The other end's address.
    pub address: SocketAddr,
    certificate: Option<Arc<[u8]>>,
}

impl Connection {
    /// The certificate that the person showed, if one was wanted and shown.
    #[must_use]
    pub fn certificate(&self, field: NameField) -> Option<ClientCertificate> {
        self.certificate.as_deref().map(|der| ClientCertificate::read(der, field))
    }
}

impl Connected<IncomingStream<'_, TlsListener>> for Connection {
    fn connect_info(stream: IncomingStream<'_, TlsListener>) -> Self {
        let (_, session) = stream.io().get_ref();
        let shown = session.peer_certificates().and_then(<[_]>::first);
        Self { address: *stream.remote_addr(), certificate: shown.map(|leaf| Arc::from(leaf.as_ref())) }
    }
}
