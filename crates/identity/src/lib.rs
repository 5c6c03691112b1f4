//! Who someone is and what they may see: passwords, sessions, accounts, and the only maker of an
//! [`AccessScope`](domain::AccessScope).
//!
//! Knows nothing of HTTP: the web crate passes in what the client sent and sets the cookie.

mod accounts;
mod approvals;
mod certificate;
mod directory;
mod oidc;
mod password;
mod scope;
mod seal;
mod second_factor;
mod sessions;
mod setup;
mod sign_in;
mod throttle;
mod tls;
mod tokens;

pub use accounts::{NewUser, UserChange};
pub use approvals::{ApprovalRules, Wish};
pub use certificate::PresentedCertificate;
pub use directory::{Directory, DirectoryKind, DirectorySettings, GroupRule, Looked, NestedGroups, Synchronised};
pub use oidc::{Departure, OidcProvider, OidcSettings};
pub use password::{
    CommonPasswords, MINIMUM_PASSWORD_CHARACTERS, MINIMUM_WITH_SECOND_FACTOR, PasswordCost, PasswordError,
    random_password,
};
pub use scope::scope_of_evaluation;
pub use seal::{SealError, SealingKey};
pub use second_factor::{
    Enrolment, KeyAssertion, KeyAttestation, KeyQuestion, RelyingParty, SecondFactorRule, WebAuthnError, code_at,
};
pub use setup::{EVERYBODY, FirstCollection, FirstPerson, FirstReaders, FirstSite};
pub use sign_in::{Authenticated, Client, SignInError, SignedIn};
pub use storage::{AccountSource, SignInStep};
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
    /// Failed sign-ins at one known browser, or of one name from one address, within [`Policy::window`], before further
    /// ones are refused.
    pub attempts: u64,
    /// The time over which those are counted.
    pub window: Duration,
    /// Failed sign-ins of one name, or from one address, within a day, before further ones are refused to unknown
    /// browsers at places where the person has not been.
    pub crowd: u64,
    /// Name of the organisation; no password may contain it.
    pub organisation: String,
    /// The site's own list of passwords that are refused.
    pub refused_passwords: CommonPasswords,
    /// Who has to have a second factor.
    pub second_factor: SecondFactorRule,
    /// Where browsers reach this server; without it there are no security keys.
    pub relying_party: Option<RelyingParty>,
    /// The directory of the organisation, if there is one.
    pub directory: Option<Arc<Directory>>,
    /// The OpenID provider of the organisation, if there is one.
    pub oidc: Option<Arc<OidcProvider>>,
    /// Which acts need a second person.
    pub approvals: ApprovalRules,
    /// Seals the secrets of second factors; without it nobody can set one up.
    pub seal: Option<SealingKey>,
    /// Cost of argon2id.
    pub cost: PasswordCost,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(3600),
            absolute: Duration::from_secs(12 * 3600),
            attempts: 8,
            window: Duration::from_secs(15 * 60),
            crowd: 100,
            organisation: String::new(),
            refused_passwords: CommonPasswords::default(),
            second_factor: SecondFactorRule::Off,
            relying_party: None,
            directory: None,
            oidc: None,
            approvals: ApprovalRules::default(),
            seal: None,
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
    /// A directory or provider that has to be asked does not answer as it should.
    #[error("{0}")]
    Elsewhere(String),
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

    fn seal(&self) -> Result<&SealingKey, IdentityError> {
        let missing = || IdentityError::Invalid("this site has no key for second factors".to_owned());
        self.policy.seal.as_ref().ok_or_else(missing)
    }
}
