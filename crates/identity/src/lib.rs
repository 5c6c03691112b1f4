//! Who someone is and what they may see: passwords, sessions, accounts, and the only maker of an
//! [`AccessScope`](domain::AccessScope).
//!
//! Knows nothing of HTTP: the web crate passes in what the client sent and sets the cookie.

mod accounts;
mod certificate;
mod password;
mod scope;
mod setup;
mod sign_in;
mod tokens;

pub use accounts::{NewUser, UserChange};
pub use certificate::PresentedCertificate;
pub use password::{MINIMUM_PASSWORD_CHARACTERS, PasswordCost, PasswordError, random_password};
pub use scope::scope_of_evaluation;
pub use setup::{EVERYBODY, FirstCollection, FirstPerson, FirstReaders, FirstSite};
pub use sign_in::{Authenticated, Client, SignInError, SignedIn};
pub use tokens::{IssuedToken, LONGEST_TOKEN_DAYS, NewToken, TokenBearer, TokenScope};

use password::Passwords;
use std::sync::Arc;
use std::time::Duration;
use storage::Store;

/// How long sessions last and how costly passwords are.
#[derive(Debug, Clone)]
pub struct Policy {
    /// A session ends after this long without a request.
    pub idle: Duration,
    /// A session ends after this long in any case.
    pub absolute: Duration,
    /// Failed sign-ins for one name or from one address, within [`Policy::window`], before further ones are refused.
    pub attempts: u64,
    /// The time over which failed sign-ins are counted.
    pub window: Duration,
    /// Cost of argon2id.
    pub cost: PasswordCost,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(2 * 3600),
            absolute: Duration::from_secs(12 * 3600),
            attempts: 8,
            window: Duration::from_secs(15 * 60),
            cost: PasswordCost::default(),
        }
    }
}

/// The door to everything about people. Cheap to clone.
#[derive(Clone)]
pub struct Identity {
    store: Store,
    policy: Arc<Policy>,
    passwords: Arc<Passwords>,
}

/// Why an act on accounts or sessions did not happen.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The password does not meet the rules.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// What was given cannot be an account.
    #[error("{0}")]
    Invalid(String),
    /// There is no such user or group.
    #[error("there is no such {0}")]
    Unknown(&'static str),
    /// The store refused.
    #[error(transparent)]
    Storage(#[from] storage::StorageError),
}

impl Identity {
    /// Identity over this store.
    ///
    /// # Errors
    /// If the policy's password cost is out of argon2's range.
    pub fn new(store: Store, policy: Policy) -> Result<Self, PasswordError> {
        let passwords = Arc::new(Passwords::new(policy.cost, store.environment())?);
        Ok(Self { store, policy: Arc::new(policy), passwords })
    }
}
