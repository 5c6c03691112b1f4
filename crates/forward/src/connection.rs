//! The connection to the collector, the only one that this crate opens.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use storage::StorageError;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufWriter};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

/// How long a reset may take to come after the collector's end: many times the way there and back within an enclave.
const AFTER_THE_END: Duration = Duration::from_millis(100);

/// Why the log is not passed on, in words for an admin.
#[derive(Debug, thiserror::Error)]
pub enum ForwardError {
    /// A setting cannot be used.
    #[error("{0}")]
    Setting(String),
    /// The collector is away, or broke off.
    #[error("the collector at {address} cannot be reached or broke off: {source}")]
    Away {
        /// Where it should be.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// It read too slowly, or did not close at the end, which would say that it had read everything.
    #[error("the collector at {address} did not {what} in time")]
    Slow {
        /// Where it is.
        address: String,
        /// What it did not do.
        what: &'static str,
    },
    /// The log could not be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// How the connection is protected.
#[derive(Debug, Clone, Default)]
pub struct Tls {
    /// Certificates (PEM) that may sign the collector's. No other authority is trusted.
    pub authorities: PathBuf,
    /// The name in the collector's certificate; the host of its address if `None`.
    pub name: Option<String>,
    /// Our own certificate chain and key (PEM), if the collector asks for them.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// A collector and how to reach it.
#[derive(Clone)]
pub struct Collector {
    address: String,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl std::fmt::Debug for Collector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Collector({}, tls: {})", self.address, self.tls.is_some())
    }
}

impl Collector {
    /// The collector at `host:port`, over TLS if given.
    ///
    /// # Errors
    /// [`ForwardError::Setting`] says which setting cannot be used.
    pub fn new(address: &str, tls: Option<&Tls>) -> Result<Self, ForwardError> {
        let wrong = || ForwardError::Setting(format!("'{address}' is no address of a collector; write host:port"));
        let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
        if host.is_empty() || !port.parse::<u16>().is_ok_and(|port| port > 0) {
            return Err(wrong());
        }
        let tls = match tls {
            Some(tls) => {
                let name = tls.name.as_deref().unwrap_or(host).trim_matches(['[', ']']).to_owned();
                let unfit = |_| ForwardError::Setting(format!("'{name}' cannot be the name in a certificate"));
                let server = ServerName::try_from(name.clone()).map_err(unfit)?;
                Some((TlsConnector::from(Arc::new(client(tls)?)), server))
            }
            None => None,
        };
        Ok(Self { address: address.to_owned(), tls })
    }

    /// `host:port`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    fn away(&self, source: io::Error) -> ForwardError {
        ForwardError::Away { address: self.address.clone(), source }
    }

    fn slow(&self, what: &'static str) -> ForwardError {
        ForwardError::Slow { address: self.address.clone(), what }
    }
}

/// Settings of our half: ring's cryptography, TLS 1.2 and 1.3, the given authorities and no others.
fn client(tls: &Tls) -> Result<ClientConfig, ForwardError> {
    let unusable = |path: &Path, why: String| ForwardError::Setting(format!("{}: {why}", path.display()));
    let read = |path: &Path| -> Result<Vec<CertificateDer<'static>>, ForwardError> {
        let certificates = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        match certificates {
            Ok(certificates) if !certificates.is_empty() => Ok(certificates),
            Ok(_) => Err(unusable(path, "holds no certificate in PEM form".to_owned())),
            Err(error) => Err(unusable(path, error.to_string())),
        }
    };
    let mut roots = RootCertStore::empty();
    for certificate in read(&tls.authorities)? {
        roots.add(certificate).map_err(|error| unusable(&tls.authorities, error.to_string()))?;
    }
    let setting = |error: rustls::Error| ForwardError::Setting(error.to_string());
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(setting)?
        .with_root_certificates(roots);
    match &tls.identity {
        Some((chain, key)) => {
            let private = PrivateKeyDer::from_pem_file(key).map_err(|error| unusable(key, error.to_string()))?;
            builder.with_client_auth_cert(read(chain)?, private).map_err(setting)
        }
        None => Ok(builder.with_no_client_auth()),
    }
}

/// A connection, with TLS or without.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {
    /// What went wrong below, if anything did: of a reset that no read or write has told of.
    fn error(&self) -> io::Result<Option<io::Error>>;
}

impl Stream for TcpStream {
    fn error(&self) -> io::Result<Option<io::Error>> {
        self.take_error()
    }
}

impl Stream for TlsStream<TcpStream> {
    fn error(&self) -> io::Result<Option<io::Error>> {
        self.get_ref().0.take_error()
    }
}

/// One connection, from its first message to the collector's close.
pub(crate) struct Connection {
    stream: BufWriter<Box<dyn Stream>>,
    collector: Collector,
}

impl Connection {
    pub(crate) async fn open(collector: &Collector, patience: Duration) -> Result<Self, ForwardError> {
        let connect = async {
            let tcp = TcpStream::connect(&collector.address).await?;
            Ok::<Box<dyn Stream>, io::Error>(match &collector.tls {
                Some((connector, name)) => Box::new(connector.connect(name.clone(), tcp).await?),
                None => Box::new(tcp),
            })
        };
        let stream = timeout(patience, connect).await.map_err(|_| collector.slow("answer"))?;
        let stream = stream.map_err(|error| collector.away(error))?;
        Ok(Self { stream: BufWriter::new(stream), collector: collector.clone() })
    }

    /// Sends one message: its length in octets, a space, and itself.
    pub(crate) async fn send(&mut self, message: &[u8], patience: Duration) -> Result<(), ForwardError> {
        let length = format!("{} ", message.len());
        let write = async {
            self.stream.write_all(length.as_bytes()).await?;
            self.stream.write_all(message).await
        };
        let done = timeout(patience, write).await.map_err(|_| self.collector.slow("take messages in"))?;
        done.map_err(|error| self.collector.away(error))
    }

    pub(crate) async fn flush(&mut self, patience: Duration) -> Result<(), ForwardError> {
        let done = timeout(patience, self.stream.flush()).await.map_err(|_| self.collector.slow("take messages in"))?;
        done.map_err(|error| self.collector.away(error))
    }

    /// Says that nothing more comes and waits for the collector's own end of the connection, which comes after it has read
    /// everything. A reset means that it has not; if it had closed before our last messages arrived, the reset comes after its
    /// end, so that is waited for a moment.
    pub(crate) async fn close(mut self, patience: Duration) -> Result<(), ForwardError> {
        let finish = async {
            self.stream.shutdown().await?;
            let mut ignored = [0; 256];
            loop {
                match self.stream.get_mut().read(&mut ignored).await {
                    Ok(0) => break,
                    Ok(_) => {}
                    // Over TLS without a farewell: still the end, and in order.
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
                    Err(error) => return Err(error),
                }
            }
            sleep(AFTER_THE_END).await;
            self.stream.get_ref().error()?.map_or(Ok(()), Err)
        };
        let done = timeout(patience, finish).await.map_err(|_| self.collector.slow("close the connection"))?;
        done.map_err(|error| self.collector.away(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_cannot_be_meant_are_refused_in_words() {
        for address in ["", "collector", "collector:", ":6514", "collector:0", "collector:x", "collector:70000"] {
            let error = Collector::new(address, None).unwrap_err().to_string();
            assert!(error.contains("write host:port"), "{error}");
        }
        assert_eq!(Collector::new("10.0.0.9:601", None).unwrap().address(), "10.0.0.9:601");
        let folder = tempfile::tempdir().unwrap();
        let empty = folder.path().join("ca.pem");
        std::fs::write(&empty, "nothing here").unwrap();
        let tls = Tls { authorities: empty, ..Tls::default() };
        assert!(Collector::new("a:1", Some(&tls)).unwrap_err().to_string().contains("no certificate"));
        let tls = Tls { authorities: folder.path().join("missing.pem"), ..Tls::default() };
        assert!(Collector::new("a:1", Some(&tls)).is_err());
    }
}
