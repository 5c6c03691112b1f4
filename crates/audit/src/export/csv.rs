//! Comma-separated values (RFC 4180), safe to open in a spreadsheet.

use crate::Entry;
use std::borrow::Cow;
use std::io::{self, Write};

const COLUMNS: [&str; 15] = [
    "sequence",
    "at",
    "action",
    "outcome",
    "actor_kind",
    "actor",
    "user_id",
    "session_id",
    "address",
    "operation_id",
    "object_kind",
    "object_id",
    "object",
    "detail",
    "hash",
];

pub(super) fn write_header(out: &mut impl Write) -> io::Result<()> {
    write_row(&COLUMNS.map(Cow::Borrowed), out)
}

pub(super) fn write(entry: &Entry, out: &mut impl Write) -> io::Result<()> {
    let event = &entry.event;
    let actor = &event.actor;
    let object = event.object.as_ref();
    write_row(
        &[
            entry.sequence.to_string().into(),
            entry.at.to_string().into(),
            event.action.as_str().into(),
            event.outcome.as_str().into(),
            actor.kind.as_str().into(),
            (&actor.name).into(),
            actor.user.map(|id| id.to_string()).unwrap_or_default().into(),
            actor.session.map(|id| id.to_string()).unwrap_or_default().into(),
            actor.address.as_deref().unwrap_or_default().into(),
            event.operation.to_string().into(),
            object.map_or("", |object| &object.kind).into(),
            object.map_or("", |object| &object.id).into(),
            object.map_or("", |object| &object.name).into(),
            super::detail(entry).into(),
            entry.hash.to_string().into(),
        ],
        out,
    )
}

fn write_row(cells: &[Cow<'_, str>; COLUMNS.len()], out: &mut impl Write) -> io::Result<()> {
    for (position, cell) in cells.iter().enumerate() {
        if position > 0 {
            out.write_all(b",")?;
        }
        // A spreadsheet would run such a cell as a formula; the apostrophe makes it text.
        let guard = if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
        if cell.contains([',', '"', '\r', '\n']) {
            write!(out, "\"{guard}{}\"", cell.replace('"', "\"\""))?;
        } else {
            write!(out, "{guard}{cell}")?;
        }
    }
    out.write_all(b"\r\n")
}
