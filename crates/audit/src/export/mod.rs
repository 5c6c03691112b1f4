//! Exports of the log.

mod cef;
mod csv;
mod syslog;

use crate::{Entry, Head};
use serde::Serialize;
use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;
pub use syslog::message as syslog_message;

/// How an export is written. Only [`Format::Jsonl`] can be verified; the others carry each entry's hash for reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// One canonical JSON object a line, the signed head in the last line.
    Jsonl,
    /// Comma-separated values (RFC 4180) with a header line.
    Csv,
    /// Common Event Format, version 0.
    Cef,
    /// Syslog messages (RFC 5424), one a line.
    Syslog,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 4] = [Self::Jsonl, Self::Csv, Self::Cef, Self::Syslog];

    /// The format's stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
            Self::Cef => "cef",
            Self::Syslog => "syslog",
        }
    }

    /// The media type for downloads.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Jsonl => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8",
            Self::Cef | Self::Syslog => "text/plain; charset=utf-8",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|format| format.as_str() == text)
            .ok_or_else(|| format!("'{text}' is not an export format; use jsonl, csv, cef or syslog"))
    }
}

/// The last line of a JSONL export.
#[derive(Serialize)]
pub(crate) struct HeadLine<'a> {
    head: &'a Head,
}

impl<'a> HeadLine<'a> {
    /// The line's canonical text, without the line break.
    pub(crate) fn text(head: &'a Head) -> serde_json::Result<String> {
        serde_json::to_string(&Self { head })
    }
}

/// Writes entries one after the other; keeps none, so that an export of any length needs no memory.
#[derive(Debug)]
pub struct Exporter<W: Write> {
    format: Format,
    writer: W,
    begun: bool,
}

impl<W: Write> Exporter<W> {
    /// An export in this format into `writer`, which should be buffered.
    pub const fn new(format: Format, writer: W) -> Self {
        Self { format, writer, begun: false }
    }

    /// Writes one entry.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&mut self, entry: &Entry) -> io::Result<()> {
        self.begin()?;
        match self.format {
            Format::Jsonl => writeln!(self.writer, "{}", entry.to_json()),
            Format::Csv => csv::write(entry, &mut self.writer),
            Format::Cef => cef::write(entry, &mut self.writer),
            Format::Syslog => syslog::write(entry, &mut self.writer),
        }
    }

    /// Writes one stored line, an entry or what is left of a purged one, as it stands: in JSONL only.
    ///
    /// # Errors
    /// Those of the writer; `InvalidInput` in another format.
    pub fn write_line(&mut self, line: &str) -> io::Result<()> {
        if self.format != Format::Jsonl {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "only a jsonl export holds stored lines"));
        }
        self.begin()?;
        self.writer.write_all(line.as_bytes())?;
        self.writer.write_all(b"\n")
    }

    /// Ends the export with the signed head (in JSONL; the other formats have no place for it) and gives the flushed
    /// writer back. A JSONL export that was not finished does not verify.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn finish(mut self, head: &Head) -> io::Result<W> {
        self.begin()?;
        if self.format == Format::Jsonl {
            writeln!(self.writer, "{}", HeadLine::text(head)?)?;
        }
        self.writer.flush()?;
        Ok(self.writer)
    }

    fn begin(&mut self) -> io::Result<()> {
        if !self.begun && self.format == Format::Csv {
            csv::write_header(&mut self.writer)?;
        }
        self.begun = true;
        Ok(())
    }
}

/// The detail as compact JSON, empty if there is none.
fn detail(entry: &Entry) -> String {
    let detail = &entry.event.detail;
    if detail.is_null() { String::new() } else { crate::canonical::text(detail) }
}

#[cfg(test)]
mod tests;
