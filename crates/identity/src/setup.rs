//! A site's first people: one admin and one auditor, in one act with everything else that a site begins with.

use crate::accounts::valid_name;
use crate::password::check;
use crate::{Identity, IdentityError};
use audit::{Action, Actor, Event};
use domain::{Clearance, Collection, CollectionId, Group, GroupId, Label, OperationId, Permission, Role, User, UserId};
use serde_json::json;
use storage::Act;

/// What everybody's group is called.
pub const EVERYBODY: &str = "everybody";

/// What a new site begins with.
#[derive(Debug, Clone)]
pub struct FirstSite {
    /// Name of the organisation.
    pub organisation: String,
    /// What the labels are called, the lowest first.
    pub labels: [String; 4],
    /// Who manages.
    pub admin: FirstPerson,
    /// Who watches over the admin: another person.
    pub auditor: FirstPerson,
    /// Collections to begin with.
    pub collections: Vec<FirstCollection>,
}

/// An account to be made.
#[derive(Debug, Clone)]
pub struct FirstPerson {
    /// Sign-in name.
    pub name: String,
    /// How pages address the person.
    pub display_name: String,
    /// In the clear; only its hash is kept.
    pub password: String,
}

/// A collection to be made.
#[derive(Debug, Clone)]
pub struct FirstCollection {
    /// Unique name.
    pub name: String,
    /// Label of its new documents.
    pub label: Label,
    /// Who may read it.
    pub readers: FirstReaders,
}

/// Who may read a first collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FirstReaders {
    /// Whoever has an account, now or later.
    Everybody,
    /// A group, which is made if it is new.
    Group(String),
    /// Nobody until an admin says so.
    Nobody,
}

impl Identity {
    /// Whether nobody has an account yet.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn is_empty(&self) -> Result<bool, IdentityError> {
        Ok(!self.store.has_users().await?)
    }

    /// Makes all of it, or nothing. Works once: whoever comes second finds people there.
    ///
    /// # Errors
    /// `Invalid` for names, passwords and labels that cannot be used; `Unknown` if there are accounts already.
    pub async fn set_up(&self, site: &FirstSite, actor: &Actor, operation: OperationId) -> Result<(), IdentityError> {
        site.check()?;
        let people = [(&site.admin, Role::Admin), (&site.auditor, Role::Auditor)];
        let mut accounts = Vec::new();
        for (person, role) in people {
            let name = valid_name(&person.name)?;
            check(&name, &site.organisation, &self.policy.refused_passwords, &person.password, false)?;
            let hash = self.passwords.hash(&person.password).await?;
            let display_name = match person.display_name.trim() {
                "" => name.clone(),
                given => given.chars().take(100).collect(),
            };
            let id = UserId::new(self.store.environment());
            let clearance = Clearance(Label::Internal);
            accounts.push((User { id, name, display_name, role, clearance, disabled: false }, hash));
        }
        let mut act = self.store.begin().await?;
        if act.has_users().await? {
            return Err(IdentityError::Unknown("site without accounts"));
        }
        let everybody = Group { id: GroupId::new(self.store.environment()), name: EVERYBODY.to_owned() };
        act.insert_group_of_everybody(&everybody).await?;
        record(&mut act, Action::GroupCreated, actor, operation, ("group", everybody.id.to_string(), EVERYBODY))
            .await?;
        for (user, hash) in &accounts {
            act.insert_user(user, hash).await?;
            let event = Event::new(Action::UserCreated, actor, operation).on("user", user.id, &user.name);
            act.record(event.detail(json!({ "role": user.role, "clearance": user.clearance }))).await?;
        }
        self.make_collections(&mut act, site, &everybody, actor, operation).await?;
        act.set_setting("organisation", &json!(site.organisation.trim())).await?;
        act.set_setting("labels", &json!(site.labels.each_ref().map(|label| label.trim()))).await?;
        let names: Vec<&str> = accounts.iter().map(|(user, _)| user.name.as_str()).collect();
        let detail = json!({ "organisation": site.organisation, "labels": site.labels, "people": names });
        act.record(Event::new(Action::SetupFinished, actor, operation).detail(detail)).await?;
        Ok(act.commit().await?)
    }

    async fn make_collections(
        &self,
        act: &mut Act,
        site: &FirstSite,
        everybody: &Group,
        actor: &Actor,
        operation: OperationId,
    ) -> Result<(), IdentityError> {
        let environment = self.store.environment();
        let mut groups = vec![everybody.clone()];
        for first in &site.collections {
            let collection = Collection {
                id: CollectionId::new(environment),
                name: first.name.trim().to_owned(),
                description: String::new(),
                default_label: first.label,
            };
            act.insert_collection(&collection).await?;
            let object = ("collection", collection.id.to_string(), collection.name.as_str());
            record(act, Action::CollectionCreated, actor, operation, object).await?;
            let name = match &first.readers {
                FirstReaders::Nobody => continue,
                FirstReaders::Everybody => EVERYBODY.to_owned(),
                FirstReaders::Group(name) => valid_name(name)?,
            };
            let group = match groups.iter().find(|group| group.name == name) {
                Some(group) => group.clone(),
                None => {
                    let group = Group { id: GroupId::new(environment), name };
                    act.insert_group(&group).await?;
                    let object = ("group", group.id.to_string(), group.name.as_str());
                    record(act, Action::GroupCreated, actor, operation, object).await?;
                    groups.push(group.clone());
                    group
                }
            };
            act.set_grant(collection.id, group.id.into(), Some(Permission::Read)).await?;
            let event = Event::new(Action::GrantChanged, actor, operation);
            let event = event.on("collection", collection.id, &collection.name);
            let detail = json!({ "principal": group.id, "name": group.name, "permission": Permission::Read });
            act.record(event.detail(detail)).await?;
        }
        Ok(())
    }
}

async fn record(
    act: &mut Act,
    action: Action,
    actor: &Actor,
    operation: OperationId,
    (kind, id, name): (&'static str, String, &str),
) -> Result<(), IdentityError> {
    act.record(Event::new(action, actor, operation).on(kind, id, name)).await?;
    Ok(())
}

impl FirstSite {
    /// What can be said without looking at the store.
    fn check(&self) -> Result<(), IdentityError> {
        let invalid = |sentence: &str| Err(IdentityError::Invalid(sentence.to_owned()));
        let fits = |text: &str, longest| (1..=longest).contains(&text.trim().chars().count());
        if !fits(&self.organisation, 80) {
            return invalid("the organisation needs a name of at most 80 characters");
        }
        let plain = |label: &String| fits(label, 30) && !label.contains(['|', '<', '>', '\n']);
        let mut labels: Vec<String> = self.labels.iter().map(|label| label.trim().to_lowercase()).collect();
        labels.sort();
        labels.dedup();
        if !self.labels.iter().all(plain) || labels.len() < self.labels.len() {
            return invalid("the four labels need four different names of at most 30 characters");
        }
        if valid_name(&self.admin.name)? == valid_name(&self.auditor.name)? {
            return invalid("admin and auditor are two different people; give them different names");
        }
        if self.admin.password == self.auditor.password {
            return invalid("admin and auditor must not have the same password");
        }
        let mut collections: Vec<String> = self.collections.iter().map(|it| it.name.trim().to_lowercase()).collect();
        collections.sort();
        collections.dedup();
        if self.collections.iter().any(|it| !fits(&it.name, 80)) || collections.len() < self.collections.len() {
            return invalid("collections need different names of at most 80 characters");
        }
        Ok(())
    }
}
