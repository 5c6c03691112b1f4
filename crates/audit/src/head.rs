//! The signed head: what makes cutting the tail and resealing the chain show.

use crate::{EventHash, PublicKey, SigningKey, hex};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Why a head does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// Its public key or signature is not one, or the signature does not belong to it.
    #[error("the head's signature does not belong to its contents")]
    BadSignature,
    /// It was signed by another key than the given one.
    #[error("the head was signed with another key than the given one")]
    WrongKey,
}

/// The appliance's signature over where the chain stood at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// When it was signed, to the millisecond.
    pub at: Timestamp,
    /// The sequence of the last entry, which is the number of entries ever made; 0 for an empty chain.
    pub count: u64,
    /// The sequence with which the export begins: 1 unless it is an extract.
    pub first: u64,
    /// The hash of the last entry, or [`EventHash::GENESIS`] for an empty chain.
    pub hash: EventHash,
    /// The Ed25519 public key, 64 hexadecimal digits.
    pub public_key: String,
    /// The Ed25519 signature (RFC 8032), 128 hexadecimal digits.
    pub signature: String,
}

impl Head {
    /// Signs that the chain has `count` entries, the last of which has this hash.
    #[must_use]
    pub fn sign(key: &SigningKey, count: u64, hash: EventHash, at: Timestamp) -> Self {
        Self::sign_extract(key, 1, count, hash, at)
    }

    /// Signs an export that begins with entry `first` on purpose. The verifier says so.
    #[must_use]
    pub fn sign_extract(key: &SigningKey, first: u64, count: u64, hash: EventHash, at: Timestamp) -> Self {
        let at = Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at);
        let public = key.public();
        let signature = key.sign(&Statement { at, count, first, hash, public_key: public }.bytes());
        Self { at, count, first, hash, public_key: public.to_string(), signature: hex::encode(&signature) }
    }

    /// Checks the signature, against `key` or else against the key that the head itself carries. The latter shows only
    /// that the head belongs together, not who made it.
    ///
    /// # Errors
    /// [`HeadError::WrongKey`] if it was signed by another key, [`HeadError::BadSignature`] otherwise.
    pub fn verify(&self, key: Option<&PublicKey>) -> Result<(), HeadError> {
        let signer = hex::read(&self.public_key).and_then(PublicKey::of_bytes).ok_or(HeadError::BadSignature)?;
        if key.is_some_and(|key| *key != signer) {
            return Err(HeadError::WrongKey);
        }
        let signature = hex::read(&self.signature).ok_or(HeadError::BadSignature)?;
        let statement =
            Statement { at: self.at, count: self.count, first: self.first, hash: self.hash, public_key: signer };
        if signer.signed(&statement.bytes(), &signature) { Ok(()) } else { Err(HeadError::BadSignature) }
    }
}

/// What is signed, one field a line, after a line that keeps these signatures apart from any others of the key.
struct Statement {
    at: Timestamp,
    count: u64,
    first: u64,
    hash: EventHash,
    public_key: PublicKey,
}

impl Statement {
    fn bytes(&self) -> Vec<u8> {
        let Self { at, count, first, hash, public_key } = self;
        format!("carrel audit head v1\n{at}\n{count}\n{first}\n{hash}\n{public_key}\n").into_bytes()
    }
}
