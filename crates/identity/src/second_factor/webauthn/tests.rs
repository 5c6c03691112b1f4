//! The ceremonies against a key in software whose every word can be turned.

use super::cbor::tests::write;
use super::cbor::{Value as Cbor, read_all};
use super::cose::PublicKey;
use super::*;
use proptest::prelude::*;
use testkit::{KeyAnswer, KeyKind, SecurityKey};

const ORIGIN: &str = "https://carrel.port.example";
const CHALLENGE: [u8; CHALLENGE_BYTES] = [7; CHALLENGE_BYTES];
const KINDS: [KeyKind; 3] = [KeyKind::P256, KeyKind::Ed25519, KeyKind::Rsa];

fn party() -> RelyingParty {
    RelyingParty::new(ORIGIN).unwrap()
}

fn key(kind: KeyKind) -> SecurityKey {
    SecurityKey::new(kind, ORIGIN)
}

fn attestation(answer: &KeyAnswer) -> KeyAttestation {
    KeyAttestation { client_data: encoded(&answer.client_data), attestation_object: encoded(&answer.attestation()) }
}

fn assertion(credential: &[u8], answer: &KeyAnswer) -> KeyAssertion {
    KeyAssertion {
        credential: encoded(credential),
        client_data: encoded(&answer.client_data),
        authenticator_data: encoded(&answer.data),
        signature: encoded(&answer.signature),
    }
}

fn register(answer: &KeyAnswer) -> Result<NewCredential, WebAuthnError> {
    registered(&party(), &CHALLENGE, &attestation(answer))
}

fn assert_with(cose: &[u8], answer: &KeyAnswer) -> Result<Asserted, WebAuthnError> {
    asserted(&party(), &CHALLENGE, cose, &assertion(b"id", answer))
}

#[test]
fn every_algorithm_registers_and_signs_in() {
    for (kind, name) in KINDS.into_iter().zip(["ES256", "EdDSA", "RS256"]) {
        let mut key = key(kind);
        let new = register(&key.create(&encoded(&CHALLENGE))).unwrap();
        assert_eq!((new.algorithm, new.format.as_str(), new.sign_count), (name, "none", 1));
        assert_eq!((&new.credential, &new.public_key, new.user_verified), (&key.credential, &key.cose(), false));
        key.flags |= 4;
        let answer = key.get(&encoded(&CHALLENGE));
        assert_eq!(assert_with(&new.public_key, &answer), Ok(Asserted { sign_count: 2, user_verified: true }));
        let other = SecurityKey::new(if kind == KeyKind::Rsa { KeyKind::P256 } else { kind }, ORIGIN);
        assert_eq!(assert_with(&other.cose(), &answer), Err(WebAuthnError::Signature), "another key");
    }
}

#[test]
fn what_was_made_elsewhere_or_for_something_else_is_refused() {
    type Turn = fn(&mut SecurityKey);
    let turns: [(Turn, WebAuthnError); 5] = [
        (|key| key.origin = "https://evil.example".to_owned(), WebAuthnError::Origin),
        (|key| key.origin = "https://carrel.port.example:8443".to_owned(), WebAuthnError::Origin),
        (|key| key.origin = "http://carrel.port.example".to_owned(), WebAuthnError::Origin),
        (|key| key.rp_id = "port.example".to_owned(), WebAuthnError::OtherSite),
        (|key| key.flags = 4, WebAuthnError::NotPresent),
    ];
    for (turn, refusal) in turns {
        let mut key = key(KeyKind::P256);
        let cose = key.cose();
        turn(&mut key);
        assert_eq!(register(&key.create(&encoded(&CHALLENGE))).unwrap_err(), refusal);
        assert_eq!(assert_with(&cose, &key.get(&encoded(&CHALLENGE))), Err(refusal));
    }
    let mut key = key(KeyKind::P256);
    let (cose, other) = (key.cose(), encoded(&[8; CHALLENGE_BYTES]));
    assert_eq!(register(&key.create(&other)).unwrap_err(), WebAuthnError::Challenge);
    assert_eq!(assert_with(&cose, &key.get(&other)), Err(WebAuthnError::Challenge));
    assert_eq!(challenge_of(&encoded(&key.get(&other).client_data)), Ok(vec![8; CHALLENGE_BYTES]));

    // A registration is no sign-in, nor the other way round.
    let (created, got) = (key.create(&encoded(&CHALLENGE)), key.get(&encoded(&CHALLENGE)));
    assert_eq!(assert_with(&cose, &created), Err(WebAuthnError::OtherCeremony));
    assert_eq!(register(&got).unwrap_err(), WebAuthnError::OtherCeremony);
    let inside = String::from_utf8(got.client_data.clone()).unwrap().replace("Origin\":false", "Origin\":true");
    let framed = KeyAnswer { client_data: inside.into_bytes(), ..got };
    assert_eq!(assert_with(&cose, &framed), Err(WebAuthnError::Origin));
}

#[test]
fn a_signature_over_something_else_is_refused() {
    for kind in KINDS {
        let mut key = key(kind);
        let cose = key.cose();
        let answer = key.get(&encoded(&CHALLENGE));
        // Whoever turns a byte of the data must sign anew: here the counter is put up.
        let mut raised = answer.clone();
        raised.data[36] ^= 0x40;
        assert_eq!(assert_with(&cose, &raised), Err(WebAuthnError::Signature));
        let old = key.get(&encoded(&CHALLENGE));
        assert_eq!(
            assert_with(&cose, &KeyAnswer { signature: old.signature, ..answer.clone() }),
            Err(WebAuthnError::Signature)
        );
        // A signature over the data alone, without what the browser said.
        let alone = KeyAnswer { signature: key.sign(&answer.data), ..answer };
        assert_eq!(assert_with(&cose, &alone), Err(WebAuthnError::Signature));
    }
}

#[test]
fn attestations_of_other_formats_are_read_and_believed_nothing() {
    let answer = key(KeyKind::P256).create(&encoded(&CHALLENGE));
    let object = |format: &str, statement: Cbor| {
        let text = |text: &str| Cbor::Text(text.to_owned());
        let pairs = [
            (text("fmt"), text(format)),
            (text("attStmt"), statement),
            (text("authData"), Cbor::Bytes(answer.data.clone())),
        ];
        let client_data = encoded(&answer.client_data);
        let sent = KeyAttestation { client_data, attestation_object: encoded(&write(&Cbor::Map(pairs.to_vec()))) };
        registered(&party(), &CHALLENGE, &sent)
    };
    let statement = || Cbor::Map(vec![(Cbor::Text("alg".to_owned()), Cbor::Negative(6))]);
    assert_eq!(object("packed", statement()).unwrap().format, "packed");
    assert!(object("none", Cbor::Map(Vec::new())).is_ok());
    assert!(matches!(object("none", statement()), Err(WebAuthnError::Malformed(_))));
    assert!(matches!(object("packed", Cbor::Null), Err(WebAuthnError::Malformed(_))));
}

#[test]
fn weak_and_unknown_keys_are_refused() {
    let cose = key(KeyKind::P256).cose();
    assert!(PublicKey::read(&cose).is_some());
    // ES384, another curve, a short coordinate, a compressed point.
    for (at, byte) in [(4, 0x38), (6, 2), (9, 31)] {
        let mut turned = cose.clone();
        turned[at] = byte;
        assert!(PublicKey::read(&turned).is_none(), "byte {at}");
    }
    let rsa = |modulus: usize, first: u8| {
        let mut bytes = vec![0x5a; modulus];
        bytes[0] = first;
        let pairs = vec![
            (Cbor::Unsigned(1), Cbor::Unsigned(3)),
            (Cbor::Unsigned(3), Cbor::Negative(256)),
            (Cbor::Negative(0), Cbor::Bytes(bytes)),
            (Cbor::Negative(1), Cbor::Bytes(vec![1, 0, 1])),
        ];
        PublicKey::read(&write(&Cbor::Map(pairs))).is_some()
    };
    assert!(rsa(256, 0x80) && rsa(512, 0x80));
    assert!(!rsa(128, 0x80) && !rsa(2048, 0x80) && !rsa(256, 0));
}

#[test]
fn counters_only_go_up_unless_none_is_kept() {
    assert!(counts_on(0, 0) && counts_on(0, 1) && counts_on(4, 5) && counts_on(4, 900));
    assert!(!counts_on(4, 4) && !counts_on(4, 3) && !counts_on(4, 0) && !counts_on(u32::MAX, 0));
}

#[test]
fn keys_need_a_name_and_tls() {
    let of = |origin: &str| RelyingParty::new(origin).map(|party| (party.id, party.origin));
    let is = |id: &str, origin: &str| Ok((id.to_owned(), origin.to_owned()));
    assert_eq!(of("https://Carrel.Port.example/"), is("carrel.port.example", "https://carrel.port.example"));
    assert_eq!(of("https://carrel:443"), is("carrel", "https://carrel"));
    assert_eq!(of("https://carrel:8443"), is("carrel", "https://carrel:8443"));
    assert_eq!(of("http://localhost:8080"), is("localhost", "http://localhost:8080"));
    for (origin, why) in [
        ("http://carrel.port.example", "without TLS"),
        ("https://10.0.0.5", "bare address"),
        ("https://10.0.0.5:8443", "bare address"),
        ("https://[::1]:8443", "bare address"),
        ("https://[fd00::1]", "bare address"),
        ("carrel.port.example", "is not an address"),
        ("https://", "is not an address"),
        ("https://carrel/path", "host name"),
        ("https://a b", "host name"),
        ("https://user@carrel", "host name"),
        ("https://carrel:0", "port"),
        ("https://carrel:99999", "port"),
        ("ftp://carrel", "https://"),
    ] {
        let error = of(origin).unwrap_err();
        assert!(error.contains(why), "{origin}: {error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever is cut off or added anywhere: refused.
    #[test]
    fn what_is_cut_short_or_longer_is_refused(part in 0usize..3, cut in any::<prop::sample::Index>(), more in any::<u8>()) {
        let mut key = key(KeyKind::P256);
        let cose = key.cose();
        let turn = |bytes: &mut Vec<u8>, longer: bool| {
            if longer { bytes.push(more) } else { bytes.truncate(cut.index(bytes.len())) }
        };
        for longer in [false, true] {
            let (mut created, mut got) = (key.create(&encoded(&CHALLENGE)), key.get(&encoded(&CHALLENGE)));
            match part {
                0 => {
                    turn(&mut created.data, longer);
                    turn(&mut got.data, longer);
                }
                1 => {
                    // Space behind the browser's JSON is space, and what was signed no longer.
                    turn(&mut created.client_data, longer);
                    turn(&mut got.client_data, longer);
                }
                _ => turn(&mut got.signature, longer),
            }
            let still_json = part == 1 && longer && more.is_ascii_whitespace();
            prop_assert!(part == 2 || still_json || register(&created).is_err());
            prop_assert!(assert_with(&cose, &got).is_err());
        }
    }

    /// Whatever bit is turned in what was signed, or in the signature: refused.
    #[test]
    fn a_turned_bit_is_refused(in_data in any::<bool>(), at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let mut key = key(KeyKind::Ed25519);
        let cose = key.cose();
        let mut got = key.get(&encoded(&CHALLENGE));
        let bytes = if in_data { &mut got.data } else { &mut got.signature };
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        prop_assert!(assert_with(&cose, &got).is_err());
    }

    /// Any bytes at all end in a refusal, never in a panic.
    #[test]
    fn any_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let key = key(KeyKind::P256);
        let client_data = encoded(&key.create(&encoded(&CHALLENGE)).client_data);
        let sent = KeyAttestation { client_data, attestation_object: encoded(&bytes) };
        prop_assert!(registered(&party(), &CHALLENGE, &sent).is_err());
        prop_assert!(AuthenticatorData::read(&bytes).map_or(true, |data| data.rp_id_hash == &bytes[..32]));
        prop_assert!(read_all(&bytes).map_or(true, |value| write(&value) == bytes));
    }
}
