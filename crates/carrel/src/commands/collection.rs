//! `carrel collection`

use super::print_json;
use crate::Outcome;
use crate::config::Configuration;
use crate::second_person::{self, SecondPerson};
use crate::site::{Failure, Site};
use ::audit::{Action, Actor, Event};
use domain::{Collection, CollectionId, Label, Permission, PrincipalId};
use identity::Wish;
use serde_json::json;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// List the collections with their grants
    List {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Make a collection
    Create {
        /// Its name
        name: String,
        /// One sentence for people who look for something
        #[arg(long, default_value = "")]
        description: String,
        /// Label of new documents
        #[arg(long, default_value = "internal")]
        label: Label,
    },
    /// Allow a user or a group something in a collection
    Grant {
        /// The collection
        collection: String,
        /// Name of a user or a group
        to: String,
        /// read, write or manage
        permission: Permission,
        #[command(flatten)]
        second_person: SecondPerson,
    },
    /// Take a grant away
    Revoke {
        /// The collection
        collection: String,
        /// Name of a user or a group
        from: String,
    },
}

pub(crate) async fn run(command: Command, configuration: &Configuration) -> Outcome {
    let site = Site::open(configuration).await?;
    match command {
        Command::List { json } => list(&site, json).await,
        Command::Create { name, description, label } => {
            let collection = create(&site, &name, &description, label).await?;
            println!("made the collection '{}'; nobody can read it until it is granted", collection.name);
            Ok(())
        }
        Command::Grant { collection, to, permission, second_person } => {
            if asked_for(&site, &collection, &to, permission, &second_person).await? {
                return Ok(());
            }
            grant(&site, &collection, &to, Some(permission)).await?;
            println!("'{to}' may now {permission} in '{collection}'");
            Ok(())
        }
        Command::Revoke { collection, from } => {
            grant(&site, &collection, &from, None).await?;
            println!("'{from}' has no grant in '{collection}' any more");
            Ok(())
        }
    }
}

async fn list(site: &Site, json: bool) -> Outcome {
    let mut all = Vec::new();
    for collection in site.store.collections().await? {
        let grants = site.store.grants(collection.id).await?;
        all.push((collection, grants));
    }
    if json {
        let collections: Vec<_> = all
            .iter()
            .map(|(collection, grants)| {
                let grants: Vec<_> =
                    grants.iter().map(|grant| json!({ "to": grant.name, "permission": grant.permission })).collect();
                json!({ "collection": collection, "grants": grants })
            })
            .collect();
        print_json(&json!({ "collections": collections }));
        return Ok(());
    }
    for (collection, grants) in all {
        println!("{} ({}): {}", collection.name, collection.default_label, collection.description);
        grants.iter().for_each(|grant| println!("    {:8} {}", grant.permission, grant.name));
    }
    Ok(())
}

pub(crate) async fn create(site: &Site, name: &str, description: &str, label: Label) -> Result<Collection, Failure> {
    let collection = Collection {
        id: CollectionId::new(site.store.environment()),
        name: name.trim().to_owned(),
        description: description.trim().to_owned(),
        default_label: label,
    };
    if collection.name.is_empty() {
        return Err("a collection needs a name".into());
    }
    let mut act = site.store.begin().await?;
    act.insert_collection(&collection).await?;
    let event = Event::new(Action::CollectionCreated, &Actor::console(), site.operation())
        .on("collection", collection.id, &collection.name)
        .detail(json!({ "default_label": label }));
    act.record(event).await?;
    act.commit().await?;
    Ok(collection)
}

/// Where a wider grant needs a second person, asks for it; it holds in the very moment in which that person agrees.
async fn asked_for(
    site: &Site,
    collection: &str,
    to: &str,
    permission: Permission,
    second_person: &SecondPerson,
) -> Result<bool, Failure> {
    let collection = site.collection(collection).await?;
    let principal = principal(site, to).await?;
    let before = site.store.grants(collection.id).await?;
    let before = before.iter().find(|grant| grant.principal == principal).map(|grant| grant.permission);
    if !site.identity.grant_needs_approval(&collection, before, Some(permission)).await? {
        return Ok(false);
    }
    let wish = Wish::Grant { collection: collection.id, principal, permission };
    let summary = format!("Let {to} {permission} in {}", collection.name);
    let asked = second_person::ask(site, &wish, &summary, second_person).await?;
    if second_person.waits() {
        second_person::wait(site, &asked).await?;
        println!("'{to}' may now {permission} in '{}'", collection.name);
    } else {
        println!("{}then the grant holds at once", second_person::told(&asked));
    }
    Ok(true)
}

pub(crate) async fn grant(site: &Site, collection: &str, to: &str, permission: Option<Permission>) -> Outcome {
    let collection = site.collection(collection).await?;
    let principal = principal(site, to).await?;
    let before = site.store.grants(collection.id).await?;
    let before = before.iter().find(|grant| grant.principal == principal).map(|grant| grant.permission);
    let mut act = site.store.begin().await?;
    act.set_grant(collection.id, principal, permission).await?;
    let event = Event::new(Action::GrantChanged, &Actor::console(), site.operation())
        .on("collection", collection.id, &collection.name)
        .detail(json!({ "principal": principal, "name": to, "before": before, "after": permission }));
    act.record(event).await?;
    act.commit().await?;
    Ok(())
}

async fn principal(site: &Site, name: &str) -> Result<PrincipalId, Failure> {
    if let Some(group) = site.store.group_by_name(name).await? {
        return Ok(group.id.into());
    }
    match site.store.user_by_name(name).await? {
        Some(user) => Ok(user.id.into()),
        None => Err(format!("there is no user or group '{name}'").into()),
    }
}
