//! Passwords: argon2id (RFC 9106), and rules of their own.

mod common;
mod rules;

pub use common::CommonPasswords;
pub(crate) use rules::check;
pub use rules::{MINIMUM_PASSWORD_CHARACTERS, MINIMUM_WITH_SECOND_FACTOR};

use argon2::password_hash::{PasswordHash, SaltString};
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use domain::Environment;
use tokio::sync::Semaphore;

/// Each hash takes `memory_kib`; more at once would let sign-ins exhaust the machine's memory.
const CONCURRENT_HASHES: usize = 2;
/// Sign-ins that may wait for their turn; further ones are told to come back.
const WAITING: usize = 64;

/// Cost of one argon2id hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordCost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Default for PasswordCost {
    fn default() -> Self {
        Self { memory_kib: 64 * 1024, passes: 3, lanes: 4 }
    }
}

impl PasswordCost {
    /// The least that argon2 allows: for tests with many users, never for a site.
    pub const LEAST: Self = Self { memory_kib: 8, passes: 1, lanes: 1 };
}

/// Why a password cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Too short.
    #[error("the password is too short; use at least {least} characters, several words are fine")]
    TooShort {
        /// The least number of characters for this account.
        least: usize,
    },
    /// Too long.
    #[error("the password is too long; use at most {} bytes", rules::MAXIMUM_PASSWORD_BYTES)]
    TooLong,
    /// One that anybody would try first.
    #[error(
        "the password is too easy to guess; choose words that others do not, without your name and the organisation's"
    )]
    Guessable,
    /// The one that was to be replaced.
    #[error("the new password is the old one; choose another")]
    Same,
    /// Too many hashes wait already.
    #[error("too many people sign in at once; try again in a moment")]
    Busy,
    /// The current password did not match.
    #[error("the current password is not right")]
    Mismatch,
    /// Argon2 refused its parameters or failed.
    #[error("the password could not be hashed: {0}")]
    Hashing(String),
}

pub(crate) struct Passwords {
    argon2: Argon2<'static>,
    permits: Semaphore,
    waiting: Semaphore,
    params: Params,
    environment: Environment,
    /// A hash no password fits: verified for unknown names, so that they take as long as known ones.
    decoy: String,
}

impl Passwords {
    pub(crate) fn new(cost: PasswordCost, environment: &Environment) -> Result<Self, PasswordError> {
        let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, None).map_err(hashing)?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
        let decoy = hash(&argon2, &environment.random_bytes::<32>(), environment)?;
        let (permits, waiting) = (Semaphore::new(CONCURRENT_HASHES), Semaphore::new(WAITING + CONCURRENT_HASHES));
        Ok(Self { argon2, permits, waiting, params, environment: environment.clone(), decoy })
    }

    /// Hashes. The rules have been checked.
    pub(crate) async fn hash(&self, password: &str) -> Result<String, PasswordError> {
        let _turn = self.waiting.try_acquire().map_err(|_| PasswordError::Busy)?;
        let _permit = self.permits.acquire().await.map_err(hashing)?;
        let (argon2, environment, password) = (self.argon2.clone(), self.environment.clone(), password.to_owned());
        tokio::task::spawn_blocking(move || hash(&argon2, password.as_bytes(), &environment)).await.map_err(hashing)?
    }

    /// Whether `password` belongs to `stored`; without `stored` it takes as long and says no.
    pub(crate) async fn verify(&self, stored: Option<String>, password: &str) -> Result<bool, PasswordError> {
        if password.len() > rules::MAXIMUM_PASSWORD_BYTES {
            return Ok(false);
        }
        let _turn = self.waiting.try_acquire().map_err(|_| PasswordError::Busy)?;
        let _permit = self.permits.acquire().await.map_err(hashing)?;
        let (known, stored) = (stored.is_some(), stored.unwrap_or_else(|| self.decoy.clone()));
        let (argon2, password) = (self.argon2.clone(), password.to_owned());
        let fits = tokio::task::spawn_blocking(move || {
            PasswordHash::new(&stored).is_ok_and(|hash| argon2.verify_password(password.as_bytes(), &hash).is_ok())
        })
        .await
        .map_err(hashing)?;
        Ok(known && fits)
    }

    /// Whether a stored hash was made at another cost than hashes are made now.
    pub(crate) fn is_outdated(&self, stored: &str) -> bool {
        let Ok(hash) = PasswordHash::new(stored) else { return false };
        let cost = Params::try_from(&hash).ok().map(|params| (params.m_cost(), params.t_cost(), params.p_cost()));
        hash.algorithm != Algorithm::Argon2id.ident()
            || cost != Some((self.params.m_cost(), self.params.t_cost(), self.params.p_cost()))
    }
}

fn hash(argon2: &Argon2<'_>, password: &[u8], environment: &Environment) -> Result<String, PasswordError> {
    let salt = SaltString::encode_b64(&environment.random_bytes::<16>()).map_err(hashing)?;
    argon2.hash_password(password, &salt).map(|hash| hash.to_string()).map_err(hashing)
}

/// A password that nobody has to think of: five groups of five letters and digits, about 125 bits.
#[must_use]
pub fn random_password(environment: &Environment) -> String {
    let letters = letters(environment.random_bytes::<25>());
    letters.as_bytes().chunks(5).map(String::from_utf8_lossy).collect::<Vec<_>>().join("-")
}

/// A letter or digit for each random byte, five bits of it.
pub(crate) fn letters<const N: usize>(random: [u8; N]) -> String {
    // Without characters that are mistaken for each other on paper; 32 of them, so every byte is used evenly.
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    random.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect()
}

fn hashing(error: impl std::fmt::Display) -> PasswordError {
    PasswordError::Hashing(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_fits_its_hash() {
        let passwords = Passwords::new(PasswordCost::LEAST, &Environment::system()).unwrap();
        let stored = passwords.hash("quiet herons at noon").await.unwrap();
        assert!(stored.starts_with("$argon2id$"));
        assert!(passwords.verify(Some(stored.clone()), "quiet herons at noon").await.unwrap());
        assert!(!passwords.verify(Some(stored), "quiet herons at night").await.unwrap());
        assert!(!passwords.verify(None, "quiet herons at noon").await.unwrap());
    }

    #[tokio::test]
    async fn a_hash_of_another_cost_is_outdated() {
        let environment = Environment::system();
        let least = Passwords::new(PasswordCost::LEAST, &environment).unwrap();
        let more = Passwords::new(PasswordCost { passes: 2, ..PasswordCost::LEAST }, &environment).unwrap();
        let stored = least.hash("quiet herons at noon").await.unwrap();
        assert!(!least.is_outdated(&stored));
        assert!(more.is_outdated(&stored));
        assert!(more.verify(Some(stored), "quiet herons at noon").await.unwrap(), "the hash says its own cost");
        assert!(!more.is_outdated("!"), "no hash of ours");
    }

    #[tokio::test]
    async fn beyond_a_limit_nobody_waits() {
        let passwords = Passwords::new(PasswordCost::LEAST, &Environment::system()).unwrap();
        let all = passwords.waiting.acquire_many((WAITING + CONCURRENT_HASHES) as u32).await.unwrap();
        assert_eq!(passwords.verify(None, "x").await, Err(PasswordError::Busy));
        drop(all);
        assert_eq!(passwords.verify(None, "x").await, Ok(false));
    }
}
