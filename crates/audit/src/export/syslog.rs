//! Syslog messages (RFC 5424), one a line.

use crate::{Entry, Outcome};
use std::io::{self, Write};

/// "Log audit", section 6.2.1.
const FACILITY: u8 = 13;

/// Structured data of one's own needs an enterprise number; 32473 is the one that RFC 5612 sets aside for examples.
const ELEMENT: &str = "carrel@32473";

pub(super) fn write(entry: &Entry, out: &mut impl Write) -> io::Result<()> {
    write_message(entry, out)?;
    out.write_all(b"\n")
}

/// One message without a line break, as a frame of RFC 5425 or RFC 6587 carries it.
#[must_use]
pub fn message(entry: &Entry) -> Vec<u8> {
    let mut message = Vec::with_capacity(1024);
    // Memory does not fail.
    let _ = write_message(entry, &mut message);
    message
}

fn write_message(entry: &Entry, out: &mut impl Write) -> io::Result<()> {
    let event = &entry.event;
    let actor = &event.actor;
    let severity = match event.outcome {
        Outcome::Success => 5,
        Outcome::Denied | Outcome::Failed => 4,
    };
    write!(out, "<{}>1 {} - carrel - {} [{ELEMENT}", FACILITY * 8 + severity, entry.at, event.action)?;
    parameter("sequence", &entry.sequence.to_string(), out)?;
    parameter("outcome", event.outcome.as_str(), out)?;
    parameter("actorKind", actor.kind.as_str(), out)?;
    parameter("actor", &actor.name, out)?;
    if let Some(user) = actor.user {
        parameter("user", &user.to_string(), out)?;
    }
    if let Some(session) = actor.session {
        parameter("session", &session.to_string(), out)?;
    }
    if let Some(address) = &actor.address {
        parameter("address", address, out)?;
    }
    parameter("operation", &event.operation.to_string(), out)?;
    if let Some(object) = &event.object {
        parameter("objectKind", &object.kind, out)?;
        parameter("objectId", &object.id, out)?;
        parameter("objectName", &object.name, out)?;
    }
    let detail = super::detail(entry);
    if !detail.is_empty() {
        parameter("detail", &detail, out)?;
    }
    parameter("hash", &entry.hash.to_string(), out)?;
    // The byte order mark says that the message is UTF-8 (section 6.4).
    write!(out, "] \u{feff}{} by {}: {}", event.action, one_line(&actor.name), event.outcome)
}

/// Quotation mark, backslash and closing bracket are escaped (section 6.3.3).
fn parameter(name: &str, value: &str, out: &mut impl Write) -> io::Result<()> {
    let value = one_line(value).replace('\\', "\\\\").replace('"', "\\\"").replace(']', "\\]");
    write!(out, " {name}=\"{value}\"")
}

/// The RFC has no escape for control characters, and a line break would start another message.
fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}
