//! Measures an audit log: how fast it is written, listed, searched, exported and verified.
//!
//! `cargo run --release -p storage --example audit_log -- EVENTS [FOLDER]` makes a log of so many events, half of them
//! questions with the passages shown for them, in FOLDER or a temporary one, and prints one JSON object.

#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs, reason = "an example that measures")]

use audit::export::Format;
use audit::verify::verify;
use audit::{Action, Actor, ActorKind, Event, SigningKey};
use domain::{Environment, OperationId, UserId};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use storage::{AuditFilter, Store};
use uuid::Uuid;

const PEOPLE: u64 = 200;
const DOCUMENTS: u64 = 5_000;
const PASSAGES: u64 = 100_000;
const IN_A_TRANSACTION: u64 = 2_000;

/// The same numbers each time (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = self.0;
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (number ^ (number >> 31)) % end
    }
}

fn id(kind: u128, number: u64) -> Uuid {
    Uuid::from_u128(kind << 100 | u128::from(number) << 8 | 1)
}

fn passage(numbers: &mut Numbers, rank: u64) -> Value {
    // A few passages are shown often, most seldom.
    let number = numbers.below(PASSAGES).min(numbers.below(PASSAGES));
    let label = ["public", "internal", "confidential", "secret"][usize::try_from(number % 4).unwrap()];
    json!({
        "rank": rank, "passage": id(2, number).simple().to_string(), "hash": "5e".repeat(32),
        "document": id(1, number % DOCUMENTS).simple().to_string(), "version": 1,
        "title": format!("Manual {} of the harbour office", number % DOCUMENTS), "page": number % 90,
        "label": label,
    })
}

fn event(numbers: &mut Numbers, environment: &Environment) -> Event {
    let person = numbers.below(PEOPLE);
    let actor = Actor {
        address: Some(format!("10.0.4.{}", person % 250)),
        kind: ActorKind::User,
        name: format!("person{person}"),
        session: None,
        user: Some(UserId::from(id(3, person))),
    };
    let question = format!("What does the manual say about the pump in hall {}?", numbers.below(4_000));
    let (action, detail) = match numbers.below(8) {
        0..=1 => (Action::QuestionAsked, json!({ "question": question })),
        2..=3 => {
            let passages: Vec<Value> = (1..=5).map(|rank| passage(numbers, rank)).collect();
            (Action::PassagesShown, json!({ "query": question, "passages": passages }))
        }
        4..=5 => {
            let text = "The pump is switched off before the valve is opened, and its pressure is noted. [1] ".repeat(3);
            (Action::AnswerFinished, json!({ "state": "finished", "label": "internal", "model": "m", "text": text }))
        }
        6 => (Action::DocumentOpened, json!({ "exists": true, "version": 1, "content": "5e".repeat(32) })),
        _ => (Action::SignInSucceeded, json!({ "user_agent": "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101" })),
    };
    let document = id(1, numbers.below(DOCUMENTS));
    Event::new(action, &actor, OperationId::new(environment)).on("document", document.simple(), "Manual").detail(detail)
}

#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a figure")]
fn per_second(events: u64, took: Duration) -> u64 {
    (events as f64 / took.as_secs_f64()) as u64
}

/// The median and the longest of some runs, in milliseconds.
async fn time<T>(runs: u32, mut run: impl AsyncFnMut(u32) -> T) -> Value {
    let mut times = Vec::new();
    for number in 0..runs {
        let begin = Instant::now();
        run(number).await;
        times.push(begin.elapsed().as_secs_f64() * 1000.0);
    }
    times.sort_by(f64::total_cmp);
    json!({ "median": times[times.len() / 2], "longest": times[times.len() - 1] })
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let events: u64 = arguments.next().map_or(1_000_000, |count| count.parse().unwrap());
    let temporary = tempfile::tempdir().unwrap();
    let folder = arguments.next().map_or(temporary.path().to_owned(), PathBuf::from);
    println!("{:#}", measure(events, &folder).await);
}

async fn write(events: u64, store: &Store) -> Duration {
    let mut numbers = Numbers(7);
    let begin = Instant::now();
    for _ in 0..events.div_ceil(IN_A_TRANSACTION) {
        let mut act = store.begin().await.unwrap();
        for _ in 0..IN_A_TRANSACTION {
            act.record(event(&mut numbers, store.environment())).await.unwrap();
        }
        act.commit().await.unwrap();
    }
    begin.elapsed()
}

async fn lists(store: &Store, events: u64, from: jiff::Timestamp, to: jiff::Timestamp) -> Value {
    let all = AuditFilter::default;
    let list = async |filter: AuditFilter, before: Option<u64>| {
        let _ = store.audit_entries(&filter, before, 50).await.unwrap();
    };
    let text = |text: &str| AuditFilter { text: Some(text.to_owned()), ..all() };
    let of = |run: u32| AuditFilter { document: Some(id(1, u64::from(run)).to_string()), ..all() };
    let person = |run: u32| AuditFilter { actor: Some(format!("person{run}")), ..all() };
    let newest = time(50, async |_| list(all(), None).await).await;
    let middle = time(50, async |run| list(all(), Some(events / 2 + u64::from(run))).await).await;
    let by_person = time(50, async |run| list(person(run), None).await).await;
    let action = AuditFilter { action: Some(Action::DocumentOpened), ..all() };
    let by_action = time(50, async |_| list(action.clone(), None).await).await;
    let label = AuditFilter { label: Some(domain::Label::Secret), ..all() };
    let by_label = time(50, async |_| list(label.clone(), None).await).await;
    let span = AuditFilter { from: Some(from), to: Some(to), ..all() };
    let by_time = time(10, async |_| list(span.clone(), None).await).await;
    let by_document = time(50, async |run| list(of(run), None).await).await;
    let by_text = time(5, async |_| list(text("hall 3999?"), None).await).await;
    let nowhere = time(3, async |_| list(text("no such words"), None).await).await;
    json!({
        "newest": newest, "middle": middle, "person": by_person, "action": by_action, "label": by_label,
        "time": by_time, "document": by_document, "text": by_text, "text_that_is_nowhere": nowhere,
    })
}

async fn measure(events: u64, folder: &Path) -> Value {
    let environment = Environment::system();
    let store = Store::open(&folder.join("carrel.db"), environment.clone()).await.unwrap();
    let key = SigningKey::generate(&environment);
    let start = environment.now();
    let wrote = write(events, &store).await;
    let quarter = |quarters: u32| start + jiff::SignedDuration::try_from(wrote * quarters / 4).unwrap();
    let events = store.audit_last().await.unwrap().unwrap().0;
    let lists = lists(&store, events, quarter(1), quarter(3)).await;
    let passage = time(50, async |run| store.readers_of(id(2, u64::from(run)), 200).await.unwrap().len()).await;
    let readers = time(20, async |run| store.readers_of(id(1, u64::from(run)), 200).await.unwrap().len()).await;
    let chart = time(3, async |_| store.audit_counts(start, environment.now()).await.unwrap().len()).await;

    let file = folder.join("audit.jsonl");
    let mut export = json!({});
    for format in Format::ALL {
        let path = if format == Format::Jsonl { file.clone() } else { folder.join("audit.other") };
        let writer = BufWriter::with_capacity(1 << 20, File::create(path).unwrap());
        let begin = Instant::now();
        store.export_audit(format, &AuditFilter::default(), &key, writer).await.unwrap();
        export[format.as_str()] = json!(per_second(events, begin.elapsed()));
    }
    let begin = Instant::now();
    let checkpoint = store.checkpoint(&key).await.unwrap();
    let signing = begin.elapsed().as_secs_f64() * 1000.0;
    let begin = Instant::now();
    let reader = BufReader::with_capacity(1 << 20, File::open(&file).unwrap());
    assert_eq!(verify(reader, Some(&key.public())).unwrap().entries, events);
    let verified = per_second(events, begin.elapsed());
    let begin = Instant::now();
    assert_eq!(store.check_audit(Some(&key.public())).await.unwrap().unwrap().entries, events);
    let checked = per_second(events, begin.elapsed());
    let proof = time(3, async |run| store.prove_event(1 + u64::from(run) * 1000, &key).await.unwrap()).await;
    json!({
        "events": events, "checkpoint_size": checkpoint.size,
        "database_bytes": std::fs::metadata(folder.join("carrel.db")).unwrap().len(),
        "file_bytes": std::fs::metadata(&file).unwrap().len(),
        "write_per_s": per_second(events, wrote), "export_per_s": export, "verify_per_s": verified,
        "check_database_per_s": checked, "first_checkpoint_ms": signing, "proof_ms": proof, "list_ms": lists,
        "readers_ms": { "passage": passage, "document": readers }, "counts_by_action_ms": chart,
    })
}
