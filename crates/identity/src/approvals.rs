//! Acts that need a second person: one asks, somebody else of the right role agrees within a time, and it is done once.
//! Off unless a site asks for it.

use crate::{Identity, IdentityError};
use audit::{Action, Actor, Event, Outcome};
use domain::{ApprovalId, CollectionId, Label, OperationId, Permission, PrincipalId, Role, User};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use storage::{Act, Approval, ApprovalState, LegalHold};

/// Longest reason, in characters.
const LONGEST_REASON: usize = 400;

/// Which acts need a second person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApprovalRules {
    /// Exports of the audit log.
    pub audit_export: bool,
    /// Wider grants on collections that hold documents of this label or a higher one.
    pub grants_from: Option<Label>,
    /// The end of a legal hold.
    pub hold_release: bool,
    /// A restore over a data directory that holds something.
    pub restore: bool,
    /// Another release of the product.
    pub update: bool,
    /// How long a request stands.
    pub expiry: SignedDuration,
}

impl Default for ApprovalRules {
    fn default() -> Self {
        Self {
            audit_export: false,
            grants_from: None,
            hold_release: false,
            restore: false,
            update: false,
            expiry: SignedDuration::from_hours(72),
        }
    }
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Wish {
    /// The audit log, or what fits these words, leaves the appliance.
    AuditExport {
        /// The format's name.
        format: String,
        /// What is looked for: names of fields and their values.
        filter: Vec<(String, String)>,
    },
    /// A user or group may do more in a collection.
    Grant {
        /// Where.
        collection: CollectionId,
        /// Who.
        principal: PrincipalId,
        /// What.
        permission: Permission,
    },
    /// A legal hold ends.
    HoldRelease {
        /// The hold's name.
        name: String,
        /// When it was placed: another hold may get the name later.
        placed_at: Timestamp,
    },
    /// A backup takes the place of what the appliance holds.
    Restore {
        /// The backup's name.
        snapshot: String,
        /// BLAKE3 of its sealed list of files: the same name in another folder is another backup.
        digest: String,
    },
    /// Another release takes the place of the one that runs.
    Update {
        /// The release, as its bundle names it.
        release: String,
        /// The bundle's digest, in hexadecimal digits.
        digest: String,
    },
}

impl Wish {
    /// The wish's stable name.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::AuditExport { .. } => "audit_export",
            Self::Grant { .. } => "grant",
            Self::HoldRelease { .. } => "hold_release",
            Self::Restore { .. } => "restore",
            Self::Update { .. } => "update",
        }
    }

    /// Whether someone of this role may ask for it, but for grants, which are a matter of the collection.
    const fn may_be_asked_by(&self, role: Role) -> bool {
        match self {
            Self::AuditExport { .. } => matches!(role, Role::Auditor),
            Self::Grant { .. } => true,
            Self::HoldRelease { .. } => matches!(role, Role::Auditor | Role::Admin),
            Self::Restore { .. } | Self::Update { .. } => matches!(role, Role::Admin),
        }
    }

    /// Whether someone of this role may agree to it.
    const fn may_be_decided_by(&self, role: Role) -> bool {
        match self {
            Self::AuditExport { .. } | Self::HoldRelease { .. } | Self::Restore { .. } | Self::Update { .. } => {
                matches!(role, Role::Auditor | Role::Admin)
            }
            Self::Grant { .. } => matches!(role, Role::Admin),
        }
    }
}

impl Identity {
    /// Whether an export of the audit log needs a second person.
    #[must_use]
    pub fn export_needs_approval(&self) -> bool {
        self.policy.approvals.audit_export
    }

    /// Whether the end of a legal hold needs a second person.
    #[must_use]
    pub fn hold_release_needs_approval(&self) -> bool {
        self.policy.approvals.hold_release
    }

    /// Whether a restore over what is there needs a second person.
    #[must_use]
    pub fn restore_needs_approval(&self) -> bool {
        self.policy.approvals.restore
    }

    /// Whether another release needs a second person.
    #[must_use]
    pub fn update_needs_approval(&self) -> bool {
        self.policy.approvals.update
    }

    /// Whether this grant needs a second person: it allows more than the one before, where labelled documents lie.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn grant_needs_approval(
        &self,
        collection: &domain::Collection,
        before: Option<Permission>,
        after: Option<Permission>,
    ) -> Result<bool, IdentityError> {
        let Some(from) = self.policy.approvals.grants_from else { return Ok(false) };
        let highest = self.store.highest_label(collection.id).await?;
        Ok(after > before && highest.max(Some(collection.default_label)) >= Some(from))
    }

    /// Asks for an act.
    ///
    /// # Errors
    /// `Invalid` if someone of this role may not ask for it; if the store refuses.
    pub async fn ask_approval(
        &self,
        wish: &Wish,
        summary: &str,
        reason: &str,
        who: &User,
        actor: &Actor,
        operation: OperationId,
    ) -> Result<Approval, IdentityError> {
        if !wish.may_be_asked_by(who.role) {
            return Err(IdentityError::Invalid(format!("'{}' is {} and may not ask for this", who.name, who.role)));
        }
        let now = self.store.environment().now();
        let approval = Approval {
            id: ApprovalId::new(self.store.environment()),
            kind: wish.kind().to_owned(),
            request: serde_json::to_value(wish).map_err(|error| IdentityError::Invalid(error.to_string()))?,
            summary: summary.to_owned(),
            reason: reason.trim().chars().take(LONGEST_REASON).collect(),
            requested_by: who.id,
            requested_at: now,
            expires_at: now + self.policy.approvals.expiry,
            state: ApprovalState::Waiting,
            decided_by: None,
            decided_at: None,
        };
        let mut act = self.store.begin().await?;
        act.insert_approval(&approval).await?;
        let event = event(Action::ApprovalRequested, &approval, actor, operation);
        act.record(event.detail(json!({ "request": approval.request, "reason": approval.reason }))).await?;
        act.commit().await?;
        Ok(approval)
    }

    /// Whether `who` may decide about it now: somebody else, of the right role, in time.
    #[must_use]
    pub fn may_decide(&self, approval: &Approval, who: &User) -> bool {
        let wish = serde_json::from_value::<Wish>(approval.request.clone());
        approval.state == ApprovalState::Waiting
            && approval.requested_by != who.id
            && self.store.environment().now() < approval.expires_at
            && wish.is_ok_and(|wish| wish.may_be_decided_by(who.role))
    }

    /// Agrees or refuses. What needs nobody's presence, such as a grant, is done at once and in the same transaction.
    ///
    /// # Errors
    /// `Unknown` if there is nothing for this person to decide (any more).
    pub async fn decide(
        &self,
        id: ApprovalId,
        agrees: bool,
        who: &User,
        actor: &Actor,
        operation: OperationId,
    ) -> Result<(), IdentityError> {
        let approval = self.store.approval(id).await?.ok_or(IdentityError::Unknown("request"))?;
        if !self.may_decide(&approval, who) {
            return Err(IdentityError::Unknown("request"));
        }
        let wish = wish_of(&approval)?;
        if agrees {
            self.still_may(&approval, &wish).await?;
        }
        let state = if agrees { ApprovalState::Approved } else { ApprovalState::Refused };
        let mut act = self.store.begin().await?;
        if !act.advance_approval(id, ApprovalState::Waiting, state, Some(who.id)).await? {
            return Err(IdentityError::Unknown("request"));
        }
        let action = if agrees { Action::ApprovalGranted } else { Action::ApprovalRefused };
        let outcome = if agrees { Outcome::Success } else { Outcome::Denied };
        act.record(event(action, &approval, actor, operation).outcome(outcome)).await?;
        match &wish {
            Wish::Grant { collection, principal, permission } if agrees => {
                act.set_grant(*collection, *principal, Some(*permission)).await?;
                let detail = json!({ "principal": principal, "after": permission, "approval": id });
                let changed = Event::new(Action::GrantChanged, actor, operation);
                act.record(changed.on("collection", collection, &approval.summary).detail(detail)).await?;
                self.finish(&mut act, &approval, actor, operation).await?;
            }
            Wish::HoldRelease { name, placed_at } if agrees => {
                let holds = self.store.legal_holds().await?;
                let same = |hold: &LegalHold| hold.name == *name && hold.placed_at == *placed_at;
                let hold = holds.into_iter().find(same).ok_or(IdentityError::Unknown("legal hold"))?;
                act.release_hold(name).await?;
                let released = Event::new(Action::LegalHoldReleased, actor, operation);
                let detail = json!({ "approval": id, "asked_by": approval.requested_by });
                act.record(released.on("legal_hold", hold.id, name).detail(detail)).await?;
                self.finish(&mut act, &approval, actor, operation).await?;
            }
            _ => {}
        }
        Ok(act.commit().await?)
    }

    /// Takes a request back.
    ///
    /// # Errors
    /// `Unknown` if it is not this person's, or no longer open.
    pub async fn withdraw_approval(
        &self,
        id: ApprovalId,
        who: &User,
        actor: &Actor,
        operation: OperationId,
    ) -> Result<(), IdentityError> {
        let approval = self.store.approval(id).await?.filter(|approval| approval.requested_by == who.id);
        let approval = approval.ok_or(IdentityError::Unknown("request"))?;
        let mut act = self.store.begin().await?;
        if !act.advance_approval(id, ApprovalState::Waiting, ApprovalState::Withdrawn, None).await? {
            return Err(IdentityError::Unknown("request"));
        }
        act.record(event(Action::ApprovalRefused, &approval, actor, operation).outcome(Outcome::Denied)).await?;
        Ok(act.commit().await?)
    }

    /// The request with this id if somebody agreed to this very act and it has not been done, nor is too late.
    ///
    /// # Errors
    /// `Invalid` with a sentence that says why it cannot be done; `Unknown` if there is no such request.
    pub async fn agreed(&self, id: ApprovalId, wish: &Wish) -> Result<Approval, IdentityError> {
        let approval = self.store.approval(id).await?.ok_or(IdentityError::Unknown("request"))?;
        let refusal = match approval.state {
            _ if wish_of(&approval)? != *wish => "it was agreed to something else than this",
            ApprovalState::Done => "it was done already; ask again",
            ApprovalState::Refused => "it was refused",
            ApprovalState::Withdrawn => "it was taken back",
            _ if self.store.environment().now() >= approval.expires_at => "it is too late for it; ask again",
            ApprovalState::Waiting => "nobody has agreed to it yet",
            ApprovalState::Approved => {
                self.still_may(&approval, wish).await?;
                return Ok(approval);
            }
        };
        Err(IdentityError::Invalid(format!("request {id}: {refusal}")))
    }

    /// Uses up what a second person agreed to, by whoever asked: of two that try, one may go on. What is done must be
    /// what was agreed to.
    ///
    /// # Errors
    /// `Unknown` if nobody agreed to this very act, or it was done already.
    pub async fn use_approval(
        &self,
        id: ApprovalId,
        wish: &Wish,
        who: &User,
        actor: &Actor,
        operation: OperationId,
    ) -> Result<(), IdentityError> {
        let approval = self.store.approval(id).await?.filter(|approval| approval.requested_by == who.id);
        let approval = approval.ok_or(IdentityError::Unknown("request"))?;
        if wish_of(&approval)? != *wish {
            return Err(IdentityError::Unknown("request"));
        }
        let mut act = self.store.begin().await?;
        self.finish(&mut act, &approval, actor, operation).await?;
        Ok(act.commit().await?)
    }

    async fn finish(
        &self,
        act: &mut Act,
        approval: &Approval,
        actor: &Actor,
        operation: OperationId,
    ) -> Result<(), IdentityError> {
        if !act.advance_approval(approval.id, ApprovalState::Approved, ApprovalState::Done, None).await? {
            return Err(IdentityError::Unknown("request"));
        }
        act.record(event(Action::ApprovalExecuted, approval, actor, operation)).await?;
        Ok(())
    }

    /// That whoever asked could still do it alone, but for the rule: nobody gets more through a second person than they
    /// may ask for.
    async fn still_may(&self, approval: &Approval, wish: &Wish) -> Result<(), IdentityError> {
        let asked = self.store.user(approval.requested_by).await?.filter(|user| !user.disabled);
        let may = match (asked, wish) {
            (None, _) => false,
            (Some(user), Wish::Grant { .. }) if user.role == Role::Admin => true,
            (Some(user), Wish::Grant { collection, .. }) => {
                let permissions = self.permissions(&self.principal(user).await?).await?;
                permissions.get(collection) == Some(&Permission::Manage)
            }
            (Some(user), wish) => wish.may_be_asked_by(user.role),
        };
        let lost = "whoever asked for this may no longer do it; refuse the request".to_owned();
        if may { Ok(()) } else { Err(IdentityError::Invalid(lost)) }
    }
}

fn wish_of(approval: &Approval) -> Result<Wish, IdentityError> {
    serde_json::from_value(approval.request.clone()).map_err(|_| IdentityError::Unknown("request"))
}

fn event(action: Action, approval: &Approval, actor: &Actor, operation: OperationId) -> Event {
    Event::new(action, actor, operation).on("approval", approval.id, &approval.summary)
}
