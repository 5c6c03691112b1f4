//! Columns of text whose lines a program wrote across the page: the left one comes first, as a whole.

use super::glyphs::Line;

/// The fewest lines side by side that are believed to be columns, and characters of such a line on average.
const ROWS: usize = 6;
const CHARACTERS: usize = 20;
/// The most columns of a page.
const COLUMNS: usize = 6;

/// Puts columns that were written line by line across the page one after the other.
pub(super) fn untangle(lines: Vec<Line>) -> Vec<Line> {
    untangle_up_to(lines, COLUMNS)
}

fn untangle_up_to(lines: Vec<Line>, most: usize) -> Vec<Line> {
    if most < 2 || lines.iter().filter(|line| line.is_beside).count() < ROWS {
        return lines;
    }
    let mut rows: Vec<Vec<Line>> = Vec::new();
    for line in lines {
        match rows.last_mut() {
            Some(row) if line.is_beside => row.push(line),
            _ => rows.push(vec![line]),
        }
    }
    let mut result = Vec::new();
    let mut rows = rows.into_iter().peekable();
    while let Some(row) = rows.next() {
        let mut gutter = Gutter { from: f64::NEG_INFINITY, to: f64::INFINITY };
        if row.len() < 2 || !gutter.narrow(&row) {
            result.extend(row);
            continue;
        }
        let mut span = vec![row];
        while let Some(next) = rows.next_if(|next| follows(&span, next) && gutter.narrow(next)) {
            span.push(next);
        }
        if is_prose(&span, &gutter) {
            let (mut left, mut right) = (Vec::new(), Vec::new());
            for line in span.into_iter().flatten() {
                if line.right <= gutter.from + 0.5 { left.push(line) } else { right.push(line) }
            }
            for column in [&mut left, &mut right] {
                for place in 0..column.len() {
                    let is_beside = place > 0 && (column[place].baseline - column[place - 1].baseline).abs() < 1.0;
                    column[place].is_beside &= is_beside;
                    column[place].is_in_column = true;
                }
            }
            result.extend(left);
            result.extend(untangle_up_to(right, most - 1));
        } else {
            result.extend(span.into_iter().flatten());
        }
    }
    result
}

/// What is empty between two columns.
struct Gutter {
    from: f64,
    to: f64,
}

impl Gutter {
    /// Takes one more row in, if it leaves a gap; says whether it does.
    fn narrow(&mut self, row: &[Line]) -> bool {
        const NARROWEST: f64 = 6.0;
        let gap = row.windows(2).map(|pair| (pair[0].right, pair[1].left)).find_map(|(left, right)| {
            let (from, to) = (self.from.max(left), self.to.min(right));
            (to - from >= NARROWEST).then_some((from, to))
        });
        let alone = || {
            let line = row.first().filter(|_| row.len() == 1)?;
            match () {
                () if line.right <= self.to - NARROWEST => Some((self.from.max(line.right), self.to)),
                () if line.left >= self.from + NARROWEST => Some((self.from, self.to.min(line.left))),
                () => None,
            }
        };
        match gap.or_else(alone) {
            Some((from, to)) => {
                (self.from, self.to) = (from, to);
                true
            }
            None => false,
        }
    }
}

/// Whether a row goes on below the ones before it.
fn follows(span: &[Vec<Line>], next: &[Line]) -> bool {
    let (Some(last), Some(next)) = (span.last().and_then(|row| row.first()), next.first()) else { return false };
    let down = last.baseline - next.baseline;
    next.turn == last.turn && down > 0.0 && down < 4.0 * last.size.max(next.size)
}

/// Whether both sides are running text rather than cells of a table: long lines, most of which fill their column.
fn is_prose(span: &[Vec<Line>], gutter: &Gutter) -> bool {
    if span.iter().filter(|row| row.len() > 1).count() < ROWS {
        return false;
    }
    [true, false].into_iter().all(|is_left| {
        let side: Vec<&Line> =
            span.iter().flatten().filter(|line| (line.right <= gutter.from + 0.5) == is_left).collect();
        // A right side that is several columns is judged by the first of them.
        let first_left = side.iter().map(|line| line.left).fold(f64::INFINITY, f64::min);
        let size = side.first().map_or(10.0, |line| line.size);
        let side: Vec<&&Line> = side.iter().filter(|line| line.left < first_left + 3.0 * size).collect();
        let widest = side.iter().map(|line| line.right - line.left).fold(0.0, f64::max);
        let filling = side.iter().filter(|line| line.right - line.left > 0.88 * widest).count();
        let characters: usize = side.iter().map(|line| line.text.chars().count()).sum();
        side.len() >= ROWS && filling * 2 >= side.len() && characters >= CHARACTERS * side.len()
    })
}

#[cfg(test)]
mod tests {
    use super::super::glyphs::line;
    use super::*;

    fn rows(columns: &[&str], rows: usize) -> Vec<Line> {
        let mut lines = Vec::new();
        for row in 0..rows {
            for (column, text) in columns.iter().enumerate() {
                let mut line = line(text, 50.0 + 160.0 * column as f64, 700.0 - 12.0 * row as f64, 10.0);
                line.is_beside = column > 0;
                lines.push(line);
            }
        }
        lines
    }

    #[test]
    fn two_and_three_columns_are_read_one_after_the_other() {
        let columns = ["left words that fill it all", "more words that fill it all", "last words that fill it all"];
        for count in [2, 3] {
            let found: Vec<String> = untangle(rows(&columns[..count], 8)).into_iter().map(|line| line.text).collect();
            let expected: Vec<&str> = columns[..count].iter().flat_map(|text| [*text; 8]).collect();
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn tables_stay_as_they_are() {
        let table = rows(&["short", "cells of a table, no text"], 12);
        assert_eq!(untangle(table.clone()), table);
        let few = rows(&["left words that fill it all", "more words that fill it all"], 3);
        assert_eq!(untangle(few.clone()), few);
    }
}
