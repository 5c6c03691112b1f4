//! `carrel group`

use super::print_json;
use crate::Outcome;
use crate::config::Configuration;
use crate::site::Site;
use ::audit::Actor;
use serde_json::json;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// List the groups with their members
    List {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Make a group
    Create {
        /// Its name
        name: String,
    },
    /// Put a person into a group
    Add {
        /// The group
        group: String,
        /// Sign-in name
        user: String,
    },
    /// Take a person out of a group
    Remove {
        /// The group
        group: String,
        /// Sign-in name
        user: String,
    },
}

pub(crate) async fn run(command: Command, configuration: &Configuration) -> Outcome {
    let site = Site::open(configuration).await?;
    let (actor, operation) = (Actor::console(), site.operation());
    match command {
        Command::List { json } => {
            let mut all = Vec::new();
            for group in site.store.groups().await? {
                let members: Vec<String> =
                    site.store.members(group.id).await?.into_iter().map(|user| user.name).collect();
                all.push((group.name, members));
            }
            if json {
                let groups: Vec<_> =
                    all.iter().map(|(name, members)| json!({ "name": name, "members": members })).collect();
                print_json(&json!({ "groups": groups }));
            } else {
                all.iter().for_each(|(name, members)| println!("{name:20} {}", members.join(", ")));
            }
        }
        Command::Create { name } => {
            let group = site.identity.create_group(&name, &actor, operation).await?;
            println!("made the group '{}'", group.name);
        }
        Command::Add { group, user } => member(&site, &group, &user, true, &actor, operation).await?,
        Command::Remove { group, user } => member(&site, &group, &user, false, &actor, operation).await?,
    }
    Ok(())
}

async fn member(
    site: &Site,
    group: &str,
    user: &str,
    member: bool,
    actor: &Actor,
    operation: domain::OperationId,
) -> Outcome {
    let unknown = || format!("there is no group '{group}'; 'carrel group list' shows them");
    let found = site.store.group_by_name(group).await?.ok_or_else(unknown)?;
    let user = site.user(user).await?;
    site.identity.set_membership(found.id, user.id, member, actor, operation).await?;
    println!("'{}' is {} '{}'", user.name, if member { "now in" } else { "no longer in" }, found.name);
    Ok(())
}
