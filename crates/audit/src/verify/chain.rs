//! The chain as it is read, link by link, and where it must lead.

use super::lines::Lines;
use super::{Fault, FaultKind};
use crate::merkle::Frontier;
use crate::purge::{Ranges, purged_by};
use crate::{Entry, EventHash, Head, Kept, Lineage, Purged};
use jiff::Timestamp;
use std::io::BufRead;

/// One line of an export, intact in itself.
#[allow(clippy::large_enum_variant, reason = "one at a time, and nearly all are entries: a box each would only cost")]
pub(super) enum Record {
    Entry(Entry),
    Purged(Purged),
}

impl Record {
    /// The record, if the line is byte for byte what was written.
    pub(super) fn read(line: &[u8]) -> Option<Self> {
        if line.starts_with(br#"{"hash":"#) {
            let purged: Purged = serde_json::from_slice(line).ok()?;
            return (purged.purged && purged.to_json().as_bytes() == line).then_some(Self::Purged(purged));
        }
        super::intact(line).map(Self::Entry)
    }

    const fn sequence(&self) -> u64 {
        match self {
            Self::Entry(entry) => entry.sequence,
            Self::Purged(purged) => purged.sequence,
        }
    }

    const fn hashes(&self) -> (EventHash, EventHash) {
        match self {
            Self::Entry(entry) => (entry.previous, entry.hash),
            Self::Purged(purged) => (purged.previous, purged.hash),
        }
    }
}

/// What the chain needs to remember of an entry.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link {
    pub(super) sequence: u64,
    pub(super) hash: EventHash,
}

/// All that is known of the lines so far.
pub(super) struct Chain<'a> {
    pub(super) entries: u64,
    pub(super) first: Option<Link>,
    pub(super) last: Option<Link>,
    /// When the first and the last entry with its content were recorded.
    pub(super) times: Option<(Timestamp, Timestamp)>,
    pub(super) lineage: Lineage,
    pub(super) purged: Ranges,
    /// What the events of purging name.
    named: Ranges,
    kept: Option<&'a Kept>,
    /// The tree so far, while it is still needed: up to the kept checkpoint, in a file that begins with the first entry.
    tree: Option<Frontier>,
    /// Whether the chain went through the kept head.
    pub(super) met: bool,
}

impl<'a> Chain<'a> {
    pub(super) fn new(kept: Option<&'a Kept>) -> Self {
        let tree = matches!(kept, Some(Kept::Checkpoint(_))).then(Frontier::default);
        let met = kept.is_none_or(|kept| kept.size() == 0 && kept.hash() == EventHash::GENESIS);
        Self {
            entries: 0,
            first: None,
            last: None,
            times: None,
            lineage: Lineage::default(),
            purged: Ranges::default(),
            named: Ranges::default(),
            kept,
            tree,
            met,
        }
    }

    /// Takes a record that is intact in itself.
    pub(super) fn append<R: BufRead>(&mut self, record: &Record, lines: &mut Lines<R>) -> Result<(), Fault> {
        let sequence = record.sequence();
        let (previous, hash) = record.hashes();
        match (self.first, self.last) {
            (Some(first), Some(last)) => {
                let expected = last.sequence.saturating_add(1);
                if sequence > expected {
                    let gap = lines.fault(Some(sequence), FaultKind::Missing { from: expected });
                    let comes_later = lines.hold(expected).unwrap_or(false);
                    return Err(if comes_later { Fault { kind: FaultKind::Reordered, ..gap } } else { gap });
                }
                if sequence < expected {
                    let seen = sequence >= first.sequence;
                    let kind = if seen { FaultKind::Inserted } else { FaultKind::Reordered };
                    return Err(lines.fault(Some(sequence), kind));
                }
                if previous != last.hash {
                    // This entry was sealed after another one than the one that stands there now.
                    let line = lines.number - 1;
                    return Err(Fault { line, sequence: Some(last.sequence), kind: FaultKind::Edited });
                }
            }
            _ => {
                if sequence == 0 || (sequence == 1) != (previous == EventHash::GENESIS) {
                    return Err(lines.fault(Some(sequence), FaultKind::Edited));
                }
                self.first = Some(Link { sequence, hash });
                if sequence > 1 {
                    self.tree = None;
                }
                self.meet(sequence - 1, previous, lines)?;
            }
        }
        match record {
            Record::Entry(entry) => {
                self.times = Some((self.times.map_or(entry.at, |(first, _)| first), entry.at));
                self.lineage.see(&entry.event);
                purged_by(&entry.event, sequence).into_iter().for_each(|(first, last)| self.named.add(first, last));
            }
            Record::Purged(_) => self.purged.add(sequence, sequence),
        }
        self.last = Some(Link { sequence, hash });
        self.entries += 1;
        if let Some(tree) = &mut self.tree {
            tree.push(hash);
        }
        self.meet(sequence, hash, lines)
    }

    /// Compares with what was kept, if this is the place.
    fn meet<R: BufRead>(&mut self, sequence: u64, hash: EventHash, lines: &Lines<R>) -> Result<(), Fault> {
        let Some(kept) = self.kept.filter(|kept| kept.size() == sequence && sequence > 0) else { return Ok(()) };
        let root = self.tree.take().map(|tree| tree.root());
        let same_root = match (kept, root) {
            (Kept::Checkpoint(checkpoint), Some(root)) => checkpoint.root == root,
            _ => true,
        };
        if hash != kept.hash() || !same_root {
            return Err(lines.fault(Some(sequence), FaultKind::Diverged));
        }
        self.met = true;
        Ok(())
    }

    /// The first line whose content is gone though no event says so.
    pub(super) fn gone_without_record(&self) -> Option<u64> {
        self.purged.first_outside(&self.named)
    }

    /// Compares with a head whose signature holds.
    pub(super) fn leads_to(&self, head: &Head) -> Result<(), (Option<u64>, FaultKind)> {
        let (Some(first), Some(last)) = (self.first, self.last) else {
            return match head.count {
                0 if head.hash == EventHash::GENESIS => Ok(()),
                0 => Err((None, FaultKind::Resealed)),
                // An extract from the end of the log on, made when nothing had happened since.
                count if head.first == count + 1 => Ok(()),
                _ => Err((Some(head.first), FaultKind::CutOff)),
            };
        };
        if first.sequence > head.first {
            return Err((Some(first.sequence), FaultKind::Missing { from: head.first }));
        }
        if first.sequence < head.first {
            return Err((Some(first.sequence), FaultKind::Inserted));
        }
        match last.sequence.cmp(&head.count) {
            std::cmp::Ordering::Less => Err((Some(last.sequence + 1), FaultKind::CutOff)),
            std::cmp::Ordering::Greater => Err((Some(head.count + 1), FaultKind::Inserted)),
            std::cmp::Ordering::Equal if last.hash != head.hash => Err((Some(last.sequence), FaultKind::Resealed)),
            std::cmp::Ordering::Equal => Ok(()),
        }
    }

    /// Why the chain did not go through what was kept, if it did not. `head` is the file's own.
    pub(super) fn missed(&self, head: &Head) -> Option<FaultKind> {
        let kept = self.kept.filter(|_| !self.met)?;
        let size = kept.size();
        if head.count < size {
            return Some(FaultKind::OlderThanKept { size });
        }
        match self.first {
            // Nothing but the head: it must be the very same.
            None if head.count == size && head.hash == kept.hash() => None,
            Some(first) if first.sequence > size + 1 => Some(FaultKind::Missing { from: size + 1 }),
            _ => Some(FaultKind::Diverged),
        }
    }
}
