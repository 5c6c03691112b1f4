//! API tokens: how a program acts for a person. Its rights are those that the person has at that moment.

use crate::{Identity, IdentityError};
use audit::{Action, Actor, ActorKind, Event, Outcome};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::{OperationId, Principal, Role, TokenId, User, UserId};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;
use storage::ApiToken;

/// What every token begins with, so that people and scanners recognise a leaked one.
const PREFIX: &str = "crl_";
/// Longest life of a token, in days.
pub const LONGEST_TOKEN_DAYS: u32 = 730;
/// Most tokens of one person; who needs more has forgotten some.
const MOST_TOKENS: usize = 50;

/// What a token may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TokenScope {
    /// Ask questions and have text written.
    Chat,
    /// Turn texts into vectors.
    Embeddings,
    /// Read the figures of `/metrics`; only an admin's token may be for that.
    Metrics,
    /// Search, ask and read documents through Carrel's own interface.
    Search,
    /// Upload and delete documents, and work with jobs and lists, as far as the person may.
    Manage,
}

impl TokenScope {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Chat, Self::Embeddings, Self::Metrics, Self::Search, Self::Manage];
    /// Those that a token for programs of anyone is made for unless something else is said.
    pub const USUAL: [Self; 2] = [Self::Chat, Self::Embeddings];

    /// The scope's stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Embeddings => "embeddings",
            Self::Metrics => "metrics",
            Self::Search => "search",
            Self::Manage => "manage",
        }
    }
}

impl fmt::Display for TokenScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for TokenScope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|scope| scope.as_str() == text);
        found.ok_or_else(|| {
            format!("'{text}' is not what a token is for; use chat, embeddings, search, manage or metrics")
        })
    }
}

/// A token to be made.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// What the person calls it.
    pub name: String,
    /// What it may be used for.
    pub scopes: Vec<TokenScope>,
    /// Days until it ends, 1 to [`LONGEST_TOKEN_DAYS`].
    pub days: u32,
}

/// A token that was just made.
pub struct IssuedToken {
    /// The secret, which nobody can be told again.
    pub secret: String,
    /// What is known of it from now on.
    pub token: ApiToken,
}

/// A request's token, checked.
#[derive(Debug, Clone)]
pub struct TokenBearer {
    /// For whom the program acts.
    pub principal: Principal,
    /// By which token.
    pub token: ApiToken,
}

impl TokenBearer {
    /// The actor that audit events name: the person.
    #[must_use]
    pub fn actor(&self, address: &str) -> Actor {
        Actor::user(&self.principal.user, None, Some(address.to_owned()))
    }

    /// Whether the token may be used for this.
    #[must_use]
    pub fn may(&self, scope: TokenScope) -> bool {
        self.token.scopes.iter().any(|known| known == scope.as_str())
    }
}

impl Identity {
    /// Makes a token for `user`.
    ///
    /// # Errors
    /// No name, nothing it is for, too long a life, or too many tokens already; a disabled account.
    pub async fn issue_token(
        &self,
        user: &User,
        new: &NewToken,
        actor: &Actor,
        operation: OperationId,
    ) -> Result<IssuedToken, IdentityError> {
        let invalid = |reason: &str| Err(IdentityError::Invalid(reason.to_owned()));
        let name = new.name.trim();
        if name.is_empty() || name.chars().count() > 60 || name.chars().any(char::is_control) {
            return invalid("a token needs a name of at most 60 characters, such as what uses it");
        }
        if new.scopes.is_empty() {
            return invalid("choose at least one thing that the token is for");
        }
        if !(1..=LONGEST_TOKEN_DAYS).contains(&new.days) {
            return invalid("a token lives from 1 to 730 days");
        }
        if new.scopes.contains(&TokenScope::Metrics) && user.role != Role::Admin {
            return invalid("only an admin's token can be for metrics; make it for an admin, or choose something else");
        }
        if user.disabled {
            return invalid("the account is disabled; open it first");
        }
        if self.store.tokens_of(user.id).await?.len() >= MOST_TOKENS {
            return invalid("there are fifty tokens already; revoke those that nobody uses");
        }
        let environment = self.store.environment();
        let secret = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(environment.random_bytes::<32>()));
        let now = environment.now();
        let scopes = TokenScope::ALL.into_iter().filter(|scope| new.scopes.contains(scope));
        let token = ApiToken {
            id: TokenId::new(environment),
            user: user.id,
            name: name.to_owned(),
            scopes: scopes.map(|scope| scope.as_str().to_owned()).collect(),
            secret_hash: hash(&secret),
            created_at: now,
            expires_at: now + SignedDuration::from_hours(24 * i64::from(new.days)),
            last_used_at: None,
        };
        let mut act = self.store.begin().await?;
        act.insert_token(&token).await?;
        act.record(Event::new(Action::TokenCreated, actor, operation).on("token", token.id, &token.name).detail(
            json!({
                "user": user.id, "name": user.name, "scopes": token.scopes, "expires_at": token.expires_at,
            }),
        ))
        .await?;
        act.commit().await?;
        Ok(IssuedToken { secret, token })
    }

    /// Takes a token of `user` away; it is refused from the next request on.
    ///
    /// # Errors
    /// No such token.
    pub async fn revoke_token(
        &self,
        id: TokenId,
        user: UserId,
        actor: &Actor,
        operation: OperationId,
    ) -> Result<(), IdentityError> {
        let tokens = self.store.tokens_of(user).await?;
        let token = tokens.into_iter().find(|token| token.id == id).ok_or(IdentityError::Unknown("token"))?;
        let mut act = self.store.begin().await?;
        if !act.delete_token(id, user).await? {
            return Err(IdentityError::Unknown("token"));
        }
        let event = Event::new(Action::TokenRevoked, actor, operation).on("token", id, token.name);
        act.record(event.detail(json!({ "user": user }))).await?;
        Ok(act.commit().await?)
    }

    /// The person for whom a token acts. `None`, recorded as a refusal, if it is unknown, expired or revoked, or the
    /// account is disabled: deliberately one answer.
    ///
    /// # Errors
    /// If the store cannot be read or written.
    pub async fn authenticate_token(
        &self,
        secret: &str,
        address: &str,
        operation: OperationId,
    ) -> Result<Option<TokenBearer>, IdentityError> {
        let now = self.store.environment().now();
        let token = match secret.starts_with(PREFIX) {
            true => self.store.token_by_secret(&hash(secret)).await?,
            false => None,
        };
        let user = match &token {
            Some(token) => self.store.user(token.user).await?,
            None => None,
        };
        if let (Some(token), Some(user)) = (&token, &user)
            && now < token.expires_at
            && !user.disabled
        {
            self.touch_token(token, now).await?;
            let principal = self.principal(user.clone()).await?;
            return Ok(Some(TokenBearer { principal, token: token.clone() }));
        }
        let actor = match &user {
            Some(user) => Actor { kind: ActorKind::Anonymous, ..Actor::user(user, None, Some(address.to_owned())) },
            None => Actor::anonymous(address),
        };
        let mut event = Event::new(Action::TokenRefused, &actor, operation).outcome(Outcome::Denied);
        if let Some(token) = &token {
            event = event.on("token", token.id, &token.name);
        }
        let mut act = self.store.begin().await?;
        act.record(event).await?;
        act.commit().await?;
        Ok(None)
    }

    /// Writes the last use at most once a minute: an answer should not wait for the writer.
    async fn touch_token(&self, token: &ApiToken, now: Timestamp) -> Result<(), IdentityError> {
        if token.last_used_at.is_some_and(|last| now.duration_since(last) < SignedDuration::from_mins(1)) {
            return Ok(());
        }
        let mut act = self.store.begin().await?;
        act.touch_token(token.id, now).await?;
        Ok(act.commit_housekeeping().await?)
    }
}

/// The secret has 256 random bits: nothing slower than SHA-256 would make it harder to find.
fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}
