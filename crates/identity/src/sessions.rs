//! Ending sessions from elsewhere.

use crate::second_factor::end_sessions;
use crate::{Identity, IdentityError};
use audit::{Action, Actor, Event};
use domain::{OperationId, SessionId, UserId};
use serde_json::json;

impl Identity {
    /// Ends one session of `user`; its next request is refused.
    ///
    /// # Errors
    /// No such session of this person.
    pub async fn end_session(
        &self,
        user: UserId,
        session: SessionId,
        actor: &Actor,
        operation: OperationId,
    ) -> Result<(), IdentityError> {
        let owner = self.store.user(user).await?.ok_or(IdentityError::Unknown("user"))?;
        let sessions = self.store.sessions_of(user).await?;
        if !sessions.iter().any(|known| known.id == session) {
            return Err(IdentityError::Unknown("session"));
        }
        let mut act = self.store.begin().await?;
        act.delete_session(session).await?;
        act.record(Event::new(Action::SessionEnded, actor, operation).on("session", session, owner.name)).await?;
        Ok(act.commit().await?)
    }

    /// Ends all sessions of `user`, but for one that is kept, and says how many there were. If none is kept, the
    /// person's browsers are forgotten as well.
    ///
    /// # Errors
    /// No such user.
    pub async fn end_sessions(
        &self,
        user: UserId,
        kept: Option<SessionId>,
        actor: &Actor,
        operation: OperationId,
    ) -> Result<usize, IdentityError> {
        let owner = self.store.user(user).await?.ok_or(IdentityError::Unknown("user"))?;
        let sessions = self.store.sessions_of(user).await?;
        let ended: Vec<SessionId> =
            sessions.into_iter().map(|session| session.id).filter(|id| Some(*id) != kept).collect();
        let mut act = self.store.begin().await?;
        match kept {
            Some(kept) => {
                act.delete_other_sessions_of(user, kept).await?;
            }
            None => end_sessions(&mut act, user).await?,
        }
        let event = Event::new(Action::SessionEnded, actor, operation).on("user", user, owner.name);
        act.record(event.detail(json!({ "sessions": ended }))).await?;
        act.commit().await?;
        Ok(ended.len())
    }
}
