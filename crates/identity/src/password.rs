//! Passwords: argon2id (RFC 9106), rules after NIST SP 800-63B-4 (length, no composition rules).

use argon2::password_hash::{PasswordHash, SaltString};
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use domain::Environment;
use tokio::sync::Semaphore;

/// Shortest password accepted; NIST SP 800-63B-4 asks for 15 where the password stands alone.
pub const MINIMUM_PASSWORD_CHARACTERS: usize = 15;
/// Longer ones are refused so that hashing cannot be made a burden.
const MAXIMUM_PASSWORD_BYTES: usize = 1024;
/// Each hash takes `memory_kib`; more at once would let sign-ins exhaust the machine's memory.
const CONCURRENT_HASHES: usize = 2;

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
    #[error("the password is too short; use at least {MINIMUM_PASSWORD_CHARACTERS} characters, several words are fine")]
    TooShort,
    /// Too long.
    #[error("the password is too long; use at most {MAXIMUM_PASSWORD_BYTES} bytes")]
    TooLong,
    /// One that anybody would try first.
    #[error("the password is too easy to guess; choose one without the account's name and without repetition")]
    Guessable,
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
    environment: Environment,
    /// A hash no password fits: verified for unknown names, so that they take as long as known ones.
    decoy: String,
}

impl Passwords {
    pub(crate) fn new(cost: PasswordCost, environment: &Environment) -> Result<Self, PasswordError> {
        let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, None).map_err(hashing)?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let decoy = hash(&argon2, &environment.random_bytes::<32>(), environment)?;
        Ok(Self { argon2, permits: Semaphore::new(CONCURRENT_HASHES), environment: environment.clone(), decoy })
    }

    /// Checks the rules and hashes.
    pub(crate) async fn hash(&self, account: &str, password: &str) -> Result<String, PasswordError> {
        check(account, password)?;
        let _permit = self.permits.acquire().await.map_err(hashing)?;
        let (argon2, environment, password) = (self.argon2.clone(), self.environment.clone(), password.to_owned());
        tokio::task::spawn_blocking(move || hash(&argon2, password.as_bytes(), &environment)).await.map_err(hashing)?
    }

    /// Whether `password` belongs to `stored`; without `stored` it takes as long and says no.
    pub(crate) async fn verify(&self, stored: Option<String>, password: &str) -> Result<bool, PasswordError> {
        if password.len() > MAXIMUM_PASSWORD_BYTES {
            return Ok(false);
        }
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
}

fn hash(argon2: &Argon2<'_>, password: &[u8], environment: &Environment) -> Result<String, PasswordError> {
    let salt = SaltString::encode_b64(&environment.random_bytes::<16>()).map_err(hashing)?;
    argon2.hash_password(password, &salt).map(|hash| hash.to_string()).map_err(hashing)
}

fn check(account: &str, password: &str) -> Result<(), PasswordError> {
    if password.chars().count() < MINIMUM_PASSWORD_CHARACTERS {
        return Err(PasswordError::TooShort);
    }
    if password.len() > MAXIMUM_PASSWORD_BYTES {
        return Err(PasswordError::TooLong);
    }
    let lower = password.to_lowercase();
    let distinct = lower.chars().collect::<std::collections::BTreeSet<_>>().len();
    if distinct < 5 || (!account.is_empty() && lower.contains(account)) {
        return Err(PasswordError::Guessable);
    }
    Ok(())
}

/// A password that nobody has to think of: five groups of five letters and digits, about 125 bits.
#[must_use]
pub fn random_password(environment: &Environment) -> String {
    // Without characters that are mistaken for each other on paper; 32 of them, so every byte is used evenly.
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let letters = environment.random_bytes::<25>().map(|byte| char::from(ALPHABET[usize::from(byte % 32)]));
    letters.chunks(5).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join("-")
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
        let stored = passwords.hash("ada", "quiet herons at noon").await.unwrap();
        assert!(stored.starts_with("$argon2id$"));
        assert!(passwords.verify(Some(stored.clone()), "quiet herons at noon").await.unwrap());
        assert!(!passwords.verify(Some(stored), "quiet herons at night").await.unwrap());
        assert!(!passwords.verify(None, "quiet herons at noon").await.unwrap());
    }

    #[test]
    fn rules_are_length_and_guessability() {
        assert_eq!(check("ada", "short"), Err(PasswordError::TooShort));
        assert_eq!(check("ada", &"x".repeat(2000)), Err(PasswordError::TooLong));
        assert_eq!(check("ada", "abababababababab"), Err(PasswordError::Guessable));
        assert_eq!(check("ada", "i am ada and i know it"), Err(PasswordError::Guessable));
        assert_eq!(check("ada", "quiet herons at noon"), Ok(()));
    }
}
