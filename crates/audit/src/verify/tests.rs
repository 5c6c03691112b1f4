use super::*;
use crate::export::{Exporter, Format};
use crate::merkle::Frontier;
use crate::{Action, Actor, Checkpoint, Event, EventHash, Purged, Rotation, SigningKey, purge_detail, seal};
use domain::{Environment, OperationId};
use proptest::prelude::*;
use serde_json::json;
use std::sync::LazyLock;

fn new_key() -> SigningKey {
    let folder = tempfile::tempdir().unwrap();
    SigningKey::load_or_create(&folder.path().join("key.pem"), &Environment::system()).unwrap()
}

static KEY: LazyLock<SigningKey> = LazyLock::new(new_key);

mod kept;
mod purged;

fn chain(length: u64) -> Vec<Entry> {
    let operation = OperationId::new(&Environment::system());
    let mut previous = EventHash::GENESIS;
    (1..=length)
        .map(|sequence| {
            let action = Action::ALL[usize::try_from(sequence).unwrap() % Action::ALL.len()];
            let event = Event::new(action, &Actor::anonymous("10.0.0.1"), operation)
                .on("document", sequence, format!("Ürlaub \"{sequence}\"\n"))
                .detail(json!({"score": 0.25, "passages": [{"rank": sequence, "hash": "ab"}], "note": null}));
            let at = Timestamp::from_millisecond(1_700_000_000_000 + sequence.cast_signed() * 977).unwrap();
            let entry = seal(previous, sequence, at, event);
            previous = entry.hash;
            entry
        })
        .collect()
}

fn reseal(entries: Vec<Entry>) -> Vec<Entry> {
    let mut previous = EventHash::GENESIS;
    let seal_again = |(entry, sequence): (Entry, u64)| {
        let entry = seal(previous, sequence, entry.at, entry.event);
        previous = entry.hash;
        entry
    };
    entries.into_iter().zip(1..).map(seal_again).collect()
}

fn head(entries: &[Entry], key: &SigningKey) -> Head {
    let last = entries.last().map_or(EventHash::GENESIS, |entry| entry.hash);
    let (first, count) = (entries.first().map_or(1, |e| e.sequence), entries.last().map_or(0, |e| e.sequence));
    Head::sign_extract(key, first, count, last, Timestamp::from_second(1_800_000_000).unwrap())
}

fn write(entries: &[Entry], head: &Head) -> String {
    let mut exporter = Exporter::new(Format::Jsonl, Vec::new());
    entries.iter().for_each(|entry| exporter.write(entry).unwrap());
    String::from_utf8(exporter.finish(head).unwrap()).unwrap()
}

fn export(length: u64) -> String {
    let entries = chain(length);
    write(&entries, &head(&entries, &KEY))
}

fn check(text: &str) -> Result<Verified, Fault> {
    let with_key = verify(text.as_bytes(), Some(&KEY.public()));
    let without = verify(text.as_bytes(), None);
    assert_eq!(with_key.is_ok(), without.is_ok(), "{with_key:?} {without:?}");
    with_key
}

fn kind(text: &str) -> FaultKind {
    check(text).unwrap_err().kind
}

fn lines(text: &str) -> Vec<&str> {
    text.lines().collect()
}

fn join(lines: &[&str]) -> String {
    lines.iter().flat_map(|line| [line, "\n"]).collect()
}

#[test]
fn an_untouched_export_verifies_and_says_what_it_shows() {
    let text = export(7);
    let verified = check(&text).unwrap();
    assert_eq!((verified.entries, verified.first, verified.last), (7, Some(1), Some(7)));
    assert!(verified.to_string().contains("which is the given key"));
    assert!(verify(text.as_bytes(), None).unwrap().to_string().contains("no key was given"));
    assert_eq!(check(&export(0)).unwrap().entries, 0);
}

#[test]
fn each_fault_is_named() {
    let text = export(6);
    let all = lines(&text);
    let fault = |text: &str| {
        let fault = check(text).unwrap_err();
        (fault.line, fault.sequence, fault.kind)
    };
    assert_eq!(fault(&text.replacen("10.0.0.1", "10.0.0.2", 1)), (1, None, FaultKind::Edited));
    let dropped = join(&[&all[..2], &all[3..]].concat());
    assert_eq!(fault(&dropped), (3, Some(4), FaultKind::Missing { from: 3 }));
    assert_eq!(check(&dropped).unwrap_err().to_string(), "line 3, entry 4: missing: entry 3 is not in the file");
    assert_eq!(fault(&join(&all[1..])), (1, Some(2), FaultKind::Missing { from: 1 }));
    let swapped = join(&[all[0], all[2], all[1], all[3], all[4], all[5], all[6]]);
    assert_eq!(fault(&swapped), (2, Some(3), FaultKind::Reordered));
    let repeated = join(&[all[0], all[1], all[1], all[2], all[3], all[4], all[5], all[6]]);
    assert_eq!(fault(&repeated), (3, Some(2), FaultKind::Inserted));
    assert_eq!(fault(&join(&all[..4])), (5, Some(5), FaultKind::CutOff));
    assert_eq!(fault(&join(&[&all[..4], &all[6..]].concat())), (5, Some(5), FaultKind::CutOff));
    assert_eq!(fault(&join(&all[6..])), (1, Some(1), FaultKind::CutOff));
    assert_eq!(fault(&text[..text.len() - 1]), (7, None, FaultKind::CutOff));
    assert_eq!(kind(&format!("{text}{}\n", all[0])), FaultKind::Inserted);
    assert_eq!(kind(&text.replace("2027-01-15", "2027-01-16")), FaultKind::BadSignature);
    assert_eq!(kind(""), FaultKind::NotAnExport);
    assert_eq!(kind("sequence,at,action\r\n"), FaultKind::NotAnExport);
    assert_eq!(kind("%PDF-1.7"), FaultKind::NotAnExport);
    assert_eq!(kind(&text.replacen("\"sequence\":3", "\"sequence\": 3", 1)), FaultKind::Edited, "white space counts");
    assert_eq!(kind(&text.replace('\n', "\r\n")), FaultKind::Edited);
}

#[test]
fn an_entry_sealed_anew_breaks_the_link_to_the_next() {
    let mut entries = chain(5);
    let head = head(&entries, &KEY);
    entries[2].event.actor.name = "someone else".to_owned();
    entries[2].hash = entries[2].computed_hash();
    let fault = check(&write(&entries, &head)).unwrap_err();
    assert_eq!((fault.line, fault.sequence, fault.kind), (3, Some(3), FaultKind::Edited));
}

#[test]
fn a_chain_sealed_anew_does_not_lead_to_the_signed_head() {
    let mut entries = chain(5);
    let signed = head(&entries, &KEY);
    entries[2].event.actor.name = "someone else".to_owned();
    assert_eq!(kind(&write(&reseal(entries.clone()), &signed)), FaultKind::Resealed);
    entries.remove(3);
    assert_eq!(kind(&write(&reseal(entries.clone()), &signed)), FaultKind::CutOff);
    let shorter = reseal(entries);
    let mut forged = signed;
    (forged.count, forged.hash) = (4, shorter[3].hash);
    assert_eq!(kind(&write(&shorter, &forged)), FaultKind::BadSignature);
}

#[test]
fn signing_with_another_key_is_found_only_by_who_holds_the_right_one() {
    let entries = chain(5);
    let text = write(&entries, &head(&entries, &new_key()));
    assert_eq!(verify(text.as_bytes(), Some(&KEY.public())).unwrap_err().kind, FaultKind::WrongKey);
    let verified = verify(text.as_bytes(), None).unwrap();
    assert!(!verified.key_given, "and the report says that no key was given");
}

#[test]
fn an_extract_verifies_only_if_it_was_signed_as_one() {
    let entries = chain(9);
    let verified = check(&write(&entries[4..], &head(&entries[4..], &KEY))).unwrap();
    assert_eq!((verified.entries, verified.first, verified.last), (5, Some(5), Some(9)));
    assert!(verified.to_string().contains("an extract: the 4 entries before are not in this file"));
    assert_eq!(kind(&write(&entries[4..], &head(&entries, &KEY))), FaultKind::Missing { from: 1 });
    assert_eq!(kind(&write(&entries, &head(&entries[4..], &KEY))), FaultKind::Inserted);
    let mut pretended = head(&entries, &KEY);
    pretended.first = 5;
    assert_eq!(kind(&write(&entries[4..], &pretended)), FaultKind::BadSignature);
}

#[test]
fn a_hash_has_the_value_that_any_other_implementation_finds() {
    let entries = chain(1);
    let without_hash = entries[0].to_json().replace(&format!("\"hash\":\"{}\",", entries[0].hash), "");
    use sha2::Digest;
    assert_eq!(entries[0].hash.as_bytes(), &<[u8; 32]>::from(sha2::Sha256::digest(without_hash.as_bytes())));
    let value: serde_json::Value = serde_json::from_str(&entries[0].to_json()).unwrap();
    assert_eq!(crate::canonical::text(&value), entries[0].to_json(), "fields are declared in canonical order");
    assert_eq!(value["event"]["detail"]["score"], "0.25");
}

static EXPORT: LazyLock<String> = LazyLock::new(|| export(12));

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_changed_byte_is_found(at in 0..EXPORT.len(), byte in any::<u8>()) {
        let mut bytes = EXPORT.clone().into_bytes();
        prop_assume!(bytes[at] != byte);
        bytes[at] = byte;
        prop_assert!(verify(&bytes[..], Some(&KEY.public())).is_err());
        prop_assert!(verify(&bytes[..], None).is_err());
    }

    #[test]
    fn any_removed_or_added_byte_is_found(at in 0..EXPORT.len(), byte in any::<u8>(), added in any::<bool>()) {
        let mut bytes = EXPORT.clone().into_bytes();
        if added { bytes.insert(at, byte) } else { bytes.remove(at); }
        prop_assert!(verify(&bytes[..], None).is_err());
    }

    #[test]
    fn any_cut_is_found(at in 0..EXPORT.len()) {
        prop_assert!(verify(&EXPORT.as_bytes()[..at], None).is_err());
    }

    #[test]
    fn any_rearrangement_of_lines_is_found(picks in proptest::collection::vec(0_usize..13, 0..20)) {
        prop_assume!(picks != (0..13).collect::<Vec<_>>());
        let all = lines(&EXPORT);
        let picked: Vec<_> = picks.iter().map(|pick| all[*pick]).collect();
        prop_assert!(verify(join(&picked).as_bytes(), None).is_err());
    }

    #[test]
    fn whatever_the_detail_says_it_verifies(text in any::<String>(), key in any::<String>(), number in any::<f64>(), whole in any::<i64>()) {
        let mut entries = chain(2);
        entries[0].event.detail = json!({key.as_str(): [number, whole, text], "name": text});
        let entries = reseal(entries);
        prop_assert!(check(&write(&entries, &head(&entries, &KEY))).is_ok());
    }
}
