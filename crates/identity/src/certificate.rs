//! Signing in with a certificate, such as that of a smart card. The TLS layer has checked it; here its name becomes a
//! person.

use crate::Identity;
use crate::sign_in::{Client, SignInError, SignedIn, canonical_name};
use audit::{Action, Actor, ActorKind, Event, Outcome};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::{OperationId, SessionId};
use serde_json::json;
use sha2::{Digest, Sha256};
use storage::{Session, SignInStep};

/// A certificate that a browser showed and that an authority of the site signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresentedCertificate {
    /// Its subject in one line.
    pub subject: String,
    /// The sign-in name that it stands for, if it has exactly one of the configured kind.
    pub name: Option<String>,
    /// SHA-256 of it.
    pub fingerprint: String,
}

impl Identity {
    /// Begins a session for the person that the certificate names.
    ///
    /// # Errors
    /// [`SignInError::Refused`] if it names nobody with an enabled account.
    pub async fn sign_in_with_certificate(
        &self,
        certificate: &PresentedCertificate,
        client: &Client,
        operation: OperationId,
    ) -> Result<SignedIn, SignInError> {
        let name = canonical_name(certificate.name.as_deref().unwrap_or_default());
        let actor = Actor { name: name.clone(), ..Actor::anonymous(&client.address) };
        let shown = json!({
            "certificate": { "subject": certificate.subject, "fingerprint": certificate.fingerprint },
            "user_agent": client.user_agent.chars().take(200).collect::<String>(),
        });
        let Some(user) = self.store.user_by_name(&name).await?.filter(|user| !user.disabled) else {
            let mut act = self.store.begin().await?;
            let event = Event::new(Action::SignInFailed, &actor, operation).outcome(Outcome::Failed);
            act.record(event.detail(shown)).await?;
            act.commit().await?;
            return Err(SignInError::Refused);
        };
        let environment = self.store.environment();
        let now = environment.now();
        let lasts = jiff::SignedDuration::try_from(self.policy.absolute).unwrap_or(jiff::SignedDuration::ZERO);
        let token = URL_SAFE_NO_PAD.encode(environment.random_bytes::<32>());
        let session = Session {
            id: SessionId::new(environment),
            user: user.id,
            token_hash: Sha256::digest(token.as_bytes()).into(),
            csrf: URL_SAFE_NO_PAD.encode(environment.random_bytes::<24>()),
            address: client.address.clone(),
            user_agent: client.user_agent.chars().take(200).collect(),
            created_at: now,
            last_seen_at: now,
            expires_at: now + lasts,
            // A card and its PIN are two factors.
            step: SignInStep::Done,
        };
        let actor = Actor { kind: ActorKind::User, user: Some(user.id), session: Some(session.id), ..actor };
        let mut act = self.store.begin().await?;
        act.insert_session(&session).await?;
        let event = Event::new(Action::SignInSucceeded, &actor, operation).on("session", session.id, &user.name);
        act.record(event.detail(shown)).await?;
        act.commit().await?;
        Ok(SignedIn { token, session, user, browser: None })
    }
}
