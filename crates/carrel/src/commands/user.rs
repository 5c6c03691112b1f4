//! `carrel user`

use super::print_json;
use crate::Outcome;
use crate::config::Configuration;
use crate::site::{Failure, Site};
use ::audit::Actor;
use domain::{Clearance, Label, Role};
use identity::{NewToken, NewUser, TokenScope, UserChange};
use serde_json::json;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// List the accounts
    List {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Make an account; the password comes from a prompt or a file
    Create {
        /// Sign-in name
        name: String,
        /// How pages address the person
        #[arg(long, default_value = "")]
        display_name: String,
        /// staff, curator, admin or auditor
        #[arg(long, default_value = "staff")]
        role: Role,
        /// Highest label that the person may read
        #[arg(long, default_value = "internal")]
        clearance: Label,
        /// File whose first line is the password
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
        /// The person has to choose another at the next sign-in
        #[arg(long)]
        temporary: bool,
    },
    /// Set a new password and end the person's sessions
    Password {
        /// Sign-in name
        name: String,
        /// File whose first line is the password
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
        /// The person has to choose another at the next sign-in
        #[arg(long)]
        temporary: bool,
    },
    /// Change role or clearance
    Change {
        /// Sign-in name
        name: String,
        /// A new role
        #[arg(long)]
        role: Option<Role>,
        /// A new clearance
        #[arg(long)]
        clearance: Option<Label>,
    },
    /// Make an API token with which programs act for a person; it is printed this once
    Token {
        /// Sign-in name
        name: String,
        /// Days until it ends
        #[arg(long, value_name = "DAYS", default_value_t = 90)]
        expires: u32,
        /// What the token is called in lists and in the audit log
        #[arg(long, default_value = "console")]
        label: String,
        /// chat, embeddings, search, manage, or for an admin metrics; without it, chat and embeddings
        #[arg(long, value_name = "SCOPE")]
        scope: Vec<TokenScope>,
    },
    /// List where a person is signed in, or end all of it
    Sessions {
        /// Sign-in name
        name: String,
        /// End them all at once
        #[arg(long)]
        end: bool,
    },
    /// Take a person's second factor away and end their sessions
    ResetSecondFactor {
        /// Sign-in name
        name: String,
    },
    /// Close an account; its sessions end at once
    Disable {
        /// Sign-in name
        name: String,
    },
    /// Open an account again
    Enable {
        /// Sign-in name
        name: String,
    },
}

pub(crate) async fn run(command: Command, configuration: &Configuration) -> Outcome {
    let site = Site::open(configuration).await?;
    let (actor, operation) = (Actor::console(), site.operation());
    match command {
        Command::List { json } => return list(&site, json).await,
        Command::Create { name, display_name, role, clearance, password_file, temporary } => {
            let password = password(password_file.as_deref())?;
            let new = NewUser { name, display_name, role, clearance: Clearance(clearance) };
            let user = match temporary {
                true => site.identity.create_user_to_change_password(&new, &password, &actor, operation).await?,
                false => site.identity.create_user(&new, &password, &actor, operation).await?,
            };
            println!("made the account '{}' ({}, clearance {})", user.name, user.role, user.clearance.0);
        }
        Command::Password { name, password_file, temporary } => {
            let user = site.user(&name).await?;
            let password = password(password_file.as_deref())?;
            match temporary {
                true => site.identity.set_password_to_change(user.id, &password, &actor, operation).await?,
                false => site.identity.set_password(user.id, &password, &actor, operation).await?,
            }
            println!("the password of '{}' was changed", user.name);
        }
        Command::Change { name, role, clearance } => {
            let change = UserChange { role, clearance: clearance.map(Clearance), ..UserChange::default() };
            changed(&site, &name, &change, &actor, operation).await?;
        }
        Command::Token { name, expires, label, scope } => {
            let user = site.user(&name).await?;
            let scopes = if scope.is_empty() { TokenScope::USUAL.to_vec() } else { scope };
            let new = NewToken { name: label, scopes, days: expires };
            let issued = site.identity.issue_token(&user, &new, &actor, operation).await?;
            println!("{}", issued.secret);
        }
        Command::Sessions { name, end } => {
            let user = site.user(&name).await?;
            if end {
                let ended = site.identity.end_sessions(user.id, None, &actor, operation).await?;
                println!("ended {ended} sessions of '{}'", user.name);
                return Ok(());
            }
            for session in site.store.sessions_of(user.id).await? {
                println!("{}  {:15}  {}", session.last_seen_at, session.address, session.user_agent);
            }
        }
        Command::ResetSecondFactor { name } => {
            let user = site.user(&name).await?;
            site.identity.reset_second_factor(user.id, &actor, operation).await?;
            println!("'{}' has no second factor any more; all sessions were ended", user.name);
        }
        Command::Disable { name } => {
            let change = UserChange { disabled: Some(true), ..UserChange::default() };
            changed(&site, &name, &change, &actor, operation).await?;
        }
        Command::Enable { name } => {
            let change = UserChange { disabled: Some(false), ..UserChange::default() };
            changed(&site, &name, &change, &actor, operation).await?;
        }
    }
    Ok(())
}

async fn changed(
    site: &Site,
    name: &str,
    change: &UserChange,
    actor: &Actor,
    operation: domain::OperationId,
) -> Outcome {
    let user = site.user(name).await?;
    let user = site.identity.change_user(user.id, change, actor, operation).await?;
    let state = if user.disabled { "disabled" } else { "enabled" };
    println!("{}: {}, clearance {}, {state}", user.name, user.role, user.clearance.0);
    Ok(())
}

async fn list(site: &Site, json: bool) -> Outcome {
    let users = site.store.users().await?;
    if json {
        print_json(&json!({ "users": users }));
        return Ok(());
    }
    for user in users {
        let state = if user.disabled { "  disabled" } else { "" };
        println!("{:20} {:8} {:12} {}{state}", user.name, user.role, user.clearance.0, user.display_name);
    }
    Ok(())
}

/// From the first line of a file, or asked for twice on a terminal; never from an argument.
fn password(file: Option<&Path>) -> Result<String, Failure> {
    if let Some(file) = file {
        let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
        return Ok(text.lines().next().unwrap_or_default().to_owned());
    }
    if !std::io::stdin().is_terminal() {
        return Err("give the password with --password-file, or run this on a terminal".into());
    }
    let first = rpassword::prompt_password("Password: ")?;
    let again = rpassword::prompt_password("Once more: ")?;
    if first == again { Ok(first) } else { Err("the two differ; nothing was changed".into()) }
}
