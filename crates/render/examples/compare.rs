//! How far pictures of the same names in two folders are apart: `compare FOLDER FOLDER`. Prints the mean difference of
//! the grey of their pixels, 0 to 255, over all pictures and for the five that differ most.
#![allow(clippy::print_stdout)]

use image::GrayImage;
use image::imageops::{FilterType, resize};
use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [one, other] = arguments.as_slice() else { return Err("compare FOLDER FOLDER".into()) };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(one)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_owned();
        let beside = Path::new(other).join(&name);
        if beside.exists() {
            let (first, second) = (image::open(&path)?.into_luma8(), image::open(&beside)?.into_luma8());
            found.push((difference(&first, &second), name.to_string_lossy().into_owned()));
        }
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    let count = u32::try_from(found.len().max(1))?;
    let mean = found.iter().map(|(difference, _)| difference).sum::<f64>() / f64::from(count);
    let middle = found.get(found.len() / 2).map_or(0.0, |(difference, _)| *difference);
    println!("{} pictures, mean difference {mean:.2} of 255, {middle:.2} in the middle", found.len());
    found.iter().take(5).for_each(|(difference, name)| println!("{difference:.2} {name}"));
    Ok(())
}

/// Rounding may make one of them a row longer: the other is brought to its size.
fn difference(one: &GrayImage, other: &GrayImage) -> f64 {
    let (width, height) = one.dimensions();
    let other = match other.dimensions() == one.dimensions() {
        true => other.clone(),
        false => resize(other, width, height, FilterType::Triangle),
    };
    let sum: u64 = one.iter().zip(other.iter()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / (f64::from(width) * f64::from(height))
}
