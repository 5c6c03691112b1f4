//! Workers that are killed, left, or outlive nobody.

use crate::common::{gone, one_worker, pool, role, test, text};
use confine::{Dropped, ReadFailure, Receiver, ReceiverError, Settings, Source};
use extract::Child;
use libtest_mimic::Trial;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{ExitCode, Stdio};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

pub fn tests() -> Vec<Trial> {
    vec![
        test("a_worker_killed_from_outside_is_replaced", killed),
        test("an_idle_worker_killed_from_outside_is_replaced", killed_idle),
        test("a_dropped_reading_kills_its_worker_only", dropped),
        test("a_dropped_pool_kills_its_workers", dropped_pool),
        test("a_worker_ends_with_its_server", orphaned),
    ]
}

/// Tells the names of children, as which the hostile reader gives the number of its process.
struct Names(UnboundedSender<String>);

impl Receiver for Names {
    async fn child(&mut self, child: Child) -> Result<(), ReceiverError> {
        Ok(self.0.send(child.name)?)
    }
}

fn kill(process: &str) {
    let process = rustix::process::Pid::from_raw(process.parse().unwrap()).unwrap();
    rustix::process::kill_process(process, rustix::process::Signal::KILL).unwrap();
}

async fn killed() {
    let pool = pool(one_worker());
    let (names, mut heard) = unbounded_channel();
    let killer = tokio::spawn(async move {
        let process: String = heard.recv().await.unwrap();
        kill(&process);
    });
    let failure = pool.read("process, then loop", Source::Bytes(b"x"), &mut Names(names)).await.unwrap_err();
    killer.await.unwrap();
    assert!(matches!(failure, ReadFailure::Interrupted) && failure.may_pass(), "{failure:?}");
    assert_eq!(text(&pool, "a.txt", "Next.").await, "Next.");
}

async fn killed_idle() {
    let pool = pool(one_worker());
    for _ in 0..3 {
        let process = text(&pool, "process", "x").await;
        kill(&process);
        gone(&process).await;
        assert_ne!(text(&pool, "process", "x").await, process);
    }
}

async fn dropped() {
    let pool = pool(Settings { workers: 2, ..one_worker() });
    let (names, mut heard) = unbounded_channel();
    let loops = pool.clone();
    let reading =
        tokio::spawn(async move { loops.read("process, then loop", Source::Bytes(b"x"), &mut Names(names)).await });
    let process = heard.recv().await.unwrap();
    let other = text(&pool, "process", "x").await;
    reading.abort();
    gone(&process).await;
    assert_eq!(text(&pool, "process", "x").await, other);
}

async fn dropped_pool() {
    let pool = pool(one_worker());
    let process = text(&pool, "process", "x").await;
    drop(pool);
    gone(&process).await;
}

/// The server of the next test: has one worker loop, and tells its number.
pub fn hold_a_worker() -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let (names, mut heard) = unbounded_channel();
        tokio::spawn(async move {
            let process = heard.recv().await.unwrap();
            let mut output = io::stdout();
            writeln!(output, "{process}").unwrap();
        });
        let pool = pool(one_worker());
        text(&pool, "process", "x").await;
        drop(pool.read("process, then loop", Source::Bytes(b"x"), &mut Names(names)).await);
        drop(pool.read("sleep", Source::Bytes(b"x"), &mut Dropped).await);
    });
    ExitCode::SUCCESS
}

async fn orphaned() {
    let mut server = role("hold-a-worker").stdout(Stdio::piped()).stdin(Stdio::null()).spawn().unwrap();
    let mut process = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut process).unwrap();
    server.kill().unwrap();
    server.wait().unwrap();
    gone(process.trim()).await;
}
