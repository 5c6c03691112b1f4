//! What Active Directory has of its own (MS-ADTS, MS-DTYP), as functions of attributes: whether an account may be used,
//! why a bind was refused, and the group that no group names as its member.

use jiff::Timestamp;
use std::fmt;

/// Attributes of a person that are read beside those that every directory has.
pub(super) const ATTRIBUTES: [&str; 7] = [
    "userAccountControl",
    "msDS-User-Account-Control-Computed",
    "lockoutTime",
    "pwdLastSet",
    "accountExpires",
    "primaryGroupID",
    "objectSid",
];

/// Flags of `userAccountControl` (MS-ADTS, section 2.2.16).
const ACCOUNT_DISABLED: u64 = 0x2;
const LOCKED_OUT: u64 = 0x10;
const PASSWORD_NEVER_EXPIRES: u64 = 0x1_0000;
const SMARTCARD_REQUIRED: u64 = 0x4_0000;
const PASSWORD_EXPIRED: u64 = 0x80_0000;

/// 100 ns steps in a second, and seconds from 1601 to 1970 (MS-DTYP, section 2.3.3, FILETIME).
const TICKS: i64 = 10_000_000;
const EPOCH_SECONDS: i64 = 11_644_473_600;

/// Why an account that is there may not be used. People are told no more than that name or password is not right; the
/// audit log says which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Obstacle {
    Disabled,
    Expired,
    LockedOut,
    PasswordExpired,
    MustChangePassword,
    /// Not at this hour, or not from this machine.
    NotNow,
}

impl Obstacle {
    /// Whether the account is closed for good, and not only until somebody waits or changes a password.
    pub(super) const fn lasts(self) -> bool {
        matches!(self, Self::Disabled | Self::Expired)
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Disabled => "the account is disabled in the directory",
            Self::Expired => "the account has expired in the directory",
            Self::LockedOut => "the account is locked out in the directory",
            Self::PasswordExpired => "the password has expired in the directory",
            Self::MustChangePassword => "the password has to be changed in the directory first",
            Self::NotNow => "the directory allows no sign-in now, or from here",
        })
    }
}

/// What stands against the account, by its attributes. What is missing or no number stands against nothing: the bind
/// with the person's password decides as well.
pub(super) fn obstacle<'a>(attribute: impl Fn(&str) -> Option<&'a str>, now: Timestamp) -> Option<Obstacle> {
    let number = |name: &str| attribute(name).and_then(|text| text.trim().parse::<i64>().ok());
    let flags = |name: &str| number(name).map(i64::cast_unsigned);
    let stored = flags("userAccountControl").unwrap_or(0);
    let computed = flags("msDS-User-Account-Control-Computed");
    let set = |flag: u64| (stored | computed.unwrap_or(0)) & flag != 0;
    if set(ACCOUNT_DISABLED) {
        return Some(Obstacle::Disabled);
    }
    // 0 and the largest number mean never (MS-ADA1, section 2.4).
    let expires = number("accountExpires").filter(|&at| at != 0 && at != i64::MAX);
    if expires.is_some_and(|at| at / TICKS - EPOCH_SECONDS <= now.as_second()) {
        return Some(Obstacle::Expired);
    }
    // Only the computed flags know how long a lockout lasts; without them a lockout that was never taken back counts.
    let locked = computed.is_none() && number("lockoutTime").is_some_and(|at| at > 0);
    if set(LOCKED_OUT) || locked {
        return Some(Obstacle::LockedOut);
    }
    if set(PASSWORD_EXPIRED) {
        return Some(Obstacle::PasswordExpired);
    }
    let exempt = stored & (PASSWORD_NEVER_EXPIRES | SMARTCARD_REQUIRED) != 0;
    (number("pwdLastSet") == Some(0) && !exempt).then_some(Obstacle::MustChangePassword)
}

/// Why a bind was refused, as the diagnostic message has it: `…, data 533, v4563` (the codes are those of Windows).
pub(super) fn refusal(diagnostic: &str) -> Option<Obstacle> {
    let (_, rest) = diagnostic.split_once("data ")?;
    match rest.split(|c: char| !c.is_ascii_hexdigit()).next()? {
        "530" | "531" => Some(Obstacle::NotNow),
        "532" => Some(Obstacle::PasswordExpired),
        "533" => Some(Obstacle::Disabled),
        "701" => Some(Obstacle::Expired),
        "773" => Some(Obstacle::MustChangePassword),
        "775" => Some(Obstacle::LockedOut),
        _ => None,
    }
}

/// The SID of someone's primary group, which no group names as its member: the person's own, with the group's relative id
/// in place of the person's (MS-DTYP, section 2.4.2.2).
pub(super) fn primary_group(sid: &[u8], relative_id: u32) -> Option<Vec<u8>> {
    let (&[revision, count], _) = sid.split_first_chunk::<2>()?;
    let length = 8 + 4 * usize::from(count);
    if revision != 1 || count == 0 || count > 15 || sid.len() != length {
        return None;
    }
    let mut group = sid.to_vec();
    group[length - 4..].copy_from_slice(&relative_id.to_le_bytes());
    Some(group)
}

/// A sign-in name without the domain that Windows writes before it: `PORT\gus` is `gus`.
pub(super) fn without_domain(name: &str) -> &str {
    name.rsplit_once('\\').map_or(name, |(_, name)| name)
}

/// Bytes as a filter has them (RFC 4515, section 3).
pub(super) fn escaped(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("\\{byte:02x}")).collect()
}

/// The next piece of an attribute that comes in pieces, as its name says: after `member;range=0-1499` comes
/// `member;range=1500-*`; after `member;range=1500-*` nothing (MS-ADTS, section 3.1.1.3.1.3.3).
pub(super) fn next_range(attribute: &str, received: &str) -> Option<String> {
    let (name, range) = received.split_once(";range=")?;
    let (_, last) = range.split_once('-').filter(|_| name.eq_ignore_ascii_case(attribute))?;
    let next = last.parse::<u64>().ok()?.checked_add(1)?;
    Some(format!("{attribute};range={next}-*"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn against(attributes: &[(&str, &str)]) -> Option<Obstacle> {
        let now: Timestamp = "2026-03-14T09:00:00Z".parse().unwrap();
        obstacle(|name| attributes.iter().find(|(known, _)| *known == name).map(|(_, value)| *value), now)
    }

    #[test]
    fn flags_and_times_stand_against_an_account() {
        assert_eq!(against(&[]), None);
        assert_eq!(against(&[("userAccountControl", "512"), ("pwdLastSet", "133500000000000000")]), None);
        assert_eq!(against(&[("userAccountControl", "514")]), Some(Obstacle::Disabled));
        assert_eq!(against(&[("msDS-User-Account-Control-Computed", "8388608")]), Some(Obstacle::PasswordExpired));
        assert_eq!(against(&[("msDS-User-Account-Control-Computed", "16")]), Some(Obstacle::LockedOut));
        // A lockout whose time has passed: the time stays until the next sign-in, the computed flag does not.
        let passed = [("msDS-User-Account-Control-Computed", "0"), ("lockoutTime", "133500000000000000")];
        assert_eq!(against(&passed), None);
        assert_eq!(against(&passed[1..]), Some(Obstacle::LockedOut));
        assert_eq!(against(&[("pwdLastSet", "0")]), Some(Obstacle::MustChangePassword));
        assert_eq!(against(&[("pwdLastSet", "0"), ("userAccountControl", "66048")]), None);
        // The first second of 2026, the last of 2029, and never.
        for (at, expected) in [
            ("134116992000000000", Some(Obstacle::Expired)),
            ("135379295990000000", None),
            ("0", None),
            ("9223372036854775807", None),
        ] {
            assert_eq!(against(&[("accountExpires", at)]), expected, "{at}");
        }
    }

    #[test]
    fn a_refused_bind_says_why() {
        let said = |code: &str| {
            let text =
                format!("80090308: LdapErr: DSID-0C09042A, comment: AcceptSecurityContext error, data {code}, v4563");
            refusal(&text)
        };
        assert_eq!((said("52e"), said("525"), refusal("")), (None, None, None));
        assert_eq!((said("533"), said("775")), (Some(Obstacle::Disabled), Some(Obstacle::LockedOut)));
        assert_eq!((said("532"), said("773")), (Some(Obstacle::PasswordExpired), Some(Obstacle::MustChangePassword)));
        assert_eq!((said("701"), said("530")), (Some(Obstacle::Expired), Some(Obstacle::NotNow)));
    }

    #[test]
    fn the_primary_group_has_the_domain_of_the_person() {
        // S-1-5-21-1-2-3-1105, and Domain Users (513) of the same domain.
        let sid = |last: u32| {
            let parts: Vec<u8> = [21, 1, 2, 3, last].into_iter().flat_map(u32::to_le_bytes).collect();
            [&[1, 5, 0, 0, 0, 0, 0, 5][..], &parts].concat()
        };
        assert_eq!(primary_group(&sid(1105), 513), Some(sid(513)));
        assert_eq!(primary_group(&sid(1105)[..27], 513), None);
        assert_eq!(primary_group(&[], 513), None);
        assert_eq!(escaped(&[0x2a, 0x00, 0xff]), "\\2a\\00\\ff");
    }

    #[test]
    fn names_and_ranges() {
        assert_eq!((without_domain("PORT\\gus"), without_domain("gus@port.example")), ("gus", "gus@port.example"));
        assert_eq!(next_range("member", "member;range=0-1499").as_deref(), Some("member;range=1500-*"));
        assert_eq!(next_range("member", "member;range=1500-*"), None);
        assert_eq!(next_range("member", "member"), None);
        assert_eq!(next_range("member", "memberOf;range=0-9"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_sid_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..80), id in any::<u32>()) {
            if let Some(group) = primary_group(&bytes, id) {
                prop_assert_eq!(group.len(), bytes.len());
                prop_assert_eq!(&group[..group.len() - 4], &bytes[..bytes.len() - 4]);
            }
        }
    }
}
