//! A watched folder, looked into again and again while people do to its files what people do.

use domain::{Collection, Document, DocumentState, FolderId, Label, OperationId, Permission};
use ingest::{Origin, Scan, Scanned};
use std::path::{Path, PathBuf};
use storage::{Folder, JobFilter, JobState, Removal};
use testkit::TestApp;

/// A product with a watched folder in it, whose documents `ada` may read.
pub(crate) struct Share {
    pub(crate) world: TestApp,
    pub(crate) collection: Collection,
    pub(crate) folder: Folder,
}

impl Share {
    pub(crate) async fn new(removal: Removal, quarantine: bool) -> Self {
        let world = TestApp::new().await;
        let collection = world.collection("Share").await;
        world.grant(&collection, "ada", Some(Permission::Read)).await;
        world.grant(&collection, "clara", Some(Permission::Manage)).await;
        let path = world.shares().join("office");
        std::fs::create_dir_all(&path).unwrap();
        let folder = Folder {
            id: FolderId::new(world.app.store.environment()),
            path: path.display().to_string(),
            collection: collection.id,
            label: None,
            removal,
            quarantine,
            every: 3_600,
            paused: false,
            scanned_at: None,
            found: None,
            problem: None,
            created_at: world.app.store.environment().now(),
        };
        let share = Self { world, collection, folder };
        let operation = share.operation();
        ingest::add_folder(&share.world.app.store, &share.folder, &audit::Actor::console(), operation).await.unwrap();
        share
    }

    pub(crate) fn operation(&self) -> OperationId {
        OperationId::new(self.world.app.store.environment())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        Path::new(&self.folder.path).join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        std::fs::write(self.path(name), text).unwrap();
    }

    fn mv(&self, from: &str, to: &str) {
        std::fs::rename(self.path(from), self.path(to)).unwrap();
    }

    fn rm(&self, name: &str) {
        std::fs::remove_file(self.path(name)).unwrap();
    }

    fn seen(&self) -> Scan {
        Scan { tree: ingest::tree(&[PathBuf::from(&self.folder.path)]).unwrap(), ..Scan::default() }
    }

    async fn take_in(&self, scan: &Scan) -> Scanned {
        let origin =
            Origin { folder: Some(self.folder.id), held: self.folder.quarantine, ..Origin::of(&self.collection) };
        let (actor, operation) = (audit::Actor::system(), self.operation());
        let stage = &self.world.app.stage;
        stage.take_in_changes(&origin, scan, self.folder.removal, &actor, operation, |_| {}).await.unwrap()
    }

    /// One look, without waiting for files to be quiet.
    async fn look(&self) -> Scanned {
        self.take_in(&self.seen()).await
    }

    /// One look, and everything that it found is read.
    async fn look_and_read(&self) -> Scanned {
        let scanned = self.look().await;
        self.world.ingest().await;
        scanned
    }

    pub(crate) async fn document(&self, source: &str) -> Option<Document> {
        self.world.app.store.document_by_source(self.collection.id, source).await.unwrap()
    }

    async fn places(&self, document: &Document) -> Vec<String> {
        self.world.app.store.sources_of(document.id).await.unwrap()
    }

    pub(crate) async fn jobs(&self, state: JobState) -> usize {
        let filter = JobFilter { state: Some(state), ..JobFilter::default() };
        self.world.app.store.jobs(&filter, 100).await.unwrap().len()
    }

    /// Whether ada finds this.
    pub(crate) async fn finds(&self, query: &str, text: &str) -> bool {
        let mut ada = self.world.signed_in("ada").await;
        ada.get(&format!("/search?q={query}")).await.body.contains(text)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_did_not_change_is_not_touched_and_a_new_name_is_a_rename() {
    let share = Share::new(Removal::Delete, false).await;
    share.write("leave_days.txt", "Every gardener has 31 days of leave.");
    share.write("sub/soup.txt", "Fish soup is served on Fridays.");
    let first = share.look_and_read().await;
    assert_eq!((first.found.files, first.found.changed, first.failed.len()), (2, 2, 0));
    let again = share.look_and_read().await;
    assert_eq!((again.found.files, again.found.changed, again.unchanged), (2, 0, 2));

    let before = share.document("leave_days.txt").await.unwrap();
    assert_eq!(before.title, "Leave days");
    share.mv("leave_days.txt", "sub/holidays.txt");
    let renamed = share.look_and_read().await;
    assert_eq!((renamed.found.renamed, renamed.found.changed, renamed.found.gone), (1, 0, 0));
    let after = share.document("sub/holidays.txt").await.unwrap();
    assert_eq!((after.id, after.version, after.title.as_str()), (before.id, 1, "Holidays"));
    assert!(share.document("leave_days.txt").await.is_none());
    assert!(share.finds("gardener", "31 days").await);
    assert_eq!(share.look().await.unchanged, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_are_places_and_an_edited_copy_is_a_document_with_the_same_rights() {
    let share = Share::new(Removal::Delete, false).await;
    share.write("plan.txt", "The tower is painted in May.");
    share.look_and_read().await;
    let plan = share.document("plan.txt").await.unwrap();
    share.write("copy.txt", "The tower is painted in May.");
    let copied = share.look_and_read().await;
    assert_eq!((copied.duplicates, copied.changed.len()), (1, 0));
    assert_eq!(share.places(&plan).await, ["copy.txt", "plan.txt"]);

    let mut act = share.world.app.store.begin().await.unwrap();
    act.relabel(plan.id, Label::Secret).await.unwrap();
    act.commit_housekeeping().await.unwrap();
    share.write("copy.txt", "The tower is painted in May, and the gate in June.");
    share.look_and_read().await;
    assert_eq!(share.places(&plan).await, ["plan.txt"]);
    let copy = share.document("copy.txt").await.unwrap();
    assert_ne!(copy.id, plan.id);
    assert_eq!(copy.label, Label::Secret, "what was secret does not become readable by an edit");
    assert!(!share.finds("tower", "June").await);
    share.rm("plan.txt");
    share.look_and_read().await;
    assert!(share.document("plan.txt").await.is_none());
    assert!(share.document("copy.txt").await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_files_that_swap_their_names_have_each_others_text() {
    let share = Share::new(Removal::Delete, false).await;
    share.write("a.txt", "The heron stands in the reeds.");
    share.write("b.txt", "The otter sleeps under the bridge at noon.");
    share.look_and_read().await;
    share.mv("a.txt", "c.tmp");
    share.mv("b.txt", "a.txt");
    share.mv("c.tmp", "b.txt");
    let swapped = share.look_and_read().await;
    assert_eq!((swapped.found.changed, swapped.found.gone), (2, 0));
    let (a, b) = (share.document("a.txt").await.unwrap(), share.document("b.txt").await.unwrap());
    assert_eq!((a.version, b.version), (2, 2));
    assert_eq!((a.size_bytes, b.size_bytes), (42, 30));
    assert!(share.finds("heron", "reeds").await && share.finds("otter", "bridge").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_gone_is_kept_hidden_or_deleted() {
    for removal in Removal::ALL {
        let share = Share::new(removal, false).await;
        share.write("stays.txt", "The mill stays.");
        share.write("goes.txt", "The ferry leaves at seven.");
        share.look_and_read().await;
        share.rm("goes.txt");
        assert_eq!(share.look_and_read().await.found.gone, 1, "{removal:?}");
        let document = share.document("goes.txt").await;
        assert_eq!(document.is_some(), removal != Removal::Delete);
        assert_eq!(share.finds("ferry", "seven").await, removal == Removal::Keep);

        share.write("goes.txt", "The ferry leaves at seven.");
        share.look_and_read().await;
        assert!(share.finds("ferry", "seven").await, "{removal:?}: it is back");
        let back = share.document("goes.txt").await.unwrap();
        assert_eq!(document.is_some_and(|document| document.id == back.id), removal != Removal::Delete);
        assert_eq!(back.version, 1);
        share.rm("goes.txt");
        share.look_and_read().await;
        share.write("elsewhere.txt", "The ferry leaves at seven.");
        share.look_and_read().await;
        assert!(share.finds("ferry", "seven").await, "{removal:?}: it is back under another name");
        assert_eq!(share.look().await.unchanged, 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_not_gone() {
    let share = Share::new(Removal::Delete, false).await;
    share.write("open.txt", "The gate is open.");
    share.write("sub/closed.txt", "The vault is closed.");
    share.look_and_read().await;
    let mut scan = share.seen();
    scan.tree.files.retain(|file| file.source == "open.txt");
    scan.tree.unreadable.push(("sub".to_owned(), "permission denied".to_owned()));
    let scanned = share.take_in(&scan).await;
    assert_eq!((scanned.found.gone, scanned.found.failed), (0, 1));
    assert!(share.document("sub/closed.txt").await.is_some());

    for name in ["open.txt", "sub/closed.txt"] {
        share.rm(name);
    }
    let mut fresh = ingest::Fresh::default();
    let (stage, actor) = (&share.world.app.stage, audit::Actor::system());
    let empty = ingest::look(stage, &share.folder, &mut fresh, &actor, share.operation()).await.unwrap_err();
    assert!(empty.to_string().contains("is its share mounted?"), "{empty}");
    std::fs::remove_dir_all(&share.folder.path).unwrap();
    let gone = ingest::look(stage, &share.folder, &mut fresh, &actor, share.operation()).await.unwrap_err();
    let noted = share.world.app.store.folder(share.folder.id).await.unwrap().unwrap();
    assert_eq!(noted.problem, Some(gone.to_string()));
    std::os::unix::fs::symlink("/etc", &share.folder.path).unwrap();
    let led = ingest::look(stage, &share.folder, &mut fresh, &actor, share.operation()).await.unwrap_err();
    assert!(led.to_string().contains("link to another place"), "{led}");
    assert!(share.document("open.txt").await.is_some() && share.document("sub/closed.txt").await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_deleted_while_a_file_is_there_that_may_be_it_under_a_new_name() {
    let share = Share::new(Removal::Delete, false).await;
    share.write("plan.txt", "The tower is painted in May.");
    share.write("other.txt", "The gate is painted in June.");
    share.look_and_read().await;
    let plan = share.document("plan.txt").await.unwrap();
    let mut act = share.world.app.store.begin().await.unwrap();
    act.relabel(plan.id, Label::Secret).await.unwrap();
    act.commit_housekeeping().await.unwrap();

    share.mv("plan.txt", "paint.txt");
    share.rm("other.txt");
    let mut scan = share.seen();
    scan.later.insert("paint.txt".to_owned());
    let scanned = share.take_in(&scan).await;
    assert_eq!((scanned.found.gone, scanned.changing.len()), (0, 1));
    assert!(share.document("plan.txt").await.is_some() && share.document("other.txt").await.is_some());

    let scanned = share.look_and_read().await;
    assert_eq!((scanned.found.renamed, scanned.found.gone), (1, 1));
    let renamed = share.document("paint.txt").await.unwrap();
    assert_eq!((renamed.id, renamed.label), (plan.id, Label::Secret));
    assert!(share.document("other.txt").await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sidecar_that_comes_changes_and_goes_is_heeded() {
    let share = Share::new(Removal::Delete, false).await;
    share.write("report.txt", "The bridge was inspected and found sound.");
    share.write("twin.txt", "The bridge was inspected and found sound.");
    share.look_and_read().await;
    let author = async || share.document("report.txt").await.unwrap().metadata.author;
    assert_eq!(author().await, None);
    share.write("report.txt.carrel.json", r#"{"author": "Ada"}"#);
    assert_eq!(share.look_and_read().await.found.files, 2, "a sidecar is no document");
    assert_eq!(author().await.as_deref(), Some("Ada"));
    assert_eq!(share.document("twin.txt").await.unwrap().metadata.author, None, "it says nothing of the other file");
    share.write("report.txt.carrel.json", r#"{"author": "Grace"}"#);
    share.look_and_read().await;
    assert_eq!(author().await.as_deref(), Some("Grace"));
    share.write("report.txt.carrel.json", r#"["Grace"]"#);
    let broken = share.look_and_read().await;
    assert!(broken.failed[0].1.contains("sidecar"), "{:?}", broken.failed);
    share.rm("report.txt.carrel.json");
    share.look_and_read().await;
    assert_eq!(author().await, None);
    assert_eq!(share.look().await.unchanged, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_takes_a_files_place_and_broken_files_cost_only_themselves() {
    let share = Share::new(Removal::Delete, false).await;
    share.write("notes", "Notes of the harbour office.");
    share.write("empty.txt", "");
    let scanned = share.look_and_read().await;
    assert_eq!(scanned.failed, [("empty.txt".to_owned(), "the file is empty".to_owned())]);
    share.rm("notes");
    share.write("notes/march.txt", "Notes of March.");
    let scanned = share.look_and_read().await;
    assert_eq!((scanned.found.changed, scanned.found.gone), (1, 1));
    assert!(share.document("notes").await.is_none());
    assert_eq!(share.document("notes/march.txt").await.unwrap().state, DocumentState::Ready);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_look_neither_queues_again_nor_tries_for_ever() {
    let share = Share::new(Removal::Delete, false).await;
    share.write("waits.txt", "It waits its turn.");
    share.look().await;
    assert_eq!(share.look().await.unchanged, 1);
    assert_eq!((share.jobs(JobState::Waiting).await, share.jobs(JobState::Cancelled).await), (1, 0));
    // The file is again what it was before anybody read what it had become.
    share.world.ingest().await;
    share.write("waits.txt", "It waits no more.");
    share.look().await;
    share.write("waits.txt", "It waits its turn.");
    share.look_and_read().await;
    assert!(share.finds("waits", "its turn").await && !share.finds("waits", "no more").await);
    share.write("waits.txt", "It waits no more.");
    share.look_and_read().await;
    assert!(share.finds("waits", "no more").await, "what nobody had read is read when it comes again");

    share.write("broken.pdf", "%PDF-1.7\n1 0 obj\n<< /Type /Catalog");
    share.look_and_read().await;
    assert_eq!(share.jobs(JobState::Failed).await, 1);
    share.look_and_read().await;
    let all = share.world.app.store.jobs(&JobFilter::default(), 100).await.unwrap();
    assert_eq!(all.iter().filter(|job| job.source == "broken.pdf").count(), 1, "it is not tried again by itself");
    share.write("broken.pdf", "%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>");
    share.look_and_read().await;
    assert_eq!(share.jobs(JobState::Failed).await, 2, "but when it was changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn looks_at_once_double_nothing() {
    let share = Share::new(Removal::Delete, false).await;
    for number in 0..40 {
        share.write(&format!("{number}.txt"), &format!("Note number {number}."));
    }
    let scan = share.seen();
    let all = tokio::join!(share.take_in(&scan), share.take_in(&scan), share.take_in(&scan));
    assert_eq!(all.0.found.changed + all.1.found.changed + all.2.found.changed, 40);
    share.world.ingest().await;
    let jobs = share.world.app.store.jobs(&JobFilter::default(), 200).await.unwrap();
    assert_eq!(jobs.len(), 40);
    assert!(jobs.iter().all(|job| job.state == JobState::Done));
    for number in 0..40 {
        if number % 2 == 0 {
            share.rm(&format!("{number}.txt"));
        } else {
            share.mv(&format!("{number}.txt"), &format!("moved-{number}.txt"));
        }
    }
    let scan = share.seen();
    let both = tokio::join!(share.take_in(&scan), share.take_in(&scan));
    assert_eq!(both.0.found.renamed + both.1.found.renamed, 20);
    let known = share.world.app.store.known_sources(share.collection.id, None).await.unwrap();
    assert_eq!(known.len(), 20);
    assert!(known.iter().all(|known| known.source.starts_with("moved-")));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_folders_do_not_take_turns_with_one_name() {
    let share = Share::new(Removal::Delete, false).await;
    share.write("readme.txt", "This is the office.");
    share.look_and_read().await;
    let other =
        Origin { folder: Some(FolderId::new(share.world.app.store.environment())), ..Origin::of(&share.collection) };
    let stage = &share.world.app.stage;
    let actor = audit::Actor::system();
    share.write("readme.txt", "This is the workshop.");
    let scanned =
        stage.take_in_changes(&other, &share.seen(), Removal::Delete, &actor, share.operation(), |_| {}).await.unwrap();
    assert!(scanned.failed[0].1.contains("another watched folder"), "{:?}", scanned.failed);
    assert_eq!(share.document("readme.txt").await.unwrap().version, 1);
}
