//! docs/benchmarks.json: every figure that was measured, each with how it can be measured again.

use crate::failure::{Context, Result};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// All rows, in the order of the page.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Results {
    rows: Vec<Row>,
}

/// One figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// The benchmark's name.
    pub benchmark: String,
    /// What was measured; unique within the benchmark and machine.
    pub measure: String,
    /// The median.
    pub figure: f64,
    /// Its unit; empty for a share.
    pub unit: String,
    /// Somebody else's figure in the same unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<PeerFigure>,
    /// The command that gives it.
    pub command: String,
    /// How many runs the median is of.
    pub runs: usize,
    /// ISO 8601.
    pub date: String,
    /// Processor, cores, memory, system.
    pub machine: String,
    /// The server's and the compiler's.
    pub versions: String,
}

/// Somebody else's figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerFigure {
    /// Whose.
    pub name: String,
    /// In the row's unit.
    pub figure: f64,
    /// The command that gives it, run in turn with the row's; none for a published figure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

impl Results {
    /// Reads the file; one that is not there has no rows.
    pub fn read(file: &Path) -> Result<Self> {
        match std::fs::read_to_string(file) {
            Ok(text) => serde_json::from_str(&text).context(|| format!("cannot understand {}", file.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).context(|| format!("cannot read {}", file.display())),
        }
    }

    /// Puts new figures in the places of the same machine's old ones; what was not measured again stays with its date.
    pub fn merge(&mut self, new: Vec<Row>) {
        for row in new {
            let same = |old: &Row| {
                (&old.benchmark, &old.measure, &old.machine) == (&row.benchmark, &row.measure, &row.machine)
            };
            match self.rows.iter_mut().find(|old| same(old)) {
                Some(old) => *old = row,
                None => {
                    let after = self.rows.iter().rposition(|old| old.benchmark == row.benchmark);
                    self.rows.insert(after.map_or(self.rows.len(), |at| at + 1), row);
                }
            }
        }
    }

    /// Writes the file.
    pub fn write(&self, file: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self).context(|| "cannot write the figures as JSON".to_owned())?;
        std::fs::write(file, text + "\n").context(|| format!("cannot write {}", file.display()))
    }

    /// The figures.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }
}

#[cfg(test)]
pub fn example(benchmark: &str, measure: &str, figure: f64) -> Row {
    Row {
        benchmark: benchmark.to_owned(),
        measure: measure.to_owned(),
        figure,
        unit: String::new(),
        peer: None,
        command: format!("carrel bench {benchmark} --json"),
        runs: 3,
        date: "2026-01-31".to_owned(),
        machine: "a machine, 2 cores".to_owned(),
        versions: "carrel 0.1.0".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_figure_replaces_its_own_row_only() {
        let mut results = Results::default();
        results.merge(vec![
            example("embed", "128", 60.0),
            example("embed", "256", 20.0),
            example("search", "p50", 9.0),
        ]);
        results.merge(vec![example("embed", "256", 25.0), example("embed", "512", 8.0)]);

        let rows: Vec<_> = results.rows().iter().map(|row| (row.measure.as_str(), row.figure)).collect();
        assert_eq!(rows, [("128", 60.0), ("256", 25.0), ("512", 8.0), ("p50", 9.0)]);

        // Another machine's stands beside it.
        let other = Row { machine: "another machine".to_owned(), ..example("embed", "128", 30.0) };
        results.merge(vec![other]);
        let rows: Vec<_> = results.rows().iter().map(|row| (row.measure.as_str(), row.figure)).collect();
        assert_eq!(rows, [("128", 60.0), ("256", 25.0), ("512", 8.0), ("128", 30.0), ("p50", 9.0)]);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("benchmarks.json");
        assert!(Results::read(&file).unwrap().rows().is_empty());

        let mut results = Results::default();
        let peer = Some(PeerFigure { name: "other".to_owned(), figure: 0.679, command: Some("other -x".to_owned()) });
        results.merge(vec![Row { peer, ..example("retrieval", "nDCG@10", 0.6763) }]);
        results.write(&file).unwrap();
        assert_eq!(Results::read(&file).unwrap().rows(), results.rows());

        std::fs::write(&file, "{\"rows\": [{}]}").unwrap();
        assert!(Results::read(&file).unwrap_err().to_string().contains("cannot understand"));
    }
}
