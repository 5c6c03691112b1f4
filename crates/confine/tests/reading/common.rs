//! What the tests share.

use confine::{Dropped, Pool, ReadFailure, Reading, Settings, Source};
use libtest_mimic::Trial;
use std::process::Command;
use std::time::Duration;

/// A test that runs on a runtime of its own.
pub fn test<F: Future<Output = ()> + 'static>(name: &str, run: fn() -> F) -> Trial {
    Trial::test(name, move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        runtime.block_on(run());
        Ok(())
    })
}

/// This executable in one of its roles.
pub fn role(role: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg(role);
    command
}

/// One worker, so that the next file meets what the one before left.
pub fn one_worker() -> Settings {
    Settings { workers: 1, memory_bytes: 512 << 20, ..Settings::default() }
}

pub fn pool(settings: Settings) -> Pool {
    Pool::new(role("read-documents"), settings)
}

/// Reads a file with this name, which says what to do, and this content.
pub async fn read(pool: &Pool, name: &str, content: &str) -> Result<Reading, ReadFailure> {
    pool.read(name, Source::Bytes(content.as_bytes()), &mut Dropped).await
}

/// What the file says, blocks joined by line breaks.
pub async fn text(pool: &Pool, name: &str, content: &str) -> String {
    let reading = read(pool, name, content).await.unwrap_or_else(|failure| panic!("{name}: {failure:?}"));
    let texts: Vec<_> = reading.extracted.blocks.into_iter().map(|block| block.text).collect();
    texts.join("\n")
}

/// The file fails with this in its sentence and will not be tried again; the next one is read.
pub async fn costs_one_file(pool: &Pool, name: &str, sentence: &str) {
    // Once by a new worker, once by one that has read another file.
    for _ in 0..2 {
        let failure = read(pool, name, "anything").await.map(drop).unwrap_err();
        assert!(failure.to_string().contains(sentence), "{name}: {failure:?}");
        assert!(!failure.may_pass(), "{name}: {failure:?}");
        assert_eq!(text(pool, "next.txt", "The next one.").await, "The next one.", "after {name}");
    }
}

/// Waits until the process is gone, or dead and nobody asked how it ended.
pub async fn gone(process: &str) {
    for _ in 0..600 {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        if stat.rsplit_once(')').is_none_or(|(_, rest)| rest.trim_start().starts_with(['Z', 'X'])) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("process {process} is still there");
}
