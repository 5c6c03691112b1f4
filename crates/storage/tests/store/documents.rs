use crate::world::World;
use domain::{
    AccessScope, Clearance, Collection, ContentHash, Document, DocumentFilter, DocumentId, DocumentState, Label,
    PrincipalId,
};
use jiff::SignedDuration;
use storage::{Page, PublishedVersion, StorageError};

const ALL: Page = Page { offset: 0, limit: 100 };

fn everything(collections: &[&Collection]) -> AccessScope {
    AccessScope::issue([], collections.iter().map(|collection| collection.id), Clearance(Label::Secret))
}

#[tokio::test]
async fn a_collection_is_changed_and_deleted_when_it_is_empty() {
    let world = World::new().await;
    let handbook = world.collection("handbook").await;
    let minutes = world.collection("minutes").await;
    let changed = Collection { description: "What holds here".to_owned(), default_label: Label::Secret, ..handbook };
    world.write(async |act| act.update_collection(&changed).await).await.unwrap();
    assert_eq!(world.store.collections().await.unwrap(), [changed.clone(), minutes.clone()]);
    assert_eq!(world.store.collection(minutes.id).await.unwrap().as_ref(), Some(&minutes));
    assert_eq!(world.store.collection_by_name("handbook").await.unwrap().as_ref(), Some(&changed));
    let twin = Collection { name: "minutes".to_owned(), ..changed.clone() };
    let error = world.write(async |act| act.update_collection(&twin).await).await.unwrap_err();
    assert_eq!(error.to_string(), "a collection with this name exists already");

    let document = world.draft(changed.id, "a.txt");
    world.insert(&document).await;
    assert!(world.store.collection_has_documents(changed.id).await.unwrap());
    let error = world.write(async |act| act.delete_collection(changed.id).await).await.unwrap_err();
    assert_eq!(error.to_string(), "documents are left in this collection; delete them first");
    world.write(async |act| act.delete_document(document.id).await).await.unwrap();
    world.write(async |act| act.delete_collection(changed.id).await).await.unwrap();
    assert_eq!(world.store.collections().await.unwrap(), [minutes]);
    let error = world.write(async |act| act.delete_collection(changed.id).await).await.unwrap_err();
    assert!(matches!(error, StorageError::NotFound { .. }));
}

#[tokio::test]
async fn a_version_is_published_and_replaced() {
    let world = World::new().await;
    let handbook = world.collection("handbook").await;
    let scope = everything(&[&handbook]);
    let draft = world.draft(handbook.id, "leave.pdf");
    world.insert(&draft).await;
    assert_eq!(world.store.document(draft.id, &scope).await.unwrap().as_ref(), Some(&draft));
    assert_eq!(world.store.passages_of(draft.id, 1, &scope).await.unwrap(), None);
    assert_eq!(world.store.indexed(draft.id).await.unwrap(), None, "nothing to index yet");

    world.wait(SignedDuration::from_secs(60));
    let first = world.version(&draft, 1, &["twenty days", "thirty days"]);
    world.publish(&first).await;
    let published = Document {
        version: 1,
        content: first.content,
        size_bytes: 1234,
        title: "leave.pdf 1".to_owned(),
        media_type: "application/pdf".to_owned(),
        language: Some("en".to_owned()),
        pages: Some(9),
        warnings: first.warnings.clone(),
        metadata: first.metadata.clone(),
        passages: 2,
        embedded: false,
        state: DocumentState::Ready,
        updated_at: world.now(),
        ..draft.clone()
    };
    assert_eq!(world.store.document_for_ingest(draft.id).await.unwrap().as_ref(), Some(&published));
    let by_source = world.store.document_by_source(handbook.id, "leave.pdf").await.unwrap();
    assert_eq!(by_source.as_ref(), Some(&published));
    let passages = first.passages.clone();
    assert_eq!(world.store.passages_of(draft.id, 1, &scope).await.unwrap().as_ref(), Some(&passages));
    let indexed = world.store.indexed(draft.id).await.unwrap().unwrap();
    let bare = |version: &PublishedVersion| version.passages.iter().map(|p| (p.clone(), None)).collect::<Vec<_>>();
    assert_eq!((&indexed.document, indexed.passages), (&published, bare(&first)), "found by words at once");
    assert_eq!(indexed.model, "mini");

    let waiting = world.store.unembedded(10).await.unwrap();
    assert_eq!(
        waiting.iter().map(|one| one.passage).collect::<Vec<_>>(),
        passages.iter().map(|p| p.id).collect::<Vec<_>>()
    );
    let vector = vec![0.6, -0.8];
    world.write(async |act| act.embed(&[draft.id], &[(passages[0].id, vector.clone())]).await).await.unwrap();
    assert!(!world.store.document_for_ingest(draft.id).await.unwrap().unwrap().embedded, "one of two");
    assert_eq!(world.store.unembedded_count().await.unwrap(), (1, 2));
    world.write(async |act| act.embed(&[draft.id], &[(passages[1].id, vector.clone())]).await).await.unwrap();
    assert_eq!(world.store.unembedded_count().await.unwrap(), (0, 0));
    let indexed = world.store.indexed(draft.id).await.unwrap().unwrap();
    let with_vectors: Vec<_> = passages.iter().map(|p| (p.clone(), Some(vector.clone()))).collect();
    let published = Document { embedded: true, ..published };
    assert_eq!((indexed.document, indexed.passages), (published, with_vectors), "vectors to the last bit");

    let second = world.version(&draft, 2, &["twenty-five days"]);
    world.publish(&second).await;
    let indexed = world.store.indexed(draft.id).await.unwrap().unwrap();
    assert_eq!((indexed.document.version, indexed.passages), (2, bare(&second)));
    assert_eq!(world.store.passage_count(&scope).await.unwrap(), 1, "only versions in use are searched");
    let old = world.store.passage(passages[1].id, &scope).await.unwrap().unwrap();
    assert_eq!((old.0, old.1.version), (passages[1].clone(), 2), "old citations still resolve");

    let stale = world.version(&draft, 2, &["late"]);
    let error = world.write(async |act| act.publish(&stale).await).await.unwrap_err();
    assert_eq!(error.to_string(), "version 2 of the document is in use; version 2 comes too late");
    for (content, used) in [(first.content, true), (second.content, true), (ContentHash::of(b"other"), false)] {
        assert_eq!(world.store.content_in_use(&content).await.unwrap(), used);
    }
}

#[tokio::test]
async fn deleting_takes_every_version_along() {
    let world = World::new().await;
    let handbook = world.collection("handbook").await;
    let scope = everything(&[&handbook]);
    let draft = world.draft(handbook.id, "leave.pdf");
    world.insert(&draft).await;
    let versions = [world.version(&draft, 1, &["a", "b"]), world.version(&draft, 2, &["c"])];
    world.publish(&versions[0]).await;
    world.publish(&versions[1]).await;
    world.write(async |act| act.delete_document(draft.id).await).await.unwrap();

    assert_eq!(world.store.document(draft.id, &scope).await.unwrap(), None);
    let ids: Vec<_> = versions.iter().flat_map(|version| version.passages.iter().map(|p| p.id)).collect();
    assert_eq!(world.store.passages_by_id(&ids, &scope).await.unwrap(), []);
    assert!(!world.store.content_in_use(&versions[0].content).await.unwrap());
    assert_eq!(world.store.indexed(draft.id).await.unwrap(), None);
    let changes = world.store.index_changes(0, 100).await.unwrap();
    assert_eq!(changes.iter().map(|(_, id)| *id).collect::<Vec<_>>(), [draft.id; 3], "the index hears of it");
    let mut raw = world.raw().await;
    let left: i64 = sqlx::query_scalar("SELECT (SELECT count(*) FROM passages) + (SELECT count(*) FROM vectors)")
        .fetch_one(&mut raw)
        .await
        .unwrap();
    assert_eq!(left, 0);

    let error = world.write(async |act| act.publish(&world.version(&draft, 3, &["late"])).await).await.unwrap_err();
    assert!(matches!(error, StorageError::NotFound { what: "document" }));
}

#[tokio::test]
async fn a_source_is_unique_in_its_collection() {
    let world = World::new().await;
    let (handbook, minutes) = (world.collection("handbook").await, world.collection("minutes").await);
    world.insert(&world.draft(handbook.id, "a.txt")).await;
    world.insert(&world.draft(minutes.id, "a.txt")).await;
    let twin = world.draft(handbook.id, "a.txt");
    let error = world.write(async |act| act.insert_document(&twin).await).await.unwrap_err();
    assert_eq!(error.to_string(), "the collection holds a document from this source already");
}

#[tokio::test]
async fn a_failed_document_is_one_without_any_version() {
    let world = World::new().await;
    let handbook = world.collection("handbook").await;
    let (read, unread) = (world.draft(handbook.id, "a.txt"), world.draft(handbook.id, "b.txt"));
    world.insert(&read).await;
    world.insert(&unread).await;
    world.publish(&world.version(&read, 1, &["a"])).await;
    for id in [read.id, unread.id] {
        world.write(async |act| act.fail_document(id).await).await.unwrap();
    }
    let state = async |id| world.store.document_for_ingest(id).await.unwrap().unwrap().state;
    assert_eq!((state(read.id).await, state(unread.id).await), (DocumentState::Ready, DocumentState::Failed));
    world.publish(&world.version(&unread, 1, &["b"])).await;
    assert_eq!(state(unread.id).await, DocumentState::Ready, "a later try may succeed");
    let gone = DocumentId::new(&world.environment);
    assert!(world.write(async |act| act.fail_document(gone).await).await.is_err());
}

#[tokio::test]
async fn rights_change_for_the_next_query_and_the_index_is_told() {
    let world = World::new().await;
    let handbook = world.collection("handbook").await;
    let (anna, legal) = (world.user("anna").await, world.group("legal").await);
    let scope = AccessScope::issue([anna.id.into()], [handbook.id], Clearance(Label::Internal));
    let draft = world.draft(handbook.id, "a.txt");
    world.insert(&draft).await;
    world.publish(&world.version(&draft, 1, &["a"])).await;
    let seen = async || world.store.document(draft.id, &scope).await.unwrap().is_some();
    let readers = async || world.store.document_for_ingest(draft.id).await.unwrap().unwrap().readers;
    assert!(seen().await);

    world.write(async |act| act.relabel(draft.id, Label::Secret).await).await.unwrap();
    assert!(!seen().await);
    world.write(async |act| act.relabel(draft.id, Label::Public).await).await.unwrap();
    assert!(seen().await);
    world.write(async |act| act.narrow(draft.id, Some(&[legal.id.into()])).await).await.unwrap();
    assert!(!seen().await);
    let mut both: Vec<PrincipalId> = vec![legal.id.into(), anna.id.into()];
    world.write(async |act| act.narrow(draft.id, Some(&both)).await).await.unwrap();
    assert!(seen().await);
    both.sort_unstable();
    assert_eq!(readers().await, Some(both));
    world.write(async |act| act.narrow(draft.id, None).await).await.unwrap();
    assert_eq!((seen().await, readers().await), (true, None));
    world.write(async |act| act.narrow(draft.id, Some(&[legal.id.into()])).await).await.unwrap();
    world.write(async |act| act.delete_group(legal.id).await).await.unwrap();
    assert_eq!((seen().await, readers().await), (false, Some(vec![])), "narrowed to nobody, not opened to all");

    let changes = world.store.index_changes(0, 100).await.unwrap();
    assert_eq!(changes.len(), 8, "publishing, two labels, four lists, one group");
    assert_eq!(world.store.index_changes(changes[5].0, 100).await.unwrap(), changes[6..]);
    let mut act = world.begin().await;
    act.forget_index_changes(changes[7].0).await.unwrap();
    act.commit_housekeeping().await.unwrap();
    assert_eq!(world.store.index_changes(0, 100).await.unwrap(), []);
    world.write(async |act| act.relabel(draft.id, Label::Secret).await).await.unwrap();
    assert!(world.store.index_changes(0, 1).await.unwrap()[0].0 > changes[7].0, "no sequence is used twice");
}

#[tokio::test]
async fn what_was_taken_out_of_a_document_and_got_a_label_of_its_own_keeps_it() {
    let world = World::new().await;
    let handbook = world.collection("handbook").await;
    let mail = world.draft(handbook.id, "mail.eml");
    let part = |source: &str, parent: DocumentId| Document { parent: Some(parent), ..world.draft(handbook.id, source) };
    let (plain, raised) = (part("mail.eml/plain.txt", mail.id), part("mail.eml/plans.zip", mail.id));
    let deep = part("mail.eml/plans.zip/deep.txt", raised.id);
    for document in [&mail, &plain, &raised, &deep] {
        world.insert(document).await;
    }
    let label = async |id| world.store.document_for_ingest(id).await.unwrap().unwrap().label;
    let changed = world.write(async |act| act.relabel(raised.id, Label::Secret).await).await.unwrap();
    assert_eq!(changed, [raised.id, deep.id]);
    let changed = world.write(async |act| act.relabel(mail.id, Label::Public).await).await.unwrap();
    assert_eq!(changed, [mail.id, plain.id]);
    assert_eq!((label(plain.id).await, label(raised.id).await), (Label::Public, Label::Secret));
    assert_eq!(label(deep.id).await, Label::Secret);
    // Raised, all of it is at least as high.
    let changed = world.write(async |act| act.relabel(plain.id, Label::Internal).await).await.unwrap();
    assert_eq!(changed, [plain.id]);
    let changed = world.write(async |act| act.relabel(mail.id, Label::Confidential).await).await.unwrap();
    assert_eq!(changed, [mail.id, plain.id]);
    assert_eq!((label(plain.id).await, label(deep.id).await), (Label::Confidential, Label::Secret));
    let gone = DocumentId::new(&world.environment);
    assert!(world.write(async |act| act.relabel(gone, Label::Public).await).await.is_err());
}

#[tokio::test]
async fn what_came_with_a_file_is_counted_at_any_depth() {
    let world = World::new().await;
    let handbook = world.collection("handbook").await;
    let file = world.draft(handbook.id, "all.zip");
    let part = |source: &str, parent: DocumentId| Document { parent: Some(parent), ..world.draft(handbook.id, source) };
    let (left, right) = (part("all.zip/left.zip", file.id), part("all.zip/right.zip", file.id));
    let deep = part("all.zip/left.zip/deep.zip", left.id);
    let deepest = part("all.zip/left.zip/deep.zip/a.txt", deep.id);
    let other = world.draft(handbook.id, "other.zip");
    for document in [&file, &left, &right, &deep, &deepest, &other] {
        world.insert(document).await;
    }
    let beside = async |id, most| world.store.taken_out_beside(id, most).await.unwrap();
    assert_eq!(beside(file.id, 9).await, 0, "all of it is its own");
    assert_eq!((beside(left.id, 9).await, beside(right.id, 9).await), (2, 4));
    assert_eq!((beside(deepest.id, 9).await, beside(deepest.id, 3).await), (4, 3));
}

#[tokio::test]
async fn lists_are_paged_and_the_index_can_be_made_anew() {
    let world = World::new().await;
    let (handbook, minutes) = (world.collection("handbook").await, world.collection("minutes").await);
    let scope = everything(&[&handbook, &minutes]);
    let mut ids = Vec::new();
    for (position, name) in ["b", "C", "a", "d"].into_iter().enumerate() {
        let draft = world.draft(if position == 3 { minutes.id } else { handbook.id }, name);
        world.insert(&draft).await;
        world.wait(SignedDuration::from_secs(1));
        if position != 1 {
            world.publish(&world.version(&draft, 1, &["x", "y"])).await;
            ids.push(draft.id);
        }
    }
    let titles = |documents: Vec<Document>| documents.into_iter().map(|document| document.source).collect::<String>();
    assert_eq!(titles(world.store.documents(&scope, None, ALL).await.unwrap()), "abCd");
    let page = Page { offset: 1, limit: 2 };
    assert_eq!(titles(world.store.documents(&scope, Some(handbook.id), page).await.unwrap()), "bC");
    assert_eq!(titles(world.store.documents_newest(&scope, handbook.id, ALL).await.unwrap()), "aCb");
    assert_eq!(world.store.document_count(&scope, None).await.unwrap(), 4);
    assert_eq!(world.store.document_count(&scope, Some(minutes.id)).await.unwrap(), 1);
    assert_eq!(world.store.passage_count(&scope).await.unwrap(), 6);

    ids.sort_unstable();
    let mut act = world.begin().await;
    assert_eq!(act.tell_index_of_all().await.unwrap(), (3, 6));
    act.commit_housekeeping().await.unwrap();
    let told: Vec<_> = world.store.index_changes(0, 100).await.unwrap().into_iter().map(|(_, id)| id).collect();
    assert_eq!(told, ids, "those that are ready, each once, whatever was told before");
}

#[tokio::test]
async fn filters_compare_words_of_every_language_whatever_their_case() {
    let world = World::new().await;
    let handbook = world.collection("handbook").await;
    let scope = everything(&[&handbook]);
    // As macOS writes it: the dots stand behind their letters.
    let titles = ["\u{dc}bersicht der Liegepl\u{e4}tze", "U\u{308}bersicht der Stra\u{df}en", "Obst und Gem\u{fc}se"];
    let mut ids = Vec::new();
    for (number, title) in titles.into_iter().enumerate() {
        let draft = world.draft(handbook.id, &format!("{number}.txt"));
        world.insert(&draft).await;
        let mut version = world.version(&draft, 1, &["x"]);
        version.title = title.to_owned();
        version.metadata.author = (number == 0).then(|| "Łukasz ΣΊΣΥΦΟΣ".to_owned());
        version.metadata.fields.insert("ort".to_owned(), "Köln".to_owned());
        world.publish(&version).await;
        ids.push(draft.id);
    }
    let matching = async |filter: DocumentFilter| {
        let found = world.store.documents_matching(&filter, &scope).await.unwrap();
        ids.iter().map(|id| found.contains(id)).collect::<Vec<_>>()
    };
    let title = async |part: &str| matching(DocumentFilter { title: Some(part.into()), ..<_>::default() }).await;
    assert_eq!(title("übersicht").await, [true, true, false]);
    assert_eq!(title("ÜBERSICHT DER LIEGEPLÄTZE").await, [true, false, false]);
    assert_eq!(title("strassen").await, [false, true, false], "as in capitals");
    assert_eq!(title("ubersicht").await, [false; 3], "another letter, not another case");
    assert_eq!(title("%").await, [false; 3], "no pattern");
    let author = async |part: &str| matching(DocumentFilter { author: Some(part.into()), ..<_>::default() }).await;
    assert_eq!(author("łukasz σίσυφος").await, [true, false, false], "documents without an author are none of anybody");
    let field = async |value: &str| {
        let fields = [("Ort".to_owned(), value.to_owned())].into();
        matching(DocumentFilter { fields, title: Some("Übersicht".to_owned()), ..<_>::default() }).await
    };
    assert_eq!(field("KÖLN").await, [true, true, false]);
    assert_eq!(field("köl").await, [false; 3], "the whole value");
}
