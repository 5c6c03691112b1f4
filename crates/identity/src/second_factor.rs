//! The second factor: one-time codes, security keys, and recovery codes for whoever lost the device.
//!
//! Until the first code has been typed nothing is stored: the secret that a page offers follows from the sealing key and
//! the session, so that looking at the page changes nothing.

mod keys;
mod totp;
mod webauthn;

pub use keys::KeyQuestion;
pub use totp::code_at;
pub use webauthn::{KeyAssertion, KeyAttestation, RelyingParty, WebAuthnError};

use crate::sign_in::{Client, SignInError, SignedIn};
use crate::{Authenticated, Identity, IdentityError};
use audit::{Action, Actor, Event, Outcome};
use domain::{OperationId, Role, User, UserId};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use storage::{AccountSource, Act, SignInStep};
use totp::Secret;

/// Recovery codes that are made at a time.
const RECOVERY_CODES: usize = 10;

/// Who has to have a second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SecondFactorRule {
    /// Nobody; whoever wants one may set it up.
    #[default]
    Off,
    /// Admins and auditors.
    Admins,
    /// Everybody.
    All,
}

impl SecondFactorRule {
    const fn demands(self, role: Role) -> bool {
        match self {
            Self::Off => false,
            Self::Admins => matches!(role, Role::Admin | Role::Auditor),
            Self::All => true,
        }
    }
}

/// A second factor that is offered to be set up.
pub struct Enrolment {
    /// The secret as people type it, in groups of four.
    pub secret: String,
    /// What an authenticator app reads from a picture.
    pub address: String,
}

impl Identity {
    /// Whether this person has to have a second factor. Whoever signs in at an OpenID provider has theirs there.
    #[must_use]
    pub fn needs_second_factor(&self, role: Role, source: AccountSource) -> bool {
        source != AccountSource::Oidc && self.policy.second_factor.demands(role)
    }

    /// What the session's person may set up.
    ///
    /// # Errors
    /// If this site has no key to seal secrets with.
    pub fn enrolment(&self, who: &Authenticated) -> Result<Enrolment, IdentityError> {
        let secret = self.candidate(who)?;
        let issuer = if self.policy.organisation.is_empty() { "Carrel" } else { &self.policy.organisation };
        let letters: Vec<char> = secret.text().chars().collect();
        let groups = letters.chunks(4).map(|group| group.iter().collect::<String>());
        Ok(Enrolment {
            secret: groups.collect::<Vec<_>>().join(" "),
            address: secret.address(issuer, &who.principal.user.name),
        })
    }

    /// Sets the offered one-time codes up, once the person has shown that they are right. As the first second factor this
    /// ends all other sessions, and the recovery codes are told this once; beside security keys there are some already.
    /// The session gets a new id.
    ///
    /// # Errors
    /// [`SignInError::WrongCode`]; an account that has an authenticator app already.
    pub async fn enrol(
        &self,
        who: &Authenticated,
        code: &str,
        client: &Client,
        operation: OperationId,
    ) -> Result<(Vec<String>, SignedIn), SignInError> {
        let user = &who.principal.user;
        if self.store.second_factor(user.id).await?.is_some_and(|factor| factor.sealed.is_some()) {
            let reason = "there is an authenticator app already; take it away first";
            return Err(IdentityError::Invalid(reason.to_owned()).into());
        }
        let secret = self.candidate(who)?;
        let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
        let step = secret.step_of(&code, self.store.environment().now()).ok_or(SignInError::WrongCode)?;
        let sealed = self.seal()?.seal(self.store.environment(), &context(user.id), &secret.0);
        let sealed = sealed.ok_or_else(|| IdentityError::Invalid("the secret could not be sealed".to_owned()))?;
        let mut act = self.store.begin().await?;
        let codes = self.widen(&mut act, who).await?;
        act.set_code_secret(user.id, Some((&sealed, step))).await?;
        let event = Event::new(Action::SecondFactorEnrolled, &who.actor(&client.address), operation);
        act.record(event.on("user", user.id, &user.name).detail(json!({ "kind": "totp" }))).await?;
        let next = self.step_after_factor(user.id).await?;
        let signed_in = self.proceed(act, user.clone(), next, client, operation).await?;
        Ok((codes, signed_in))
    }

    /// Makes room for one more way through the second step. If it is the first, all sessions end and there are recovery
    /// codes; else only this session ends, for another begins with what changed.
    async fn widen(&self, act: &mut Act, who: &Authenticated) -> Result<Vec<String>, SignInError> {
        let user = who.principal.user.id;
        if !matches!(who.session.step, SignInStep::Enrol | SignInStep::Done) {
            return Err(SignInError::Refused);
        }
        if self.store.second_factor(user).await?.is_some() {
            // Whoever had to set one up finds that somebody has meanwhile: the way leads past that one, not beside it.
            if who.session.step != SignInStep::Done {
                return Err(SignInError::Refused);
            }
            act.delete_session(who.session.id).await?;
            return Ok(Vec::new());
        }
        let (codes, hashes) = self.new_recovery_codes();
        act.begin_second_factor(user).await?;
        act.set_recovery_codes(user, &hashes).await?;
        act.delete_sessions_of(user).await?;
        Ok(codes)
    }

    /// Takes the authenticator app out of a second factor that has security keys, too: as after a lost phone.
    ///
    /// # Errors
    /// If there is no app, or nothing else.
    pub async fn remove_code_secret(
        &self,
        user: &User,
        actor: &Actor,
        operation: OperationId,
    ) -> Result<(), IdentityError> {
        let factor = self.store.second_factor(user.id).await?.filter(|factor| factor.sealed.is_some());
        factor.ok_or(IdentityError::Unknown("authenticator app"))?;
        if self.store.security_keys_of(user.id).await?.is_empty() {
            let reason = "the app is all that your second factor has; register a security key first";
            return Err(IdentityError::Invalid(reason.to_owned()));
        }
        let mut act = self.store.begin().await?;
        act.set_code_secret(user.id, None).await?;
        act.record(Event::new(Action::CodeSecretRemoved, actor, operation).on("user", user.id, &user.name)).await?;
        Ok(act.commit().await?)
    }

    /// Goes on with a sign-in whose password was right. Takes a code of the second factor, or a recovery code.
    ///
    /// # Errors
    /// [`SignInError::WrongCode`], also for a code that was used before; [`SignInError::Throttled`].
    pub async fn enter_code(
        &self,
        who: &Authenticated,
        code: &str,
        client: &Client,
        operation: OperationId,
    ) -> Result<SignedIn, SignInError> {
        let user = &who.principal.user;
        if who.session.step != SignInStep::Code {
            return Err(SignInError::Refused);
        }
        let browser = self.known_browser(Some(user), client).await?;
        let attempt = crate::sign_in::attempt(&user.name, client, browser);
        self.admit(&attempt, operation).await?;
        let now = self.store.environment().now();
        let secret = self.secret_of(user.id).await?;
        let next = self.step_after_factor(user.id).await?;
        let actor = who.actor(&client.address);

        let code: String = code.chars().filter(|c| c.is_ascii_alphanumeric()).collect::<String>().to_lowercase();
        let mut act = self.store.begin().await?;
        let taken = match (totp::is_code(&code), secret) {
            (true, Some(secret)) => match secret.step_of(&code, now) {
                Some(step) => act.take_step(user.id, step).await?,
                None => false,
            },
            (true, None) => false,
            (false, _) => {
                let taken = act.take_recovery_code(user.id, &recovery_hash(&code)).await?;
                if taken {
                    let event = Event::new(Action::RecoveryCodeUsed, &actor, operation);
                    act.record(event.on("user", user.id, &user.name)).await?;
                }
                taken
            }
        };
        if !taken {
            act.record_attempt(&attempt, now, false).await?;
            let event = Event::new(Action::SignInFailed, &actor, operation).outcome(Outcome::Failed);
            act.record(event.detail(json!({ "step": "second_factor" }))).await?;
            act.commit().await?;
            return Err(SignInError::WrongCode);
        }
        act.delete_session(who.session.id).await?;
        self.proceed(act, user.clone(), next, client, operation).await
    }

    /// Makes new recovery codes; the old ones are gone.
    ///
    /// # Errors
    /// If the person has no second factor.
    pub async fn make_recovery_codes(
        &self,
        user: &User,
        actor: &Actor,
        operation: OperationId,
    ) -> Result<Vec<String>, IdentityError> {
        if self.store.second_factor(user.id).await?.is_none() {
            return Err(IdentityError::Unknown("second factor"));
        }
        let (codes, hashes) = self.new_recovery_codes();
        let mut act = self.store.begin().await?;
        act.set_recovery_codes(user.id, &hashes).await?;
        let event = Event::new(Action::RecoveryCodesMade, actor, operation).on("user", user.id, &user.name);
        act.record(event).await?;
        act.commit().await?;
        Ok(codes)
    }

    /// Takes someone's second factor away and ends their sessions. Whose password was long enough only beside it has to
    /// choose another at the next sign-in.
    ///
    /// # Errors
    /// No such user, or no second factor.
    pub async fn reset_second_factor(
        &self,
        id: UserId,
        actor: &Actor,
        operation: OperationId,
    ) -> Result<(), IdentityError> {
        let user = self.store.user(id).await?.ok_or(IdentityError::Unknown("user"))?;
        let account = self.store.account(id).await?.ok_or(IdentityError::Unknown("user"))?;
        let mut act = self.store.begin().await?;
        if !act.delete_second_factor(id).await? {
            return Err(IdentityError::Invalid(format!("'{}' has no second factor", user.name)));
        }
        if account.short_password {
            act.set_password_demands(id, true, true).await?;
        }
        end_sessions(&mut act, id).await?;
        act.record(Event::new(Action::SecondFactorReset, actor, operation).on("user", id, &user.name)).await?;
        Ok(act.commit().await?)
    }

    /// What comes after the second factor.
    async fn step_after_factor(&self, user: UserId) -> Result<SignInStep, IdentityError> {
        let account = self.store.account(user).await?.ok_or(IdentityError::Unknown("user"))?;
        let change = account.must_change && account.source == AccountSource::Local;
        Ok(if change { SignInStep::Password } else { SignInStep::Done })
    }

    fn candidate(&self, who: &Authenticated) -> Result<Secret, IdentityError> {
        let bytes = self.seal()?.derive(format!("second factor of {}", who.session.id).as_bytes());
        let mut secret = Secret([0; totp::SECRET_BYTES]);
        secret.0.copy_from_slice(&bytes[..totp::SECRET_BYTES]);
        Ok(secret)
    }

    async fn secret_of(&self, user: UserId) -> Result<Option<Secret>, IdentityError> {
        let Some(factor) = self.store.second_factor(user).await? else { return Ok(None) };
        let Some(sealed) = factor.sealed else { return Ok(None) };
        let opened = self.seal()?.open(&context(user), &sealed).and_then(|bytes| bytes.try_into().ok());
        if opened.is_none() {
            // As after a restore without the key: only recovery codes and an admin help then.
            tracing::warn!(user.id = %user, "the secret of a second factor cannot be read with this site's key");
        }
        Ok(opened.map(Secret))
    }

    /// Codes of four groups of four letters and digits, 80 bits each, and their hashes.
    fn new_recovery_codes(&self) -> (Vec<String>, BTreeSet<[u8; 32]>) {
        let code = |_| {
            let letters = crate::password::letters(self.store.environment().random_bytes::<16>());
            letters.as_bytes().chunks(4).map(String::from_utf8_lossy).collect::<Vec<_>>().join("-")
        };
        let codes: Vec<String> = (0..RECOVERY_CODES).map(code).collect();
        let hashes = codes.iter().map(|code| recovery_hash(&code.replace('-', ""))).collect();
        (codes, hashes)
    }
}

/// Ends the sessions of a person, and forgets the browsers that were trusted.
pub(crate) async fn end_sessions(act: &mut Act, user: UserId) -> Result<(), IdentityError> {
    act.delete_sessions_of(user).await?;
    act.forget_browsers_of(user).await?;
    Ok(())
}

fn context(user: UserId) -> Vec<u8> {
    format!("second factor of {user}").into_bytes()
}

/// 80 random bits: nothing slower than SHA-256 would make them harder to find.
fn recovery_hash(code: &str) -> [u8; 32] {
    Sha256::digest(code.as_bytes()).into()
}
