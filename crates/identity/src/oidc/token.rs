//! ID tokens: JSON Web Tokens (RFC 7519) signed with RS256 or ES256 (RFC 7518), checked as OpenID Connect Core 1.0,
//! section 3.1.3.7, has it. `none` and keys shared with the provider are no signatures here.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use ring::signature::{ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey};
use serde::Deserialize;
use serde_json::Value;

/// How far the provider's clock may be from ours.
const DRIFT: SignedDuration = SignedDuration::from_secs(60);

/// A key of the provider (RFC 7517); kinds that we do not use have none of these fields.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Key {
    kty: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default, rename = "use")]
    purpose: Option<String>,
    #[serde(default)]
    crv: Option<String>,
    #[serde(default)]
    n: Option<String>,
    #[serde(default)]
    e: Option<String>,
    #[serde(default)]
    x: Option<String>,
    #[serde(default)]
    y: Option<String>,
}

/// What the provider's keys came in.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct KeySet {
    keys: Vec<Key>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    kid: Option<String>,
}

/// What a token must say.
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) audience: &'a str,
    pub(super) nonce: &'a str,
    pub(super) now: Timestamp,
}

/// Who the provider says it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claims {
    pub(super) subject: String,
    pub(super) name: String,
    pub(super) display_name: String,
    pub(super) groups: Vec<String>,
}

/// Why a token is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unfit {
    /// No key of the set has signed it: perhaps there are new ones.
    NoKey,
    /// Anything else.
    Wrong(&'static str),
}

impl KeySet {
    /// The members of a token that one of these keys has signed.
    pub(super) fn open(&self, token: &str, expected: &Expected<'_>) -> Result<Value, Unfit> {
        let wrong = Unfit::Wrong;
        let (signed, signature) = token.rsplit_once('.').ok_or(wrong("the ID token has no signature"))?;
        let (header, payload) = signed.split_once('.').ok_or(wrong("the ID token has no payload"))?;
        let header: Header = decoded(header).ok_or(wrong("the ID token's header cannot be read"))?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| wrong("the signature cannot be read"))?;
        if !matches!(header.alg.as_str(), "RS256" | "ES256") {
            return Err(wrong("the ID token is signed by a method that is not taken; RS256 and ES256 are"));
        }
        let named = |key: &&Key| header.kid.is_none() || key.kid.is_none() || key.kid == header.kid;
        let signs = |key: &&Key| key.purpose.as_deref().is_none_or(|purpose| purpose == "sig");
        let mut keys = self.keys.iter().filter(named).filter(signs);
        if !keys.any(|key| key.has_signed(&header.alg, signed.as_bytes(), &signature)) {
            return Err(Unfit::NoKey);
        }
        let members: Value = decoded(payload).ok_or(wrong("the ID token cannot be read"))?;
        check(&members, expected).map_err(wrong)?;
        Ok(members)
    }
}

impl Key {
    fn has_signed(&self, method: &str, message: &[u8], signature: &[u8]) -> bool {
        let part = |text: &Option<String>| text.as_ref().and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        match (method, self.kty.as_str(), self.crv.as_deref()) {
            ("RS256", "RSA", _) => {
                let (Some(n), Some(e)) = (part(&self.n), part(&self.e)) else { return false };
                RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature).is_ok()
            }
            ("ES256", "EC", Some("P-256")) => {
                let (Some(x), Some(y)) = (part(&self.x), part(&self.y)) else { return false };
                // SEC 1, section 2.3.3: a point that is not compressed.
                let point = [&[4][..], &x, &y].concat();
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature).is_ok()
            }
            _ => false,
        }
    }
}

fn check(members: &Value, expected: &Expected<'_>) -> Result<(), &'static str> {
    let text = |name: &str| members.get(name).and_then(Value::as_str);
    if text("iss") != Some(expected.issuer) {
        return Err("the ID token is another provider's");
    }
    let (ours, several) = match members.get("aud") {
        Some(Value::String(one)) => (one == expected.audience, false),
        Some(Value::Array(all)) => (all.iter().any(|one| one == expected.audience), all.len() > 1),
        _ => (false, false),
    };
    if !ours || (several || text("azp").is_some()) && text("azp") != Some(expected.audience) {
        return Err("the ID token is for another client");
    }
    let until = members.get("exp").and_then(Value::as_f64).filter(|seconds| *seconds < 1e11);
    #[allow(clippy::cast_possible_truncation, reason = "below 1e11")]
    let until = until.and_then(|seconds| Timestamp::from_second(seconds as i64).ok());
    if until.is_none_or(|until| until + DRIFT < expected.now) {
        return Err("the ID token has expired");
    }
    if text("nonce") != Some(expected.nonce) {
        return Err("the ID token belongs to another sign-in");
    }
    Ok(())
}

fn decoded<T: serde::de::DeserializeOwned>(part: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}
