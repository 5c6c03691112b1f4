//! Security keys: the two ceremonies of W3C Web Authentication (Level 2; of Level 3 the check of the backup flags), as
//! functions of bytes. Which challenge was ours, and which keys there are, others know.
//!
//! Whose make an authenticator is, is not asked (attestation "none"): a statement that comes along is read and believed
//! nothing. What counts is that the same key signs again.

mod authenticator;
mod cbor;
mod cose;
#[cfg(test)]
mod tests;

use authenticator::AuthenticatorData;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cose::PublicKey;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::net::IpAddr;

/// Bytes of a challenge (section 13.4.3 asks for 16 or more).
pub(super) const CHALLENGE_BYTES: usize = 32;
/// More than a browser ever sends, in bytes.
const LONGEST_PART: usize = 64 * 1024;

/// Where this server is for browsers: security keys are bound to that name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelyingParty {
    /// The host's name.
    id: String,
    /// Scheme, host and port, as browsers write it.
    origin: String,
}

impl RelyingParty {
    /// The server that browsers reach at `origin`, such as `https://carrel.port.example`.
    ///
    /// # Errors
    /// In a sentence, if security keys cannot work there: without TLS (but for `localhost`), or at a bare address.
    pub fn new(origin: &str) -> Result<Self, String> {
        let origin = origin.trim().trim_end_matches('/').to_ascii_lowercase();
        let fault = |why: &str| Err(format!("'{origin}' {why}"));
        let Some((scheme, authority)) = origin.split_once("://") else {
            return fault("is not an address such as https://carrel.port.example");
        };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !host.ends_with(':') && !host.is_empty() => (host, Some(port)),
            _ => (authority, None),
        };
        if authority.starts_with('[') || host.parse::<IpAddr>().is_ok() {
            return fault("is a bare address, at which browsers take no security keys; use a host name");
        }
        let is_name = |part: &str| {
            !part.is_empty() && part.len() < 64 && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        if !host.split('.').all(is_name) {
            return fault("has no host name that browsers take");
        }
        let usual = match scheme {
            "https" => 443,
            "http" if host == "localhost" || host.ends_with(".localhost") => 80,
            "http" => return fault("is without TLS, where browsers take no security keys"),
            _ => return fault("must begin with https://"),
        };
        let port = match port.map(str::parse::<u16>) {
            None => usual,
            Some(Ok(port)) if port > 0 => port,
            Some(_) => return fault("has no port that there is"),
        };
        let id = host.to_owned();
        // Browsers leave the usual port out (HTML, "serialization of an origin").
        let origin = if port == usual { format!("{scheme}://{host}") } else { format!("{scheme}://{host}:{port}") };
        Ok(Self { id, origin })
    }

    /// The host's name, to which keys are bound.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The address at which keys work.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }
}

/// Why an authenticator's answer was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WebAuthnError {
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Malformed(&'static str),
    /// It answers another question.
    #[error("it was made for something else")]
    OtherCeremony,
    /// The challenge is not ours, is spent, or too old.
    #[error("it took too long, or was used before; try again")]
    Challenge,
    /// It was made at another address.
    #[error("it was made at another address than this server's")]
    Origin,
    /// It was made for another server.
    #[error("it was made for another server")]
    OtherSite,
    /// Nobody touched it.
    #[error("nobody touched it")]
    NotPresent,
    /// The key is of a kind that was not asked for.
    #[error("its key is none of ES256, EdDSA and RS256")]
    Algorithm,
    /// There is no such key of this person here.
    #[error("this key is not registered for your account")]
    UnknownKey,
    /// The signature is not the key's.
    #[error("its signature is not right")]
    Signature,
    /// It counts backwards: there may be two of it.
    #[error("its counter went backwards, so there may be a copy of it; tell an admin")]
    Counter,
}

/// What a browser sends after `navigator.credentials.create`: each part in base64url.
#[derive(Debug, Clone, Default)]
pub struct KeyAttestation {
    /// `response.clientDataJSON`.
    pub client_data: String,
    /// `response.attestationObject`.
    pub attestation_object: String,
}

/// What a browser sends after `navigator.credentials.get`: each part in base64url.
#[derive(Debug, Clone, Default)]
pub struct KeyAssertion {
    /// `rawId`.
    pub credential: String,
    /// `response.clientDataJSON`.
    pub client_data: String,
    /// `response.authenticatorData`.
    pub authenticator_data: String,
    /// `response.signature`.
    pub signature: String,
}

/// A key that may be registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NewCredential {
    pub(super) credential: Vec<u8>,
    /// As COSE has it.
    pub(super) public_key: Vec<u8>,
    pub(super) sign_count: u32,
    pub(super) algorithm: &'static str,
    /// The format of the statement that was not looked at.
    pub(super) format: String,
    /// The kind of authenticator, in hexadecimal digits.
    pub(super) aaguid: String,
    pub(super) user_verified: bool,
}

/// That a key was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asserted {
    pub(super) sign_count: u32,
    pub(super) user_verified: bool,
}

/// What the browser adds (section 5.8.1).
#[derive(Deserialize)]
struct ClientData {
    #[serde(rename = "type")]
    ceremony: String,
    challenge: String,
    origin: String,
    #[serde(default, rename = "crossOrigin")]
    cross_origin: bool,
}

/// The challenge that an answer names, whatever else it says: whether it is ours, its keeper knows.
pub(super) fn challenge_of(client_data: &str) -> Result<Vec<u8>, WebAuthnError> {
    challenge(&parsed(&decoded(client_data)?)?)
}

/// A registration's outcome (section 7.1).
pub(super) fn registered(
    party: &RelyingParty,
    challenge: &[u8],
    answer: &KeyAttestation,
) -> Result<NewCredential, WebAuthnError> {
    check(party, challenge, "webauthn.create", &decoded(&answer.client_data)?)?;
    let object = decoded(&answer.attestation_object)?;
    let object = cbor::read_all(&object).map_err(|_| WebAuthnError::Malformed("the attestation is no CBOR"))?;
    let part = |name| object.named(name);
    let format = part("fmt").and_then(cbor::Value::text).ok_or(WebAuthnError::Malformed("it has no format"))?;
    match part("attStmt") {
        Some(cbor::Value::Map(statement)) if format != "none" || statement.is_empty() => {}
        _ => return Err(WebAuthnError::Malformed("its statement is not that of its format")),
    }
    let data = part("authData").and_then(cbor::Value::bytes).ok_or(WebAuthnError::Malformed("it has no data"))?;
    let data = AuthenticatorData::read(data)?;
    check_presence(party, &data)?;
    let attested = data.attested.as_ref().ok_or(WebAuthnError::Malformed("it has no key"))?;
    Ok(NewCredential {
        credential: attested.credential.to_vec(),
        public_key: attested.cose.to_vec(),
        sign_count: data.sign_count,
        algorithm: attested.key.algorithm(),
        format: format.chars().take(32).collect(),
        aaguid: attested.aaguid.iter().map(|byte| format!("{byte:02x}")).collect(),
        user_verified: data.user_verified(),
    })
}

/// A sign-in's outcome (section 7.2), for the key that the answer names. Whoever keeps the counter decides about it.
pub(super) fn asserted(
    party: &RelyingParty,
    challenge: &[u8],
    public_key: &[u8],
    answer: &KeyAssertion,
) -> Result<Asserted, WebAuthnError> {
    let client_data = decoded(&answer.client_data)?;
    check(party, challenge, "webauthn.get", &client_data)?;
    let bytes = decoded(&answer.authenticator_data)?;
    let data = AuthenticatorData::read(&bytes)?;
    check_presence(party, &data)?;
    let (key, _) = PublicKey::read(public_key).ok_or(WebAuthnError::Algorithm)?;
    let signed = [&bytes[..], &Sha256::digest(&client_data)].concat();
    if !key.verifies(&signed, &decoded(&answer.signature)?) {
        return Err(WebAuthnError::Signature);
    }
    Ok(Asserted { sign_count: data.sign_count, user_verified: data.user_verified() })
}

/// Whether a counter may follow another (section 6.1.1): zero stays zero where none is kept.
pub(super) const fn counts_on(stored: u32, shown: u32) -> bool {
    (stored == 0 && shown == 0) || shown > stored
}

/// What `navigator.credentials.create` is asked, with bytes in base64url (section 5.4).
pub(super) fn creation(
    party: &RelyingParty,
    challenge: &[u8],
    (site, user): (&str, &domain::User),
    known: &[Vec<u8>],
    patience_ms: u64,
) -> Value {
    let display_name = if user.display_name.is_empty() { &user.name } else { &user.display_name };
    json!({
        "challenge": encoded(challenge),
        "rp": { "id": party.id, "name": site },
        "user": { "id": encoded(user.id.uuid().as_bytes()), "name": user.name, "displayName": display_name },
        "pubKeyCredParams": cose::ALGORITHMS.map(|alg| json!({ "type": "public-key", "alg": alg })),
        "excludeCredentials": descriptors(known),
        "authenticatorSelection": { "residentKey": "discouraged", "userVerification": "preferred" },
        "attestation": "none",
        "timeout": patience_ms,
    })
}

/// What `navigator.credentials.get` is asked, with bytes in base64url (section 5.5).
pub(super) fn request(party: &RelyingParty, challenge: &[u8], known: &[Vec<u8>], patience_ms: u64) -> Value {
    json!({
        "challenge": encoded(challenge),
        "rpId": party.id,
        "allowCredentials": descriptors(known),
        "userVerification": "preferred",
        "timeout": patience_ms,
    })
}

fn descriptors(known: &[Vec<u8>]) -> Vec<Value> {
    known.iter().map(|id| json!({ "type": "public-key", "id": encoded(id) })).collect()
}

/// Base64url without padding, as RFC 4648, section 5, and the ceremonies have it.
pub(super) fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(super) fn decoded(text: &str) -> Result<Vec<u8>, WebAuthnError> {
    if text.is_empty() || text.len() > LONGEST_PART {
        return Err(WebAuthnError::Malformed("a part is missing or too long"));
    }
    URL_SAFE_NO_PAD.decode(text).map_err(|_| WebAuthnError::Malformed("a part is no base64url"))
}

fn parsed(client_data: &[u8]) -> Result<ClientData, WebAuthnError> {
    serde_json::from_slice(client_data)
        .map_err(|_| WebAuthnError::Malformed("the browser's part is not as it should be"))
}

fn challenge(data: &ClientData) -> Result<Vec<u8>, WebAuthnError> {
    URL_SAFE_NO_PAD.decode(&data.challenge).map_err(|_| WebAuthnError::Challenge)
}

fn check(party: &RelyingParty, expected: &[u8], ceremony: &str, client_data: &[u8]) -> Result<(), WebAuthnError> {
    let data = parsed(client_data)?;
    if data.ceremony != ceremony {
        return Err(WebAuthnError::OtherCeremony);
    }
    if expected.len() < CHALLENGE_BYTES || challenge(&data)? != expected {
        return Err(WebAuthnError::Challenge);
    }
    // A page of ours inside someone else's is none (and frames are refused anyway).
    if data.origin != party.origin || data.cross_origin {
        return Err(WebAuthnError::Origin);
    }
    Ok(())
}

fn check_presence(party: &RelyingParty, data: &AuthenticatorData<'_>) -> Result<(), WebAuthnError> {
    if data.rp_id_hash != Sha256::digest(party.id.as_bytes()).as_slice() {
        return Err(WebAuthnError::OtherSite);
    }
    if !data.user_present() {
        return Err(WebAuthnError::NotPresent);
    }
    Ok(())
}
