//! Accounts of a directory: who signs in with a password of the directory gets an account here, and loses it when the
//! directory no longer knows them. Off unless a site configures one.

mod active_directory;
mod connection;
mod groups;
mod settings;

pub use connection::Directory;
pub use settings::{DirectoryKind, DirectorySettings, GroupRule, NestedGroups};

use crate::accounts::{created, valid_name};
use crate::sign_in::SignInError;
use crate::{Identity, IdentityError, NewUser, UserChange};
use active_directory::Obstacle;
use audit::{Action, Actor, Event, Outcome};
use connection::{Person, Shown};
use domain::{OperationId, User, UserId};
use serde_json::json;
use settings::comparable;
pub(crate) use settings::{Rights, rights};
use std::collections::BTreeSet;
use storage::AccountSource;

/// What stands in place of a hash where somebody else knows the password: no password fits it.
pub(crate) const NO_PASSWORD: &str = "!";

/// What a look at the directory changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Synchronised {
    /// Accounts that were compared.
    pub accounts: usize,
    /// Accounts that were closed, because the directory no longer has them or no longer gives them a role.
    pub closed: usize,
}

/// What an admin who sets the directory up wants to know of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// The groups that rules name, with how many members each names itself; `None` if there is no such group.
    pub groups: Vec<(String, Option<usize>)>,
    /// People whom the filter finds, whatever their names.
    pub people: usize,
}

/// Whom a name and a password are those of, in the directory.
pub(crate) enum Sighted {
    /// This account, brought up to what the directory says.
    Account(User),
    /// Nobody's that may sign in; the reason is for the audit log.
    Nobody(Option<String>),
}

impl Identity {
    /// The account of whoever has this name and password in the directory.
    pub(crate) async fn check_with_directory(
        &self,
        name: &str,
        password: &str,
        operation: OperationId,
    ) -> Result<Sighted, SignInError> {
        let Some(directory) = &self.policy.directory else { return Ok(Sighted::Nobody(None)) };
        let shown = match directory.sign_in(name, password, self.store.environment().now()).await {
            Ok(shown) => shown,
            Err(reason) => return Err(self.directory_failed(&reason, operation).await?.into()),
        };
        Ok(match shown {
            Shown::Refused(obstacle) => Sighted::Nobody(obstacle.map(|obstacle| obstacle.to_string())),
            Shown::Person(person) => match self.bring_up(directory, &person, operation).await? {
                Some(user) => Sighted::Account(user),
                None => {
                    Sighted::Nobody(Some("the directory gives no role, or the name is another account's".to_owned()))
                }
            },
        })
    }

    /// Asks the directory for what the configuration names, to see whether that is right. Changes nothing.
    ///
    /// # Errors
    /// If there is none, or it does not answer: what it said, in full, for the person at the console.
    pub async fn look_at_directory(&self) -> Result<Looked, IdentityError> {
        let missing = || IdentityError::Invalid("no directory is configured; see docs/identity.md".to_owned());
        let directory = self.policy.directory.as_ref().ok_or_else(missing)?;
        directory.look().await.map_err(IdentityError::Elsewhere)
    }

    /// Compares all accounts of the directory with it, and closes those that it no longer has.
    ///
    /// # Errors
    /// If there is none, it does not answer, or it knows none of its accounts: then nothing is changed.
    pub async fn synchronise(&self, operation: OperationId) -> Result<Synchronised, IdentityError> {
        let missing = || IdentityError::Invalid("no directory is configured; see docs/identity.md".to_owned());
        let directory = self.policy.directory.as_ref().ok_or_else(missing)?;
        let accounts = self.store.accounts().await?;
        let ours = accounts.into_values().filter(|account| account.source == AccountSource::Directory);
        let ids: Vec<String> = ours.filter_map(|account| account.source_id).collect();
        let accounts = ids.len();
        let people = match directory.people(ids, self.store.environment().now()).await {
            Ok(people) => people,
            Err(reason) => return Err(self.directory_failed(&reason, operation).await?),
        };
        if accounts > 1 && people.iter().all(|(_, person)| person.is_none()) {
            let reason = "it knows none of its accounts any more, which is more likely a mistake than the truth";
            return Err(self.directory_failed(reason, operation).await?);
        }
        let mut closed = 0;
        for (id, person) in people {
            let stays = match person {
                // Disabled or expired there, it is closed here; a lockout or an old password passes.
                Some(person) if person.obstacle.is_some_and(Obstacle::lasts) => false,
                Some(person) => self.bring_up(directory, &person, operation).await?.is_some(),
                None => false,
            };
            let Some(user) = self.store.user_by_source(AccountSource::Directory, &id).await? else { continue };
            if !stays && !user.disabled {
                self.close(&user, operation).await?;
                closed += 1;
            }
        }
        let mut act = self.store.begin().await?;
        let event = Event::new(Action::DirectorySynchronised, &Actor::system(), operation);
        act.record(event.detail(json!({ "accounts": accounts, "closed": closed }))).await?;
        act.commit().await?;
        Ok(Synchronised { accounts, closed })
    }

    /// Records why the directory could not be asked; people are told no more than that.
    async fn directory_failed(&self, reason: &str, operation: OperationId) -> Result<IdentityError, IdentityError> {
        tracing::warn!(reason, "the directory could not be asked");
        let mut act = self.store.begin().await?;
        let event = Event::new(Action::DirectoryFailed, &Actor::system(), operation).outcome(Outcome::Failed);
        act.record(event.detail(json!({ "reason": reason }))).await?;
        act.commit().await?;
        let sentence = "the directory of your organisation cannot be asked; try again, or tell an admin";
        Ok(IdentityError::Elsewhere(sentence.to_owned()))
    }

    /// The person's account with role, clearance and groups as the directory has them, made if there is none. `None` if
    /// the directory gives no role, or the name is that of an account which is not the directory's.
    async fn bring_up(
        &self,
        directory: &Directory,
        person: &Person,
        operation: OperationId,
    ) -> Result<Option<User>, IdentityError> {
        let rules = &directory.settings.rules;
        let Some(rights) = rights(rules, |dn| person.groups.contains(&comparable(dn))) else { return Ok(None) };
        let user = match self.store.user_by_source(AccountSource::Directory, &person.id).await? {
            Some(user) => {
                let user = self.follow_name(user, person, operation).await?;
                let change = UserChange {
                    display_name: Some(person.display_name.clone()),
                    role: Some(rights.role),
                    clearance: Some(rights.clearance),
                    disabled: None,
                };
                self.change_user(user.id, &change, &Actor::system(), operation).await?
            }
            None => match self.adopt(person, &rights, operation).await? {
                Some(user) => user,
                None => return Ok(None),
            },
        };
        let ruled = rules.iter().filter_map(|rule| rule.group.as_deref()).collect();
        self.set_groups(user.id, &ruled, &rights.groups, operation).await?;
        Ok(Some(user))
    }

    /// Gives an account the name that its person has in the directory by now: else the old name would stand in the way of
    /// whoever gets it next. A name that another account has by now is left to that.
    async fn follow_name(&self, user: User, person: &Person, operation: OperationId) -> Result<User, IdentityError> {
        let name = self.described(&NewUser {
            name: person.name.clone(),
            display_name: user.display_name.clone(),
            role: user.role,
            clearance: user.clearance,
        })?;
        let name = name.name;
        if name == user.name {
            return Ok(user);
        }
        if self.store.user_by_name(&name).await?.is_some() {
            tracing::warn!(name, "someone of the directory was renamed to what another account is called");
            return Ok(user);
        }
        let renamed = User { name, ..user.clone() };
        let mut act = self.store.begin().await?;
        act.update_user(&renamed).await?;
        let event = Event::new(Action::UserChanged, &Actor::system(), operation).on("user", user.id, &renamed.name);
        let (before, after) = (json!({ "name": user.name }), json!({ "name": renamed.name }));
        act.record(event.detail(json!({ "before": before, "after": after }))).await?;
        act.commit().await?;
        Ok(renamed)
    }

    /// Makes an account for someone of the directory.
    async fn adopt(
        &self,
        person: &Person,
        rights: &Rights,
        operation: OperationId,
    ) -> Result<Option<User>, IdentityError> {
        let user = self.described(&NewUser {
            name: person.name.clone(),
            display_name: person.display_name.clone(),
            role: rights.role,
            clearance: rights.clearance,
        })?;
        if self.store.user_by_name(&user.name).await?.is_some() {
            tracing::warn!(name = user.name, "someone of the directory has the name of an account that is not theirs");
            return Ok(None);
        }
        let mut act = self.store.begin().await?;
        act.insert_user(&user, NO_PASSWORD).await?;
        act.set_account_source(user.id, AccountSource::Directory, &person.id).await?;
        act.record(created(&user, &Actor::system(), operation)).await?;
        act.commit().await?;
        Ok(Some(user))
    }

    /// Of the groups that rules name, the person is in these and no others; groups that no rule names stay as they are.
    pub(crate) async fn set_groups(
        &self,
        user: UserId,
        ruled: &BTreeSet<&str>,
        groups: &BTreeSet<String>,
        operation: OperationId,
    ) -> Result<(), IdentityError> {
        let actor = Actor::system();
        let present = self.store.groups_of(user).await?;
        for name in ruled {
            let name = valid_name(name)?;
            let is_in = present.iter().any(|group| group.name == name);
            let belongs = groups.iter().any(|group| valid_name(group).is_ok_and(|group| group == name));
            if is_in == belongs {
                continue;
            }
            let group = match self.store.group_by_name(&name).await? {
                Some(group) => group,
                None => self.create_group(&name, &actor, operation).await?,
            };
            self.set_membership(group.id, user, belongs, &actor, operation).await?;
        }
        Ok(())
    }

    /// Closes an account of the directory; its sessions end at once.
    async fn close(&self, user: &User, operation: OperationId) -> Result<(), IdentityError> {
        let change = UserChange { disabled: Some(true), ..UserChange::default() };
        match self.change_user(user.id, &change, &Actor::system(), operation).await {
            Ok(_) => Ok(()),
            Err(IdentityError::Invalid(reason)) => {
                // The last admin: without one nobody could mend it.
                tracing::warn!(name = user.name, reason, "an account that the directory no longer has stays open");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}
