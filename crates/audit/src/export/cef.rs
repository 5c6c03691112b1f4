//! Common Event Format, version 0 (ArcSight's), one event a line.

use crate::{Entry, Outcome};
use std::io::{self, Write};
use std::net::IpAddr;

pub(super) fn write(entry: &Entry, out: &mut impl Write) -> io::Result<()> {
    let event = &entry.event;
    let severity = match event.outcome {
        Outcome::Success => 3,
        Outcome::Failed => 5,
        Outcome::Denied => 7,
    };
    let action = header(event.action.as_str());
    write!(out, "CEF:0|Carrel|Carrel|{}|{action}|{action}|{severity}|", header(env!("CARGO_PKG_VERSION")))?;
    write!(out, "rt={} externalId={} outcome={}", entry.at.as_millisecond(), entry.sequence, event.outcome)?;
    let actor = &event.actor;
    write!(out, " suser={}", extension(&actor.name))?;
    if let Some(user) = actor.user {
        write!(out, " suid={user}")?;
    }
    // `src` holds nothing but an address; a collector would drop the event over a host name there.
    if let Some(address) = actor.address.as_deref() {
        let key = if address.parse::<IpAddr>().is_ok() { "src" } else { "shost" };
        write!(out, " {key}={}", extension(address))?;
    }
    custom(1, "hash", &entry.hash.to_string(), out)?;
    custom(2, "operation", &event.operation.to_string(), out)?;
    if let Some(session) = actor.session {
        custom(3, "session", &session.to_string(), out)?;
    }
    if let Some(object) = &event.object {
        custom(4, "objectKind", &object.kind, out)?;
        custom(5, "objectId", &object.id, out)?;
        custom(6, "objectName", &object.name, out)?;
    }
    let detail = super::detail(entry);
    if !detail.is_empty() {
        write!(out, " msg={}", extension(&detail))?;
    }
    out.write_all(b"\n")
}

fn custom(number: u8, label: &str, value: &str, out: &mut impl Write) -> io::Result<()> {
    write!(out, " cs{number}Label={label} cs{number}={}", extension(value))
}

/// In the header, backslash and pipe are escaped, and nothing may break the line.
fn header(text: &str) -> String {
    text.replace('\\', "\\\\").replace('|', "\\|").replace(['\r', '\n'], " ")
}

/// In the extension, backslash and equals sign are escaped, and line breaks are spelled.
fn extension(text: &str) -> String {
    text.replace('\\', "\\\\").replace('=', "\\=").replace('\r', "\\r").replace('\n', "\\n")
}
