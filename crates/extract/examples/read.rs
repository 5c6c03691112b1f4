//! Reads files and says how fast: `read [--text] FILE…`. With `--text` it shows their blocks.

#![allow(clippy::print_stdout)]

use extract::{Alone, Limits, extract, sniff};
use std::time::Instant;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let with_text = arguments.iter().any(|argument| argument == "--text");
    let (mut files, mut pages, mut seconds) = (0_u32, 0_u32, 0.0);
    for path in arguments.iter().filter(|argument| *argument != "--text") {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) => {
                println!("{path}: {error}");
                continue;
            }
        };
        let begin = Instant::now();
        let extracted = sniff(&bytes, path).and_then(|format| extract(&bytes, format, &Limits::default(), &mut Alone));
        let took = begin.elapsed().as_secs_f64();
        files += 1;
        seconds += took;
        let extracted = match extracted {
            Ok(extracted) => extracted,
            Err(error) => {
                println!("{path}: {error}");
                continue;
            }
        };
        let read = extracted.pages.unwrap_or(0);
        pages += read;
        println!(
            "{path}: {read} pages, {} blocks, {took:.3} s, {:.0} pages/s, {} MiB at most",
            extracted.blocks.len(),
            f64::from(read) / took,
            peak_memory_mib()
        );
        println!("  title {:?}, author {:?}", extracted.title, extracted.author);
        println!("  created {:?}, modified {:?}", extracted.created_at, extracted.modified_at);
        for warning in &extracted.warnings {
            println!("  warning: {warning}");
        }
        if with_text {
            for block in &extracted.blocks {
                let page = block.location.page.unwrap_or(0);
                let area = block.location.area.map_or_else(String::new, |area| {
                    format!(" [{} {} {} {}]", area.left, area.top, area.right, area.bottom)
                });
                println!("{page}{area} {:?}: {}", block.kind, block.text);
            }
        }
    }
    println!(
        "{files} files, {pages} pages, {seconds:.2} s: {:.1} files/s, {:.0} pages/s",
        f64::from(files) / seconds,
        f64::from(pages) / seconds
    );
}

/// The most memory that the process ever held, in MiB; 0 where the system does not say.
fn peak_memory_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).map_or(0, |kib| kib / 1024)
}
