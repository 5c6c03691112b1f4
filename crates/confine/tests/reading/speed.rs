//! What a worker costs. Run by hand: `cargo test --release -p confine --test reading -- --ignored speed`.

use crate::common::{pool, test, text};
use confine::Settings;
use libtest_mimic::Trial;
use std::io::{self, Write};
use std::time::Instant;

pub fn tests() -> Vec<Trial> {
    vec![test("speed_of_small_files", small_files).with_ignored_flag(true)]
}

const FILES: usize = 2000;

async fn small_files() {
    let content = "A short note about the printer on the second floor.\n\n".repeat(40);
    let mut output = io::stderr();
    let confinement = pool(Settings::default()).check().await.unwrap();
    writeln!(output, "{confinement}").unwrap();
    for (workers, files_per_worker) in [(1, 100), (2, 100), (1, 1), (2, 1)] {
        let pool = pool(Settings { workers, files_per_worker, ..Settings::default() });
        let began = Instant::now();
        let readings: Vec<_> = (0..workers)
            .map(|_| {
                let (pool, content) = (pool.clone(), content.clone());
                tokio::spawn(async move {
                    for _ in 0..FILES / workers {
                        assert!(!text(&pool, "note.txt", &content).await.is_empty());
                    }
                })
            })
            .collect();
        for reading in readings {
            reading.await.unwrap();
        }
        let rate = FILES as f64 / began.elapsed().as_secs_f64();
        writeln!(output, "{workers} workers, new after {files_per_worker} files: {rate:.0} files/s").unwrap();
    }
}
