//! Files that prove something about the log without showing the log.

use crate::verify::intact;
use crate::{Checkpoint, Entry, EventHash, HeadError, PublicKey, TreeHash, merkle};
use serde::{Deserialize, Serialize};

/// One event, and that it is in the log whose size and root the checkpoint names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InclusionProof {
    /// The signed checkpoint.
    pub checkpoint: Checkpoint,
    /// The event's entry, as it was sealed.
    pub entry: Entry,
    /// Hashes from the leaf to the root (RFC 9162, section 2.1.3).
    pub path: Vec<TreeHash>,
}

/// That the log of an older checkpoint is the beginning of the log of a newer one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsistencyProof {
    /// The newer checkpoint.
    pub checkpoint: Checkpoint,
    /// The older one.
    pub older: Checkpoint,
    /// Hashes that make both roots (RFC 9162, section 2.1.4).
    pub path: Vec<TreeHash>,
}

/// A proof of either kind, as a file holds it.
#[derive(Debug, Clone, PartialEq)]
pub enum Proof {
    /// Of one event.
    Inclusion(Box<InclusionProof>),
    /// Of an older log.
    Consistency(Box<ConsistencyProof>),
}

/// Why a proof proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// It is no proof file.
    #[error("this file is no proof of carrel")]
    NotAProof,
    /// The event is not as it was sealed.
    #[error("the event was edited: it is not as it was sealed")]
    Edited,
    /// The hashes do not lead to the signed root.
    #[error("the proof does not lead to the signed root: this event or log is not part of what was signed")]
    NotPart,
    /// A signature does not hold, or is of another key.
    #[error(transparent)]
    Head(#[from] HeadError),
}

impl InclusionProof {
    /// Proves the event with this entry, out of the hashes of all events up to the checkpoint. `None` if the entry comes
    /// after it, or `events` are not those that were signed.
    #[must_use]
    pub fn new(entry: Entry, checkpoint: Checkpoint, events: &[EventHash]) -> Option<Self> {
        let index = usize::try_from(entry.sequence.checked_sub(1)?).ok()?;
        let path = merkle::inclusion(events, index)?;
        let proof = Self { checkpoint, entry, path };
        proof.leads_to_root().then_some(proof)
    }

    fn leads_to_root(&self) -> bool {
        let Self { checkpoint, entry, path } = self;
        let Some(index) = entry.sequence.checked_sub(1) else { return false };
        merkle::includes(entry.hash, index, checkpoint.size, path, checkpoint.root)
    }
}

impl ConsistencyProof {
    /// Proves that `older` is the beginning of `checkpoint`, out of the hashes of all events up to the latter.
    #[must_use]
    pub fn new(older: Checkpoint, checkpoint: Checkpoint, events: &[EventHash]) -> Option<Self> {
        let path = merkle::consistency(events, usize::try_from(older.size).ok()?)?;
        let proof = Self { checkpoint, older, path };
        proof.is_consistent().then_some(proof)
    }

    fn is_consistent(&self) -> bool {
        let Self { checkpoint, older, path } = self;
        merkle::consistent((older.size, older.root), (checkpoint.size, checkpoint.root), path)
    }
}

impl Proof {
    /// Reads a proof file.
    ///
    /// # Errors
    /// [`ProofError::NotAProof`].
    pub fn parse(text: &str) -> Result<Self, ProofError> {
        // The one with an entry is tried first; both refuse fields that are not theirs.
        serde_json::from_str(text)
            .map(|proof| Self::Inclusion(Box::new(proof)))
            .or_else(|_| serde_json::from_str(text).map(|proof| Self::Consistency(Box::new(proof))))
            .map_err(|_| ProofError::NotAProof)
    }

    /// Checks it, with nothing but itself and the key that signed the (newer) checkpoint. Without a key it shows only that
    /// the file agrees with itself.
    ///
    /// # Errors
    /// What does not hold.
    pub fn verify(&self, key: Option<&PublicKey>) -> Result<(), ProofError> {
        let checkpoint = match self {
            Self::Inclusion(proof) => &proof.checkpoint,
            Self::Consistency(proof) => &proof.checkpoint,
        };
        let signer = checkpoint.signer()?;
        if key.is_some_and(|key| *key != signer) {
            return Err(HeadError::WrongKey.into());
        }
        match self {
            Self::Inclusion(proof) => {
                if intact(proof.entry.to_json().as_bytes()).is_none() {
                    return Err(ProofError::Edited);
                }
                if proof.leads_to_root() { Ok(()) } else { Err(ProofError::NotPart) }
            }
            Self::Consistency(proof) => {
                // Its key may be one from before a rotation: that it is signed at all is enough, for the newer root,
                // which the given key signed, contains what it signed.
                proof.older.signer()?;
                if proof.is_consistent() { Ok(()) } else { Err(ProofError::NotPart) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::Frontier;
    use crate::{Action, Actor, Event, SigningKey, seal};
    use domain::{Environment, OperationId};

    fn log(length: u64) -> (Vec<Entry>, Vec<EventHash>) {
        let operation = OperationId::new(&Environment::system());
        let mut previous = EventHash::GENESIS;
        let entries: Vec<Entry> = (1..=length)
            .map(|sequence| {
                let event =
                    Event::new(Action::DocumentOpened, &Actor::console(), operation).on("document", sequence, "t");
                let entry = seal(previous, sequence, jiff::Timestamp::UNIX_EPOCH, event);
                previous = entry.hash;
                entry
            })
            .collect();
        let hashes = entries.iter().map(|entry| entry.hash).collect();
        (entries, hashes)
    }

    fn checkpoint(key: &SigningKey, events: &[EventHash]) -> Checkpoint {
        let tree: Frontier = events.iter().copied().collect();
        Checkpoint::sign(key, &tree, events[events.len() - 1], jiff::Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn one_event_is_proved_by_its_file_and_the_key() {
        let environment = Environment::system();
        let (key, other) = (SigningKey::generate(&environment), SigningKey::generate(&environment));
        let (entries, hashes) = log(11);
        let proof = InclusionProof::new(entries[6].clone(), checkpoint(&key, &hashes), &hashes).unwrap();
        let text = serde_json::to_string(&proof).unwrap();
        let read = |text: &str| Proof::parse(text).and_then(|proof| proof.verify(Some(&key.public())));
        assert_eq!(read(&text), Ok(()));
        assert_eq!(Proof::parse(&text).unwrap().verify(Some(&other.public())), Err(HeadError::WrongKey.into()));
        assert_eq!(read(&text.replace("\"name\":\"t\"", "\"name\":\"u\"")), Err(ProofError::Edited));
        assert_eq!(read(&text.replace("\"size\":11", "\"size\":12")), Err(HeadError::BadSignature.into()));
        assert_eq!(read("{}"), Err(ProofError::NotAProof));
        // An event of another log, sealed well, is not part of this one.
        let stranger = log(11).0.swap_remove(6);
        let mut swapped = proof;
        swapped.entry = stranger;
        assert_eq!(Proof::Inclusion(Box::new(swapped)).verify(None), Err(ProofError::NotPart));
        let early = checkpoint(&key, &hashes[..5]);
        assert!(InclusionProof::new(entries[6].clone(), early, &hashes[..5]).is_none(), "it came later");
    }

    #[test]
    fn an_older_log_is_proved_to_be_the_beginning() {
        let environment = Environment::system();
        let (old_key, key) = (SigningKey::generate(&environment), SigningKey::generate(&environment));
        let hashes = log(20).1;
        let older = checkpoint(&old_key, &hashes[..9]);
        let proof = ConsistencyProof::new(older.clone(), checkpoint(&key, &hashes), &hashes).unwrap();
        let text = serde_json::to_string(&proof).unwrap();
        assert_eq!(Proof::parse(&text).unwrap().verify(Some(&key.public())), Ok(()));
        let other = log(20).1;
        assert!(ConsistencyProof::new(older, checkpoint(&key, &other), &other).is_none());
    }
}
