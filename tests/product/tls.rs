//! The server over TLS, from its first start: as an admin and a browser see it.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use testkit::model_directory;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

fn carrel(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_carrel"));
    command.arg("--data").arg(data).env("CARREL_LOG", "warn");
    command
}

/// A data folder with the small embedding model, and what `carrel serve` is configured with.
struct Place {
    folder: tempfile::TempDir,
}

/// A running server; stopped when it is dropped.
struct Running {
    process: Child,
    /// What it printed at its start.
    said: Vec<String>,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Place {
    fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        let model = model_directory().join("all-minilm-l6-v2");
        let done = carrel(&place.data()).args(["model", "import"]).arg(model).output().unwrap();
        assert!(done.status.success(), "{done:?}");
        place
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn with_ada(self) -> Self {
        let password = self.folder.path().join("password");
        std::fs::write(&password, "quiet herons at noon\n").unwrap();
        let mut create = carrel(&self.data());
        let done = create.args(["user", "create", "ada", "--password-file"]).arg(password).output().unwrap();
        assert!(done.status.success(), "{done:?}");
        self
    }

    fn serve(&self, configuration: &str) -> Command {
        let file = self.folder.path().join("carrel.toml");
        std::fs::write(&file, configuration).unwrap();
        let mut command = carrel(&self.data());
        command.arg("--config").arg(file).arg("serve").stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Starts and reads what it prints until `last` begins a line.
    fn start(&self, configuration: &str, last: &str) -> Running {
        let mut process = self.serve(configuration).spawn().unwrap();
        let out = BufReader::new(process.stdout.take().unwrap());
        let mut said = Vec::new();
        for line in out.lines() {
            said.push(line.unwrap());
            if said.last().is_some_and(|line| line.starts_with(last)) {
                return Running { process, said };
            }
        }
        let error = process.wait_with_output().unwrap();
        panic!("{said:?} {}", String::from_utf8_lossy(&error.stderr));
    }

    /// Why it does not start.
    fn refuses(&self, configuration: &str) -> String {
        let output = self.serve(configuration).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }
}

impl Running {
    fn port(&self) -> u16 {
        let line = self.said.iter().find(|line| line.starts_with("Carrel is at")).unwrap();
        line.rsplit(':').next().unwrap().trim().parse().unwrap()
    }
}

/// Sends a request over TLS and gives back the whole answer.
async fn send(port: u16, roots: &Path, card: Option<(&Path, &Path)>, request: &str) -> Result<String, String> {
    let mut trusted = RootCertStore::empty();
    trusted.add(CertificateDer::from_pem_file(roots).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(trusted);
    let config = match card {
        Some((certificate, key)) => builder
            .with_client_auth_cert(
                vec![CertificateDer::from_pem_file(certificate).unwrap()],
                PrivateKeyDer::from_pem_file(key).unwrap(),
            )
            .unwrap(),
        None => builder.with_no_client_auth(),
    };
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let name = ServerName::try_from("desk.example").unwrap();
    let said = |error: std::io::Error| error.to_string();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(said)?;
    stream.write_all(request.as_bytes()).await.map_err(said)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.map_err(said)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn get(path: &str, cookie: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: desk.example\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n")
}

#[test]
fn the_setup_code_lies_in_a_file_until_somebody_has_an_account() {
    let place = Place::new();
    let running = place.start("listen = \"127.0.0.1:0\"", "Nobody has an account yet");
    let told = running.said.last().unwrap().rsplit(' ').next().unwrap().to_owned();
    let file = place.data().join("setup-code");
    // The file is there from the start of the server on, give or take a moment.
    let until = |wanted: &dyn Fn() -> bool| {
        for _ in 0..600 {
            if wanted() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        panic!("{:?}", std::fs::read_to_string(&file));
    };
    until(&|| std::fs::read_to_string(&file).is_ok_and(|text| text.trim() == told));
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let _place = place.with_ada();
    until(&|| !file.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_address_is_encrypted_from_the_first_start() {
    let place = Place::new().with_ada();
    let open = "listen = \"0.0.0.0:0\"\n[tls]\nnames = [\"desk.example\"]\n";
    let running = place.start(open, "SHA-256");
    assert!(running.said[0].starts_with("Carrel is at https://desk.example:"), "{:?}", running.said);
    let printed = running.said.last().unwrap().rsplit(' ').next().unwrap().to_owned();
    let told = carrel(&place.data()).args(["tls", "fingerprint"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&told.stdout).trim(), printed);
    let keys = place.data().join("keys");
    assert_eq!(std::fs::metadata(keys.join("tls.key")).unwrap().permissions().mode() & 0o777, 0o600);

    let page = send(running.port(), &keys.join("tls.pem"), None, &get("/sign-in", "")).await.unwrap();
    let page = page.to_ascii_lowercase();
    assert!(page.starts_with("http/1.1 200"), "{page}");
    assert!(page.contains("strict-transport-security: max-age=31536000"), "{page}");
    let cookie = page.lines().find(|line| line.starts_with("set-cookie")).unwrap();
    assert!(cookie.contains("; secure") && cookie.contains("; httponly"), "{cookie}");
    drop(running);

    let second = place.start(open, "SHA-256");
    assert!(second.said.last().unwrap().ends_with(&printed), "the certificate stays");
    drop(second);
    std::fs::set_permissions(keys.join("tls.key"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let sentence = place.refuses(open);
    assert!(sentence.contains("tls.key can be read or changed by others (mode 644)"), "{sentence}");
}

#[tokio::test(flavor = "multi_thread")]
async fn loopback_and_a_proxy_are_plain_and_said_to_be() {
    let place = Place::new().with_ada();
    let plain = place.start("listen = \"127.0.0.1:0\"", "Carrel is at");
    assert!(plain.said[0].starts_with("Carrel is at http://127.0.0.1:"), "{:?}", plain.said);
    assert!(!place.data().join("keys/tls.key").exists(), "no key that nobody asked for");
    drop(plain);
    let behind = place.start("listen = \"0.0.0.0:0\"\n[tls]\noff = \"behind a proxy\"\n", "Carrel is at");
    let mut stream = TcpStream::connect(("127.0.0.1", behind.port())).await.unwrap();
    stream.write_all(get("/sign-in", "").as_bytes()).await.unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).await.unwrap();
    assert!(page.contains("; Secure"), "the proxy speaks TLS: {page}");
    drop(behind);
    let sentence = place.refuses("[tls]\nclient_required = true\n");
    assert!(sentence.contains("without tls.client_ca"), "{sentence}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_with_a_card() {
    let place = Place::new().with_ada();
    let folder = place.folder.path().to_owned();
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    std::fs::write(folder.join("ca.pem"), authority.self_signed(&authority_key).unwrap().pem()).unwrap();
    for name in ["ada", "mallory"] {
        let mut card = CertificateParams::default();
        card.distinguished_name = DistinguishedName::new();
        card.distinguished_name.push(DnType::CommonName, name);
        card.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        let made = card.signed_by(&key, &Issuer::from_params(&authority, &authority_key)).unwrap();
        std::fs::write(folder.join(format!("{name}.pem")), made.pem()).unwrap();
        std::fs::write(folder.join(format!("{name}.key")), key.serialize_pem()).unwrap();
    }
    let ca = folder.join("ca.pem");
    let configuration =
        format!("listen = \"127.0.0.1:0\"\n[tls]\nnames = [\"desk.example\"]\nclient_ca = \"{}\"\n", ca.display());
    let running = place.start(&configuration, "SHA-256");
    let (port, roots) = (running.port(), place.data().join("keys/tls.pem"));
    let card = |name: &str| (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key")));

    let without = send(port, &roots, None, &get("/sign-in/certificate", "")).await.unwrap();
    assert!(without.starts_with("HTTP/1.1 404"), "{without}");
    let without = send(port, &roots, None, &get("/sign-in", "")).await.unwrap();
    assert!(!without.contains("your certificate"), "nothing is offered that does not work");

    for (name, status) in [("ada", "303"), ("mallory", "401")] {
        let (certificate, key) = card(name);
        let shown = Some((certificate.as_path(), key.as_path()));
        let offered = send(port, &roots, shown, &get("/sign-in", "")).await.unwrap();
        assert!(offered.contains("Sign in with your certificate"), "{offered}");
        // A wrong password does not take the offer away.
        let token = offered.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap();
        let body = format!("csrf={token}&name=ada&password=wrong&next=/");
        let wrong = format!(
            "POST /sign-in HTTP/1.1\r\nHost: desk.example\r\nCookie: carrel_form={token}\r\nConnection: close\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let wrong = send(port, &roots, shown, &wrong).await.unwrap();
        assert!(wrong.starts_with("HTTP/1.1 401") && wrong.contains("Sign in with your certificate"), "{wrong}");
        let page = send(port, &roots, shown, &get("/sign-in/certificate?next=/library", "")).await.unwrap();
        assert!(page.contains(&format!("Sign in as {name}")), "{page}");
        let token = page.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap();
        let body = format!("csrf={token}&next=/library");
        let post = |cookie: &str| {
            format!(
                "POST /sign-in/certificate HTTP/1.1\r\nHost: desk.example\r\nCookie: {cookie}\r\nConnection: close\r\n\
                 Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )
        };
        let forged = send(port, &roots, shown, &post("carrel_form=other")).await.unwrap();
        assert!(forged.starts_with("HTTP/1.1 403"), "{forged}");
        let answer = send(port, &roots, shown, &post(&format!("carrel_form={token}"))).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{name}: {answer}");
        if name == "ada" {
            let session = answer.split("carrel_session=").nth(1).unwrap().split(';').next().unwrap();
            let account = send(port, &roots, shown, &get("/account", &format!("carrel_session={session}"))).await;
            assert!(account.unwrap().contains("<span>ada</span>"));
        }
    }
    drop(running);
    let log = folder.join("log.jsonl");
    assert!(carrel(&place.data()).args(["audit", "export", "--output"]).arg(&log).status().unwrap().success());
    let log = std::fs::read_to_string(log).unwrap();
    for expected in ["tls.certificate_made", "sign_in.succeeded", "sign_in.failed", "CN=mallory"] {
        assert!(log.contains(expected), "{expected}");
    }
}
