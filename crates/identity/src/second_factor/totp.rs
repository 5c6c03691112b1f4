//! One-time codes by the clock (RFC 6238 over RFC 4226) with what all authenticator apps do: HMAC-SHA-1, six digits,
//! steps of 30 seconds.

use jiff::Timestamp;
use ring::hmac;
use subtle::ConstantTimeEq;

/// Bytes of a secret: as long as the hash (RFC 4226, section 4, R6).
pub(super) const SECRET_BYTES: usize = 20;
/// Length of a step.
const STEP_SECONDS: i64 = 30;
/// Steps that a clock may be wrong by, or a person slow (RFC 6238, section 5.2).
const DRIFT: u64 = 1;
const DIGITS: usize = 6;

/// A secret that an authenticator shares with us.
pub(super) struct Secret(pub(super) [u8; SECRET_BYTES]);

impl Secret {
    /// The number of the step that `now` lies in.
    fn step(now: Timestamp) -> u64 {
        u64::try_from(now.as_second().max(0) / STEP_SECONDS).unwrap_or(0)
    }

    /// The code of a step (RFC 4226, section 5.3).
    fn code(&self, step: u64) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.0);
        let tag = hmac::sign(&key, &step.to_be_bytes());
        let bytes = tag.as_ref();
        let offset = usize::from(bytes.last().copied().unwrap_or(0) & 0x0f);
        let word = bytes.iter().skip(offset).take(4).fold(0_u32, |word, byte| word << 8 | u32::from(*byte));
        format!("{:0DIGITS$}", (word & 0x7fff_ffff) % 10_u32.pow(DIGITS as u32))
    }

    /// The step of which `code` is the code, among those around `now`.
    pub(super) fn step_of(&self, code: &str, now: Timestamp) -> Option<u64> {
        let here = Self::step(now);
        let mut found = None;
        // All are compared, whichever fits.
        for step in here.saturating_sub(DRIFT)..=here + DRIFT {
            if bool::from(self.code(step).as_bytes().ct_eq(code.as_bytes())) {
                found = Some(step);
            }
        }
        found
    }

    /// The secret as people type it: base 32 (RFC 4648, section 6), without padding.
    pub(super) fn text(&self) -> String {
        const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let groups = self.0.chunks(5).map(|chunk| {
            let word = chunk.iter().fold(0_u64, |word, byte| word << 8 | u64::from(*byte));
            (0..8).rev().map(|at| char::from(ALPHABET[usize::try_from(word >> (5 * at) & 31).unwrap_or(0)])).collect()
        });
        groups.collect::<Vec<String>>().concat()
    }

    /// What an authenticator reads from a picture: the `otpauth` address that Google Authenticator began with and all
    /// others took over.
    pub(super) fn address(&self, issuer: &str, account: &str) -> String {
        let (issuer, account) = (encoded(issuer), encoded(account));
        format!(
            "otpauth://totp/{issuer}:{account}?secret={}&issuer={issuer}&algorithm=SHA1&digits=6&period=30",
            self.text()
        )
    }
}

/// Whether it can be a code at all.
pub(super) fn is_code(text: &str) -> bool {
    text.len() == DIGITS && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// The code that an authenticator with this secret (as [`Secret::text`] has it) shows at `now`: for tests and the demo.
#[must_use]
pub fn code_at(secret: &str, now: Timestamp) -> Option<String> {
    let bits = secret.bytes().try_fold(Vec::new(), |mut bits, letter| {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'2'..=b'7' => letter - b'2' + 26,
            _ => return None,
        };
        bits.extend((0..5).rev().map(|at| value >> at & 1));
        Some(bits)
    })?;
    let bytes = bits.chunks_exact(8).map(|bits| bits.iter().fold(0, |byte, bit| byte << 1 | bit)).collect::<Vec<u8>>();
    Some(Secret(bytes.try_into().ok()?).code(Secret::step(now)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The secret of the examples in RFC 6238, appendix B.
    const EXAMPLE: Secret = Secret(*b"12345678901234567890");

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_examples_of_the_rfc_hold() {
        // Appendix B has eight digits: the last six of them.
        for (second, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(EXAMPLE.code(Secret::step(at(second))), code);
            assert_eq!(EXAMPLE.step_of(code, at(second)), Some(u64::try_from(second / 30).unwrap()));
        }
    }

    #[test]
    fn a_code_holds_for_its_step_and_the_two_beside_it() {
        let code = EXAMPLE.code(100);
        let found: Vec<_> = [98, 99, 100, 101, 102].map(|step| EXAMPLE.step_of(&code, at(step * 30))).to_vec();
        assert_eq!(found, [None, Some(100), Some(100), Some(100), None]);
        assert_eq!(EXAMPLE.step_of("", at(3000)), None);
        assert!(is_code("012345") && !is_code("12345") && !is_code("12345a") && !is_code("１２３４５６"));
    }

    #[test]
    fn the_secret_is_written_in_base_32() {
        assert_eq!(EXAMPLE.text(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert_eq!(code_at(&EXAMPLE.text(), at(59)).unwrap(), "287082");
        assert_eq!(code_at("not base 32", at(59)), None);
        let address = EXAMPLE.address("Port Elsin", "ada");
        assert!(address.starts_with("otpauth://totp/Port%20Elsin:ada?secret=GEZD"), "{address}");
    }
}
