//! What an authenticator says of itself: authenticator data (W3C Web Authentication, section 6.1).

use super::WebAuthnError;
use super::cbor;
use super::cose::PublicKey;

/// Hash of the relying party's id, flags and counter.
const HEAD: usize = 32 + 1 + 4;
/// Longest credential id, in bytes (section 4, "Credential ID").
const LONGEST_ID: usize = 1023;

const USER_PRESENT: u8 = 1;
const USER_VERIFIED: u8 = 1 << 2;
const BACKUP_ELIGIBLE: u8 = 1 << 3;
const BACKED_UP: u8 = 1 << 4;
const ATTESTED: u8 = 1 << 6;
const EXTENSIONS: u8 = 1 << 7;

/// Authenticator data, taken apart.
#[derive(Debug)]
pub(super) struct AuthenticatorData<'a> {
    pub(super) rp_id_hash: &'a [u8],
    flags: u8,
    pub(super) sign_count: u32,
    pub(super) attested: Option<Attested<'a>>,
}

/// A new credential.
#[derive(Debug)]
pub(super) struct Attested<'a> {
    /// The kind of authenticator, as its maker numbers it; zeros if it does not tell.
    pub(super) aaguid: &'a [u8],
    pub(super) credential: &'a [u8],
    /// The key as COSE has it, and read.
    pub(super) cose: &'a [u8],
    pub(super) key: PublicKey,
}

impl<'a> AuthenticatorData<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, WebAuthnError> {
        const SHORT: WebAuthnError = WebAuthnError::Malformed("authenticator data is cut short");
        let (head, mut rest) = bytes.split_at_checked(HEAD).ok_or(SHORT)?;
        let (rp_id_hash, head) = head.split_at_checked(32).ok_or(SHORT)?;
        let [flags, count @ ..] = head else { return Err(SHORT) };
        let flags = *flags;
        let sign_count = u32::from_be_bytes(count.try_into().map_err(|_| SHORT)?);
        let mut attested = None;
        if flags & ATTESTED != 0 {
            let (aaguid, behind) = rest.split_at_checked(16).ok_or(SHORT)?;
            let (length, behind) = behind.split_at_checked(2).ok_or(SHORT)?;
            let length = usize::from(u16::from_be_bytes(length.try_into().map_err(|_| SHORT)?));
            if length == 0 || length > LONGEST_ID {
                return Err(WebAuthnError::Malformed("the credential id has no length that is allowed"));
            }
            let (credential, behind) = behind.split_at_checked(length).ok_or(SHORT)?;
            let (key, after) = PublicKey::read(behind).ok_or(WebAuthnError::Algorithm)?;
            let cose = &behind[..behind.len() - after.len()];
            attested = Some(Attested { aaguid, credential, cose, key });
            rest = after;
        }
        if flags & EXTENSIONS != 0 {
            let (extensions, after) =
                cbor::read(rest).map_err(|_| WebAuthnError::Malformed("its extensions cannot be read"))?;
            if !matches!(extensions, cbor::Value::Map(_)) {
                return Err(WebAuthnError::Malformed("its extensions are no map"));
            }
            rest = after;
        }
        if !rest.is_empty() {
            return Err(WebAuthnError::Malformed("something stands behind the authenticator data"));
        }
        if flags & BACKED_UP != 0 && flags & BACKUP_ELIGIBLE == 0 {
            return Err(WebAuthnError::Malformed("it is backed up and cannot be backed up"));
        }
        Ok(Self { rp_id_hash, flags, sign_count, attested })
    }

    /// Somebody touched it.
    pub(super) const fn user_present(&self) -> bool {
        self.flags & USER_PRESENT != 0
    }

    /// It knew who: by a PIN, a finger or a face.
    pub(super) const fn user_verified(&self) -> bool {
        self.flags & USER_VERIFIED != 0
    }
}
