//! Measures an embedding model: sentences a second for a batch of texts of one length.
//!
//! `cargo run --release -p inference --example embed -- DIRECTORY [TOKENS [BATCH [f32|int8]]]`
#![allow(clippy::print_stdout)]

use inference::{Embedder, EmbedderOptions};
use std::path::Path;
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let directory = arguments.first().ok_or("usage: embed DIRECTORY [TOKENS [BATCH [f32|int8]]]")?;
    let number =
        |index: usize, default: usize| arguments.get(index).and_then(|text| text.parse().ok()).unwrap_or(default);
    let precision = arguments.get(3).map(|text| text.parse()).transpose()?.unwrap_or_default();
    let embedder = Embedder::load_with(Path::new(directory), EmbedderOptions { precision })?;
    // Two of the tokens are special.
    let text = "leave ".repeat(number(1, 256).saturating_sub(2));
    let texts = vec![text.as_str(); number(2, 32)];
    for _ in 0..4 {
        let started = Instant::now();
        embedder.embed(&texts)?;
        println!("{:.1} texts/s", texts.len() as f64 / started.elapsed().as_secs_f64());
    }
    Ok(())
}
