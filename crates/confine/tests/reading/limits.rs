//! Files that take their reader over, break it, or ask too much: each costs itself.

use crate::common::{costs_one_file, one_worker, pool, read, test, text};
use confine::{Allowance, Settings};
use libtest_mimic::Trial;
use std::path::Path;
use std::time::Duration;

pub fn tests() -> Vec<Trial> {
    vec![
        test("a_loop_takes_too_long", wall),
        test("processor_time_is_limited", cpu),
        test("a_crash_is_told_as_one", crashes),
        test("memory_is_limited", memory),
        test("what_a_file_gives_is_limited", output),
        test("files_cannot_be_touched", files),
        test("network_processes_and_limits_cannot_be_touched", calls),
        test("a_worker_that_grew_makes_way", growth),
        test("a_worker_makes_way_after_its_files", number),
    ]
}

const fn seconds(seconds: u64) -> Allowance {
    Allowance { base: Duration::from_secs(seconds), per_mib: Duration::ZERO }
}

async fn wall() {
    let pool = pool(Settings { wall: seconds(3), ..one_worker() });
    costs_one_file(&pool, "loop", "longer than 3 seconds").await;
    costs_one_file(&pool, "sleep", "longer than 3 seconds").await;
}

async fn cpu() {
    let pool = pool(Settings { cpu: seconds(1), ..one_worker() });
    costs_one_file(&pool, "loop", "longer than 1 seconds").await;
}

async fn crashes() {
    let pool = pool(one_worker());
    costs_one_file(&pool, "abort", "crashed").await;
    costs_one_file(&pool, "exit", "crashed").await;
    costs_one_file(&pool, "panic", "crashed").await;
    costs_one_file(&pool, "recurse", "nested too deeply").await;
    costs_one_file(&pool, "complain", "crashed").await;
}

async fn memory() {
    let pool = pool(one_worker());
    costs_one_file(&pool, "allocate", "more than 512 MB of memory").await;
    costs_one_file(&pool, "allocate bit by bit", "more than 512 MB of memory").await;
}

async fn output() {
    let limits = extract::Limits { entries: 50, unpacked_bytes: 1 << 20, ..one_worker().limits };
    let pool = pool(Settings { limits, output_bytes: 20 << 20, ..one_worker() });
    assert_eq!(text(&pool, "much text", "x").await.lines().count(), 20_000);
    costs_one_file(&pool, "too much text", "more than the limit of 20 MiB").await;
    costs_one_file(&pool, "too many children", "the number of files in it is more than the limit of 50").await;
    costs_one_file(&pool, "too large children", "more than the limit of 1 MiB").await;
}

async fn files() {
    let pool = pool(one_worker());
    costs_one_file(&pool, "open", "not possible: Permission denied").await;
    costs_one_file(&pool, "list", "not possible: Permission denied").await;
    costs_one_file(&pool, "write", "not possible: Permission denied").await;
    assert!(!Path::new("/tmp/written-by-a-hostile-file").exists());
    costs_one_file(&pool, "remove", "try what it may not").await;
}

async fn calls() {
    let pool = pool(one_worker());
    for act in ["connect", "listen", "send", "fork", "kill", "take more memory"] {
        costs_one_file(&pool, act, "try what it may not").await;
    }
}

async fn growth() {
    let pool = pool(Settings { resident_growth_bytes: 100 << 20, memory_bytes: 1 << 30, ..one_worker() });
    let first = text(&pool, "process", "x").await;
    assert_eq!(text(&pool, "process", "x").await, first);
    read(&pool, "keep memory", "x").await.unwrap();
    assert_ne!(text(&pool, "process", "x").await, first);
}

async fn number() {
    let pool = pool(Settings { files_per_worker: 2, ..one_worker() });
    let mut processes = Vec::new();
    for _ in 0..4 {
        processes.push(text(&pool, "process", "x").await);
    }
    assert!(processes[0] == processes[1] && processes[1] != processes[2] && processes[2] == processes[3]);
}
