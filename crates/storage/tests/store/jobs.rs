use crate::world::World;
use domain::{BatchId, CollectionId, ContentHash, DocumentId, DocumentState, JobId, UserId};
use jiff::SignedDuration;
use storage::{Job, JobFilter, JobState, StorageError};

const TTL: SignedDuration = SignedDuration::from_secs(30);

fn job(world: &World, source: &str) -> Job {
    world.wait(SignedDuration::from_millis(1));
    Job {
        id: JobId::new(&world.environment),
        kind: "ingest".to_owned(),
        batch: None,
        collection: CollectionId::new(&world.environment),
        document: DocumentId::new(&world.environment),
        source: source.to_owned(),
        content: ContentHash::of(source.as_bytes()),
        size_bytes: 77,
        depth: 0,
        state: JobState::Waiting,
        stage: String::new(),
        progress: 0.0,
        attempts: 0,
        reason: None,
        submitted_by: Some(UserId::new(&world.environment)),
        submitted_by_name: "anna".to_owned(),
        created_at: world.now(),
        started_at: None,
        finished_at: None,
        lease_owner: None,
        leased_until: None,
    }
}

async fn enqueue(world: &World, jobs: &[&Job]) {
    let mut act = world.begin().await;
    for job in jobs {
        act.enqueue(job).await.unwrap();
    }
    world.commit(act).await;
}

async fn lease(world: &World, owner: &str) -> Option<Job> {
    let mut act = world.begin().await;
    let mut jobs = act.lease(owner, world.now(), TTL, 1).await.unwrap();
    act.commit_housekeeping().await.unwrap();
    jobs.pop()
}

async fn heartbeat(world: &World, job: &Job, owner: &str) -> bool {
    let mut act = world.begin().await;
    let held = act.heartbeat(job.id, owner, world.now() + TTL, "embed", 0.5).await.unwrap();
    act.commit_housekeeping().await.unwrap();
    held
}

#[tokio::test]
async fn the_oldest_job_is_leased_worked_on_and_done() {
    let world = World::new().await;
    let (first, second) = (job(&world, "a"), job(&world, "b"));
    enqueue(&world, &[&second, &first]).await;
    assert_eq!(world.store.open_jobs().await.unwrap(), 2);
    assert!(world.store.content_in_use(&first.content).await.unwrap());

    let leased = lease(&world, "w1").await.unwrap();
    let running = Job {
        state: JobState::Running,
        attempts: 1,
        started_at: Some(world.now()),
        lease_owner: Some("w1".to_owned()),
        leased_until: Some(world.now() + TTL),
        ..first.clone()
    };
    assert_eq!(leased, running);
    assert_eq!(lease(&world, "w2").await.unwrap().id, second.id);
    assert_eq!(lease(&world, "w3").await, None);

    world.wait(SignedDuration::from_secs(20));
    assert!(heartbeat(&world, &first, "w1").await);
    let seen = world.store.job(first.id).await.unwrap().unwrap();
    assert_eq!((&seen.stage[..], seen.progress, seen.leased_until), ("embed", 0.5, Some(world.now() + TTL)));
    world.write(async |act| act.finish(first.id, "w1").await).await.unwrap();
    let done = world.store.job(first.id).await.unwrap().unwrap();
    assert_eq!((done.state, done.progress, done.lease_owner), (JobState::Done, 1.0, None));
    assert_eq!(done.finished_at, Some(world.now()));
    assert!(!world.store.content_in_use(&first.content).await.unwrap());
}

#[tokio::test]
async fn a_lease_that_ran_out_is_taken_over_and_its_old_owner_hears_of_it() {
    let world = World::new().await;
    let work = job(&world, "a");
    enqueue(&world, &[&work]).await;
    lease(&world, "w1").await.unwrap();
    world.wait(TTL - SignedDuration::from_millis(1));
    assert_eq!(lease(&world, "w2").await, None, "it still holds");
    world.wait(SignedDuration::from_millis(1));
    let taken = lease(&world, "w2").await.unwrap();
    assert_eq!((taken.id, taken.attempts), (work.id, 2));

    assert!(!heartbeat(&world, &work, "w1").await);
    for late in [
        world.write(async |act| act.finish(work.id, "w1").await).await,
        world.write(async |act| act.fail(work.id, "w1", "late", None).await).await,
    ] {
        assert!(matches!(late, Err(StorageError::LeaseLost)));
    }
    assert!(heartbeat(&world, &work, "w2").await);
}

#[tokio::test]
async fn a_late_result_is_undone_with_the_lost_lease() {
    let world = World::new().await;
    let collection = world.collection("c").await;
    let draft = world.draft(collection.id, "a");
    world.insert(&draft).await;
    let work = Job { document: draft.id, ..job(&world, "a") };
    enqueue(&world, &[&work]).await;
    lease(&world, "w1").await.unwrap();
    world.wait(TTL);
    lease(&world, "w2").await.unwrap();
    let version = world.version(&draft, 1, &["text"]);
    let late = world
        .write(async |act| {
            act.publish(&version).await?;
            act.finish(work.id, "w1").await
        })
        .await;
    assert!(matches!(late, Err(StorageError::LeaseLost)));
    let document = world.store.document_for_ingest(draft.id).await.unwrap().unwrap();
    assert_eq!((document.state, document.version), (DocumentState::Waiting, 0));
}

#[tokio::test]
async fn a_failed_job_waits_for_its_time_or_is_given_up_and_can_be_retried() {
    let world = World::new().await;
    let collection = world.collection("c").await;
    let draft = world.draft(collection.id, "a");
    world.insert(&draft).await;
    let work = Job { document: draft.id, ..job(&world, "a") };
    enqueue(&world, &[&work]).await;
    lease(&world, "w").await.unwrap();
    let later = world.now() + SignedDuration::from_secs(60);
    world.write(async |act| act.fail(work.id, "w", "no memory", Some(later)).await).await.unwrap();
    assert_eq!(lease(&world, "w").await, None, "not yet");
    world.wait(SignedDuration::from_secs(60));
    assert_eq!(lease(&world, "w").await.unwrap().reason.as_deref(), Some("no memory"));

    world
        .write(async |act| {
            act.fail_document(draft.id).await?;
            act.fail(work.id, "w", "encrypted", None).await
        })
        .await
        .unwrap();
    let failed = world.store.job(work.id).await.unwrap().unwrap();
    assert_eq!((failed.state, failed.reason.as_deref()), (JobState::Failed, Some("encrypted")));
    assert_eq!(failed.finished_at, Some(world.now()));
    assert_eq!(lease(&world, "w").await, None);

    assert!(world.write(async |act| act.retry(work.id).await).await.unwrap());
    let waiting = world.store.job(work.id).await.unwrap().unwrap();
    assert_eq!(waiting, work, "as new");
    let document = world.store.document_for_ingest(draft.id).await.unwrap().unwrap();
    assert_eq!(document.state, DocumentState::Waiting);
    assert!(!world.write(async |act| act.retry(work.id).await).await.unwrap(), "it waits already");
}

#[tokio::test]
async fn a_cancelled_job_stops_at_its_next_heartbeat() {
    let world = World::new().await;
    let (running, waiting) = (job(&world, "a"), job(&world, "b"));
    enqueue(&world, &[&running, &waiting]).await;
    lease(&world, "w").await.unwrap();
    for id in [running.id, waiting.id] {
        assert!(world.write(async |act| act.cancel(id).await).await.unwrap());
        assert!(!world.write(async |act| act.cancel(id).await).await.unwrap());
    }
    assert!(!heartbeat(&world, &running, "w").await);
    assert_eq!(lease(&world, "w").await, None);
    assert_eq!(world.store.open_jobs().await.unwrap(), 0);
}

#[tokio::test]
async fn lists_are_filtered() {
    let world = World::new().await;
    let batch = BatchId::new(&world.environment);
    let one = job(&world, "a");
    let two = Job { batch: Some(batch), ..job(&world, "b") };
    let three = Job { batch: Some(batch), collection: one.collection, submitted_by: None, ..job(&world, "c") };
    enqueue(&world, &[&one, &two, &three]).await;
    lease(&world, "w").await.unwrap();
    let sources = async |filter: JobFilter| {
        let jobs = world.store.jobs(&filter, 10).await.unwrap();
        jobs.into_iter().map(|job| job.source).collect::<String>()
    };
    assert_eq!(sources(JobFilter::default()).await, "cba", "latest first");
    assert_eq!(sources(JobFilter { state: Some(JobState::Waiting), ..JobFilter::default() }).await, "cb");
    assert_eq!(sources(JobFilter { batch: Some(batch), ..JobFilter::default() }).await, "cb");
    let collections = Some(vec![one.collection]);
    assert_eq!(sources(JobFilter { collections, ..JobFilter::default() }).await, "ca");
    assert_eq!(sources(JobFilter { collections: Some(vec![]), ..JobFilter::default() }).await, "");
    assert_eq!(world.store.jobs(&JobFilter::default(), 1).await.unwrap().len(), 1);
    assert_eq!(world.store.jobs_of(batch).await.unwrap(), [two, three]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_of_two_processes_never_hold_the_same_job() {
    let world = World::new().await;
    let jobs: Vec<_> = (0..40).map(|number| job(&world, &number.to_string())).collect();
    enqueue(&world, &jobs.iter().collect::<Vec<_>>()).await;
    let now = world.now();
    let work = |store: storage::Store, owner: &'static str| async move {
        let mut leased = Vec::new();
        loop {
            let mut act = store.begin().await.unwrap();
            let job = act.lease(owner, now, TTL, 1).await.unwrap().pop();
            act.commit_housekeeping().await.unwrap();
            let Some(job) = job else { return leased };
            leased.push(job.id);
        }
    };
    let (one, two) = (world.store.clone(), world.second_store().await);
    let workers = [tokio::spawn(work(one.clone(), "a")), tokio::spawn(work(one, "b")), tokio::spawn(work(two, "c"))];
    let mut leased = Vec::new();
    for worker in workers {
        leased.extend(worker.await.unwrap());
    }
    leased.sort_unstable();
    let mut all: Vec<_> = jobs.iter().map(|job| job.id).collect();
    all.sort_unstable();
    assert_eq!(leased, all);
}
