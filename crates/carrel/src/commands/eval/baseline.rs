//! Figures beside those of an earlier release.

use crate::site::Failure;
use serde_json::Value;
use std::path::Path;

/// What changed against the figures in `file`: those that this command printed, or docs/quality.json, where the run is
/// looked for by the name of its set. One line a figure.
pub(super) fn differences(file: &Path, set: &str, figures: &Value) -> Result<Vec<String>, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let whole: Value = serde_json::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))?;
    let before = match whole.get("runs") {
        Some(runs) => {
            let missing = || format!("{} has no run of '{set}'; name another file", file.display());
            runs.get(set).ok_or_else(missing)?
        }
        None => &whole,
    };
    let (before, now) = (numbers(before), numbers(figures));
    let mut lines = Vec::new();
    for (name, now) in &now {
        lines.push(match before.iter().find(|(other, _)| other == name) {
            Some((_, before)) => format!("{name:34} {before:>10.3} {now:>10.3} {:>+10.3}", now - before),
            None => format!("{name:34} {:>10} {now:>10.3}", "-"),
        });
    }
    let gone = before.iter().filter(|(name, _)| !now.iter().any(|(other, _)| other == name));
    lines.extend(gone.map(|(name, before)| format!("{name:34} {before:>10.3} {:>10}", "-")));
    Ok(lines)
}

/// All numbers of an object by their names, those of objects in it as `outer.inner`.
fn numbers(figures: &Value) -> Vec<(String, f64)> {
    let mut found = Vec::new();
    for (name, value) in figures.as_object().into_iter().flatten() {
        match value {
            Value::Number(number) => found.extend(number.as_f64().map(|number| (name.clone(), number))),
            Value::Object(_) => {
                found.extend(numbers(value).into_iter().map(|(inner, number)| (format!("{name}.{inner}"), number)));
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_figure_is_set_beside_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("quality.json");
        let before = json!({ "runs": { "samples": { "answer_match": 0.7, "gone": 1, "ttft_ms": { "p50": 900 } } } });
        std::fs::write(&file, before.to_string()).unwrap();
        let now = json!({ "answer_match": 0.8, "ttft_ms": { "p50": 850 }, "new": 0.5, "text": "x" });
        let lines = differences(&file, "samples", &now).unwrap();
        let line = |name: &str| lines.iter().find(|line| line.starts_with(name)).unwrap().clone();
        assert!(line("answer_match").ends_with("+0.100") && line("ttft_ms.p50").ends_with("-50.000"), "{lines:?}");
        assert!(line("new").contains("-") && line("gone").trim_end().ends_with('-') && lines.len() == 4);
        assert!(differences(&file, "other", &now).is_err());
    }
}
