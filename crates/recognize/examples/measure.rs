//! Reads pictures and says how well and how fast: `measure MODELS PICTURE…`, where beside each `NAME.png` lies the
//! text that it shows, `NAME.txt`. With `--text`, the text that was read instead. Where the name of a picture goes on
//! after a `@`, as in `NAME@skewed.png`, it shows the same text.

use extract::Picture;
use recognize::{Options, Recognizer};
use std::error::Error;
use std::path::Path;
use std::time::Instant;

#[allow(clippy::print_stdout)]
fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let shows_text = arguments.iter().any(|argument| argument == "--text");
    arguments.retain(|argument| argument != "--text");
    let (models, pictures) = arguments.split_first().ok_or("usage: measure [--text] MODELS PICTURE…")?;
    let recognizer = Recognizer::load(Path::new(models), Options::default())?;
    let (mut all_faults, mut all_letters) = (0, 0);
    for path in pictures {
        let image = image::ImageReader::open(path)?.decode()?.into_luma8();
        let picture = Picture { width: image.width(), height: image.height(), grey: image.into_raw() };
        let began_at = Instant::now();
        let lines = recognizer.recognize(&picture)?;
        let seconds = began_at.elapsed().as_secs_f64();
        let text: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
        if shows_text {
            println!("{}", text.join("\n"));
            continue;
        }
        let name = path.split('@').next().unwrap_or(path).trim_end_matches(".png");
        let expected = letters(&std::fs::read_to_string(format!("{name}.txt"))?);
        let faults = distance(&letters(&text.join(" ")), &expected);
        println!(
            "{path}: {:.2} % of {} letters wrong, {seconds:.2} s",
            percent(faults, expected.len()),
            expected.len()
        );
        (all_faults, all_letters) = (all_faults + faults, all_letters + expected.len());
    }
    if all_letters > 0 {
        println!("all: {:.2} % of {all_letters} letters wrong", percent(all_faults, all_letters));
    }
    Ok(())
}

fn percent(part: usize, whole: usize) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}

/// The letters of a text, each run of white space as one space.
fn letters(text: &str) -> Vec<char> {
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().collect()
}

/// Levenshtein's distance: letters to insert, drop or change.
fn distance(one: &[char], other: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (place, letter) in one.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = place + 1;
        for (column, wanted) in other.iter().enumerate() {
            let changed = diagonal + usize::from(letter != wanted);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}
