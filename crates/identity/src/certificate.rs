//! Signing in with a certificate, such as that of a smart card. The TLS layer has checked it; here its name becomes a
//! person.

use crate::Identity;
use crate::sign_in::{Client, SignInError, SignedIn, canonical_name};
use audit::{Action, Actor, Event, Outcome};
use domain::OperationId;
use serde_json::{Value, json};
use storage::SignInStep;

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

impl PresentedCertificate {
    /// As the audit log tells of it.
    pub(crate) fn told(&self) -> Value {
        json!({ "subject": self.subject, "fingerprint": self.fingerprint })
    }
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
        let Some(user) = self.store.user_by_name(&name).await?.filter(|user| !user.disabled) else {
            let user_agent = client.user_agent.chars().take(200).collect::<String>();
            let detail = json!({ "certificate": certificate.told(), "user_agent": user_agent });
            let mut act = self.store.begin().await?;
            let event = Event::new(Action::SignInFailed, &actor, operation).outcome(Outcome::Failed);
            act.record(event.detail(detail)).await?;
            act.commit().await?;
            return Err(SignInError::Refused);
        };
        let act = self.store.begin().await?;
        // A card and its PIN are two factors.
        self.proceed_by(Some(certificate), act, user, SignInStep::Done, client, operation).await
    }
}
