//! The time before a site has people: one code, printed on the console, lets whoever sits there make the first two.

use crate::app::App;
use crate::error::WebError;
use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use domain::Environment;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use subtle::ConstantTimeEq;

/// Wrong codes within [`WINDOW`] before no further one is even compared.
const ATTEMPTS: usize = 10;
const WINDOW: SignedDuration = SignedDuration::from_mins(15);
/// Without characters that are mistaken for each other on a console; 32 of them, so every byte is used evenly.
const ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// Whether the site waits to be set up. Cheap to clone; all clones change together.
#[derive(Clone, Default)]
pub struct Setup(Arc<Mutex<Option<Waiting>>>);

/// The code is kept only as its SHA-256: 80 bits of randomness need no slower hash.
struct Waiting {
    code: [u8; 32],
    wrong: Vec<Timestamp>,
    /// The file that a console reads the code from.
    shown: Option<PathBuf>,
}

/// What came of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tried {
    Right,
    Wrong,
    /// Too many were wrong lately.
    Throttled,
}

impl Setup {
    /// The site has people; there is nothing to set up.
    #[must_use]
    pub fn done() -> Self {
        Self::default()
    }

    /// The site waits for whoever knows the code, which is given back to be printed.
    #[must_use]
    pub fn waiting(environment: &Environment) -> (Self, String) {
        let letters = environment.random_bytes::<16>().map(|byte| char::from(ALPHABET[usize::from(byte % 32)]));
        let groups: Vec<String> = letters.chunks(4).map(|group| group.iter().collect()).collect();
        let code = groups.join("-");
        let waiting = Waiting { code: digest(&code), wrong: Vec::new(), shown: None };
        (Self(Arc::new(Mutex::new(Some(waiting)))), code)
    }

    /// Writes the code down for whoever stands at the machine's console, until it is spent: what a service prints nobody sees.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn show_in(&self, file: PathBuf, code: &str) -> io::Result<()> {
        let _ = std::fs::remove_file(&file);
        let mut written = File::options().write(true).create_new(true).mode(0o600).open(&file)?;
        written.write_all(code.as_bytes())?;
        if let Some(waiting) = self.state().as_mut() {
            waiting.shown = Some(file);
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, Option<Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_waiting(&self) -> bool {
        self.state().is_some()
    }

    /// Compares a code in constant time.
    pub(crate) fn try_code(&self, code: &str, now: Timestamp) -> Tried {
        let mut state = self.state();
        let Some(waiting) = state.as_mut() else { return Tried::Wrong };
        waiting.wrong.retain(|at| now.duration_since(*at) < WINDOW);
        if waiting.wrong.len() >= ATTEMPTS {
            return Tried::Throttled;
        }
        if bool::from(digest(code).ct_eq(&waiting.code)) {
            return Tried::Right;
        }
        waiting.wrong.push(now);
        Tried::Wrong
    }

    /// From now on the site is set up.
    pub(crate) fn finish(&self) {
        if let Some(file) = self.state().take().and_then(|waiting| waiting.shown) {
            // It opens nothing any more.
            let _ = std::fs::remove_file(file);
        }
    }
}

/// Of the code as people type it: with or without dashes, in either case.
fn digest(code: &str) -> [u8; 32] {
    let plain = code.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase());
    Sha256::digest(plain.collect::<String>().as_bytes()).into()
}

/// Whether the site waits to be set up. Accounts that were made at the console count as set up.
pub(crate) async fn is_open(app: &App) -> Result<bool, WebError> {
    if !app.setup.is_waiting() {
        return Ok(false);
    }
    if app.identity.is_empty().await? {
        return Ok(true);
    }
    app.setup.finish();
    Ok(false)
}

/// As long as a site waits to be set up, every page leads there, and nothing else can be done.
pub(crate) async fn lead(State(app): State<App>, request: Request, next: Next) -> Response {
    match is_open(&app).await {
        Ok(false) => next.run(request).await,
        Ok(true) if is_reachable(request.uri().path()) => next.run(request).await,
        Ok(true) if request.method() == Method::GET => Redirect::to("/setup").into_response(),
        Ok(true) => WebError::NotFound.into_response(),
        Err(error) => error.into_response(),
    }
}

fn is_reachable(path: &str) -> bool {
    path.starts_with("/static/") || ["/setup", "/favicon.ico", "/healthz", "/readyz", "/metrics"].contains(&path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_fits_as_people_type_it_and_wrong_ones_are_held_up() {
        let (setup, code) = Setup::waiting(&Environment::system());
        let now = "2026-03-14T09:00:00Z".parse::<Timestamp>().unwrap();
        assert_eq!((code.len(), code.split('-').count()), (19, 4));
        assert_eq!(setup.try_code(&code, now), Tried::Right);
        assert_eq!(setup.try_code(&format!(" {} ", code.replace('-', "").to_lowercase()), now), Tried::Right);
        for _ in 0..ATTEMPTS {
            assert_eq!(setup.try_code("AAAA-AAAA-AAAA-AAAA", now), Tried::Wrong);
        }
        assert_eq!(setup.try_code(&code, now), Tried::Throttled, "even the right one");
        assert_eq!(setup.try_code(&code, now + WINDOW), Tried::Right);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("setup-code");
        setup.show_in(file.clone(), &code).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), code);
        setup.finish();
        assert!(!file.exists(), "what is spent need not be read");
        assert_eq!(setup.try_code(&code, now), Tried::Wrong);
        assert_eq!(Setup::done().try_code("", now), Tried::Wrong);
    }
}
