//! Files in which the content of some events was purged.

use super::*;
use crate::Ranges;

/// Twelve events, of which the last names these as purged.
fn purging(named: &[u64]) -> Vec<Entry> {
    let mut entries = chain(12);
    let ranges: Ranges = named.iter().copied().collect();
    entries[11].event.action = Action::AuditPurged;
    entries[11].event.detail = purge_detail("questions", &ranges);
    reseal(entries)
}

/// The export with only the hashes of these left.
fn without(entries: &[Entry], gone: &[u64]) -> String {
    let mut exporter = Exporter::new(Format::Jsonl, Vec::new());
    for entry in entries {
        match gone.contains(&entry.sequence) {
            true => exporter.write_line(&Purged::of(entry).to_json()).unwrap(),
            false => exporter.write(entry).unwrap(),
        }
    }
    String::from_utf8(exporter.finish(&head(entries, &KEY)).unwrap()).unwrap()
}

#[test]
fn purged_content_is_accepted_and_counted_if_an_event_names_it() {
    let entries = purging(&[1, 2, 3, 7]);
    let verified = check(&without(&entries, &[1, 2, 3, 7])).unwrap();
    assert_eq!((verified.entries, verified.purged, verified.first), (12, 4, Some(1)));
    assert!(verified.to_string().contains("of 4 entries the content was purged"));
    assert_eq!(check(&without(&entries, &[2])).unwrap().purged, 1, "a file from before the purge can be completed");
    let fault = check(&without(&entries, &[1, 5])).unwrap_err();
    assert_eq!((fault.line, fault.sequence, fault.kind), (5, Some(5), FaultKind::GoneWithoutRecord));
    assert_eq!(kind(&without(&entries, &[12])), FaultKind::GoneWithoutRecord, "the record of purging itself");
}

#[test]
fn no_event_can_purge_itself_or_what_comes_after_it() {
    let mut entries = purging(&[]);
    entries[4].event.action = Action::AuditPurged;
    entries[4].event.detail = purge_detail("x", &[4, 5, 6].into_iter().collect());
    let entries = reseal(entries);
    assert_eq!(
        kind(&without(&entries, &[4])),
        FaultKind::GoneWithoutRecord,
        "the range reaches too far: it counts for nothing"
    );
    let mut other = entries;
    other[4].event.action = Action::DocumentOpened;
    let other = reseal(other);
    assert_eq!(kind(&without(&other, &[2])), FaultKind::GoneWithoutRecord, "only an event of purging names");
}

static PURGED: LazyLock<String> = LazyLock::new(|| without(&purging(&[2, 3, 8]), &[2, 3, 8]));

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_changed_byte_is_found_among_purged_lines_too(at in 0..PURGED.len(), byte in any::<u8>()) {
        let mut bytes = PURGED.clone().into_bytes();
        prop_assume!(bytes[at] != byte);
        bytes[at] = byte;
        prop_assert!(verify(&bytes[..], None).is_err());
    }

    #[test]
    fn any_rearrangement_is_found_among_purged_lines_too(picks in proptest::collection::vec(0_usize..13, 0..20)) {
        prop_assume!(picks != (0..13).collect::<Vec<_>>());
        let all = lines(&PURGED);
        let picked: Vec<_> = picks.iter().map(|pick| all[*pick]).collect();
        prop_assert!(verify(join(&picked).as_bytes(), None).is_err());
    }
}
