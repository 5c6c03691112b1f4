//! Public keys of authenticators: COSE keys (RFC 9052, section 7; RFC 9053) of the three algorithms that we ask for.

use super::cbor::{self, Value};
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};

/// ES256, EdDSA and RS256 as COSE numbers them, the first preferred.
pub(super) const ALGORITHMS: [i64; 3] = [-7, -8, -257];

/// Labels of a key's parts.
const KEY_TYPE: i64 = 1;
const ALGORITHM: i64 = 3;
const CURVE_OR_MODULUS: i64 = -1;
const X_OR_EXPONENT: i64 = -2;
const Y: i64 = -3;

/// Bytes of an RSA modulus: 2048 to 8192 bits.
const MODULUS: std::ops::RangeInclusive<usize> = 256..=1024;

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PublicKey {
    /// A point of P-256, uncompressed (SEC 1, section 2.3.3).
    Es256([u8; 65]),
    /// Ed25519 (RFC 8032).
    EdDsa([u8; 32]),
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256 { modulus: Vec<u8>, exponent: Vec<u8> },
}

impl PublicKey {
    /// The key at the beginning, and what stands behind it. `None` if it is none of ours.
    pub(super) fn read(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (key, rest) = cbor::read(bytes).ok()?;
        let number = |label| key.at(label).and_then(Value::integer);
        let part = |label| key.at(label).and_then(Value::bytes);
        let read = match (number(KEY_TYPE)?, number(ALGORITHM)?) {
            // EC2 on P-256.
            (2, -7) if number(CURVE_OR_MODULUS) == Some(1) => {
                let x: [u8; 32] = part(X_OR_EXPONENT)?.try_into().ok()?;
                let y: [u8; 32] = part(Y)?.try_into().ok()?;
                let mut point = [4; 65];
                point[1..33].copy_from_slice(&x);
                point[33..].copy_from_slice(&y);
                Self::Es256(point)
            }
            // OKP with Ed25519.
            (1, -8) if number(CURVE_OR_MODULUS) == Some(6) => Self::EdDsa(part(X_OR_EXPONENT)?.try_into().ok()?),
            (3, -257) => {
                let modulus = part(CURVE_OR_MODULUS)?;
                let exponent = part(X_OR_EXPONENT)?;
                let sound = MODULUS.contains(&modulus.len()) && modulus[0] != 0 && (1..=8).contains(&exponent.len());
                sound.then(|| Self::Rs256 { modulus: modulus.to_vec(), exponent: exponent.to_vec() })?
            }
            _ => return None,
        };
        Some((read, rest))
    }

    /// Whether this key signed the message.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Es256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).verify(message, signature).is_ok()
            }
            Self::EdDsa(key) => UnparsedPublicKey::new(&ED25519, key).verify(message, signature).is_ok(),
            Self::Rs256 { modulus, exponent } => RsaPublicKeyComponents { n: modulus, e: exponent }
                .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
                .is_ok(),
        }
    }

    pub(super) const fn algorithm(&self) -> &'static str {
        match self {
            Self::Es256(_) => "ES256",
            Self::EdDsa(_) => "EdDSA",
            Self::Rs256 { .. } => "RS256",
        }
    }
}
