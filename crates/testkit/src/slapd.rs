//! A real directory: OpenLDAP's server in a temporary directory, with a certificate of its own.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// Who may read and write everything.
pub const DIRECTORY_ADMIN: &str = "cn=admin,dc=port,dc=test";
/// The password of [`DIRECTORY_ADMIN`], and of everybody else who is loaded with it.
pub const DIRECTORY_PASSWORD: &str = "tide tables of june";

/// The running server; it ends when it is dropped.
pub struct Slapd {
    process: Child,
    folder: TempDir,
    plain: u16,
    tls: u16,
}

impl Slapd {
    /// Starts one that holds these entries (LDIF) below `dc=port,dc=test`; `None` if this machine has no slapd, or none
    /// with the usual schemas.
    ///
    /// # Panics
    /// If it is there and does not start.
    #[must_use]
    pub fn start(ldif: &str) -> Option<Self> {
        Self::start_with(ldif, "")
    }

    /// The same, with a schema of the test's own behind the usual ones.
    ///
    /// # Panics
    /// If it is there and does not start.
    #[must_use]
    pub fn start_with(ldif: &str, schema: &str) -> Option<Self> {
        let program =
            ["/usr/sbin/slapd", "/usr/lib/openldap/slapd"].map(PathBuf::from).into_iter().find(|p| p.exists())?;
        let schemas = Path::new("/etc/ldap/schema");
        if !schemas.join("inetorgperson.schema").exists() {
            return None;
        }
        let folder = tempfile::tempdir().expect("a temporary directory");
        let at = |name: &str| folder.path().join(name);
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).expect("a certificate is made");
        std::fs::write(at("cert.pem"), made.cert.pem()).expect("written");
        std::fs::write(at("key.pem"), made.signing_key.serialize_pem()).expect("written");
        std::fs::write(at("data.ldif"), ldif).expect("written");
        std::fs::write(at("own.schema"), schema).expect("written");
        std::fs::create_dir(at("db")).expect("made");
        let include = ["core", "cosine", "inetorgperson"]
            .map(|name| format!("include {}\n", schemas.join(name).with_extension("schema").display()))
            .concat();
        let here = folder.path().display();
        let configuration = format!(
            "{include}include {here}/own.schema\npidfile {here}/pid\nmodulepath /usr/lib/ldap\nmoduleload back_mdb\n\
             TLSCACertificateFile {here}/cert.pem\nTLSCertificateFile {here}/cert.pem\n\
             TLSCertificateKeyFile {here}/key.pem\n\
             database mdb\nsuffix dc=port,dc=test\nrootdn {DIRECTORY_ADMIN}\nrootpw \"{DIRECTORY_PASSWORD}\"\n\
             directory {here}/db\nmaxsize 10485760\n"
        );
        std::fs::write(at("slapd.conf"), configuration).expect("written");
        let mut load = Command::new(&program);
        load.args(["-T", "add", "-f"]).arg(at("slapd.conf")).arg("-l").arg(at("data.ldif"));
        let loaded = load.output().expect("slapadd runs");
        assert!(loaded.status.success(), "{}", String::from_utf8_lossy(&loaded.stderr));

        let (plain, tls) = (free_port(), free_port());
        let mut serve = Command::new(&program);
        serve.arg("-f").arg(at("slapd.conf")).args(["-d", "0"]);
        serve.args(["-h", &format!("ldap://127.0.0.1:{plain}/ ldaps://127.0.0.1:{tls}/")]);
        let process =
            serve.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
        let server = Self { process, folder, plain, tls };
        for _ in 0..200 {
            if [plain, tls].iter().all(|port| TcpStream::connect((Ipv4Addr::LOCALHOST, *port)).is_ok()) {
                return Some(server);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("slapd does not answer");
    }

    /// `ldaps://127.0.0.1:port`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("ldaps://127.0.0.1:{}", self.tls)
    }

    /// `ldap://127.0.0.1:port`, on which TLS can begin later.
    #[must_use]
    pub fn plain_address(&self) -> String {
        format!("ldap://127.0.0.1:{}", self.plain)
    }

    /// Its certificate, in PEM.
    ///
    /// # Panics
    /// If it cannot be read.
    #[must_use]
    pub fn certificate(&self) -> Vec<u8> {
        std::fs::read(self.folder.path().join("cert.pem")).expect("readable")
    }

    /// Changes entries, as LDIF with `changetype` says it.
    ///
    /// # Panics
    /// If it is refused.
    pub fn change(&self, ldif: &str) {
        let file = self.folder.path().join("change.ldif");
        std::fs::write(&file, ldif).expect("written");
        // slapmodify works on the database itself, beside the server: mdb allows that.
        let mut modify = Command::new("/usr/sbin/slapd");
        modify.args(["-T", "modify", "-f"]).arg(self.folder.path().join("slapd.conf")).arg("-l").arg(&file);
        let done = modify.output().expect("slapmodify runs");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    /// Ends it, as a power cut would.
    pub fn stop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Slapd {
    fn drop(&mut self) {
        self.stop();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("it is bound").port()
}
