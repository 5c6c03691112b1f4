//! Reading order: the order of a page's content, except where its geometry says otherwise (after Breuel 2003).

use super::glyphs::Line;

/// More runs than this are left in the order of the content.
const RUNS: usize = 600;

/// Lines that were written one below the other.
struct Run {
    lines: Vec<Line>,
    left: f64,
    right: f64,
    /// The first and last baseline.
    top: f64,
    bottom: f64,
    size: f64,
}

/// Puts what stands above before what stands below, and a column before the one to the right of it. Turned lines come
/// last.
pub(super) fn sort(lines: Vec<Line>) -> Vec<Line> {
    let Some(turn) = lines.first().map(|line| line.turn) else { return lines };
    let (upright, turned): (Vec<Line>, Vec<Line>) = lines.into_iter().partition(|line| line.turn == turn);
    let mut runs: Vec<Run> = Vec::new();
    for line in upright {
        match runs.last_mut() {
            Some(run) if run.takes(&line) => run.push(line),
            _ => runs.push(Run::new(line)),
        }
    }
    let mut sorted: Vec<Line> = Vec::new();
    for run in topological(runs) {
        sorted.extend(run.lines);
    }
    sorted.extend(turned);
    sorted
}

/// Of those that nothing unread must precede, always the first in the order of the content.
fn topological(runs: Vec<Run>) -> Vec<Run> {
    let count = runs.len();
    if !(2..=RUNS).contains(&count) {
        return runs;
    }
    let mut waits_for: Vec<Vec<bool>> = (0..count)
        .map(|after| (0..count).map(|before| before != after && runs[before].precedes(&runs[after])).collect())
        .collect();
    // Most pages are written as they are read.
    if waits_for.iter().enumerate().all(|(after, before)| !before[after..].contains(&true)) {
        return runs;
    }
    let mut order = Vec::with_capacity(count);
    let mut left: Vec<usize> = (0..count).collect();
    while !left.is_empty() {
        let free = left.iter().position(|&run| left.iter().all(|&other| !waits_for[run][other]));
        // In a circle, the order of the content decides.
        let run = left.remove(free.unwrap_or(0));
        waits_for[run].clear();
        order.push(run);
    }
    let mut runs: Vec<Option<Run>> = runs.into_iter().map(Some).collect();
    order.into_iter().filter_map(|run| runs[run].take()).collect()
}

impl Run {
    fn new(line: Line) -> Self {
        let Line { left, right, baseline, size, .. } = line;
        Self { lines: vec![line], left, right, top: baseline, bottom: baseline, size }
    }

    fn push(&mut self, line: Line) {
        self.left = self.left.min(line.left);
        self.right = self.right.max(line.right);
        self.top = self.top.max(line.baseline);
        self.bottom = self.bottom.min(line.baseline);
        self.size = self.size.max(line.size);
        self.lines.push(line);
    }

    fn takes(&self, line: &Line) -> bool {
        let Some(last) = self.lines.last() else { return true };
        if line.is_beside {
            return true;
        }
        let down = last.baseline - line.baseline;
        let overlap = self.right.min(line.right) - self.left.max(line.left);
        down > 0.0 && down < 2.5 * self.size.max(line.size) && overlap > 0.0
    }

    fn precedes(&self, other: &Self) -> bool {
        let size = self.size.min(other.size);
        let across = self.right.min(other.right) - self.left.max(other.left);
        let narrower = (self.right - self.left).min(other.right - other.left);
        if across > 0.1 * narrower {
            return self.bottom > other.top + 0.3 * size;
        }
        // Side by side.
        let down = (self.top + self.size).min(other.top + other.size) - self.bottom.max(other.bottom);
        self.right <= other.left + 0.1 * narrower && down > 0.5 * size
    }
}

#[cfg(test)]
mod tests {
    use super::super::glyphs::line;
    use super::*;

    fn check(lines: Vec<Line>, expected: &[&str]) {
        let found: Vec<String> = sort(lines).into_iter().map(|line| line.text).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn content_in_a_strange_order_is_sorted() {
        check(
            vec![
                line("foot", 50.0, 100.0, 8.0),
                line("right 1", 300.0, 600.0, 10.0),
                line("right 2", 300.0, 588.0, 10.0),
                line("left 1", 50.0, 600.0, 10.0),
                line("left 2", 50.0, 588.0, 10.0),
                line("a title over both of the columns, wide enough", 50.0, 700.0, 18.0),
            ],
            &["a title over both of the columns, wide enough", "left 1", "left 2", "foot", "right 1", "right 2"],
        );
    }

    #[test]
    fn cells_stay_in_their_rows() {
        let cells = ["a1", "b1", "a2", "b2"];
        let place = |at: usize| (50.0 + 200.0 * (at % 2) as f64, 700.0 - 30.0 * (at / 2) as f64);
        let lines = cells.iter().enumerate().map(|(at, text)| line(text, place(at).0, place(at).1, 10.0)).collect();
        check(lines, &cells);
    }
}
