//! A security key in software: what an authenticator and the browser before it make of a challenge (W3C Web
//! Authentication, sections 5.8.1, 6.1 and 6.5.4). Whatever it says can be turned before it is sent.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use serde_json::{Value, json};

/// What it signs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// ECDSA on P-256 (ES256).
    P256,
    /// Ed25519 (EdDSA).
    Ed25519,
    /// RSA with 2048 bits (RS256).
    Rsa,
}

enum Pair {
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(Box<RsaKeyPair>),
}

/// One security key with one credential.
pub struct SecurityKey {
    pair: Pair,
    /// The credential's id.
    pub credential: Vec<u8>,
    /// What it counts; 0 if it does not.
    pub count: u32,
    /// Flags: somebody is there (1), and is known to it (4).
    pub flags: u8,
    /// The server's name that it believes it talks to.
    pub rp_id: String,
    /// The address that the browser believes it is at.
    pub origin: String,
}

/// What the browser sends, before it is written in base64url.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyAnswer {
    /// `clientDataJSON`.
    pub client_data: Vec<u8>,
    /// `authenticatorData`.
    pub data: Vec<u8>,
    /// The signature; empty at a registration.
    pub signature: Vec<u8>,
}

impl SecurityKey {
    /// A new one, at the server with this origin.
    ///
    /// # Panics
    /// If the machine has no randomness.
    #[must_use]
    pub fn new(kind: KeyKind, origin: &str) -> Self {
        let random = SystemRandom::new();
        let pair = match kind {
            KeyKind::P256 => {
                let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).expect("made");
                let read = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, made.as_ref(), &random);
                Pair::P256(read.expect("a key"))
            }
            KeyKind::Ed25519 => {
                let made = Ed25519KeyPair::generate_pkcs8(&random).expect("made");
                Pair::Ed25519(Ed25519KeyPair::from_pkcs8(made.as_ref()).expect("a key"))
            }
            KeyKind::Rsa => {
                let made = STANDARD.decode(crate::provider::RSA_KEY.replace('\n', "")).expect("base 64");
                Pair::Rsa(Box::new(RsaKeyPair::from_pkcs8(&made).expect("a key")))
            }
        };
        let mut credential = vec![0; 32];
        random.fill(&mut credential).expect("randomness");
        let host = origin.split("://").nth(1).unwrap_or_default();
        let rp_id = host.split(':').next().unwrap_or_default().to_owned();
        Self { pair, credential, count: 1, flags: 1, rp_id, origin: origin.to_owned() }
    }

    /// Its public key as COSE has it.
    #[must_use]
    pub fn cose(&self) -> Vec<u8> {
        match &self.pair {
            Pair::P256(pair) => {
                let point = pair.public_key().as_ref();
                [&[0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32][..], &point[1..33], &[0x22, 0x58, 32], &point[33..]]
                    .concat()
            }
            Pair::Ed25519(pair) => {
                [&[0xa4, 1, 1, 3, 0x27, 0x20, 6, 0x21, 0x58, 32][..], pair.public_key().as_ref()].concat()
            }
            Pair::Rsa(pair) => {
                let public: ring::rsa::PublicKeyComponents<Vec<u8>> = pair.public().into();
                let length = u8::try_from(public.e.len()).expect("short");
                [&[0xa4, 1, 3, 3, 0x39, 1, 0, 0x20, 0x59, 1, 0][..], &public.n, &[0x21, 0x40 | length], &public.e]
                    .concat()
            }
        }
    }

    /// What it says to a challenge (in base64url) when it is registered.
    #[must_use]
    pub fn create(&self, challenge: &str) -> KeyAnswer {
        let length = u16::try_from(self.credential.len()).expect("short").to_be_bytes();
        let attested = [&[0; 16][..], &length, &self.credential, &self.cose()].concat();
        let data = [self.head(self.flags | 0x40), attested].concat();
        KeyAnswer { client_data: self.client_data("webauthn.create", challenge), data, signature: Vec::new() }
    }

    /// What it says to a challenge (in base64url) at a sign-in; counts on.
    pub fn get(&mut self, challenge: &str) -> KeyAnswer {
        self.count += u32::from(self.count > 0);
        let (client_data, data) = (self.client_data("webauthn.get", challenge), self.head(self.flags));
        let signature = self.sign(&[&data[..], digest(&SHA256, &client_data).as_ref()].concat());
        KeyAnswer { client_data, data, signature }
    }

    /// Its signature.
    ///
    /// # Panics
    /// If it cannot sign.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::P256(pair) => pair.sign(&random, message).expect("signed").as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).expect("signed");
                signature
            }
        }
    }

    fn head(&self, flags: u8) -> Vec<u8> {
        [digest(&SHA256, self.rp_id.as_bytes()).as_ref(), &[flags], &self.count.to_be_bytes()].concat()
    }

    fn client_data(&self, ceremony: &str, challenge: &str) -> Vec<u8> {
        let said: Value =
            json!({ "type": ceremony, "challenge": challenge, "origin": self.origin, "crossOrigin": false });
        said.to_string().into_bytes()
    }
}

impl KeyAnswer {
    /// The attestation object around the data: format "none", nothing stated.
    #[must_use]
    pub fn attestation(&self) -> Vec<u8> {
        let length = u16::try_from(self.data.len()).expect("short");
        let length = match length {
            0..24 => vec![0x40 | length.to_be_bytes()[1]],
            24..256 => vec![0x58, length.to_be_bytes()[1]],
            _ => [&[0x59][..], &length.to_be_bytes()].concat(),
        };
        let parts = [&b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData"[..], &length, &self.data];
        parts.concat()
    }

    /// Fields of the form of a registration.
    #[must_use]
    pub fn registration(&self) -> [(&'static str, String); 2] {
        [("client_data", text(&self.client_data)), ("attestation_object", text(&self.attestation()))]
    }

    /// Fields of the form of a sign-in.
    #[must_use]
    pub fn assertion(&self, credential: &[u8]) -> [(&'static str, String); 4] {
        [
            ("credential", text(credential)),
            ("client_data", text(&self.client_data)),
            ("authenticator_data", text(&self.data)),
            ("signature", text(&self.signature)),
        ]
    }
}

/// Bytes in base64url.
fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
