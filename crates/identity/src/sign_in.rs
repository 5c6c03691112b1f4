//! Sign-in, step by step: a password (or a provider's word), a second factor, and another password where one is due.
//! Each step ends the session of the one before it and begins another.

use crate::directory::Sighted;
use crate::throttle;
use crate::{Identity, IdentityError, PasswordError, PresentedCertificate, WebAuthnError};
use audit::{Action, Actor, ActorKind, Event, Outcome};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::{OperationId, Principal, SessionId, User};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::time::Duration;
use storage::{AccountSource, Act, Attempt, Session, SignInStep};

/// How long a sign-in may take from the password to its last step.
const UNFINISHED: SignedDuration = SignedDuration::from_mins(15);

/// Where a request comes from.
#[derive(Debug, Clone, Default)]
pub struct Client {
    /// Network address, without port.
    pub address: String,
    /// What the browser calls itself; shown in the list of sessions.
    pub user_agent: String,
    /// The token by which this browser is known from an earlier sign-in.
    pub browser: Option<String>,
}

/// A new session. The token is known only to the client: the store holds its SHA-256.
#[derive(Debug)]
pub struct SignedIn {
    /// The secret that the client sends with each request.
    pub token: String,
    /// The session; its step says whether the sign-in is done.
    pub session: Session,
    /// The person.
    pub user: User,
    /// The token by which this browser will be known, once the sign-in is done.
    pub browser: Option<String>,
}

/// A request's session, checked.
#[derive(Debug, Clone)]
pub struct Authenticated {
    /// Who.
    pub principal: Principal,
    /// By which session.
    pub session: Session,
}

impl Authenticated {
    /// The actor that audit events name.
    #[must_use]
    pub fn actor(&self, address: &str) -> Actor {
        Actor {
            kind: ActorKind::User,
            user: Some(self.principal.user.id),
            name: self.principal.user.name.clone(),
            session: Some(self.session.id),
            address: Some(address.to_owned()),
        }
    }
}

/// Why nobody was signed in.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// Unknown name, wrong password or disabled account: deliberately one answer.
    #[error("name or password is not right")]
    Refused,
    /// No code of the second factor, or one that was used before.
    #[error("the code is not right, or was used before; wait for the next one")]
    WrongCode,
    /// What a security key said was not taken.
    #[error("the security key was not taken: {0}")]
    KeyRefused(#[from] WebAuthnError),
    /// Too many failures lately.
    #[error("too many failed attempts; wait {} minutes and try again", .retry_after.as_secs().div_ceil(60))]
    Throttled {
        /// When trying again makes sense.
        retry_after: Duration,
    },
    /// Something else went wrong.
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

impl From<storage::StorageError> for SignInError {
    fn from(error: storage::StorageError) -> Self {
        Self::Identity(error.into())
    }
}

impl From<PasswordError> for SignInError {
    fn from(error: PasswordError) -> Self {
        Self::Identity(error.into())
    }
}

impl Identity {
    /// Checks name and password and begins a session. Success and failure are both audited. If more is needed than a
    /// password, the session opens only that step.
    ///
    /// # Errors
    /// [`SignInError`] says what the person may be told.
    pub async fn sign_in(
        &self,
        name: &str,
        password: &str,
        client: &Client,
        operation: OperationId,
    ) -> Result<SignedIn, SignInError> {
        let (user, anew) = self.check_password(name, password, client, operation).await?;
        let next = self.first_step(&user).await?;
        let mut act = self.store.begin().await?;
        if let Some(hash) = anew {
            act.set_password(user.id, &hash).await?;
        }
        self.proceed(act, user, next, client, operation).await
    }

    /// The person whose name and password these are, and the password's hash where it was stored at another cost than
    /// today's. A failure is counted and recorded.
    pub(crate) async fn check_password(
        &self,
        name: &str,
        password: &str,
        client: &Client,
        operation: OperationId,
    ) -> Result<(User, Option<String>), SignInError> {
        let name = canonical_name(name);
        let user = self.store.user_by_name(&name).await?;
        let browser = self.known_browser(user.as_ref(), client).await?;
        let attempt = attempt(&name, client, browser);
        self.admit(&attempt, operation).await?;

        let source = match &user {
            Some(user) => self.store.account(user.id).await?.map(|account| account.source),
            None => None,
        };
        let stored = match (&user, source) {
            (Some(user), Some(AccountSource::Local)) => self.store.password_hash(user.id).await?,
            _ => None,
        };
        let fits = self.passwords.verify(stored.clone(), password).await?;
        let mut reason = None;
        let user = match source {
            Some(AccountSource::Local) => user.filter(|_| fits),
            Some(AccountSource::Oidc) => None,
            Some(AccountSource::Directory) | None => {
                match self.check_with_directory(&name, password, operation).await? {
                    Sighted::Account(user) => Some(user),
                    Sighted::Nobody(why) => {
                        reason = why;
                        None
                    }
                }
            }
        };
        let Some(user) = user.filter(|user| !user.disabled) else {
            let now = self.store.environment().now();
            let actor = Actor { name: name.clone(), ..Actor::anonymous(&client.address) };
            let mut act = self.store.begin().await?;
            act.record_attempt(&attempt, now, false).await?;
            let mut event = Event::new(Action::SignInFailed, &actor, operation).outcome(Outcome::Failed);
            if let Some(reason) = reason {
                // For the audit log alone: the person is told what everybody is told.
                event = event.detail(json!({ "reason": reason }));
            }
            act.record(event).await?;
            act.commit().await?;
            return Err(SignInError::Refused);
        };
        let anew = match stored.filter(|stored| self.passwords.is_outdated(stored)) {
            Some(_) => Some(self.passwords.hash(password).await?),
            None => None,
        };
        Ok((user, anew))
    }

    /// What comes after the password.
    async fn first_step(&self, user: &User) -> Result<SignInStep, SignInError> {
        let account = self.store.account(user.id).await?.ok_or(SignInError::Refused)?;
        if self.store.second_factor(user.id).await?.is_some() {
            return Ok(SignInStep::Code);
        }
        if self.needs_second_factor(user.role, account.source) {
            return Ok(SignInStep::Enrol);
        }
        let change = account.must_change && account.source == AccountSource::Local;
        Ok(if change { SignInStep::Password } else { SignInStep::Done })
    }

    /// Begins a session at this step, and commits `act` with it.
    pub(crate) async fn proceed(
        &self,
        act: Act,
        user: User,
        step: SignInStep,
        client: &Client,
        operation: OperationId,
    ) -> Result<SignedIn, SignInError> {
        self.proceed_by(None, act, user, step, client, operation).await
    }

    /// As [`Identity::proceed`], with the certificate that stood for a password.
    pub(crate) async fn proceed_by(
        &self,
        certificate: Option<&PresentedCertificate>,
        mut act: Act,
        user: User,
        step: SignInStep,
        client: &Client,
        operation: OperationId,
    ) -> Result<SignedIn, SignInError> {
        let environment = self.store.environment();
        let now = act.now();
        let token = self.new_token();
        let lasts = if step == SignInStep::Done { signed(self.policy.absolute) } else { UNFINISHED };
        let session = Session {
            id: SessionId::new(environment),
            user: user.id,
            token_hash: token_hash(&token),
            csrf: URL_SAFE_NO_PAD.encode(environment.random_bytes::<24>()),
            address: client.address.clone(),
            user_agent: client.user_agent.chars().take(200).collect(),
            created_at: now,
            last_seen_at: now,
            expires_at: now + lasts,
            step,
        };
        act.insert_session(&session).await?;
        let actor = Actor::user(&user, Some(session.id), Some(client.address.clone()));
        let mut browser = None;
        if step == SignInStep::Done {
            let known = self.known_browser(Some(&user), client).await?;
            act.record_attempt(&attempt(&user.name, client, known), now, true).await?;
            act.forget_attempts(now - throttle::LONG_WINDOW, now - throttle::REMEMBERED).await?;
            act.delete_expired_sessions(now).await?;
            let kept = client.browser.clone().filter(|_| known.is_some()).unwrap_or_else(|| self.new_token());
            act.remember_browser(&token_hash(&kept), user.id, now).await?;
            browser = Some(kept);
        }
        let (action, mut detail) = match step {
            SignInStep::Done => (Action::SignInSucceeded, json!({ "user_agent": session.user_agent })),
            _ => (Action::SignInContinued, json!({ "step": step.as_str() })),
        };
        if let Some(certificate) = certificate {
            detail["certificate"] = certificate.told();
        }
        let event = Event::new(action, &actor, operation).on("session", session.id, &user.name);
        act.record(event.detail(detail)).await?;
        act.commit().await?;
        Ok(SignedIn { token, session, user, browser })
    }

    /// The person behind a session token, if they are signed in, the session is alive and the account enabled.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn authenticate(&self, token: &str) -> Result<Option<Authenticated>, IdentityError> {
        Ok(self.session(token).await?.filter(|who| who.session.step == SignInStep::Done))
    }

    /// The person who is on the way to being signed in: the session's step says what is due.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn entrant(&self, token: &str) -> Result<Option<Authenticated>, IdentityError> {
        Ok(self.session(token).await?.filter(|who| who.session.step != SignInStep::Done))
    }

    async fn session(&self, token: &str) -> Result<Option<Authenticated>, IdentityError> {
        let Some(session) = self.store.session_by_token(&token_hash(token)).await? else { return Ok(None) };
        let now = self.store.environment().now();
        let idle_until = session.last_seen_at + signed(self.policy.idle);
        if now >= session.expires_at || now >= idle_until {
            return Ok(None);
        }
        let Some(user) = self.store.user(session.user).await?.filter(|user| !user.disabled) else { return Ok(None) };
        self.touch(&session, now).await?;
        Ok(Some(Authenticated { principal: self.principal(user).await?, session }))
    }

    /// Ends a session.
    ///
    /// # Errors
    /// If the store refuses.
    pub async fn sign_out(
        &self,
        session: &Session,
        actor: &Actor,
        operation: OperationId,
    ) -> Result<(), IdentityError> {
        let mut act = self.store.begin().await?;
        act.delete_session(session.id).await?;
        act.record(Event::new(Action::SignOut, actor, operation).on("session", session.id, &actor.name)).await?;
        Ok(act.commit().await?)
    }

    /// Writes the last use at most once a minute: reading a page should not wait for the writer.
    async fn touch(&self, session: &Session, now: Timestamp) -> Result<(), IdentityError> {
        if now.duration_since(session.last_seen_at) < SignedDuration::from_mins(1) {
            return Ok(());
        }
        let mut act = self.store.begin().await?;
        act.touch_session(session.id, now).await?;
        Ok(act.commit_housekeeping().await?)
    }

    fn new_token(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.store.environment().random_bytes::<32>())
    }
}

pub(crate) fn attempt<'a>(name: &'a str, client: &'a Client, browser: Option<[u8; 32]>) -> Attempt<'a> {
    Attempt { name, address: &client.address, browser }
}

/// Names are compared in lower case without surrounding space.
pub(crate) fn canonical_name(name: &str) -> String {
    name.trim().to_lowercase().chars().take(200).collect()
}

pub(crate) fn token_hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

pub(crate) fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}
