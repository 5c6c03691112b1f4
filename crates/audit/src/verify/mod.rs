//! The offline verifier: an exported JSONL file and, if at hand, the public key and a head that was kept from earlier.
//! Nothing else.

mod chain;
mod lines;
mod report;

use crate::export::HeadLine;
use crate::{Entry, Head, Kept, PublicKey};
use chain::{Chain, Record};
use jiff::Timestamp;
use lines::Lines;
use serde::Deserialize;
use std::io::BufRead;

/// What an intact export shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Number of entries in the file.
    pub entries: u64,
    /// Sequence of the first entry; not 1 for an extract that was made so on purpose. `None` if there are none.
    pub first: Option<u64>,
    /// Sequence of the last entry. `None` if there are none.
    pub last: Option<u64>,
    /// When the first entry was recorded.
    pub from: Option<Timestamp>,
    /// When the last entry was recorded.
    pub to: Option<Timestamp>,
    /// The signed head.
    pub head: Head,
    /// Whether the head was checked against a key from outside. If not, only integrity against the key inside the file
    /// was shown: whoever wrote the whole file anew with a key of their own would not be found.
    pub key_given: bool,
    /// How many of the entries have only their hashes left, each named by an `audit.purged` event of the file.
    pub purged: u64,
    /// How often another key took over the signing, within the file.
    pub rotations: u64,
    /// The number of events at the kept head that the file was held against.
    pub since: Option<u64>,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FaultKind {
    /// The line is not as it was sealed.
    Edited,
    /// Entries from this sequence up to the one before the line's are not in the file.
    Missing {
        /// The first one that is missing.
        from: u64,
    },
    /// Entries stand in another order.
    Reordered,
    /// A line that does not belong there: a sequence that was there before, or something after the head.
    Inserted,
    /// The end of the file is missing.
    CutOff,
    /// Entries are consistent among themselves but do not lead to the signed head: someone sealed them anew.
    Resealed,
    /// The head's signature does not belong to it.
    BadSignature,
    /// The head was signed by another key than the given one.
    WrongKey,
    /// The content of an entry is gone, and no event of purging in the file names it.
    GoneWithoutRecord,
    /// The file ends before the kept head: its end was cut off, or an older export was put in its place.
    OlderThanKept {
        /// How many events there were at the kept head.
        size: u64,
    },
    /// The history up to the kept head is another one: this is another log, or one that was written anew.
    Diverged,
    /// What was kept is not signed by this appliance.
    KeptIsForged,
    /// The file is not an audit export in JSONL.
    NotAnExport,
    /// The file could not be read.
    Unreadable(String),
}

/// The first fault of an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// 1-based line of the file.
    pub line: u64,
    /// The sequence of the entry there, as far as known.
    pub sequence: Option<u64>,
    /// What is wrong.
    pub kind: FaultKind,
}

impl std::error::Error for Fault {}

/// What the verifier is given beside the file.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known<'a> {
    /// The appliance's public key; one from before a rotation will do, if the file holds the rotation.
    pub key: Option<&'a PublicKey>,
    /// A head or checkpoint that was kept from earlier: the file must contain it, or begin right after it.
    pub kept: Option<&'a Kept>,
}

/// Checks a JSONL export to its end.
///
/// # Errors
/// The first [`Fault`].
pub fn verify(reader: impl BufRead, key: Option<&PublicKey>) -> Result<Verified, Fault> {
    verify_against(reader, Known { key, kept: None })
}

/// As [`verify`], with all that is known from elsewhere: the file is then complete from what was kept to its own head.
///
/// # Errors
/// The first [`Fault`].
pub fn verify_against(reader: impl BufRead, known: Known<'_>) -> Result<Verified, Fault> {
    let mut lines = Lines::new(reader);
    let mut chain = Chain::new(known.kept);
    loop {
        if !lines.next()? {
            let kind = if lines.number == 0 { FaultKind::NotAnExport } else { FaultKind::CutOff };
            return Err(Fault { line: lines.number + 1, sequence: chain.last.map(|last| last.sequence + 1), kind });
        }
        if lines.line.starts_with(br#"{"head":"#) {
            break;
        }
        let record = match Record::read(&lines.line) {
            Some(record) => record,
            None if lines.number == 1
                && ![&br#"{"at":"#[..], br#"{"hash":"#].iter().any(|start| lines.line.starts_with(start)) =>
            {
                return Err(lines.fault(None, FaultKind::NotAnExport));
            }
            None => return Err(lines.fault(chain.last.map(|last| last.sequence + 1), FaultKind::Edited)),
        };
        chain.append(&record, &mut lines)?;
    }
    let head = head_of(&lines.line).ok_or_else(|| lines.fault(None, FaultKind::BadSignature))?;
    let signer = signer(&head, known.key, &chain).map_err(|kind| lines.fault(None, kind))?;
    chain.leads_to(&head).map_err(|(sequence, kind)| {
        let at_the_start = matches!(kind, FaultKind::Missing { .. });
        Fault { line: if at_the_start { 1 } else { lines.number }, sequence, kind }
    })?;
    if let Some(sequence) = chain.gone_without_record() {
        let line = sequence - chain.first.map_or(1, |first| first.sequence) + 1;
        return Err(Fault { line, sequence: Some(sequence), kind: FaultKind::GoneWithoutRecord });
    }
    if let Some(kept) = known.kept {
        same_appliance(kept, &signer, known.key, &chain).map_err(|kind| lines.fault(None, kind))?;
        if let Some(kind) = chain.missed(&head) {
            let at_the_start = matches!(kind, FaultKind::Missing { .. });
            let (line, first) = if at_the_start { (1, chain.first) } else { (lines.number, None) };
            return Err(Fault { line, sequence: first.map(|first| first.sequence), kind });
        }
    }
    if lines.next()? {
        return Err(lines.fault(None, FaultKind::Inserted));
    }
    Ok(Verified {
        entries: chain.entries,
        first: chain.first.map(|first| first.sequence),
        last: chain.last.map(|last| last.sequence),
        from: chain.times.map(|(from, _)| from),
        to: chain.times.map(|(_, to)| to),
        head,
        key_given: known.key.is_some(),
        purged: chain.purged.count(),
        rotations: chain.lineage.rotations(),
        since: known.kept.map(Kept::size),
    })
}

/// Who signed the head, if that is the given key or one that it handed over to in this very file.
fn signer(head: &Head, key: Option<&PublicKey>, chain: &Chain<'_>) -> Result<PublicKey, FaultKind> {
    head.verify(None).map_err(|_| FaultKind::BadSignature)?;
    let signer = PublicKey::from_hex(&head.public_key).ok_or(FaultKind::BadSignature)?;
    match key {
        Some(key) if !chain.lineage.leads(key, &signer) => Err(FaultKind::WrongKey),
        _ => Ok(signer),
    }
}

/// What was kept must be signed by a key of this appliance: the given one or the head's, or one that hands over to it.
fn same_appliance(
    kept: &Kept,
    signer: &PublicKey,
    key: Option<&PublicKey>,
    chain: &Chain<'_>,
) -> Result<(), FaultKind> {
    let by = kept.signer().map_err(|_| FaultKind::KeptIsForged)?;
    let ours = chain.lineage.leads(&by, signer) || key.is_some_and(|key| *key == by);
    if ours { Ok(()) } else { Err(FaultKind::KeptIsForged) }
}

/// The entry, if the line is byte for byte what was sealed.
pub(crate) fn intact(line: &[u8]) -> Option<Entry> {
    let entry: Entry = serde_json::from_slice(line).ok()?;
    (entry.to_json().as_bytes() == line && entry.computed_hash() == entry.hash).then_some(entry)
}

fn head_of(line: &[u8]) -> Option<Head> {
    #[derive(Deserialize)]
    struct Owned {
        head: Head,
    }
    let Owned { head } = serde_json::from_slice(line).ok()?;
    let text = HeadLine::text(&head).ok()?;
    (text.as_bytes() == line).then_some(head)
}

#[cfg(test)]
mod tests;
