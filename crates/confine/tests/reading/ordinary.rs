//! Files that are read, or refused as they should be.

use crate::common::{one_worker, pool, read, test, text};
use confine::{Landlock, Progress, ReadFailure, Receiver, ReceiverError, RefusalKind, Settings, Source};
use extract::{Child, Format};
use libtest_mimic::Trial;
use std::collections::BTreeSet;
use std::io::Write;

pub fn tests() -> Vec<Trial> {
    vec![
        test("a_file_is_read_as_without_a_worker", as_without_a_worker),
        test("a_refusal_arrives_with_its_sentence", refusals),
        test("a_large_file_comes_from_disk", from_disk),
        test("much_text_comes_in_order", much_text),
        test("files_in_a_file_and_news_arrive", children_and_news),
        test("a_failing_receiver_ends_the_reading", failing_receiver),
        test("eight_files_share_two_workers", eight_files),
        test("what_a_library_prints_disturbs_nobody", printing),
        test("a_worker_has_threads_and_no_environment", threads_and_environment),
        test("a_worker_is_confined", confined),
    ]
}

#[derive(Default)]
struct Heard {
    children: Vec<Child>,
    news: Vec<Progress>,
    fails: bool,
}

impl Receiver for Heard {
    async fn child(&mut self, child: Child) -> Result<(), ReceiverError> {
        self.children.push(child);
        if self.fails { Err("the disk is full".into()) } else { Ok(()) }
    }

    fn progress(&mut self, progress: Progress) {
        self.news.push(progress);
    }
}

async fn as_without_a_worker() {
    let html = "<html><head><title>Leave</title></head><body><h1>Leave</h1><p>Ask early.</p></body></html>";
    let reading = read(&pool(one_worker()), "handbook/leave.html", html).await.unwrap();
    let limits = Settings::default().limits;
    let expected = extract::extract(html.as_bytes(), Format::Html, &limits, &mut extract::Alone).unwrap();
    assert_eq!((reading.format, reading.extracted), (Format::Html, expected));
}

async fn refusals() {
    let pool = pool(one_worker());
    for (content, kind) in [("", RefusalKind::Empty), ("MZ\u{90}\0 a program", RefusalKind::UnknownKind)] {
        let failure = read(&pool, "brought.txt", content).await.unwrap_err();
        let expected = extract::sniff(content.as_bytes(), "brought.txt").unwrap_err();
        assert!(!failure.may_pass());
        assert_eq!(failure.to_string(), expected.to_string());
        assert!(matches!(failure, ReadFailure::Refused(refusal) if refusal.kind == kind));
    }
    let small = Settings { limits: extract::Limits { unpacked_bytes: 1 << 20, ..one_worker().limits }, ..one_worker() };
    let failure = read(&crate::common::pool(small), "large.txt", &"x".repeat(2 << 20)).await.unwrap_err();
    assert!(failure.to_string().contains("its size is more than the limit of 1 MiB"), "{failure}");
}

async fn from_disk() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let line = "A line of a long report that somebody wrote.\n\n";
    let lines = (20 << 20) / line.len();
    for _ in 0..lines {
        file.write_all(line.as_bytes()).unwrap();
    }
    file.flush().unwrap();
    let pool = pool(one_worker());
    let read = pool.read("report.txt", Source::File(file.path()), &mut Heard::default()).await.unwrap();
    assert_eq!(read.extracted.blocks.len(), lines);
    let missing = pool.read("x", Source::File("/nowhere/at/all".as_ref()), &mut Heard::default()).await.unwrap_err();
    assert!(missing.may_pass() && matches!(missing, ReadFailure::Source(_)));
    let folder = pool.read("x", Source::File("/".as_ref()), &mut Heard::default()).await.unwrap_err();
    assert!(matches!(folder, ReadFailure::Source(_)));
}

async fn much_text() {
    let content: String = (0..50_000).map(|number| format!("Paragraph {number}.\n\n")).collect();
    let read = text(&pool(one_worker()), "many.txt", &content).await;
    assert!(read.lines().enumerate().all(|(number, line)| line == format!("Paragraph {number}.")));
    assert_eq!(read.lines().count(), 50_000);
}

async fn children_and_news() {
    let mut heard = Heard::default();
    let source = Source::Bytes(b"x");
    pool(one_worker()).read("children", source, &mut heard).await.unwrap();
    let expected = (0..3).map(|number| Child { name: format!("folder/{number}"), bytes: vec![number; 10] });
    assert_eq!(heard.children, expected.collect::<Vec<_>>());
    assert_eq!(heard.news.last(), Some(&Progress { pictures: 3 }));
}

async fn failing_receiver() {
    let mut heard = Heard { fails: true, ..Heard::default() };
    let pool = pool(one_worker());
    let failure = pool.read("children", Source::Bytes(b"x"), &mut heard).await.unwrap_err();
    assert!(failure.to_string().contains("the disk is full") && failure.may_pass());
    assert_eq!(heard.children.len(), 1);
    assert_eq!(text(&pool, "a.txt", "Next.").await, "Next.");
}

async fn eight_files() {
    let pool = pool(Settings { workers: 2, ..one_worker() });
    let readings: Vec<_> = (0..8)
        .map(|number| {
            let pool = pool.clone();
            tokio::spawn(async move {
                let content = format!("File {number}.");
                assert_eq!(text(&pool, "a.txt", &content).await, content);
                text(&pool, "process", "x").await
            })
        })
        .collect();
    let mut processes = BTreeSet::new();
    for reading in readings {
        processes.insert(reading.await.unwrap());
    }
    assert!((1..=2).contains(&processes.len()), "{processes:?}");
}

async fn printing() {
    let pool = pool(one_worker());
    assert_eq!(text(&pool, "print", "x").await, "printed");
    assert_eq!(text(&pool, "a.txt", "Next.").await, "Next.");
}

async fn threads_and_environment() {
    assert!(std::env::vars().count() > 0, "the test itself has no environment to hide");
    let pool = pool(one_worker());
    assert_eq!(text(&pool, "threads", "x").await, "6");
    assert_eq!(text(&pool, "environment", "x").await, "");
}

async fn confined() {
    let confinement = pool(one_worker()).check().await.unwrap();
    assert!(confinement.seccomp && confinement.rlimits, "{confinement}");
    // Older kernels have less of it; what there is must be used.
    let has_landlock = std::fs::read_to_string("/sys/kernel/security/lsm").is_ok_and(|list| list.contains("landlock"));
    assert!(!has_landlock || confinement.landlock != Landlock::None, "{confinement}");
}
