//! Files held against a head or checkpoint from earlier, and keys that hand over to one another.

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn kept_head(entries: &[Entry], count: usize, key: &SigningKey) -> Kept {
    Kept::Head(Head::sign(key, count as u64, entries[count - 1].hash, at(1_750_000_000)))
}

fn kept_checkpoint(entries: &[Entry], count: usize, key: &SigningKey) -> Kept {
    let tree: Frontier = entries[..count].iter().map(|entry| entry.hash).collect();
    Kept::Checkpoint(Checkpoint::sign(key, &tree, entries[count - 1].hash, at(1_750_000_000)))
}

fn against(text: &str, kept: &Kept) -> Result<Verified, FaultKind> {
    let known = Known { key: Some(&KEY.public()), kept: Some(kept) };
    verify_against(text.as_bytes(), known).map_err(|fault| fault.kind)
}

#[test]
fn a_file_is_complete_from_what_was_kept_to_its_own_head() {
    let entries = chain(9);
    let whole = write(&entries, &head(&entries, &KEY));
    for kept in [kept_head(&entries, 5, &KEY), kept_checkpoint(&entries, 5, &KEY)] {
        assert_eq!(against(&whole, &kept).unwrap().since, Some(5));
        // An extract may begin right after it or before, but not later.
        for (first, expected) in [(4, None), (5, None), (6, Some(FaultKind::Missing { from: 6 }))] {
            let extract = write(&entries[first..], &head(&entries[first..], &KEY));
            assert_eq!(against(&extract, &kept).err(), expected, "from {first}");
        }
        let older = write(&entries[..4], &head(&entries[..4], &KEY));
        assert_eq!(against(&older, &kept).err(), Some(FaultKind::OlderThanKept { size: 5 }), "an older file");
        let mut anew = entries.clone();
        anew[1].event.actor.name = "someone else".to_owned();
        let anew = reseal(anew);
        let rewritten = write(&anew, &head(&anew, &KEY));
        assert!(check(&rewritten).is_ok(), "with the key in hands, a whole history can be written anew");
        assert_eq!(against(&rewritten, &kept).err(), Some(FaultKind::Diverged), "but not past what was kept");
        let forged = match kept {
            Kept::Head(_) => kept_head(&entries, 5, &new_key()),
            Kept::Checkpoint(_) => kept_checkpoint(&entries, 5, &new_key()),
        };
        assert_eq!(against(&whole, &forged).err(), Some(FaultKind::KeptIsForged));
    }
    let mut lying = kept_checkpoint(&entries, 5, &KEY);
    if let Kept::Checkpoint(checkpoint) = &mut lying {
        let tree: Frontier = entries[..4].iter().map(|entry| entry.hash).collect();
        *checkpoint = Checkpoint { size: 5, ..Checkpoint::sign(&KEY, &tree, entries[4].hash, at(0)) };
    }
    assert!(against(&whole, &lying).is_err());
}

#[test]
fn a_key_that_the_old_one_signed_is_followed_and_no_other() {
    let (next, stranger) = (new_key(), new_key());
    let mut entries = chain(6);
    let kept = kept_checkpoint(&entries, 2, &KEY);
    entries[3].event.action = Action::AuditKeyRotated;
    entries[3].event.detail = Rotation::detail(&KEY, &next.public());
    let entries = reseal(entries);
    let text = write(&entries, &head(&entries, &next));
    let verified = verify(text.as_bytes(), Some(&KEY.public())).unwrap();
    assert_eq!(verified.rotations, 1);
    assert!(verified.to_string().contains("the signing key was changed 1 times"));
    assert!(verify(text.as_bytes(), Some(&next.public())).is_ok(), "who was given the new key needs no rotation");
    assert!(against(&text, &kept_checkpoint(&entries, 2, &KEY)).is_ok(), "kept from before the rotation");
    assert!(against(&text, &kept).is_ok());
    let known = Known { key: Some(&next.public()), kept: Some(&kept) };
    assert!(verify_against(text.as_bytes(), known).is_ok());

    let stolen = write(&entries, &head(&entries, &stranger));
    assert_eq!(verify(stolen.as_bytes(), Some(&KEY.public())).unwrap_err().kind, FaultKind::WrongKey);
    let mut forged = entries;
    forged[3].event.detail = Rotation::detail(&stranger, &stranger.public());
    forged[3].event.detail["from"] = json!(KEY.public().to_string());
    let forged = reseal(forged);
    let text = write(&forged, &head(&forged, &stranger));
    assert_eq!(verify(text.as_bytes(), Some(&KEY.public())).unwrap_err().kind, FaultKind::WrongKey);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whoever_writes_history_anew_with_the_key_in_hands_is_found_by_what_was_kept(
        changed in 0_usize..12, kept in 1_usize..12, drop in any::<bool>(), tree in any::<bool>(),
    ) {
        let entries = chain(12);
        let what = if tree { kept_checkpoint(&entries, kept, &KEY) } else { kept_head(&entries, kept, &KEY) };
        let mut anew = entries;
        if drop { anew.remove(changed); } else { anew[changed].event.actor.name.push('x'); }
        let anew = reseal(anew);
        let text = write(&anew, &head(&anew, &KEY));
        prop_assert!(check(&text).is_ok());
        prop_assert_eq!(against(&text, &what).is_ok(), changed >= kept, "what comes after is not yet fixed");
    }
}
