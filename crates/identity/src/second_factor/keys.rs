//! Security keys of people: registered, used, taken away. The ceremonies themselves are in `webauthn`.

use super::webauthn::{
    self, CHALLENGE_BYTES, KeyAssertion, KeyAttestation, NewCredential, RelyingParty, WebAuthnError, counts_on,
};
use crate::sign_in::{Client, SignInError, SignedIn};
use crate::{Authenticated, Identity, IdentityError};
use audit::{Action, Actor, Event, Outcome};
use domain::{OperationId, SecurityKeyId, User};
use jiff::SignedDuration;
use serde_json::{Value, json};
use storage::{SecurityKey, SignInStep, StorageError};

/// How long an authenticator may take to answer, in minutes.
const PATIENCE: SignedDuration = SignedDuration::from_mins(5);
/// Keys of one person.
const MOST_KEYS: usize = 20;
/// Longest name of a key, in characters.
const LONGEST_NAME: usize = 60;

/// What a page asks a person's authenticator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyQuestion {
    /// The options of `navigator.credentials`, as JSON with bytes in base64url.
    pub options: String,
    /// The one address at which browsers ask it.
    pub origin: String,
}

/// Why a key's answer was refused; for its counter, which key it was and what it counted.
struct Refusal {
    why: WebAuthnError,
    counted: Option<(SecurityKey, u32)>,
}

impl From<WebAuthnError> for Refusal {
    fn from(why: WebAuthnError) -> Self {
        Self { why, counted: None }
    }
}

impl Refusal {
    const fn counter(key: SecurityKey, shown: u32) -> Self {
        Self { why: WebAuthnError::Counter, counted: Some((key, shown)) }
    }
}

impl Identity {
    /// Where security keys work; `None` if this site does not know its own name.
    #[must_use]
    pub fn relying_party(&self) -> Option<&RelyingParty> {
        self.policy.relying_party.as_ref()
    }

    /// What to ask a key that is to be registered in this session; `None` where keys do not work. The question may be
    /// answered once, by this session, within five minutes.
    ///
    /// # Errors
    /// If the store refuses.
    pub async fn registration_question(&self, who: &Authenticated) -> Result<Option<KeyQuestion>, IdentityError> {
        let Some(party) = self.relying_party() else { return Ok(None) };
        let user = &who.principal.user;
        let known = self.credentials(user, party).await?;
        let challenge = self.ask_key(who).await?;
        let site = if self.policy.organisation.is_empty() { "Carrel" } else { &self.policy.organisation };
        let options = webauthn::creation(party, &challenge, (site, user), &known, patience_ms());
        Ok(Some(KeyQuestion { options: options.to_string(), origin: party.origin().to_owned() }))
    }

    /// What to ask a key at the second step of a sign-in; `None` if the person has none that works at this address.
    ///
    /// # Errors
    /// If the store refuses.
    pub async fn sign_in_question(&self, who: &Authenticated) -> Result<Option<KeyQuestion>, IdentityError> {
        let Some(party) = self.relying_party() else { return Ok(None) };
        let known = self.credentials(&who.principal.user, party).await?;
        if known.is_empty() {
            return Ok(None);
        }
        let challenge = self.ask_key(who).await?;
        let options = webauthn::request(party, &challenge, &known, patience_ms());
        Ok(Some(KeyQuestion { options: options.to_string(), origin: party.origin().to_owned() }))
    }

    /// Registers a key under a name. As the first second factor this ends all other sessions, and the recovery codes are
    /// told this once. The session gets a new id.
    ///
    /// # Errors
    /// [`SignInError::KeyRefused`], recorded; no name, or one of another key; a key that is registered already.
    pub async fn register_key(
        &self,
        who: &Authenticated,
        name: &str,
        answer: &KeyAttestation,
        client: &Client,
        operation: OperationId,
    ) -> Result<(Vec<String>, SignedIn), SignInError> {
        let party = self.relying_party().ok_or_else(nowhere)?;
        let user = &who.principal.user;
        let keys = self.store.security_keys_of(user.id).await?;
        let name = name_among(&keys, name)?;
        let actor = who.actor(&client.address);
        let new = match self.answered(who, &answer.client_data).await? {
            Ok(challenge) => webauthn::registered(party, &challenge, answer),
            Err(refusal) => Err(refusal),
        };
        let new = match new {
            Ok(new) => new,
            Err(refusal) => {
                let mut act = self.store.begin().await?;
                let event = refused(&actor, operation, user, refusal, json!({ "step": "registration" }));
                act.record(event).await?;
                act.commit().await?;
                return Err(refusal.into());
            }
        };
        let mut act = self.store.begin().await?;
        let codes = self.widen(&mut act, who).await?;
        let NewCredential { credential, public_key, sign_count, .. } = new;
        let key = SecurityKey {
            id: SecurityKeyId::new(self.store.environment()),
            user: user.id,
            name: name.clone(),
            credential,
            public_key,
            site: party.id().to_owned(),
            sign_count,
            created_at: act.now(),
            used_at: None,
        };
        act.insert_security_key(&key).await.map_err(|error| match error {
            StorageError::Conflict { what } => IdentityError::Invalid(what),
            error => error.into(),
        })?;
        if !codes.is_empty() {
            let event = Event::new(Action::SecondFactorEnrolled, &actor, operation).on("user", user.id, &user.name);
            act.record(event.detail(json!({ "kind": "security_key" }))).await?;
        }
        let event = Event::new(Action::SecurityKeyRegistered, &actor, operation).on("security_key", key.id, &name);
        let told = json!({
            "algorithm": new.algorithm, "attestation": new.format, "aaguid": new.aaguid,
            "user_verified": new.user_verified, "site": key.site,
        });
        act.record(event.detail(told)).await?;
        let next = self.step_after_factor(user.id).await?;
        let signed_in = self.proceed(act, user.clone(), next, client, operation).await?;
        Ok((codes, signed_in))
    }

    /// Goes on with a sign-in whose password was right, with what a security key said.
    ///
    /// # Errors
    /// [`SignInError::KeyRefused`], recorded and counted as a failed sign-in; [`SignInError::Throttled`].
    pub async fn present_key(
        &self,
        who: &Authenticated,
        answer: &KeyAssertion,
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
        let (actor, now) = (who.actor(&client.address), self.store.environment().now());
        let checked = self.checked(who, answer).await?;
        let mut act = self.store.begin().await?;
        let taken = match checked {
            // Read once more under the lock of the writer: of two with the same answer only one goes on.
            Ok((key, shown)) => match act.use_security_key(key.id, shown.sign_count).await? {
                true => Ok((key, shown)),
                false => Err(Refusal::counter(key, shown.sign_count)),
            },
            Err(refusal) => Err(refusal),
        };
        let (key, shown) = match taken {
            Ok(taken) => taken,
            Err(Refusal { why, counted }) => {
                act.record_attempt(&attempt, now, false).await?;
                let mut told = json!({ "step": "sign_in" });
                if let Some((key, shown)) = counted {
                    told["key"] = json!({ "id": key.id, "name": key.name });
                    told["counter"] = json!({ "stored": key.sign_count, "shown": shown });
                }
                act.record(refused(&actor, operation, user, why, told)).await?;
                let event = Event::new(Action::SignInFailed, &actor, operation).outcome(Outcome::Failed);
                act.record(event.detail(json!({ "step": "second_factor", "kind": "security_key" }))).await?;
                act.commit().await?;
                return Err(why.into());
            }
        };
        let event = Event::new(Action::SecurityKeyUsed, &actor, operation).on("security_key", key.id, &key.name);
        let told = json!({ "counter": shown.sign_count, "user_verified": shown.user_verified });
        act.record(event.detail(told)).await?;
        act.delete_session(who.session.id).await?;
        let next = self.step_after_factor(user.id).await?;
        self.proceed(act, user.clone(), next, client, operation).await
    }

    /// Takes a key away from its owner.
    ///
    /// # Errors
    /// `Unknown` if the person has no such key; `Invalid` if it is all that the second factor has.
    pub async fn remove_key(
        &self,
        id: SecurityKeyId,
        user: &User,
        actor: &Actor,
        operation: OperationId,
    ) -> Result<(), IdentityError> {
        let keys = self.store.security_keys_of(user.id).await?;
        let key = keys.iter().find(|key| key.id == id).ok_or(IdentityError::Unknown("security key"))?;
        let app = self.store.second_factor(user.id).await?.is_some_and(|factor| factor.sealed.is_some());
        if !app && keys.len() == 1 {
            let reason = "this key is all that your second factor has; set another up first, or take the whole away";
            return Err(IdentityError::Invalid(reason.to_owned()));
        }
        let mut act = self.store.begin().await?;
        act.delete_security_key(user.id, id).await?;
        let event = Event::new(Action::SecurityKeyRemoved, actor, operation).on("security_key", id, &key.name);
        act.record(event).await?;
        Ok(act.commit().await?)
    }

    /// The key that an answer comes from, and what it said, if everything but its counter is right.
    async fn checked(
        &self,
        who: &Authenticated,
        answer: &KeyAssertion,
    ) -> Result<Result<(SecurityKey, webauthn::Asserted), Refusal>, SignInError> {
        let party = self.relying_party().ok_or_else(nowhere)?;
        let challenge = match self.answered(who, &answer.client_data).await? {
            Ok(challenge) => challenge,
            Err(refusal) => return Ok(Err(refusal.into())),
        };
        let keys = self.store.security_keys_of(who.principal.user.id).await?;
        let named = webauthn::decoded(&answer.credential).unwrap_or_default();
        let Some(key) = keys.into_iter().find(|key| key.credential == named) else {
            return Ok(Err(WebAuthnError::UnknownKey.into()));
        };
        Ok(match webauthn::asserted(party, &challenge, &key.public_key, answer) {
            Ok(shown) if counts_on(key.sign_count, shown.sign_count) => Ok((key, shown)),
            Ok(shown) => Err(Refusal::counter(key, shown.sign_count)),
            Err(refusal) => Err(refusal.into()),
        })
    }

    /// Makes a challenge for this session.
    async fn ask_key(&self, who: &Authenticated) -> Result<[u8; CHALLENGE_BYTES], IdentityError> {
        let challenge = self.store.environment().random_bytes::<CHALLENGE_BYTES>();
        let mut act = self.store.begin().await?;
        let until = act.now() + PATIENCE;
        act.insert_challenge(who.session.id, &challenge, until).await?;
        act.commit_housekeeping().await?;
        Ok(challenge)
    }

    /// The challenge that an answer names, if it was this session's, and is spent from now on whatever comes of it.
    async fn answered(
        &self,
        who: &Authenticated,
        client_data: &str,
    ) -> Result<Result<Vec<u8>, WebAuthnError>, IdentityError> {
        let challenge = match webauthn::challenge_of(client_data) {
            Ok(challenge) => challenge,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let mut act = self.store.begin().await?;
        let ours = act.take_challenge(who.session.id, &challenge).await?;
        act.commit_housekeeping().await?;
        Ok(if ours { Ok(challenge) } else { Err(WebAuthnError::Challenge) })
    }

    /// The person's credentials that work at this name.
    async fn credentials(&self, user: &User, party: &RelyingParty) -> Result<Vec<Vec<u8>>, IdentityError> {
        let keys = self.store.security_keys_of(user.id).await?;
        Ok(keys.into_iter().filter(|key| key.site == party.id()).map(|key| key.credential).collect())
    }
}

/// A name for one more key: it tells them apart.
fn name_among(keys: &[SecurityKey], name: &str) -> Result<String, IdentityError> {
    let invalid = |reason: &str| Err(IdentityError::Invalid(reason.to_owned()));
    let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
    if name.is_empty() || name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        return invalid("a security key needs a name of at most 60 characters, such as 'blue key on my ring'");
    }
    if keys.iter().any(|key| key.name.to_lowercase() == name.to_lowercase()) {
        return invalid("you have a security key of this name already; choose another name");
    }
    if keys.len() >= MOST_KEYS {
        return invalid("you have 20 security keys; take one away first");
    }
    Ok(name)
}

fn refused(actor: &Actor, operation: OperationId, user: &User, refusal: WebAuthnError, mut told: Value) -> Event {
    told["reason"] = json!(refusal.to_string());
    let event = Event::new(Action::SecurityKeyRefused, actor, operation).on("user", user.id, &user.name);
    event.outcome(Outcome::Failed).detail(told)
}

fn nowhere() -> IdentityError {
    let reason = "this server does not know its own name, so security keys do not work; an admin sets sign_in.origin";
    IdentityError::Invalid(reason.to_owned())
}

fn patience_ms() -> u64 {
    PATIENCE.unsigned_abs().as_millis().try_into().unwrap_or(u64::MAX)
}
