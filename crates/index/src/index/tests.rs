//! What holds after the disk failed in the middle of a change.

use super::*;
use crate::Mode;
use domain::{Clearance, CollectionId, Label};
use uuid::Uuid;

const DIMENSION: usize = 4;

impl Index {
    /// Fails once where a test said so.
    pub(super) fn failing(&self, here: Failing) -> Result<(), IndexError> {
        let mut fails = self.fails.lock().unwrap();
        match fails.take_if(|there| *there == here) {
            Some(_) => Err(IndexError::file(&self.directory)(std::io::Error::other("no room on the disk"))),
            None => Ok(()),
        }
    }

    fn fail_at(&self, place: Failing) {
        *self.fails.lock().unwrap() = Some(place);
    }
}

/// The unit vector along one axis.
fn axis(number: usize) -> Vec<f32> {
    (0..DIMENSION).map(|place| f32::from(u8::from(place == number))).collect()
}

fn id(number: usize) -> Uuid {
    Uuid::from_u128(number as u128 + 1)
}

fn put(number: usize, axes: &[usize]) -> Change {
    let passage = |(place, number_of_axis): (usize, &usize)| PassageEntry {
        id: id(number * 10 + place).into(),
        heading: String::new(),
        text: "granite".into(),
        vector: Some(axis(*number_of_axis)),
    };
    let document = DocumentEntry {
        id: id(number).into(),
        collection: CollectionId::from(id(0)),
        label: Label::Public,
        readers: None,
        title: String::new(),
        language: Some("en".into()),
    };
    Change::Put { document, passages: axes.iter().enumerate().map(passage).collect() }
}

/// The best passage for an axis in each mode that has vectors, and its cosine.
fn nearest(index: &Index, number: usize) -> Result<Vec<(Uuid, f32)>, IndexError> {
    let scope = AccessScope::issue([], [CollectionId::from(id(0))], Clearance(Label::Secret));
    let vector = axis(number);
    let ask = |mode| -> Result<Option<(Uuid, f32)>, IndexError> {
        let query = Query { text: "granite", vector: Some(&vector), mode, within: None, limit: 1 };
        let hits = index.search(&query, &scope)?;
        Ok(hits.first().map(|hit| (hit.passage.uuid(), hit.cosine.unwrap())))
    };
    let found = [Mode::Dense, Mode::Hybrid].into_iter().map(ask).collect::<Result<Vec<_>, _>>()?;
    Ok(found.into_iter().flatten().collect())
}

#[test]
fn a_change_that_failed_leaves_every_vector_in_its_place() {
    let directory = tempfile::tempdir().unwrap();
    let index = Index::open(directory.path(), DIMENSION).unwrap();
    index.apply(&[put(1, &[0])]).unwrap();
    index.fail_at(Failing::Commit);
    assert!(index.apply(&[put(2, &[1, 1]), Change::Remove(id(1).into())]).is_err());
    assert_eq!(index.passages(), 1, "nothing was changed");
    index.apply(&[put(3, &[2, 3])]).unwrap();
    let check = |index: &Index| {
        for (number, passage) in [(0, id(10)), (2, id(30)), (3, id(31))] {
            assert_eq!(nearest(index, number).unwrap(), [(passage, 1.0); 2], "axis {number}");
        }
    };
    check(&index);
    drop(index);
    let index = Index::open(directory.path(), DIMENSION).unwrap();
    check(&index);
    index.apply(&[put(2, &[1, 1])]).unwrap();
    assert_eq!(nearest(&index, 1).unwrap()[0], (id(20), 1.0), "and it can be made again");
}

#[test]
fn what_could_not_be_made_visible_holds_from_the_next_opening_on() {
    let directory = tempfile::tempdir().unwrap();
    let index = Index::open(directory.path(), DIMENSION).unwrap();
    index.apply(&[put(1, &[0])]).unwrap();
    index.fail_at(Failing::Reload);
    assert!(index.apply(&[put(1, &[1]), put(2, &[2])]).is_err());
    for attempt in 0..2 {
        assert!(nearest(&index, 0).is_err(), "{attempt}: it could show what was taken away");
        assert!(matches!(index.apply(&[put(3, &[3])]), Err(IndexError::Damaged { .. })), "{attempt}");
    }
    drop(index);
    let index = Index::open(directory.path(), DIMENSION).unwrap();
    assert_eq!(nearest(&index, 1).unwrap(), [(id(10), 1.0); 2]);
    assert_eq!(nearest(&index, 2).unwrap(), [(id(20), 1.0); 2]);
}
