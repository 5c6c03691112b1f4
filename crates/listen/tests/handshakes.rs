//! Real handshakes with a real listener: certificates of the server's own and of people, lists of revoked ones,
//! reloading, and those who come without TLS.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get;
use domain::Environment;
use listen::{ClientCertificates, Connection, Files, NameField, OwnCertificate, Reloading, TlsListener, TlsSettings};
use rcgen::{
    CertificateParams, CertificateRevocationListParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod,
    KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber, date_time_ymd,
};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion, crypto::ring};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// A certificate of a person: what a browser has in its store.
struct Card {
    chain: Vec<CertificateDer<'static>>,
    key: KeyPair,
}

/// An authority that issues cards.
struct Authority {
    parameters: CertificateParams,
    key: KeyPair,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Self { parameters, key: KeyPair::generate().unwrap() }
    }

    fn issuer(&self) -> Issuer<'_, &KeyPair> {
        Issuer::from_params(&self.parameters, &self.key)
    }

    fn write(&self, file: &Path) {
        std::fs::write(file, self.parameters.self_signed(&self.key).unwrap().pem()).unwrap();
    }

    fn card(&self, name: &str, serial: u8) -> Card {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = rcgen::DistinguishedName::new();
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.serial_number = Some(SerialNumber::from_slice(&[serial]));
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        let made = parameters.signed_by(&key, &self.issuer()).unwrap();
        Card { chain: vec![made.der().clone()], key }
    }

    /// The list of what it revoked, valid until the end of `year`.
    fn revoke(&self, serials: &[u8], year: i32, file: &Path) {
        let revoked = |serial: &u8| RevokedCertParams {
            serial_number: SerialNumber::from_slice(&[*serial]),
            revocation_time: date_time_ymd(2026, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2020, 1, 1),
            next_update: date_time_ymd(year, 12, 31),
            crl_number: SerialNumber::from_slice(&[1]),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        std::fs::write(file, list.signed_by(&self.issuer()).unwrap().pem().unwrap()).unwrap();
    }
}

/// A server that tells everybody their certificate's name.
struct Server {
    address: SocketAddr,
    identity: Reloading,
    folder: tempfile::TempDir,
}

impl Server {
    async fn start(folder: tempfile::TempDir, clients: Option<ClientCertificates>) -> Self {
        let own = OwnCertificate { folder: folder.path().to_owned(), names: vec!["localhost".to_owned()] };
        own.ensure(&Environment::system()).unwrap();
        let identity = Reloading::load(TlsSettings { files: Files::Own(own), clients }).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let listener = TlsListener::new(listener, identity.clone()).unwrap();
        let router = Router::new().route(
            "/",
            get(|ConnectInfo(connection): ConnectInfo<Connection>| async move {
                assert!(connection.address.ip().is_loopback());
                let shown = connection.certificate(NameField::CommonName);
                shown.and_then(|shown| shown.name).unwrap_or_else(|| "nobody".to_owned())
            }),
        );
        let service = router.into_make_service_with_connect_info::<Connection>();
        tokio::spawn(async move { axum::serve(listener, service).await });
        Self { address, identity, folder }
    }

    /// What the server says to somebody with this card, or why there was no connection.
    async fn says(&self, card: Option<&Card>) -> Result<String, String> {
        self.says_over(&TLS13, card).await
    }

    async fn says_over(
        &self,
        version: &'static SupportedProtocolVersion,
        card: Option<&Card>,
    ) -> Result<String, String> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.folder.path().join("tls.pem")).unwrap()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots);
        let config = match card {
            Some(card) => {
                let key = PrivateKeyDer::Pkcs8(card.key.serialize_der().into());
                builder.with_client_auth_cert(card.chain.clone(), key).unwrap()
            }
            None => builder.with_no_client_auth(),
        };
        let stream = TcpStream::connect(self.address).await.unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = connector.connect(name, stream).await.map_err(|error| error.to_string())?;
        // With TLS 1.3 a refused certificate shows at the first read.
        stream.write_all(REQUEST).await.map_err(|error| error.to_string())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.map_err(|error| error.to_string())?;
        Ok(answer.rsplit("\r\n").next().unwrap_or_default().to_owned())
    }
}

fn clients(folder: &Path, revoked: bool, required: bool) -> ClientCertificates {
    ClientCertificates {
        authorities: folder.join("ca.pem"),
        revoked: revoked.then(|| folder.join("crl.pem")),
        required,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_versions_are_spoken_and_plain_http_is_told_so() {
    let server = Server::start(tempfile::tempdir().unwrap(), None).await;
    assert_eq!(server.says(None).await.as_deref(), Ok("nobody"));
    assert_eq!(server.says_over(&TLS12, None).await.as_deref(), Ok("nobody"));

    let mut plain = TcpStream::connect(server.address).await.unwrap();
    plain.write_all(REQUEST).await.unwrap();
    let mut answer = String::new();
    plain.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400") && answer.ends_with("begin with https://\n"), "{answer}");

    // A client of 1999: the record says TLS 1.0, and so does the hello inside. An alert (21) comes back, no hello.
    let mut old = TcpStream::connect(server.address).await.unwrap();
    let mut hello = vec![22, 3, 1, 0, 45, 1, 0, 0, 41, 3, 1];
    hello.extend([7; 32]);
    hello.extend([0, 0, 2, 0, 47, 1, 0]);
    old.write_all(&hello).await.unwrap();
    let mut first = [0; 1];
    old.read_exact(&mut first).await.unwrap();
    assert_eq!(first, [21]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_never_finishes_a_handshake_holds_nobody_up() {
    let server = Server::start(tempfile::tempdir().unwrap(), None).await;
    let mut idle = Vec::new();
    for _ in 0..40 {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(&[22, 3, 1]).await.unwrap();
        idle.push(stream);
    }
    assert_eq!(server.says(None).await.as_deref(), Ok("nobody"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_is_believed_only_from_the_sites_authority() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (Authority::new("Port Elsin"), Authority::new("Port Elsin"));
    ours.write(&folder.path().join("ca.pem"));
    let wanted = clients(folder.path(), false, false);
    let server = Server::start(folder, Some(wanted)).await;
    for version in [&TLS13, &TLS12] {
        let ada = server.says_over(version, Some(&ours.card("ada", 1))).await;
        assert_eq!(ada.as_deref(), Ok("ada"));
        let forged = server.says_over(version, Some(&theirs.card("ada", 1))).await;
        assert!(forged.is_err(), "{forged:?}");
        assert_eq!(server.says_over(version, None).await.as_deref(), Ok("nobody"), "a card is optional here");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_card_nobody_connects_where_one_is_required() {
    let folder = tempfile::tempdir().unwrap();
    let ours = Authority::new("Port Elsin");
    ours.write(&folder.path().join("ca.pem"));
    let wanted = clients(folder.path(), false, true);
    let server = Server::start(folder, Some(wanted)).await;
    assert_eq!(server.says(Some(&ours.card("ada", 1))).await.as_deref(), Ok("ada"));
    assert!(server.says(None).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_card_is_refused_as_soon_as_the_list_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let ours = Authority::new("Port Elsin");
    ours.write(&folder.path().join("ca.pem"));
    let list = folder.path().join("crl.pem");
    ours.revoke(&[9], 2999, &list);
    let wanted = clients(folder.path(), true, false);
    let server = Server::start(folder, Some(wanted)).await;
    let (ada, ben) = (ours.card("ada", 1), ours.card("ben", 2));
    assert_eq!(server.says(Some(&ada)).await.as_deref(), Ok("ada"));
    ours.revoke(&[9, 1], 2999, &list);
    server.identity.reload().unwrap();
    assert!(server.says(Some(&ada)).await.is_err());
    assert_eq!(server.says(Some(&ben)).await.as_deref(), Ok("ben"));
    std::fs::write(&list, "cut short").unwrap();
    assert!(server.identity.reload().is_err());
    assert!(server.says(Some(&ada)).await.is_err(), "the list that was read before still holds");
    ours.revoke(&[9], 2021, &list);
    server.identity.reload().unwrap();
    assert!(server.says(Some(&ben)).await.is_err(), "a list out of date vouches for nobody");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_is_served_and_a_key_of_another_is_refused() {
    let server = Server::start(tempfile::tempdir().unwrap(), None).await;
    let before = server.identity.current().fingerprint;
    let own = OwnCertificate {
        folder: server.folder.path().to_owned(),
        names: vec!["localhost".to_owned(), "desk.example".to_owned()],
    };
    let made = own.ensure(&Environment::system()).unwrap().unwrap();
    server.identity.reload().unwrap();
    assert_ne!(before, made.fingerprint);
    assert_eq!(server.identity.current().fingerprint, made.fingerprint);
    assert_eq!(server.says(None).await.as_deref(), Ok("nobody"), "the client trusts only the new one");

    let key = server.folder.path().join("tls.key");
    std::fs::write(&key, KeyPair::generate().unwrap().serialize_pem()).unwrap();
    assert!(server.identity.reload().unwrap_err().to_string().contains("cannot be used"));
    assert_eq!(server.says(None).await.as_deref(), Ok("nobody"));
}
