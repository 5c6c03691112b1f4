//! Accounts and groups: every change in one transaction with its event.

use crate::password::check;
use crate::second_factor::end_sessions;
use crate::sign_in::canonical_name;
use crate::{Authenticated, Client, Identity, IdentityError, PasswordError, SignInError, SignedIn};
use audit::{Action, Actor, Event};
use domain::{Clearance, Group, GroupId, OperationId, Role, User, UserId};
use serde_json::json;
use storage::{AccountSource, Act, SignInStep};

/// An account to be made.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// Sign-in name.
    pub name: String,
    /// How pages address the person; the sign-in name if empty.
    pub display_name: String,
    /// What the person is for.
    pub role: Role,
    /// Highest label the person may read.
    pub clearance: Clearance,
}

/// What an admin changes of an account; `None` leaves as it is.
#[derive(Debug, Clone, Default)]
pub struct UserChange {
    /// Another name for pages to address the person by; an empty one leaves it as it is.
    pub display_name: Option<String>,
    /// A new role.
    pub role: Option<Role>,
    /// A new clearance.
    pub clearance: Option<Clearance>,
    /// Whether the account is disabled.
    pub disabled: Option<bool>,
}

impl Identity {
    /// Makes an account.
    ///
    /// # Errors
    /// A password against the rules, a name that is taken or cannot be one.
    pub async fn create_user(
        &self,
        new: &NewUser,
        password: &str,
        actor: &Actor,
        operation: OperationId,
    ) -> Result<User, IdentityError> {
        self.make_user(new, password, false, actor, operation).await
    }

    /// As [`Identity::create_user`], with a password that the person has to change at the first sign-in.
    ///
    /// # Errors
    /// As there.
    pub async fn create_user_to_change_password(
        &self,
        new: &NewUser,
        password: &str,
        actor: &Actor,
        operation: OperationId,
    ) -> Result<User, IdentityError> {
        self.make_user(new, password, true, actor, operation).await
    }

    async fn make_user(
        &self,
        new: &NewUser,
        password: &str,
        must_change: bool,
        actor: &Actor,
        operation: OperationId,
    ) -> Result<User, IdentityError> {
        let user = self.described(new)?;
        check(&user.name, &self.policy.organisation, &self.policy.refused_passwords, password, false)?;
        let hash = self.passwords.hash(password).await?;
        let mut act = self.store.begin().await?;
        act.insert_user(&user, &hash).await?;
        act.set_password_demands(user.id, must_change, false).await?;
        act.record(created(&user, actor, operation)).await?;
        act.commit().await?;
        Ok(user)
    }

    /// The account that `new` describes, with an id of its own.
    pub(crate) fn described(&self, new: &NewUser) -> Result<User, IdentityError> {
        let name = valid_name(&new.name)?;
        let display_name = match new.display_name.trim() {
            "" => name.clone(),
            given => given.chars().take(100).collect(),
        };
        Ok(User {
            id: UserId::new(self.store.environment()),
            name,
            display_name,
            role: new.role,
            clearance: new.clearance,
            disabled: false,
        })
    }

    /// Changes role, clearance or state. Fewer rights end the person's sessions at once.
    ///
    /// # Errors
    /// No such user; the last enabled admin cannot be taken away.
    pub async fn change_user(
        &self,
        id: UserId,
        change: &UserChange,
        actor: &Actor,
        operation: OperationId,
    ) -> Result<User, IdentityError> {
        let before = self.store.user(id).await?.ok_or(IdentityError::Unknown("user"))?;
        let display_name = change.display_name.as_deref().map(str::trim).filter(|name| !name.is_empty());
        let after = User {
            display_name: display_name.map_or(before.display_name.clone(), |name| name.chars().take(100).collect()),
            role: change.role.unwrap_or(before.role),
            clearance: change.clearance.unwrap_or(before.clearance),
            disabled: change.disabled.unwrap_or(before.disabled),
            ..before.clone()
        };
        if after == before {
            return Ok(before);
        }
        let admin = |user: &User| user.role == Role::Admin && !user.disabled;
        if admin(&before) && !admin(&after) {
            let others = self.store.users().await?.iter().filter(|user| user.id != id && admin(user)).count();
            if others == 0 {
                return Err(IdentityError::Invalid("this is the last admin; make another one first".to_owned()));
            }
        }
        let mut act = self.store.begin().await?;
        act.update_user(&after).await?;
        if after.disabled || after.role != before.role || after.clearance < before.clearance {
            act.delete_sessions_of(id).await?;
        }
        let state = |user: &User| {
            json!({
                "display_name": user.display_name,
                "role": user.role,
                "clearance": user.clearance,
                "disabled": user.disabled,
            })
        };
        act.record(
            Event::new(Action::UserChanged, actor, operation)
                .on("user", id, &after.name)
                .detail(json!({ "before": state(&before), "after": state(&after) })),
        )
        .await?;
        act.commit().await?;
        Ok(after)
    }

    /// Sets a new password and ends all sessions of the person.
    ///
    /// # Errors
    /// A password against the rules, no such user, an account whose password somebody else knows.
    pub async fn set_password(
        &self,
        id: UserId,
        password: &str,
        actor: &Actor,
        operation: OperationId,
    ) -> Result<(), IdentityError> {
        self.replace_password(id, password, false, actor, operation).await
    }

    /// As [`Identity::set_password`], with a password that the person has to change at the next sign-in.
    ///
    /// # Errors
    /// As there.
    pub async fn set_password_to_change(
        &self,
        id: UserId,
        password: &str,
        actor: &Actor,
        operation: OperationId,
    ) -> Result<(), IdentityError> {
        self.replace_password(id, password, true, actor, operation).await
    }

    async fn replace_password(
        &self,
        id: UserId,
        password: &str,
        must_change: bool,
        actor: &Actor,
        operation: OperationId,
    ) -> Result<(), IdentityError> {
        let user = self.store.user(id).await?.ok_or(IdentityError::Unknown("user"))?;
        let mut act = self.act_with_password(&user, password, must_change).await?;
        end_sessions(&mut act, id).await?;
        act.record(Event::new(Action::UserPasswordChanged, actor, operation).on("user", id, &user.name)).await?;
        Ok(act.commit().await?)
    }

    /// An act that sets the password, if it meets the rules.
    async fn act_with_password(&self, user: &User, password: &str, must_change: bool) -> Result<Act, IdentityError> {
        let account = self.store.account(user.id).await?.ok_or(IdentityError::Unknown("user"))?;
        if account.source != AccountSource::Local {
            let reason = "the password of this account is not kept here; change it where it is";
            return Err(IdentityError::Invalid(reason.to_owned()));
        }
        let second_factor = self.store.second_factor(user.id).await?.is_some();
        let short =
            check(&user.name, &self.policy.organisation, &self.policy.refused_passwords, password, second_factor)?;
        let hash = self.passwords.hash(password).await?;
        let mut act = self.store.begin().await?;
        act.set_password(user.id, &hash).await?;
        act.set_password_demands(user.id, must_change, short).await?;
        Ok(act)
    }

    /// As [`Identity::set_password`], by the person who knows the current one.
    ///
    /// # Errors
    /// Also [`PasswordError::Mismatch`] if `current` is wrong, and [`PasswordError::Same`].
    pub async fn change_own_password(
        &self,
        id: UserId,
        current: &str,
        password: &str,
        actor: &Actor,
        operation: OperationId,
    ) -> Result<(), IdentityError> {
        self.confirm(id, current, actor, operation).await?;
        if current == password {
            return Err(PasswordError::Same.into());
        }
        self.set_password(id, password, actor, operation).await
    }

    /// That whoever holds the session also knows the password: before what a stolen session must not do. Wrong ones
    /// count as failed sign-ins do.
    ///
    /// # Errors
    /// [`PasswordError::Mismatch`], and `Invalid` after too many.
    pub async fn confirm(
        &self,
        id: UserId,
        password: &str,
        actor: &Actor,
        operation: OperationId,
    ) -> Result<(), IdentityError> {
        let user = self.store.user(id).await?.ok_or(IdentityError::Unknown("user"))?;
        let client = Client { address: actor.address.clone().unwrap_or_default(), ..Client::default() };
        match self.check_password(&user.name, password, &client, operation).await {
            Ok(_) => Ok(()),
            Err(SignInError::Refused | SignInError::WrongCode | SignInError::KeyRefused(_)) => {
                Err(PasswordError::Mismatch.into())
            }
            Err(SignInError::Identity(error)) => Err(error),
            Err(throttled @ SignInError::Throttled { .. }) => Err(IdentityError::Invalid(throttled.to_string())),
        }
    }

    /// The step of a sign-in at which another password is due.
    ///
    /// # Errors
    /// A password against the rules, or the one that was to be replaced.
    pub async fn choose_password(
        &self,
        who: &Authenticated,
        password: &str,
        client: &Client,
        operation: OperationId,
    ) -> Result<SignedIn, SignInError> {
        let user = &who.principal.user;
        if who.session.step != SignInStep::Password {
            return Err(SignInError::Refused);
        }
        let stored = self.store.password_hash(user.id).await?;
        if self.passwords.verify(stored, password).await? {
            return Err(PasswordError::Same.into());
        }
        let mut act = self.act_with_password(user, password, false).await?;
        act.delete_sessions_of(user.id).await?;
        let event = Event::new(Action::UserPasswordChanged, &who.actor(&client.address), operation);
        act.record(event.on("user", user.id, &user.name)).await?;
        self.proceed(act, user.clone(), SignInStep::Done, client, operation).await
    }

    /// Makes a group.
    ///
    /// # Errors
    /// A name that is taken or empty.
    pub async fn create_group(
        &self,
        name: &str,
        actor: &Actor,
        operation: OperationId,
    ) -> Result<Group, IdentityError> {
        let group = Group { id: GroupId::new(self.store.environment()), name: valid_name(name)? };
        let mut act = self.store.begin().await?;
        act.insert_group(&group).await?;
        act.record(Event::new(Action::GroupCreated, actor, operation).on("group", group.id, &group.name)).await?;
        act.commit().await?;
        Ok(group)
    }

    /// Puts a person into a group or takes the person out.
    ///
    /// # Errors
    /// No such group or user.
    pub async fn set_membership(
        &self,
        group: GroupId,
        user: UserId,
        member: bool,
        actor: &Actor,
        operation: OperationId,
    ) -> Result<(), IdentityError> {
        let groups = self.store.groups().await?;
        let found = groups.iter().find(|known| known.id == group).ok_or(IdentityError::Unknown("group"))?;
        let person = self.store.user(user).await?.ok_or(IdentityError::Unknown("user"))?;
        let mut act = self.store.begin().await?;
        let action = if member {
            act.add_member(group, user).await?;
            Action::GroupMemberAdded
        } else {
            act.remove_member(group, user).await?;
            Action::GroupMemberRemoved
        };
        act.record(
            Event::new(action, actor, operation)
                .on("group", group, &found.name)
                .detail(json!({ "user": user, "name": person.name })),
        )
        .await?;
        Ok(act.commit().await?)
    }
}

/// That an account was made.
pub(crate) fn created(user: &User, actor: &Actor, operation: OperationId) -> Event {
    Event::new(Action::UserCreated, actor, operation)
        .on("user", user.id, &user.name)
        .detail(json!({ "role": user.role, "clearance": user.clearance }))
}

/// A name of 1 to 64 letters, digits, `.`, `_`, `-` or `@`, in lower case.
pub(crate) fn valid_name(name: &str) -> Result<String, IdentityError> {
    let name = canonical_name(name);
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '@');
    if name.is_empty() || name.chars().count() > 64 || !name.chars().all(fits) {
        let message = "a name has 1 to 64 letters, digits, dots, dashes or underscores";
        return Err(IdentityError::Invalid(message.to_owned()));
    }
    Ok(name)
}
