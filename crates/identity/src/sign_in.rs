//! Sign-in, sessions and sign-out.

use crate::{Identity, IdentityError};
use audit::{Action, Actor, ActorKind, Event, Outcome};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::{OperationId, Principal, SessionId, User};
use jiff::Timestamp;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::time::Duration;
use storage::Session;

/// Where a request comes from.
#[derive(Debug, Clone, Default)]
pub struct Client {
    /// Network address, without port.
    pub address: String,
    /// What the browser calls itself; shown in the list of sessions.
    pub user_agent: String,
}

/// A new session. The token is known only to the client: the store holds its SHA-256.
#[derive(Debug)]
pub struct SignedIn {
    /// The secret that the client sends with each request.
    pub token: String,
    /// The session.
    pub session: Session,
    /// The person.
    pub user: User,
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

impl From<crate::PasswordError> for SignInError {
    fn from(error: crate::PasswordError) -> Self {
        Self::Identity(error.into())
    }
}

impl Identity {
    /// Checks name and password and begins a session. Success and failure are both audited.
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
        let name = canonical_name(name);
        let now = self.store.environment().now();
        let since = now - jiff_duration(self.policy.window);
        let failures = self
            .store
            .failed_attempts(&name, since)
            .await?
            .max(self.store.failed_attempts_from(&client.address, since).await?);
        let actor = Actor { name: name.clone(), ..Actor::anonymous(&client.address) };
        if failures >= self.policy.attempts {
            let mut act = self.store.begin().await?;
            act.record(Event::new(Action::SignInThrottled, &actor, operation).outcome(Outcome::Denied)).await?;
            act.commit().await?;
            return Err(SignInError::Throttled { retry_after: self.policy.window });
        }

        let user = self.store.user_by_name(&name).await?;
        let stored = match &user {
            Some(user) => self.store.password_hash(user.id).await?,
            None => None,
        };
        let fits = self.passwords.verify(stored, password).await?;
        let Some(user) = user.filter(|user| fits && !user.disabled) else {
            let mut act = self.store.begin().await?;
            act.record_attempt(&name, &client.address, now, false).await?;
            act.record(Event::new(Action::SignInFailed, &actor, operation).outcome(Outcome::Failed)).await?;
            act.commit().await?;
            return Err(SignInError::Refused);
        };

        let token = URL_SAFE_NO_PAD.encode(self.store.environment().random_bytes::<32>());
        let session = Session {
            id: SessionId::new(self.store.environment()),
            user: user.id,
            token_hash: token_hash(&token),
            csrf: URL_SAFE_NO_PAD.encode(self.store.environment().random_bytes::<24>()),
            address: client.address.clone(),
            user_agent: client.user_agent.chars().take(200).collect(),
            created_at: now,
            last_seen_at: now,
            expires_at: now + jiff_duration(self.policy.absolute),
        };
        let actor = Actor { kind: ActorKind::User, user: Some(user.id), session: Some(session.id), ..actor };
        let mut act = self.store.begin().await?;
        act.record_attempt(&name, &client.address, now, true).await?;
        act.forget_attempts_before(since).await?;
        act.insert_session(&session).await?;
        act.record(
            Event::new(Action::SignInSucceeded, &actor, operation)
                .on("session", session.id, &user.name)
                .detail(json!({ "user_agent": session.user_agent })),
        )
        .await?;
        act.commit().await?;
        Ok(SignedIn { token, session, user })
    }

    /// The person behind a session token, if the session is alive and the account enabled.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn authenticate(&self, token: &str) -> Result<Option<Authenticated>, IdentityError> {
        let Some(session) = self.store.session_by_token(&token_hash(token)).await? else { return Ok(None) };
        let now = self.store.environment().now();
        let idle_until = session.last_seen_at + jiff_duration(self.policy.idle);
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
        if now.duration_since(session.last_seen_at) < jiff::SignedDuration::from_mins(1) {
            return Ok(());
        }
        let mut act = self.store.begin().await?;
        act.touch_session(session.id, now).await?;
        Ok(act.commit_housekeeping().await?)
    }
}

/// Names are compared in lower case without surrounding space.
pub(crate) fn canonical_name(name: &str) -> String {
    name.trim().to_lowercase().chars().take(200).collect()
}

fn token_hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

fn jiff_duration(duration: Duration) -> jiff::SignedDuration {
    jiff::SignedDuration::try_from(duration).unwrap_or(jiff::SignedDuration::MAX)
}
