//! Sign-in at an OpenID provider of the enclave: OpenID Connect Core 1.0, the authorization code flow with PKCE (RFC 7636).
//! Off unless a site configures one.
//!
//! Between the two halves of a sign-in the browser keeps what we need, sealed: nothing is stored for someone who never
//! comes back.

mod exchange;
mod provider;
mod token;

pub use provider::{OidcProvider, OidcSettings};

use crate::accounts::created;
use crate::directory::{NO_PASSWORD, Rights, rights};
use crate::sign_in::{Client, SignInError, SignedIn};
use crate::{Identity, IdentityError, NewUser, UserChange};
use audit::{Action, Actor, Event, Outcome};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::{OperationId, User};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use storage::{AccountSource, SignInStep};
use subtle::ConstantTimeEq;
use token::Claims;

/// How long someone may take at the provider.
const PATIENCE: SignedDuration = SignedDuration::from_mins(10);
/// What the sealed state is bound to.
const CONTEXT: &[u8] = b"a sign-in at the OpenID provider";

/// The way to the provider.
#[derive(Debug, Clone)]
pub struct Departure {
    /// Where the browser goes.
    pub address: String,
    /// What the browser keeps for us, and brings back.
    pub state: String,
}

/// What the browser keeps.
#[derive(Serialize, Deserialize)]
struct State {
    state: String,
    nonce: String,
    verifier: String,
    next: String,
    until: Timestamp,
}

impl Identity {
    /// The name of the provider, if there is one.
    #[must_use]
    pub fn provider(&self) -> Option<&str> {
        self.policy.oidc.as_ref().map(|provider| provider.settings.name.as_str())
    }

    /// Begins a sign-in at the provider; `next` is where to go afterwards.
    ///
    /// # Errors
    /// If there is no provider, or it does not say where its pages are.
    pub async fn depart(&self, next: &str, operation: OperationId) -> Result<Departure, IdentityError> {
        let provider = self.policy.oidc.as_ref().ok_or(IdentityError::Unknown("provider"))?;
        let environment = self.store.environment();
        let endpoints = match provider.endpoints().await {
            Ok(endpoints) => endpoints,
            Err(reason) => return Err(self.provider_failed(&reason, operation).await?),
        };
        let random = || URL_SAFE_NO_PAD.encode(environment.random_bytes::<32>());
        let state = State {
            state: random(),
            nonce: random(),
            verifier: random(),
            next: next.to_owned(),
            until: environment.now() + PATIENCE,
        };
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(state.verifier.as_bytes()));
        let address = provider.authorization(&endpoints, &state.state, &state.nonce, &challenge);
        let plain = serde_json::to_vec(&state).map_err(|error| IdentityError::Invalid(error.to_string()))?;
        let sealed = self.seal()?.seal(environment, CONTEXT, &plain);
        let sealed = sealed.ok_or_else(|| IdentityError::Invalid("the state could not be sealed".to_owned()))?;
        Ok(Departure { address, state: URL_SAFE_NO_PAD.encode(sealed) })
    }

    /// Ends it: the code that the provider sent along becomes an ID token, and its person is signed in. Also says where
    /// to go now.
    ///
    /// # Errors
    /// [`SignInError::Refused`] if the answer does not belong to what this browser began, or the person has no role here.
    pub async fn arrive(
        &self,
        code: &str,
        state: &str,
        kept: &str,
        client: &Client,
        operation: OperationId,
    ) -> Result<(SignedIn, String), SignInError> {
        let provider = self.policy.oidc.as_ref().ok_or(IdentityError::Unknown("provider"))?;
        let now = self.store.environment().now();
        let opened = URL_SAFE_NO_PAD.decode(kept).ok().and_then(|sealed| self.seal().ok()?.open(CONTEXT, &sealed));
        let begun: Option<State> = opened.and_then(|plain| serde_json::from_slice(&plain).ok());
        let ours = |begun: &State| begun.until > now && bool::from(begun.state.as_bytes().ct_eq(state.as_bytes()));
        let Some(begun) = begun.filter(ours) else {
            return Err(self
                .arrival_refused("the answer belongs to no sign-in of this browser", client, operation)
                .await);
        };
        let claims = match provider.claims(code, &begun.verifier, &begun.nonce, now).await {
            Ok(claims) => claims,
            Err(reason) => return Err(self.provider_failed(&reason, operation).await?.into()),
        };
        let Some(rights) = rights(&provider.settings.rules, |name| claims.groups.iter().any(|group| group == name))
        else {
            return Err(self.arrival_refused("the person's groups give no role here", client, operation).await);
        };
        let user = match self.welcome(provider, &claims, &rights, operation).await? {
            Some(user) if !user.disabled => user,
            _ => {
                return Err(self
                    .arrival_refused("the account is closed, or not the provider's", client, operation)
                    .await);
            }
        };
        let act = self.store.begin().await?;
        Ok((self.proceed(act, user, SignInStep::Done, client, operation).await?, begun.next))
    }

    /// The person's account, made if there is none, with role, clearance and groups as the provider has them.
    async fn welcome(
        &self,
        provider: &OidcProvider,
        claims: &Claims,
        rights: &Rights,
        operation: OperationId,
    ) -> Result<Option<User>, IdentityError> {
        let actor = Actor::system();
        let user = match self.store.user_by_source(AccountSource::Oidc, &claims.subject).await? {
            Some(user) => {
                let change = UserChange {
                    display_name: Some(claims.display_name.clone()),
                    role: Some(rights.role),
                    clearance: Some(rights.clearance),
                    disabled: None,
                };
                self.change_user(user.id, &change, &actor, operation).await?
            }
            None => {
                let user = self.described(&NewUser {
                    name: claims.name.clone(),
                    display_name: claims.display_name.clone(),
                    role: rights.role,
                    clearance: rights.clearance,
                })?;
                if self.store.user_by_name(&user.name).await?.is_some() {
                    return Ok(None);
                }
                let mut act = self.store.begin().await?;
                act.insert_user(&user, NO_PASSWORD).await?;
                act.set_account_source(user.id, AccountSource::Oidc, &claims.subject).await?;
                act.record(created(&user, &actor, operation)).await?;
                act.commit().await?;
                user
            }
        };
        let ruled = provider.settings.rules.iter().filter_map(|rule| rule.group.as_deref()).collect();
        self.set_groups(user.id, &ruled, &rights.groups, operation).await?;
        Ok(Some(user))
    }

    /// Records why nobody was signed in. The person is told what everybody is told.
    async fn arrival_refused(&self, reason: &str, client: &Client, operation: OperationId) -> SignInError {
        let recorded = async {
            let mut act = self.store.begin().await?;
            let event = Event::new(Action::SignInFailed, &Actor::anonymous(&client.address), operation);
            act.record(event.outcome(Outcome::Failed).detail(json!({ "step": "provider", "reason": reason }))).await?;
            act.commit().await
        };
        match recorded.await {
            Ok(()) => SignInError::Refused,
            Err(error) => error.into(),
        }
    }

    /// Records why the provider's answer was of no use; people are told no more than that.
    async fn provider_failed(&self, reason: &str, operation: OperationId) -> Result<IdentityError, IdentityError> {
        tracing::warn!(reason, "the OpenID provider could not be asked");
        let mut act = self.store.begin().await?;
        let event = Event::new(Action::OidcFailed, &Actor::system(), operation).outcome(Outcome::Failed);
        act.record(event.detail(json!({ "reason": reason }))).await?;
        act.commit().await?;
        let sentence = "the identity provider of your organisation cannot be asked; try again, or tell an admin";
        Ok(IdentityError::Elsewhere(sentence.to_owned()))
    }
}
