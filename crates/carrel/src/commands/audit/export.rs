//! `carrel audit export`

use super::read;
use crate::Outcome;
use crate::progress::bar;
use crate::second_person::{self, Permit, SecondPerson};
use crate::site::{Failure, Site};
use ::audit::export::Format;
use ::audit::{Action, Actor, Event, Kept};
use domain::Label;
use identity::Wish;
use jiff::Timestamp;
use serde_json::json;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use storage::AuditFilter;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// jsonl, csv, cef or syslog
    #[arg(long, default_value = "jsonl")]
    format: Format,
    /// The file
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    /// Only what came after this head or checkpoint; the file verifies together with it
    #[arg(long, value_name = "OLDHEAD")]
    since: Option<PathBuf>,
    /// Not before this moment, such as 2026-03-14T00:00:00Z; this and the others not for jsonl
    #[arg(long)]
    from: Option<Timestamp>,
    /// Before this moment
    #[arg(long)]
    to: Option<Timestamp>,
    /// Acts of the person with this sign-in name
    #[arg(long)]
    person: Option<String>,
    /// This action, such as question.asked
    #[arg(long)]
    action: Option<Action>,
    /// Events that name this document, passage or other id
    #[arg(long, value_name = "ID")]
    document: Option<String>,
    /// Events with this as their highest label
    #[arg(long)]
    label: Option<Label>,
    /// Events whose text holds this
    #[arg(long)]
    text: Option<String>,
    #[command(flatten)]
    second_person: SecondPerson,
}

pub(super) async fn run(arguments: Arguments, site: &Site) -> Outcome {
    let Arguments { format, output, since, from, to, person, action, document, label, text, second_person } = arguments;
    let since = match since {
        Some(path) => Kept::parse(&read(&path)?).map_err(|error| format!("{}: {error}", path.display()))?.size(),
        None => 0,
    };
    let filter = AuditFilter { from, to, actor: person, action, document, label, text };
    if format == Format::Jsonl && filter != AuditFilter::default() {
        return Err("a filtered log cannot be verified: leave the filters out, or choose csv, cef or syslog".into());
    }
    let key = site.signing_key()?;
    let permit = permit(site, format, &filter, since, &second_person).await?;
    let event = Event::new(Action::AuditExported, &Actor::console(), site.operation());
    let mut detail = json!({
        "format": format.as_str(), "since": since, "from": filter.from, "to": filter.to, "person": filter.actor,
        "action": filter.action, "document": filter.document, "of_label": filter.label, "text": filter.text,
    });
    if let Some(approval) = permit.take(site).await? {
        detail["approval"] = approval;
    }
    let mut act = site.store.begin().await?;
    act.record(event.detail(detail)).await?;
    act.commit().await?;
    let file = File::create(&output).map_err(|error| format!("{}: {error}", output.display()))?;
    let bar = bar(0, "events");
    let progress = |done, of| {
        bar.set_length(of);
        bar.set_position(done);
    };
    let writer = BufWriter::with_capacity(1 << 20, file);
    let mut writer = site.store.export_audit_since(format, &filter, (since, &progress), &key, writer).await?;
    bar.finish_and_clear();
    writer.flush()?;
    println!("wrote {}", output.display());
    Ok(())
}

/// An export may need a second person, wherever it is asked for; what is agreed to is what leaves.
async fn permit(
    site: &Site,
    format: Format,
    filter: &AuditFilter,
    since: u64,
    second_person: &SecondPerson,
) -> Result<Permit, Failure> {
    let words = [
        ("since", (since > 0).then(|| since.to_string())),
        ("from", filter.from.map(|at| at.to_string())),
        ("to", filter.to.map(|at| at.to_string())),
        ("person", filter.actor.clone()),
        ("action", filter.action.map(|action| action.to_string())),
        ("document", filter.document.clone()),
        ("label", filter.label.map(|label| label.to_string())),
        ("text", filter.text.clone()),
    ];
    let filter: Vec<(String, String)> =
        words.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
    let said: Vec<String> = filter.iter().map(|(name, value)| format!("{name} {value}")).collect();
    let of = if said.is_empty() { "all of it".to_owned() } else { said.join(", ") };
    let summary = format!("Export the audit log at the console as {}: {of}", format.as_str());
    let wish = Wish::AuditExport { format: format.as_str().to_owned(), filter };
    second_person::permit(site, site.identity.export_needs_approval(), wish, &summary, second_person).await
}
