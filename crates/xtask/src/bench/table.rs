//! docs/benchmarks.md: the tables between two marks; what people write around them stays.

use super::results::Row;
use crate::failure::{Context, Failure, Result};
use std::fmt::Write;
use std::path::Path;

const BEGIN: &str = "<!-- tables: written by `cargo xtask bench` from benchmarks.json, not by hand -->";
const END: &str = "<!-- end of tables -->";
const NEW_PAGE: &str = "# Benchmarks\n\n`cargo xtask bench [NAME]` measures the release binary from outside and writes \
this page; each figure is a median.\nThe ratio is Carrel's figure by the peer's: above 1 is better for a rate or a \
share, below 1 for a time.\n";

/// Writes the tables into the page, which is made when it is not there.
pub fn write(page: &Path, rows: &[Row]) -> Result<()> {
    let old = std::fs::read_to_string(page).unwrap_or_else(|_| format!("{NEW_PAGE}\n{BEGIN}\n{END}\n"));
    let new = splice(&old, &render(rows)).map_err(|fault| Failure::new(format!("{}: {fault}", page.display())))?;
    std::fs::write(page, new).context(|| format!("cannot write {}", page.display()))
}

fn splice(page: &str, tables: &str) -> std::result::Result<String, &'static str> {
    let (before, rest) = page.split_once(BEGIN).ok_or("the mark where the tables begin is missing; put it back")?;
    let (_, after) = rest.split_once(END).ok_or("the mark where the tables end is missing; put it back")?;
    Ok(format!("{before}{BEGIN}\n\n{tables}{END}{after}"))
}

fn render(rows: &[Row]) -> String {
    let benchmarks = distinct(rows.iter().map(|row| row.benchmark.as_str()));
    let places = distinct(rows.iter().map(place));
    let mut text = String::new();
    for benchmark in benchmarks {
        let rows = || rows.iter().filter(|row| row.benchmark == benchmark);
        text += &format!("## {benchmark}\n\n");
        text += "| measure | Carrel | unit | peer | peer's | ratio | date | place |\n";
        text += "|---|---:|---|---|---:|---:|---|---|\n";
        for row in rows() {
            let at = places.iter().position(|known| *known == place(row)).map_or(0, |at| at + 1);
            let (peer, figure, ratio) = row.peer.as_ref().map_or_else(
                || ("–".to_owned(), "–".to_owned(), "–".to_owned()),
                |peer| (cell(&peer.name), number(peer.figure), format!("{:.2}", row.figure / peer.figure)),
            );
            let (measure, own, unit, date) = (cell(&row.measure), number(row.figure), cell(&row.unit), cell(&row.date));
            let _ = writeln!(text, "| {measure} | {own} | {unit} | {peer} | {figure} | {ratio} | {date} | {at} |");
        }
        text.push('\n');
        for command in distinct(rows().map(|row| (row.command.as_str(), row.runs))) {
            let _ = writeln!(text, "- `{}`, {}", command.0, runs(command.1));
        }
        let peers = rows().filter_map(|row| row.peer.as_ref());
        for (name, command) in distinct(peers.filter_map(|peer| Some((&peer.name, peer.command.as_ref()?)))) {
            let _ = writeln!(text, "- in turn with it, {name}: `{command}`");
        }
        text.push('\n');
    }
    if !places.is_empty() {
        text += "## Places\n\n";
        for (number, (machine, versions)) in (1..).zip(&places) {
            let _ = writeln!(text, "{number}. {machine}; {versions}");
        }
        text.push('\n');
    }
    text
}

fn place(row: &Row) -> (&str, &str) {
    (&row.machine, &row.versions)
}

fn runs(runs: usize) -> String {
    if runs == 1 { "one run".to_owned() } else { format!("median of {runs} runs") }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// About four digits, as many as these figures can bear.
pub fn number(figure: f64) -> String {
    match figure.abs() {
        size if size >= 1_000.0 => format!("{figure:.0}"),
        size if size >= 10.0 => format!("{figure:.1}"),
        size if size >= 1.0 => format!("{figure:.2}"),
        _ => format!("{figure:.4}"),
    }
}

fn distinct<T: PartialEq>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut seen = Vec::new();
    for item in items {
        if !seen.contains(&item) {
            seen.push(item);
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::super::results::{PeerFigure, example};
    use super::*;

    #[test]
    fn a_row_shows_figure_peer_ratio_date_and_place() {
        let peer = Some(PeerFigure { name: "BM25 a|b".to_owned(), figure: 0.679, command: Some("other -x".into()) });
        let other_machine = "another machine".to_owned();
        let text = render(&[
            Row { peer, ..example("retrieval", "lexical nDCG@10", 0.6763) },
            Row { unit: "ms".to_owned(), ..example("retrieval", "latency p50", 12.345) },
            Row { machine: other_machine, runs: 1, ..example("embed", "128 tokens", 61.27) },
        ]);
        let expected = "\
## retrieval

| measure | Carrel | unit | peer | peer's | ratio | date | place |
|---|---:|---|---|---:|---:|---|---|
| lexical nDCG@10 | 0.6763 |  | BM25 a\\|b | 0.6790 | 1.00 | 2026-01-31 | 1 |
| latency p50 | 12.3 | ms | – | – | – | 2026-01-31 | 1 |

- `carrel bench retrieval --json`, median of 3 runs
- in turn with it, BM25 a|b: `other -x`

## embed

| measure | Carrel | unit | peer | peer's | ratio | date | place |
|---|---:|---|---|---:|---:|---|---|
| 128 tokens | 61.3 |  | – | – | – | 2026-01-31 | 2 |

- `carrel bench embed --json`, one run

## Places

1. a machine, 2 cores; carrel 0.1.0
2. another machine; carrel 0.1.0

";
        assert_eq!(text, expected);
    }

    #[test]
    fn the_text_around_the_tables_stays() {
        let folder = tempfile::TempDir::new().unwrap();
        let page = folder.path().join("benchmarks.md");
        write(&page, &[example("embed", "old", 1.0)]).unwrap();
        let by_hand = std::fs::read_to_string(&page).unwrap().replace("# Benchmarks", "# Ours") + "\nAfterwards.\n";
        std::fs::write(&page, by_hand).unwrap();
        write(&page, &[example("embed", "new", 2.0)]).unwrap();

        let text = std::fs::read_to_string(&page).unwrap();
        assert!(text.starts_with("# Ours") && text.ends_with("\nAfterwards.\n"), "{text}");
        assert!(text.contains("| new |") && !text.contains("| old |"), "{text}");
    }

    #[test]
    fn a_page_without_marks_is_not_overwritten() {
        assert!(splice("# Ours\n", "tables").is_err());
        assert!(splice(&format!("# Ours\n{BEGIN}\n"), "tables").is_err());
    }
}
