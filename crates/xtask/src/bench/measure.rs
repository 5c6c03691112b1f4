//! Runs a benchmark: prepares, runs Carrel and its rivals in turns, reads the figures, takes medians.

use super::benchmark::{Benchmark, Case, Measure, Peer, Rival};
use super::place::Place;
use super::results::{PeerFigure, Row};
use super::setting::Setting;
use crate::failure::{Context, Failure, Result};
use serde_json::Value;
use std::path::PathBuf;

/// Vectors of one text from two engines have at least this cosine, rounding to 8 bits included.
const AGREEMENT: f64 = 0.99;

/// A data directory that is gone when this is dropped.
struct DataDirectory(PathBuf);

impl DataDirectory {
    fn new(setting: &Setting, benchmark: &Benchmark) -> Result<Self> {
        let path = setting.scratch.join(format!("{}-{}", benchmark.name, std::process::id()));
        let made = crate::models::remove(&path).and_then(|()| std::fs::create_dir_all(&path));
        made.context(|| format!("cannot make {}", path.display()))?;
        let directory = Self(path);
        for command in benchmark.prepare {
            setting.run(&format!("carrel {command}"), &directory.0)?;
        }
        Ok(directory)
    }
}

impl Drop for DataDirectory {
    fn drop(&mut self) {
        // What cannot be removed lies in the target folder, where it does no harm.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What the runs of one case printed, run by run.
#[derive(Debug, Default)]
struct Outputs {
    ours: Vec<Value>,
    /// One list a rival; an output is the array of its commands' outputs.
    rivals: Vec<Vec<Value>>,
}

/// The medians of so many runs of every command of the benchmark. Without `peers` only Carrel is run.
pub fn measure(
    benchmark: &Benchmark,
    setting: &mut Setting,
    place: &Place,
    runs: usize,
    peers: bool,
) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let mut data = None;
    for case in benchmark.cases {
        let rivals = if peers { case.rivals } else { &[] };
        for rival in rivals {
            setting.provide(rival.commands)?;
        }
        println!("  {}", shown(setting, case));
        let mut outputs = Outputs { ours: Vec::new(), rivals: vec![Vec::new(); rivals.len()] };
        for _ in 0..runs {
            if benchmark.fresh {
                // Gone before the next one is made: they have the same path.
                data = None;
            }
            if data.is_none() {
                data = Some(DataDirectory::new(setting, benchmark)?);
            }
            let Some(DataDirectory(path)) = &data else { continue };
            // In turns: whatever else slows this machine for a while slows all of them.
            outputs.ours.push(setting.figures(&format!("carrel {}", case.command), path)?);
            for (rival, outputs) in rivals.iter().zip(&mut outputs.rivals) {
                let figures = rival.commands.iter().map(|command| setting.figures(command, path));
                outputs.push(Value::Array(figures.collect::<Result<_>>()?));
            }
        }
        for (rival, theirs) in rivals.iter().zip(&outputs.rivals) {
            check_agreement(rival, &outputs.ours, theirs)?;
        }
        for measure in case.measures {
            let row = row(benchmark, case, measure, &outputs, setting, place)?;
            let number = super::table::number;
            let peer = row.peer.as_ref().map_or_else(String::new, |p| format!(" ({}: {})", p.name, number(p.figure)));
            println!("    {}: {} {}{peer}", row.measure, number(row.figure), row.unit);
            rows.push(row);
        }
    }
    Ok(rows)
}

fn shown(setting: &Setting, case: &Case) -> String {
    setting.shown(&format!("carrel {}", case.command))
}

fn row(
    benchmark: &Benchmark,
    case: &Case,
    measure: &Measure,
    outputs: &Outputs,
    setting: &Setting,
    place: &Place,
) -> Result<Row> {
    let shown = shown(setting, case);
    let figure = median_at(&outputs.ours, measure.pointer);
    let figure = figure.ok_or_else(|| Failure::new(format!("`{shown}` printed no number at {}", measure.pointer)))?;
    let dataset = if benchmark.needs_dataset() { setting.dataset_name() } else { String::new() };
    let name = [dataset.as_str(), case.label, measure.name];
    Ok(Row {
        benchmark: benchmark.name.to_owned(),
        measure: name.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" "),
        figure: figure * measure.scale,
        unit: measure.unit.to_owned(),
        peer: peer(case, measure, outputs, setting, &dataset)?,
        command: shown,
        runs: outputs.ours.len(),
        date: place.date.clone(),
        machine: place.machine.clone(),
        versions: place.versions.clone(),
    })
}

fn peer(
    case: &Case,
    measure: &Measure,
    outputs: &Outputs,
    setting: &Setting,
    dataset: &str,
) -> Result<Option<PeerFigure>> {
    let named = |name: &str, figure: f64, command| Some(PeerFigure { name: name.to_owned(), figure, command });
    Ok(match measure.peer {
        Some(Peer::Published { name, figure, dataset: of }) if of == dataset => named(name, figure, None),
        Some(Peer::Same { name, pointer }) => {
            let missing = || Failure::new(format!("no number at {pointer}"));
            named(name, median_at(&outputs.ours, pointer).ok_or_else(missing)? * measure.scale, None)
        }
        Some(Peer::Rival { number, pointers }) => match (case.rivals.get(number), outputs.rivals.get(number)) {
            (Some(rival), Some(theirs)) => {
                let best = pointers.iter().filter_map(|pointer| median_at(theirs, pointer)).max_by(f64::total_cmp);
                let missing = || Failure::new(format!("{} printed no number at {}", rival.name, pointers.join(" or ")));
                let command: Vec<String> = rival.commands.iter().map(|command| setting.shown(command)).collect();
                named(rival.name, best.ok_or_else(missing)? * measure.scale, Some(command.join("; ")))
            }
            _ => None,
        },
        Some(Peer::Published { .. }) | None => None,
    })
}

/// Fails when the rival computed something else than Carrel did.
fn check_agreement(rival: &Rival, ours: &[Value], theirs: &[Value]) -> Result<()> {
    let Some((our_pointer, their_pointer)) = rival.agreement else { return Ok(()) };
    let vector = |outputs: &[Value], pointer: &str| -> Option<Vec<f64>> {
        outputs.first()?.pointer(pointer)?.as_array()?.iter().map(Value::as_f64).collect()
    };
    let cosine = match (vector(ours, our_pointer), vector(theirs, their_pointer)) {
        (Some(a), Some(b)) if a.len() == b.len() => {
            let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
            dot(&a, &b) / (dot(&a, &a) * dot(&b, &b)).sqrt()
        }
        _ => f64::NAN,
    };
    if cosine >= AGREEMENT {
        return Ok(());
    }
    let what = "the figures would compare different work";
    Err(Failure::new(format!("Carrel's vector and that of {} have the cosine {cosine}: {what}", rival.name)))
}

/// The median over the runs; `None` when one run has no number there.
fn median_at(outputs: &[Value], pointer: &str) -> Option<f64> {
    median(outputs.iter().map(|output| output.pointer(pointer).and_then(Value::as_f64)).collect::<Option<_>>()?)
}

fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    let upper = figures.get(middle)?;
    if figures.len() % 2 == 1 { Some(*upper) } else { Some((figures.get(middle - 1)? + upper) / 2.0) }
}

#[cfg(test)]
mod tests;
