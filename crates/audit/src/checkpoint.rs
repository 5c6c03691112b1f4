//! Signed checkpoints: the appliance's word on what the whole log was at one moment, small enough to be printed.

use crate::merkle::Frontier;
use crate::{EventHash, Head, HeadError, PublicKey, SigningKey, TreeHash, hex};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A signed tree head (in the sense of RFC 9162, section 4.10): size and root of the tree over all events so far, with the
/// hash of the last one. Serialising gives canonical JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// When it was signed, to the millisecond.
    pub at: Timestamp,
    /// The hash of the last event, or [`EventHash::GENESIS`] for an empty log: what links it to the chain.
    pub hash: EventHash,
    /// The Ed25519 public key, 64 hexadecimal digits.
    pub public_key: String,
    /// The root of the tree ([`crate::merkle`]).
    pub root: TreeHash,
    /// The Ed25519 signature (RFC 8032), 128 hexadecimal digits.
    pub signature: String,
    /// Number of events, which is the sequence of the last one.
    pub size: u64,
}

impl Checkpoint {
    /// Signs what the log is: the tree over its events and the hash of the last one.
    #[must_use]
    pub fn sign(key: &SigningKey, tree: &Frontier, last: EventHash, at: Timestamp) -> Self {
        let at = Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at);
        let public_key = key.public().to_string();
        let unsigned =
            Self { at, hash: last, public_key, root: tree.root(), signature: String::new(), size: tree.size() };
        let signature = hex::encode(&key.sign(&unsigned.statement()));
        Self { signature, ..unsigned }
    }

    /// The key that signed it, if it did.
    ///
    /// # Errors
    /// [`HeadError::BadSignature`].
    pub fn signer(&self) -> Result<PublicKey, HeadError> {
        let signer = hex::read(&self.public_key).and_then(PublicKey::of_bytes).ok_or(HeadError::BadSignature)?;
        let signature = hex::read(&self.signature).ok_or(HeadError::BadSignature)?;
        if signer.signed(&self.statement(), &signature) { Ok(signer) } else { Err(HeadError::BadSignature) }
    }

    /// One line of canonical JSON, `{"checkpoint":…}`: what is printed, kept and given back to the verifier.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(&CheckpointLine { checkpoint: self }).unwrap_or_default()
    }

    /// What is signed, one field a line, after a line that keeps these signatures apart from any others of the key.
    fn statement(&self) -> Vec<u8> {
        let Self { at, hash, public_key, root, size, signature: _ } = self;
        format!("carrel audit checkpoint v1\n{at}\n{size}\n{root}\n{hash}\n{public_key}\n").into_bytes()
    }
}

#[derive(Serialize)]
struct CheckpointLine<'a> {
    checkpoint: &'a Checkpoint,
}

/// Something signed that an auditor kept from earlier: a head or a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// As `carrel audit head` printed it, or the last line of an earlier export.
    Head(Head),
    /// As `carrel audit checkpoint` printed it.
    Checkpoint(Checkpoint),
}

/// The text is neither a head nor a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is no head and no checkpoint: give the line that 'carrel audit head' or 'carrel audit checkpoint' printed"
)]
pub struct NotKept;

impl Kept {
    /// Reads the line that was kept; of a whole export its last line.
    ///
    /// # Errors
    /// [`NotKept`].
    pub fn parse(text: &str) -> Result<Self, NotKept> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields, rename_all = "lowercase")]
        enum Line {
            Head(Head),
            Checkpoint(Checkpoint),
        }
        let whole = serde_json::from_str::<Line>(text.trim()).ok();
        let last = || serde_json::from_str(text.trim_end().lines().next_back()?).ok();
        match whole.or_else(last) {
            Some(Line::Head(head)) => Ok(Self::Head(head)),
            Some(Line::Checkpoint(checkpoint)) => Ok(Self::Checkpoint(checkpoint)),
            None => Err(NotKept),
        }
    }

    /// Number of events then.
    #[must_use]
    pub const fn size(&self) -> u64 {
        match self {
            Self::Head(head) => head.count,
            Self::Checkpoint(checkpoint) => checkpoint.size,
        }
    }

    /// The hash of the last event then.
    #[must_use]
    pub const fn hash(&self) -> EventHash {
        match self {
            Self::Head(head) => head.hash,
            Self::Checkpoint(checkpoint) => checkpoint.hash,
        }
    }

    /// When it was signed.
    #[must_use]
    pub const fn at(&self) -> Timestamp {
        match self {
            Self::Head(head) => head.at,
            Self::Checkpoint(checkpoint) => checkpoint.at,
        }
    }

    /// The key that signed it, if it did.
    ///
    /// # Errors
    /// [`HeadError::BadSignature`].
    pub fn signer(&self) -> Result<PublicKey, HeadError> {
        match self {
            Self::Head(head) => {
                head.verify(None)?;
                hex::read(&head.public_key).and_then(PublicKey::of_bytes).ok_or(HeadError::BadSignature)
            }
            Self::Checkpoint(checkpoint) => checkpoint.signer(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Environment;

    fn key() -> SigningKey {
        SigningKey::generate(&Environment::system())
    }

    #[test]
    fn a_checkpoint_is_read_back_and_any_change_breaks_its_signature() {
        let key = key();
        let tree: Frontier = [EventHash::from([1; 32]), EventHash::from([2; 32])].into_iter().collect();
        let at = "2026-11-21T04:00:00.123456Z".parse().unwrap();
        let checkpoint = Checkpoint::sign(&key, &tree, EventHash::from([2; 32]), at);
        assert_eq!(checkpoint.signer(), Ok(key.public()));
        assert_eq!(Kept::parse(&checkpoint.to_json()), Ok(Kept::Checkpoint(checkpoint.clone())));
        let changes: [fn(&mut Checkpoint); 5] = [
            |c| c.size = 3,
            |c| c.root = [9; 32].into(),
            |c| c.hash = [9; 32].into(),
            |c| c.at = Timestamp::UNIX_EPOCH,
            |c| c.signature = c.signature.replace('a', "b"),
        ];
        for change in changes {
            let mut changed = checkpoint.clone();
            change(&mut changed);
            assert!(changed == checkpoint || changed.signer().is_err());
        }
    }

    #[test]
    fn a_head_is_taken_as_printed_or_from_the_end_of_an_export() {
        let head = Head::sign(&key(), 7, EventHash::from([7; 32]), Timestamp::UNIX_EPOCH);
        let line = serde_json::json!({ "head": head });
        let printed = serde_json::to_string_pretty(&line).unwrap();
        for text in [printed, line.to_string(), format!("{{\"at\":1}}\n{line}\n")] {
            let kept = Kept::parse(&text).unwrap();
            assert_eq!((kept.size(), kept.hash()), (7, EventHash::from([7; 32])));
            assert!(kept.signer().is_ok());
        }
        assert_eq!(Kept::parse("{\"head\":{}}"), Err(NotKept));
        assert_eq!(Kept::parse(""), Err(NotKept));
    }
}
