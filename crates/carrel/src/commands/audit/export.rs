//! `carrel audit export`

use super::read;
use crate::Outcome;
use crate::progress::bar;
use crate::site::Site;
use ::audit::export::Format;
use ::audit::{Action, Actor, Event, Kept};
use domain::Label;
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
}

pub(super) async fn run(arguments: Arguments, site: &Site) -> Outcome {
    let Arguments { format, output, since, from, to, person, action, document, label, text } = arguments;
    let since = match since {
        Some(path) => Kept::parse(&read(&path)?).map_err(|error| format!("{}: {error}", path.display()))?.size(),
        None => 0,
    };
    let filter = AuditFilter { from, to, actor: person, action, document, label, text };
    if format == Format::Jsonl && filter != AuditFilter::default() {
        return Err("a filtered log cannot be verified: leave the filters out, or choose csv, cef or syslog".into());
    }
    let key = site.signing_key()?;
    let mut act = site.store.begin().await?;
    let event = Event::new(Action::AuditExported, &Actor::console(), site.operation());
    let detail = json!({
        "format": format.as_str(), "since": since, "from": filter.from, "to": filter.to, "person": filter.actor,
        "action": filter.action, "document": filter.document, "of_label": filter.label, "text": filter.text,
    });
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
