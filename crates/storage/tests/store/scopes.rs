//! The SQL of access against the rule in words, in random worlds.

use crate::world::World;
use domain::{AccessScope, Clearance, CollectionId, Document, Label, Passage, PassageId, PrincipalId};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use storage::Page;

const COLLECTIONS: usize = 3;
const PRINCIPALS: usize = 4;

/// Everything by its number; the real ids come with the database.
#[derive(Debug, Clone)]
struct Sketch {
    documents: Vec<(usize, Label, Option<Vec<usize>>, bool)>,
    scopes: Vec<(Vec<usize>, Vec<usize>, Label)>,
}

fn sketch() -> impl Strategy<Value = Sketch> {
    let label = || prop::sample::select(&Label::ALL[..]);
    let some_of = |count: usize| prop::sample::subsequence((0..count).collect::<Vec<_>>(), 0..=count);
    let document = (0..COLLECTIONS, label(), prop::option::of(some_of(PRINCIPALS)), any::<bool>());
    let scope = (some_of(PRINCIPALS), some_of(COLLECTIONS), label());
    (prop::collection::vec(document, 1..8), prop::collection::vec(scope, 1..6))
        .prop_map(|(documents, scopes)| Sketch { documents, scopes })
}

async fn check(sketch: Sketch) {
    let world = World::new().await;
    let mut collections: Vec<CollectionId> = Vec::new();
    for name in ["a", "b", "c"] {
        collections.push(world.collection(name).await.id);
    }
    let mut principals: Vec<PrincipalId> = Vec::new();
    for name in ["u", "v"] {
        principals.push(world.user(name).await.id.into());
        principals.push(world.group(name).await.id.into());
    }
    let mut stored: Vec<(Document, Vec<Passage>)> = Vec::new();
    let mut act = world.begin().await;
    for (position, (collection, label, readers, published)) in sketch.documents.iter().enumerate() {
        let mut draft = world.draft(collections[*collection], &format!("{position}"));
        draft.label = *label;
        draft.readers = readers.as_ref().map(|readers| {
            let mut readers: Vec<_> = readers.iter().map(|reader| principals[*reader]).collect();
            readers.sort_unstable();
            readers
        });
        act.insert_document(&draft).await.unwrap();
        let version = world.version(&draft, 1, &["one", "two"]);
        if *published {
            act.publish(&version).await.unwrap();
        }
        let passages = version.passages.into_iter().filter(|_| *published).collect();
        stored.push((draft, passages));
    }
    world.commit(act).await;

    let wanted: Vec<PassageId> = stored.iter().rev().flat_map(|(_, passages)| passages.iter().map(|p| p.id)).collect();
    for (principal, collection, clearance) in &sketch.scopes {
        let scope = AccessScope::issue(
            principal.iter().map(|number| principals[*number]),
            collection.iter().map(|number| collections[*number]),
            Clearance(*clearance),
        );
        let allowed: Vec<_> =
            stored.iter().filter(|(d, _)| scope.allows(d.collection, d.label, d.readers.as_deref())).collect();
        let store = &world.store;

        let listed = store.documents(&scope, None, Page { offset: 0, limit: 99 }).await.unwrap();
        assert!(listed.iter().map(|d| d.id).eq(allowed.iter().map(|(d, _)| d.id)));
        assert!(listed.iter().map(|d| &d.readers).eq(allowed.iter().map(|(d, _)| &d.readers)));
        assert_eq!(store.document_count(&scope, None).await.unwrap(), allowed.len() as u64);
        for id in &collections {
            let here = allowed.iter().filter(|(d, _)| d.collection == *id).count();
            assert_eq!(store.document_count(&scope, Some(*id)).await.unwrap(), here as u64);
            let newest = store.documents_newest(&scope, *id, Page { offset: 0, limit: 99 }).await.unwrap();
            assert_eq!(newest.len(), here);
        }
        let passages: usize = allowed.iter().map(|(_, passages)| passages.len()).sum();
        assert_eq!(store.passage_count(&scope).await.unwrap(), passages as u64);

        let found = store.passages_by_id(&wanted, &scope).await.unwrap();
        let expected = allowed.iter().rev().flat_map(|(d, passages)| passages.iter().map(|p| (p.clone(), d.id)));
        assert!(found.into_iter().map(|(passage, document)| (passage, document.id)).eq(expected), "in the order asked");
        for (document, passages) in &stored {
            let may = allowed.iter().any(|(d, _)| d.id == document.id);
            assert_eq!(store.document(document.id, &scope).await.unwrap().is_some(), may);
            let shown = store.passages_of(document.id, 1, &scope).await.unwrap();
            assert_eq!(shown, (may && !passages.is_empty()).then(|| passages.clone()));
            if let Some(passage) = passages.first() {
                assert_eq!(store.passage(passage.id, &scope).await.unwrap().is_some(), may);
            }
        }
    }
}

#[test]
fn the_database_shows_exactly_what_the_scope_allows() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut runner = TestRunner::new(Config { cases: 60, failure_persistence: None, ..Config::default() });
    runner
        .run(&sketch(), |sketch| {
            runtime.block_on(check(sketch));
            Ok(())
        })
        .unwrap();
}
