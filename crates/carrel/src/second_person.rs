//! Acts at the console that need a second person. Whoever is at the console asks under their own account; somebody else
//! agrees on the Approvals page of the running server; then the command goes on.
//!
//! Whoever is root can change the database and the configuration as well: this stops a mistake, and one person who keeps
//! to the commands, not somebody who goes around them (docs/identity.md).

use crate::site::{Failure, Site};
use audit::{Actor, ActorKind};
use domain::{ApprovalId, User};
use identity::Wish;
use serde_json::{Value, json};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Duration;
use storage::{Approval, ApprovalState};

/// Between two looks at whether somebody has decided.
const LOOK: Duration = Duration::from_secs(2);

/// Arguments of a command that may need a second person.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct SecondPerson {
    /// Ask for a second person's agreement as yourself: your sign-in name; your password is asked for
    #[arg(long, value_name = "NAME", conflicts_with = "approval")]
    by: Option<String>,
    /// File whose first line is that password
    #[arg(long, value_name = "FILE", requires = "by")]
    by_password_file: Option<PathBuf>,
    /// Why, in words for whoever is to agree
    #[arg(long, value_name = "WORDS", requires = "by")]
    reason: Option<String>,
    /// Wait until a second person has decided, and then go on
    #[arg(long, requires = "by")]
    wait: bool,
    /// Go on with what a second person has agreed to: the id of the request
    #[arg(long, value_name = "ID")]
    approval: Option<ApprovalId>,
}

impl SecondPerson {
    /// Whether the command is to wait until somebody has decided.
    pub(crate) const fn waits(&self) -> bool {
        self.wait
    }
}

/// That an act may be done: because it needs nobody else, or because somebody agreed. It is spent by [`Permit::take`].
#[must_use]
pub(crate) struct Permit(Option<(Approval, Wish)>);

/// Lets an act go on if it is not `needed` to have a second person, or one has agreed to this very `wish`. Else it asks
/// for that, where the arguments say as whom, and the error says how to go on.
///
/// # Errors
/// A sentence for the person at the console; nothing was done then.
pub(crate) async fn permit(
    site: &Site,
    needed: bool,
    wish: Wish,
    summary: &str,
    given: &SecondPerson,
) -> Result<Permit, Failure> {
    if !needed {
        return Ok(Permit(None));
    }
    let id = match given.approval {
        Some(id) => id,
        None => {
            let asked = ask(site, &wish, summary, given).await?;
            if !given.wait {
                return Err(format!("{}then run this again with --approval {}", told(&asked), asked.id).into());
            }
            wait(site, &asked).await?;
            asked.id
        }
    };
    let approval = site.identity.agreed(id, &wish).await?;
    Ok(Permit(Some((approval, wish))))
}

impl Permit {
    /// Spends it: of two commands that try, one goes on. Gives what the act's own event says of it.
    ///
    /// # Errors
    /// If it was spent before, or it is too late by now.
    pub(crate) async fn take(self, site: &Site) -> Result<Option<Value>, Failure> {
        let Some((approval, wish)) = self.0 else { return Ok(None) };
        let asked = site.store.user(approval.requested_by).await?.ok_or("whoever asked has no account any more")?;
        let agreed = match approval.decided_by {
            Some(id) => site.store.user(id).await?.map(|user| user.name),
            None => None,
        };
        let actor = console_as(&asked);
        site.identity.use_approval(approval.id, &wish, &asked, &actor, site.operation()).await?;
        Ok(Some(json!({ "id": approval.id, "asked_by": asked.name, "agreed_by": agreed })))
    }
}

/// Asks under the account of the person at the console, who proves by the password that it is theirs: else one person
/// could ask as somebody else and agree as themselves.
pub(crate) async fn ask(site: &Site, wish: &Wish, summary: &str, given: &SecondPerson) -> Result<Approval, Failure> {
    let missing = "this needs a second person: ask for one with --by and your sign-in name";
    let name = given.by.as_deref().ok_or(missing)?;
    let user = site.user(name).await?;
    if user.disabled {
        return Err(format!("the account '{name}' is disabled").into());
    }
    let password = password_of(&user.name, given.by_password_file.as_deref())?;
    let (actor, operation) = (console_as(&user), site.operation());
    site.identity.confirm(user.id, &password, &actor, operation).await?;
    let reason = given.reason.as_deref().unwrap_or_default();
    Ok(site.identity.ask_approval(wish, summary, reason, &user, &actor, operation).await?)
}

/// Waits until somebody has decided.
///
/// # Errors
/// If they refused, nobody decided in time, or the request was taken back.
pub(crate) async fn wait(site: &Site, asked: &Approval) -> Result<(), Failure> {
    eprintln!("{}waiting", told(asked));
    loop {
        let now = site.store.approval(asked.id).await?.ok_or("the request is gone")?;
        match now.state {
            ApprovalState::Approved | ApprovalState::Done => return Ok(()),
            ApprovalState::Refused => return Err("it was refused".into()),
            ApprovalState::Withdrawn => return Err("it was taken back".into()),
            ApprovalState::Waiting if site.store.environment().now() >= now.expires_at => {
                return Err("nobody agreed in time".into());
            }
            ApprovalState::Waiting => tokio::time::sleep(LOOK).await,
        }
    }
}

/// What the person at the console is told of a request.
pub(crate) fn told(asked: &Approval) -> String {
    let until = asked.expires_at.strftime("%Y-%m-%d %H:%M UTC");
    format!("asked as request {}; somebody else agrees to it on the Approvals page until {until}; ", asked.id)
}

/// A person at the console, as the audit log names them.
fn console_as(user: &User) -> Actor {
    Actor { kind: ActorKind::Console, ..Actor::user(user, None, None) }
}

fn password_of(name: &str, file: Option<&Path>) -> Result<String, Failure> {
    if let Some(file) = file {
        let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
        return Ok(text.lines().next().unwrap_or_default().to_owned());
    }
    if !std::io::stdin().is_terminal() {
        return Err("give your password with --by-password-file, or run this on a terminal".into());
    }
    Ok(rpassword::prompt_password(format!("Password of {name}: "))?)
}
