//! Runs a benchmark: prepares, repeats, reads the figures, takes medians.

use super::catalogue::{Benchmark, Case, Measure};
use super::place::Place;
use super::results::{PeerFigure, Row};
use crate::failure::{Context, Failure, Result};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What the placeholders in commands stand for.
#[derive(Debug)]
pub struct Setting {
    /// The server's release binary.
    pub carrel: PathBuf,
    /// A folder of our own for data directories.
    pub scratch: PathBuf,
    /// The sample documents.
    pub samples: PathBuf,
    /// The default generator.
    pub generate: PathBuf,
    /// The default embedder.
    pub embed: PathBuf,
    /// A retrieval set in BEIR's format.
    pub dataset: PathBuf,
}

impl Setting {
    /// Whether there is a retrieval set to measure with.
    pub fn has_dataset(&self) -> bool {
        self.dataset.join("corpus.jsonl").is_file()
    }

    fn dataset_name(&self) -> String {
        file_name(&self.dataset)
    }

    /// The command's words with every placeholder filled in.
    fn words(&self, command: &str, data: &Path) -> Vec<PathBuf> {
        let fill = |word: &str| match word {
            "{data}" => data.to_owned(),
            "{generate}" => self.generate.clone(),
            "{embed}" => self.embed.clone(),
            "{dataset}" => self.dataset.clone(),
            word => match word.strip_prefix("{samples}") {
                Some(below) => self.samples.join(below.trim_start_matches('/')),
                None => PathBuf::from(word),
            },
        };
        command.split_whitespace().map(fill).collect()
    }

    /// The command as a reader would type it: without this machine's folders.
    fn shown(&self, command: &str) -> String {
        let shown = command.replace("{samples}", "tests/samples").replace("{data}", "DIR");
        let shown = shown.replace("{generate}", &file_name(&self.generate)).replace("{embed}", &file_name(&self.embed));
        format!("carrel {}", shown.replace("{dataset}", &self.dataset_name()))
    }

    fn run(&self, command: &str, data: &Path) -> Result<Vec<u8>> {
        let mut process = Command::new(&self.carrel);
        process.args(self.words(command, data)).stdin(Stdio::null()).stderr(Stdio::inherit());
        let output = process.output().context(|| format!("cannot run {}", self.carrel.display()))?;
        if output.status.success() {
            Ok(output.stdout)
        } else {
            Err(Failure::new(format!("{} failed ({})", self.shown(command), output.status)))
        }
    }
}

/// A data directory that is gone when this is dropped.
struct DataDirectory(PathBuf);

impl DataDirectory {
    fn new(setting: &Setting, benchmark: &Benchmark) -> Result<Self> {
        let path = setting.scratch.join(format!("{}-{}", benchmark.name, std::process::id()));
        let made = crate::models::remove(&path).and_then(|()| std::fs::create_dir_all(&path));
        made.context(|| format!("cannot make {}", path.display()))?;
        let directory = Self(path);
        for command in benchmark.prepare {
            setting.run(command, &directory.0)?;
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

/// The medians of so many runs of every command of the benchmark.
pub fn measure(benchmark: &Benchmark, setting: &Setting, place: &Place, runs: usize) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let mut data = None;
    for case in benchmark.cases {
        println!("  {}", setting.shown(case.command));
        let mut outputs = Vec::new();
        for _ in 0..runs {
            if benchmark.fresh {
                // Gone before the next one is made: they have the same path.
                data = None;
            }
            if data.is_none() {
                data = Some(DataDirectory::new(setting, benchmark)?);
            }
            let Some(DataDirectory(path)) = &data else { continue };
            outputs.push(parse(&setting.run(case.command, path)?, &setting.shown(case.command))?);
        }
        for measure in case.measures {
            let row = row(benchmark, case, measure, &outputs, setting, place)?;
            println!("    {}: {} {}", row.measure, super::table::number(row.figure), row.unit);
            rows.push(row);
        }
    }
    Ok(rows)
}

fn parse(output: &[u8], shown: &str) -> Result<Value> {
    serde_json::from_slice(output).context(|| format!("the output of `{shown}` is not one JSON object"))
}

fn row(
    benchmark: &Benchmark,
    case: &Case,
    measure: &Measure,
    outputs: &[Value],
    setting: &Setting,
    place: &Place,
) -> Result<Row> {
    let shown = setting.shown(case.command);
    let read = |output: &Value| output.pointer(measure.pointer).and_then(Value::as_f64);
    let figures: Option<Vec<f64>> = outputs.iter().map(read).collect();
    let figure = figures.and_then(median);
    let figure = figure.ok_or_else(|| Failure::new(format!("`{shown}` printed no number at {}", measure.pointer)))?;
    let dataset = if benchmark.needs_dataset() { setting.dataset_name() } else { String::new() };
    let name = [dataset.as_str(), case.label, measure.name];
    let peer = measure.peer.filter(|peer| peer.dataset == dataset);
    Ok(Row {
        benchmark: benchmark.name.to_owned(),
        measure: name.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" "),
        figure: figure * measure.scale,
        unit: measure.unit.to_owned(),
        peer: peer.map(|peer| PeerFigure { name: peer.name.to_owned(), figure: peer.figure }),
        command: shown,
        runs: outputs.len(),
        date: place.date.clone(),
        machine: place.machine.clone(),
        versions: place.versions.clone(),
    })
}

fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    let upper = figures.get(middle)?;
    if figures.len() % 2 == 1 { Some(*upper) } else { Some((figures.get(middle - 1)? + upper) / 2.0) }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::catalogue::BENCHMARKS;
    use serde_json::json;

    fn setting() -> Setting {
        Setting {
            carrel: "/t/release/carrel".into(),
            scratch: "/t/bench".into(),
            samples: "/r/tests/samples".into(),
            generate: "/m/big model.gguf".into(),
            embed: "/m/mini".into(),
            dataset: "/e/scifact".into(),
        }
    }

    fn place() -> Place {
        Place { date: "2026-01-31".into(), machine: "a machine".into(), versions: "carrel 0.1.0".into() }
    }

    fn row_of(benchmark: &str, outputs: &[Value]) -> Result<Row> {
        let benchmark = BENCHMARKS.iter().find(|b| b.name == benchmark).unwrap();
        let case = &benchmark.cases[0];
        row(benchmark, case, &case.measures[0], outputs, &setting(), &place())
    }

    #[test]
    fn the_median_is_taken_and_the_peer_put_beside_it() {
        let outputs = [json!({"ndcg_at_10": 0.5}), json!({"ndcg_at_10": 0.7}), json!({"ndcg_at_10": 0.6})];
        let row = row_of("retrieval", &outputs).unwrap();
        assert_eq!((row.measure.as_str(), row.figure, row.runs), ("scifact lexical nDCG@10", 0.6, 3));
        assert_eq!(row.peer.unwrap().figure, 0.679);
        assert_eq!(row.command, "carrel eval retrieval --dataset scifact --mode lexical --json --data DIR");
        assert_eq!(median(vec![4.0, 1.0]), Some(2.5));
        assert_eq!(median(vec![]), None);
    }

    #[test]
    fn a_figure_that_one_run_did_not_print_is_a_failure_not_a_zero() {
        let fault = row_of("generate", &[json!({"ttft_ms": 9}), json!({})]).unwrap_err().to_string();
        assert!(fault.contains("/ttft_ms"), "{fault}");
    }

    #[test]
    fn placeholders_become_one_word_each_and_none_is_left() {
        let setting = setting();
        for benchmark in BENCHMARKS {
            for command in benchmark.cases.iter().map(|case| case.command).chain(benchmark.prepare.iter().copied()) {
                let words = setting.words(command, Path::new("/t/bench/data"));
                assert_eq!(words.len(), command.split_whitespace().count());
                let left: String =
                    words.iter().map(|word| word.to_string_lossy()).chain([setting.shown(command).into()]).collect();
                assert!(!left.contains(['{', '}']), "{left}");
            }
        }
    }
}
