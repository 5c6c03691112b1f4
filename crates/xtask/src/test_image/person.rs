//! A person with a browser, as far as curl is one: cookies, forms, uploads. TLS with whatever certificate there is, or
//! plain HTTP where the server speaks no TLS.

use crate::failure::{Context, Failure, Result};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Somebody at `https://127.0.0.1:PORT`.
pub struct Person {
    base: String,
    cookies: PathBuf,
}

impl Person {
    /// Waits until the service answers.
    pub fn at(port: u16, folder: &Path, patience: Duration) -> Result<Self> {
        let until = Instant::now() + patience;
        while Instant::now() < until {
            for scheme in ["https", "http"] {
                let base = format!("{scheme}://localhost:{port}");
                let person = Self { base, cookies: folder.join("cookies") };
                if person.get("/healthz").is_ok_and(|body| body.trim() == "ok") {
                    return Ok(person);
                }
            }
            std::thread::sleep(Duration::from_secs(2));
        }
        Err(Failure::new("the service did not answer through the forwarded port in time"))
    }

    /// The page at an address.
    pub fn get(&self, path: &str) -> Result<String> {
        self.curl(path, &[])
    }

    /// Makes the first two accounts and a collection that everybody may read, with the code that the screen shows.
    pub fn sets_up(&self, code: &str, password: &str) -> Result<()> {
        let csrf = token(&self.get("/setup")?)?;
        let fields = [
            ("csrf", csrf.as_str()),
            ("code", code),
            ("organisation", "Port Elsin"),
            ("label", "Open"),
            ("label", "Official"),
            ("label", "Restricted"),
            ("label", "Closed"),
            ("admin_name", "dora"),
            ("admin_display", "Dora Lindqvist"),
            ("admin_password", password),
            ("admin_again", password),
            ("auditor_name", "emil"),
            ("auditor_display", "Emil Brandt"),
            ("auditor_password", "a lamp in the pilot house"),
            ("auditor_again", "a lamp in the pilot house"),
            ("collection", "Handbook"),
            ("collection_label", "internal"),
            ("collection_readers", "everybody"),
            ("collection_group", ""),
        ];
        self.post("/setup", &fields).map(|_| ())
    }

    /// Asks, and waits for the end of the answer: the page with it.
    pub fn asks(&self, question: &str, patience: Duration) -> Result<String> {
        let csrf = token(&self.get("/ask")?)?;
        let page = self.post("/ask", &[("csrf", &csrf), ("question", question)])?;
        let id = page.split("name=\"conversation\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
        let path = format!("/conversations/{}", id.ok_or_else(|| Failure::new("the question was not taken"))?);
        let until = Instant::now() + patience;
        while Instant::now() < until {
            let page = self.get(&path)?;
            if !page.contains("aria-busy=\"true\"") {
                return Ok(page);
            }
            std::thread::sleep(Duration::from_secs(3));
        }
        Err(Failure::new("the answer did not end in time"))
    }

    /// Sends a form.
    fn post(&self, path: &str, fields: &[(&str, &str)]) -> Result<String> {
        let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let fields: Vec<&str> = fields.iter().flat_map(|field| ["--data-urlencode", field.as_str()]).collect();
        self.curl(path, &fields)
    }

    /// Signs in through the form.
    pub fn sign_in(&self, name: &str, password: &str) -> Result<()> {
        let _ = std::fs::remove_file(&self.cookies);
        let csrf = token(&self.get("/sign-in")?)?;
        self.post("/sign-in", &[("csrf", &csrf), ("name", name), ("password", password)])?;
        let page = self.get("/library")?;
        if page.contains("name=\"password\"") { Err(Failure::new("the sign-in was refused")) } else { Ok(()) }
    }

    /// Uploads a file into the first collection of the library.
    pub fn upload(&self, file: &Path) -> Result<()> {
        let library = self.get("/library")?;
        let missing = || Failure::new("the library shows no collection");
        let id =
            library.split("href=\"/collections/").nth(1).and_then(|rest| rest.split('"').next()).ok_or_else(missing)?;
        let path = format!("/collections/{id}");
        let csrf = token(&self.get(&path)?)?;
        let (csrf, file) = (format!("csrf={csrf}"), format!("files=@{}", file.display()));
        self.curl(&format!("{path}/documents"), &["-F", &csrf, "-F", "label=internal", "-F", &file]).map(|_| ())
    }

    /// Searches until the text stands on the page of hits.
    pub fn finds(&self, words: &str, text: &str, patience: Duration) -> Result<()> {
        let until = Instant::now() + patience;
        while Instant::now() < until {
            if self.get(&format!("/search?q={words}"))?.contains(text) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_secs(3));
        }
        Err(Failure::new(format!("a search for '{words}' did not find '{text}' in time")))
    }

    fn curl(&self, path: &str, more: &[&str]) -> Result<String> {
        let mut curl = Command::new("curl");
        curl.args([
            "--silent",
            "--show-error",
            "--fail",
            "--location",
            "--insecure",
            "--max-time",
            "120",
            "--noproxy",
            "*",
        ]);
        curl.arg("--cookie").arg(&self.cookies).arg("--cookie-jar").arg(&self.cookies);
        let output = curl.args(more).arg(format!("{}{path}", self.base)).output();
        let output = output.context(|| "cannot run curl".to_owned())?;
        if !output.status.success() {
            return Err(Failure::new(format!("{path}: {}", String::from_utf8_lossy(&output.stderr).trim())));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// The hidden field that ties a form to its page.
fn token(page: &str) -> Result<String> {
    let value = page.split("name=\"csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
    value.map(str::to_owned).ok_or_else(|| Failure::new("the page has no form"))
}
