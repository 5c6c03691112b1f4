//! Where the server is reached: one socket, encrypted or not, and what requests bring along from it.

use crate::config::Configuration;
use crate::site::{Failure, Site};
use crate::tls::Transport;
use ::audit::{Action, Actor, Event};
use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderValue, header};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use listen::{Connection, Files, Made, NameField, OwnCertificate, Reloading, TlsListener, require_private};
use serde_json::json;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;
use storage::Store;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// A year: from the first visit on, browsers come by TLS alone (RFC 6797).
const STRICT: HeaderValue = HeaderValue::from_static("max-age=31536000");
/// How often the server looks whether its own certificate ends soon.
const LOOK_AFTER: Duration = Duration::from_secs(6 * 3600);

/// The socket, and what is spoken over it.
pub(crate) struct Door {
    listener: TcpListener,
    address: SocketAddr,
    redirect: Option<TcpListener>,
    secure_cookies: bool,
    encrypted: Option<Encrypted>,
    store: Store,
}

struct Encrypted {
    identity: Reloading,
    field: NameField,
    own: Option<OwnCertificate>,
    host: Option<String>,
}

impl Door {
    /// Binds the socket, checks that secrets are secret, and makes a certificate where there is none.
    pub(crate) async fn open(site: &Site, configuration: &Configuration, on_stdin: bool) -> Result<Self, Failure> {
        let keys = site.keys()?;
        secrets_are_secret(&keys, configuration)?;
        let wanted = configuration.listen;
        let listener = match on_stdin {
            true => stdin()?,
            false => listen::bind(wanted).await.map_err(|error| format!("cannot listen on {wanted}: {error}"))?,
        };
        let address = listener.local_addr()?;
        let encrypted = match configuration.tls.transport(address, &keys)? {
            Transport::Plain => None,
            Transport::Encrypted(settings, field) => {
                let own = match &settings.files {
                    Files::Own(own) => Some(own.clone()),
                    Files::Given { .. } => None,
                };
                if let Some(own) = &own {
                    look_after(&site.store, own).await?;
                }
                let host = configuration.tls.names.first().cloned();
                Some(Encrypted { identity: Reloading::load(settings)?, field, own, host })
            }
        };
        let redirect = match configuration.tls.redirect.filter(|_| encrypted.is_some()) {
            Some(plain) => {
                Some(TcpListener::bind(plain).await.map_err(|error| format!("cannot listen on {plain}: {error}"))?)
            }
            None => None,
        };
        let behind_a_proxy = configuration.tls.off.is_some();
        let usual = encrypted.is_some() || behind_a_proxy || !address.ip().is_loopback();
        let secure_cookies = configuration.secure_cookies.unwrap_or(usual);
        Ok(Self { listener, address, redirect, secure_cookies, encrypted, store: site.store.clone() })
    }

    /// Where people find it.
    pub(crate) fn url(&self) -> String {
        let Some(encrypted) = &self.encrypted else { return format!("http://{}", self.address) };
        match &encrypted.host {
            Some(host) if self.address.port() == 443 => format!("https://{host}"),
            Some(host) => format!("https://{host}:{}", self.address.port()),
            None => format!("https://{}", self.address),
        }
    }

    /// SHA-256 of the certificate, if there is one.
    pub(crate) fn fingerprint(&self) -> Option<String> {
        self.encrypted.as_ref().map(|encrypted| encrypted.identity.current().fingerprint)
    }

    /// Whether browsers may send cookies over TLS only.
    pub(crate) const fn secure_cookies(&self) -> bool {
        self.secure_cookies
    }

    /// Serves until `stop`, then lets requests come to their end.
    pub(crate) async fn serve(self, router: Router, stop: CancellationToken) -> std::io::Result<()> {
        let ended = stop.clone().cancelled_owned();
        let Some(Encrypted { identity, field, own, .. }) = self.encrypted else {
            let service = router.into_make_service_with_connect_info::<SocketAddr>();
            return axum::serve(self.listener, service).with_graceful_shutdown(ended).await;
        };
        if let Some(plain) = self.redirect {
            let stop = stop.clone().cancelled_owned();
            let service = listen::redirect(self.address.port());
            tokio::spawn(async move { axum::serve(plain, service).with_graceful_shutdown(stop).await });
        }
        if let Some(own) = own {
            tokio::spawn(keep(self.store, own, stop.clone()));
        }
        tokio::spawn(identity.clone().run(stop));
        let router = router.layer(from_fn(move |request, next| encrypted(field, request, next)));
        let service = router.into_make_service_with_connect_info::<Connection>();
        let listener = TlsListener::new(self.listener, identity)?;
        axum::serve(listener, service).with_graceful_shutdown(ended).await
    }
}

/// The listening socket that standard input is (systemd's `StandardInput=socket`).
pub(crate) fn stdin() -> Result<TcpListener, Failure> {
    let listener = std::net::TcpListener::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    let unfit = |error| format!("standard input is no listening socket: {error}");
    listener.set_nonblocking(true).and_then(|()| listener.local_addr()).map_err(unfit)?;
    Ok(TcpListener::from_std(listener)?)
}

/// Tells the routes who is on the other end, and browsers to come by TLS alone.
async fn encrypted(field: NameField, mut request: Request, next: Next) -> Response {
    if let Some(ConnectInfo(connection)) = request.extensions_mut().remove::<ConnectInfo<Connection>>() {
        request.extensions_mut().insert(ConnectInfo(connection.address));
        if let Some(shown) = connection.certificate(field) {
            let listen::ClientCertificate { subject, name, fingerprint } = shown;
            request.extensions_mut().insert(identity::PresentedCertificate { subject, name, fingerprint });
        }
    }
    let mut response = next.run(request).await;
    response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, STRICT);
    response
}

/// No key of the site may be readable by others.
fn secrets_are_secret(keys: &Path, configuration: &Configuration) -> Result<(), Failure> {
    for entry in std::fs::read_dir(keys)? {
        let file = entry?.path();
        if file.extension().is_some_and(|kind| kind == "pem" || kind == "key") && !is_certificate(&file) {
            require_private(&file)?;
        }
    }
    let configured = [&configuration.tls.key, &configuration.generate.remote.key_file];
    for file in configured.into_iter().flatten() {
        require_private(file)?;
    }
    Ok(())
}

/// The one file among the keys that is for everybody.
fn is_certificate(file: &Path) -> bool {
    file.file_name().is_some_and(|name| name == "tls.pem")
}

/// Makes the certificate if it is needed, with its audit event.
async fn look_after(store: &Store, own: &OwnCertificate) -> Result<(), Failure> {
    let Some(Made { fingerprint, names, reason }) = own.ensure(store.environment())? else { return Ok(()) };
    tracing::warn!(%fingerprint, reason, "a certificate was made");
    let mut act = store.begin().await?;
    let operation = domain::OperationId::new(store.environment());
    let detail = json!({ "fingerprint": fingerprint, "names": names, "reason": reason });
    act.record(Event::new(Action::CertificateMade, &Actor::system(), operation).detail(detail)).await?;
    act.commit().await?;
    Ok(())
}

async fn keep(store: Store, own: OwnCertificate, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK_AFTER) => {}
        }
        if let Err(error) = look_after(&store, &own).await.map_err(|error| error.to_string()) {
            tracing::error!(%error, "the certificate could not be looked after");
        }
    }
}
