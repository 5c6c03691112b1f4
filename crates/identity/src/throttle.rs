//! How often someone may guess, without guessing locking anybody out.
//!
//! After OWASP's device cookies: a browser at which a person has signed in is known by a token of its own, and its
//! failures count for it alone. Of unknown browsers the pair of name and address counts; the name by itself and the
//! address by itself count only in their hundreds a day (NIST SP 800-63B-4, section 3.2.2, allows a hundred failures
//! in a row), and never against a place at which this person has been before. So whoever guesses a colleague's password
//! stops only themselves.

use crate::sign_in::{Client, SignInError, signed, token_hash};
use crate::{Identity, IdentityError};
use audit::{Action, Actor, Event, Outcome};
use domain::{OperationId, User};
use jiff::SignedDuration;
use storage::Attempt;

/// The time over which failures of a name and of an address are counted.
pub(crate) const LONG_WINDOW: SignedDuration = SignedDuration::from_hours(24);
/// How long it is remembered that someone has been at an address.
pub(crate) const REMEMBERED: SignedDuration = SignedDuration::from_hours(24 * 90);

impl Identity {
    /// The hash of the browser's token, if it is known for this very person.
    pub(crate) async fn known_browser(
        &self,
        user: Option<&User>,
        client: &Client,
    ) -> Result<Option<[u8; 32]>, IdentityError> {
        let (Some(user), Some(token)) = (user, &client.browser) else { return Ok(None) };
        let hash = token_hash(token);
        Ok(self.store.knows_browser(&hash, user.id).await?.then_some(hash))
    }

    /// Lets an attempt be tried, or refuses and records that.
    pub(crate) async fn admit(&self, attempt: &Attempt<'_>, operation: OperationId) -> Result<(), SignInError> {
        let now = self.store.environment().now();
        let since = now - signed(self.policy.window);
        let failures = self.store.failures(attempt, since, now - LONG_WINDOW).await?;
        let crowded = failures.name >= self.policy.crowd || failures.address >= self.policy.crowd;
        let refused = match attempt.browser {
            Some(_) => failures.browser >= self.policy.attempts,
            None => failures.pair >= self.policy.attempts || (crowded && !failures.been_here),
        };
        if !refused {
            return Ok(());
        }
        let actor = Actor { name: attempt.name.to_owned(), ..Actor::anonymous(attempt.address) };
        let mut act = self.store.begin().await?;
        act.record(Event::new(Action::SignInThrottled, &actor, operation).outcome(Outcome::Denied)).await?;
        act.commit().await?;
        Err(SignInError::Throttled { retry_after: self.policy.window })
    }
}
