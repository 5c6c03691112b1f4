//! Draws pages of files and says how long each took: `draw FOLDER-FOR-PNG WIDTH MOST-PAGES FILE...`. One line a file:
//! pages drawn, milliseconds a page in the middle and at most, the same for reading the file alone.
#![allow(clippy::print_stdout)]

use extract::Format;
use render::{Order, draw};
use std::path::Path;
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, width, most, files @ ..] = arguments.as_slice() else {
        return Err("draw FOLDER-FOR-PNG WIDTH MOST-PAGES FILE...".into());
    };
    let (width, most): (u32, u32) = (width.parse()?, most.parse()?);
    std::fs::create_dir_all(folder)?;
    let (mut all, mut failed) = (Vec::new(), 0);
    for file in files {
        let bytes = std::fs::read(file)?;
        let stem = Path::new(file).file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let mut times = Vec::new();
        for page in 1..=most {
            let began = Instant::now();
            match draw(bytes.clone(), &Order { format: Format::Pdf, page, width }) {
                Ok(picture) => {
                    times.push(began.elapsed().as_secs_f64() * 1e3);
                    std::fs::write(Path::new(folder).join(format!("{stem}-{page}.png")), &picture.png)?;
                }
                Err(render::RenderError::NoPage(_)) => break,
                Err(error) => {
                    failed += 1;
                    println!("{stem} page {page}: {error}");
                }
            }
        }
        println!("{stem}: {}", summary(&mut times));
        all.append(&mut times);
    }
    println!("all: {}, {failed} failed", summary(&mut all));
    Ok(())
}

fn summary(times: &mut [f64]) -> String {
    times.sort_by(f64::total_cmp);
    let at = |share: usize| times.get(times.len() * share / 100).copied().unwrap_or_default();
    let most = times.last().copied().unwrap_or_default();
    format!("{} pages, {:.0} ms in the middle, {:.0} ms p95, {most:.0} ms at most", times.len(), at(50), at(95))
}
