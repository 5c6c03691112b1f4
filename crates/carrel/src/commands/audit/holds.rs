//! `carrel audit hold` and `purge`

use crate::Outcome;
use crate::second_person::{self, SecondPerson};
use crate::site::Site;
use ::audit::{Action, Actor, Event};
use domain::{DocumentId, OperationId};
use identity::Wish;
use jiff::Timestamp;
use serde_json::json;
use storage::LegalHold;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Hold events of a person, of a document or of a time, or all of them
    Place {
        /// What it is called, such as the name of the case
        name: String,
        /// Events by or about the person with this sign-in name
        #[arg(long)]
        person: Option<String>,
        /// Events that name this document
        #[arg(long, value_name = "ID")]
        document: Option<DocumentId>,
        /// Not before this moment, such as 2026-03-14T00:00:00Z
        #[arg(long)]
        from: Option<Timestamp>,
        /// Before this moment
        #[arg(long)]
        to: Option<Timestamp>,
    },
    /// List the holds
    List,
    /// End a hold; with approvals.hold_release somebody else has to agree
    Release {
        /// Its name
        name: String,
        #[command(flatten)]
        second_person: SecondPerson,
    },
}

pub(super) async fn run(command: Command, site: &Site) -> Outcome {
    match command {
        Command::Place { name, person, document, from, to } => {
            let hold = LegalHold {
                id: OperationId::new(site.store.environment()).uuid(),
                name: name.trim().to_owned(),
                person,
                document: document.map(DocumentId::uuid),
                since: from,
                until: to,
                placed_at: site.store.environment().now(),
                released_at: None,
            };
            if hold.name.is_empty() {
                return Err("a legal hold needs a name, such as that of the case".into());
            }
            let mut act = site.store.begin().await?;
            act.place_hold(&hold).await?;
            let detail = json!({ "person": hold.person, "document": document, "from": from, "to": to });
            let event = Event::new(Action::LegalHoldPlaced, &Actor::console(), site.operation());
            act.record(event.on("legal_hold", hold.id, &hold.name).detail(detail)).await?;
            act.commit().await?;
            println!("'{}' holds: nothing of it is purged until it is released", hold.name);
        }
        Command::List => {
            for hold in site.store.legal_holds().await? {
                let state = hold.released_at.map_or("holds".to_owned(), |at| format!("released {at}"));
                let mut of = Vec::new();
                of.extend(hold.person.map(|person| format!("person {person}")));
                of.extend(hold.document.map(|document| format!("document {document}")));
                of.extend(hold.since.map(|since| format!("from {since}")));
                of.extend(hold.until.map(|until| format!("to {until}")));
                let of = if of.is_empty() { "everything".to_owned() } else { of.join(", ") };
                println!("{}  {of}  placed {}  {state}", hold.name, hold.placed_at);
            }
        }
        Command::Release { name, second_person } => {
            let mut holds = site.store.legal_holds().await?.into_iter();
            let hold = holds.find(|hold| hold.name == name && hold.released_at.is_none());
            let hold = hold.ok_or_else(|| format!("the legal hold '{name}' does not exist, or is released already"))?;
            if site.identity.hold_release_needs_approval() {
                return ask_release(site, hold, &second_person).await;
            }
            let mut act = site.store.begin().await?;
            act.release_hold(&name).await?;
            let event = Event::new(Action::LegalHoldReleased, &Actor::console(), site.operation());
            act.record(event.on("legal_hold", hold.id, &name)).await?;
            act.commit().await?;
            println!("'{name}' is released");
        }
    }
    Ok(())
}

/// With a second person a hold ends in the very moment in which that person agrees.
async fn ask_release(site: &Site, hold: LegalHold, second_person: &SecondPerson) -> Outcome {
    let name = hold.name.clone();
    let wish = Wish::HoldRelease { name: hold.name, placed_at: hold.placed_at };
    let asked = second_person::ask(site, &wish, &format!("End the legal hold '{name}'"), second_person).await?;
    if !second_person.waits() {
        println!("{}then the hold ends at once", second_person::told(&asked));
        return Ok(());
    }
    second_person::wait(site, &asked).await?;
    println!("'{name}' is released");
    Ok(())
}

pub(super) async fn purge(site: &Site, dry_run: bool) -> Outcome {
    let classes = site.audit().classes()?;
    if classes.is_empty() {
        return Err("no rules of retention are configured; [[audit.retention]] names them".into());
    }
    for (name, events) in site.store.audit_due(&classes).await? {
        println!("{name}: {events} events are old enough");
    }
    if !dry_run {
        let purged = site.store.purge_audit(&classes, &Actor::console(), site.operation()).await?;
        println!("the contents of {purged} events are gone; their hashes are in place");
    }
    Ok(())
}
