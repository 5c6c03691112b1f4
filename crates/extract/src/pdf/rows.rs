//! Finds rows of tables among the lines of a page.

use super::glyphs::Line;
use super::paragraphs::{self, Setting};
use crate::outline::list_item;
use domain::Area;

/// The most lines of one cell; taller neighbours are columns of text.
const CELL_LINES: usize = 10;

/// What stands on a page, in reading order.
#[derive(Debug)]
pub(super) enum Item {
    Line(Line),
    /// Cells from left to right, and the box around them.
    Row(Vec<String>, Area),
}

impl Item {
    fn as_line(&self) -> Option<&Line> {
        match self {
            Self::Line(line) => Some(line),
            Self::Row(..) => None,
        }
    }
}

struct Cell {
    left: f64,
    right: f64,
    lines: Vec<Line>,
}

/// Groups lines in content order. A cell lies to the right of the one before it and not above the top of their row:
/// programs write tables cell by cell, so that the second cell goes up again if the first has several lines.
pub(super) fn group(lines: Vec<Line>, setting: &Setting) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    let mut row: Vec<Cell> = Vec::new();
    let mut lines = lines.into_iter();
    while let Some(line) = lines.next() {
        if line.is_in_column {
            finish(std::mem::take(&mut row), &mut items, setting);
            items.push(Item::Line(line));
            continue;
        }
        if row.is_empty() {
            if let Some(first) =
                first_cell(&mut items, &line).or_else(|| centred_cell(&mut items, &line, lines.as_slice()))
            {
                row = vec![first, Cell::new(line)];
            } else {
                items.push(Item::Line(line));
            }
            continue;
        }
        match place_in(&row, &line) {
            Place::NextCell => row.push(Cell::new(line)),
            Place::SameCell => {
                if let Some(cell) = row.last_mut() {
                    cell.push(line);
                }
            }
            Place::Outside => {
                finish(std::mem::take(&mut row), &mut items, setting);
                items.push(Item::Line(line));
            }
        }
    }
    finish(row, &mut items, setting);
    items
}

enum Place {
    NextCell,
    SameCell,
    Outside,
}

fn place_in(row: &[Cell], line: &Line) -> Place {
    const CELLS: usize = 200;
    let (Some(cell), Some(first)) = (row.last(), row.first()) else { return Place::Outside };
    if row.len() >= CELLS {
        return Place::Outside;
    }
    let (Some(last), Some(top)) = (
        cell.lines.last(),
        row.iter().filter_map(|cell| cell.lines.first()).map(|line| line.baseline).max_by(f64::total_cmp),
    ) else {
        return Place::Outside;
    };
    let size = line.size;
    if line.turn != last.turn {
        return Place::Outside;
    }
    let is_right = line.left >= cell.right - 0.2 * size || line.left > cell.left + 3.0 * size && line.left > last.right;
    let goes_up = line.baseline > last.baseline - 0.3 * size;
    let bottom =
        row.iter().filter_map(|cell| cell.lines.last()).map(|line| line.baseline).fold(f64::INFINITY, f64::min);
    let in_row = line.baseline <= top + 0.6 * size && line.baseline >= bottom - 1.6 * size;
    if (line.is_beside || goes_up) && is_right && in_row {
        return Place::NextCell;
    }
    let below = last.baseline - line.baseline;
    // Lines of a cell are aligned on the left, on the right or in the middle.
    let is_aligned =
        [line.left - last.left, line.right - last.right, (line.left + line.right - last.left - last.right) / 2.0]
            .iter()
            .any(|distance| distance.abs() < 0.25 * size);
    let is_under =
        below > 0.3 * size && below < 1.6 * size && is_aligned && line.left > first.right.min(cell.left) - size;
    if is_under && cell.lines.len() < CELL_LINES && line.left > first.left + size {
        Place::SameCell
    } else {
        Place::Outside
    }
}

/// Takes the lines of a first cell back from the end of what was found, if `line` is the second cell of a row.
fn first_cell(items: &mut Vec<Item>, line: &Line) -> Option<Cell> {
    let Some(Item::Line(last)) = items.last() else { return None };
    let size = line.size.max(last.size);
    if line.turn != last.turn || line.left < last.right - 0.2 * size {
        return None;
    }
    let is_above = line.baseline > last.baseline + 0.3 * size;
    if !line.is_beside && !is_above {
        return None;
    }
    let mut taken = 1;
    if is_above {
        // Walk up the lines of the cell, at most to the one at the height of the second cell.
        loop {
            let at = items.len() - taken;
            let Item::Line(current) = &items[at] else { return None };
            if (current.baseline - line.baseline).abs() < 0.3 * size {
                break;
            }
            let above = at.checked_sub(1).and_then(|above| items.get(above));
            let continues = matches!(above, Some(Item::Line(above)) if (above.left - current.left).abs() < 0.25 * size
                && above.right <= line.left + 0.2 * size
                && (0.3 * size..1.5 * size).contains(&(above.baseline - current.baseline)));
            if !continues {
                // Cells centred in their row begin below the top of the first.
                if current.baseline < line.baseline - 0.3 * size {
                    return None;
                }
                break;
            }
            taken += 1;
            if taken > CELL_LINES {
                return None;
            }
        }
    }
    take_cell(items, taken)
}

/// Makes the last lines a cell.
fn take_cell(items: &mut Vec<Item>, count: usize) -> Option<Cell> {
    let mut lines = items.drain(items.len().checked_sub(count)?..).filter_map(|item| match item {
        Item::Line(line) => Some(line),
        Item::Row(..) => None,
    });
    let mut cell = Cell::new(lines.next()?);
    lines.for_each(|line| cell.push(line));
    Some(cell)
}

/// Takes a first cell back whose middle is as high as that of the taller second one, which begins with `line` and goes
/// on in `rest`.
fn centred_cell(items: &mut Vec<Item>, line: &Line, rest: &[Line]) -> Option<Cell> {
    const MOST: usize = 4;
    let size = line.size;
    let mut bottom = line.baseline;
    for below in rest.iter().take(CELL_LINES) {
        let is_next = (0.3 * size..1.6 * size).contains(&(bottom - below.baseline)) && below.turn == line.turn;
        if !is_next || (below.left - line.left).abs() > 0.25 * size {
            break;
        }
        bottom = below.baseline;
    }
    let middle = (line.baseline + bottom) / 2.0;
    let last = items.last().and_then(Item::as_line)?.baseline;
    let mut above: Option<&Line> = None;
    let mut found = None;
    for count in 1..=MOST.min(items.len()) {
        let Some(first) = items[items.len() - count].as_line() else { break };
        let is_stacked = above.is_none_or(|below| {
            (0.3 * size..1.6 * size).contains(&(first.baseline - below.baseline))
                && (first.left - below.left).abs() < 0.25 * size
        });
        let is_left = first.right <= line.left + 0.2 * size && first.turn == line.turn;
        // The second cell must be the taller one: else it would be a line of the same height.
        if !is_stacked || !is_left || first.baseline > line.baseline + 0.3 * size {
            break;
        }
        if ((first.baseline + last) / 2.0 - middle).abs() < 0.35 * size {
            found = Some(count);
        }
        above = Some(first);
    }
    take_cell(items, found.filter(|_| line.baseline - bottom > 0.3 * size)?)
}

fn finish(mut row: Vec<Cell>, items: &mut Vec<Item>, setting: &Setting) {
    // The mark of a list item or the number of a heading may stand far from its text.
    if let [mark, text] = row.as_mut_slice() {
        let gap = text.left - mark.right;
        let joined = format!("{} {}", mark.text(setting), text.text(setting));
        let is_number =
            mark.text(setting).chars().all(|c| c.is_ascii_digit() || c == '.') && mark.text(setting).contains('.');
        let is_near_number = gap < 2.0 * text.lines.first().map_or(0.0, |line| line.size)
            && mark.text(setting).chars().all(|c| c.is_ascii_digit());
        let first = text.lines.first().filter(|line| gap < 4.0 * line.size);
        if let (true, Some(first)) =
            (mark.lines.len() == 1 && (is_number || is_near_number || list_item(&joined).is_some()), first)
        {
            let mut line = first.clone();
            line.text = format!("{} {}", mark.text(setting), line.text);
            line.left = mark.left;
            line.area = mark.lines.iter().fold(line.area, |area, mark| area.around(mark.area));
            items.push(Item::Line(line));
            items.extend(text.lines.drain(1..).map(Item::Line));
            return;
        }
    }
    let area = row.iter().flat_map(|cell| &cell.lines).map(|line| line.area).reduce(Area::around);
    if let Some(area) = area {
        items.push(Item::Row(row.iter().map(|cell| cell.text(setting)).collect(), area));
    }
}

impl Cell {
    fn new(line: Line) -> Self {
        Self { left: line.left, right: line.right, lines: vec![line] }
    }

    fn push(&mut self, line: Line) {
        self.left = self.left.min(line.left);
        self.right = self.right.max(line.right);
        self.lines.push(line);
    }

    fn text(&self, setting: &Setting) -> String {
        let mut text = String::new();
        for line in &self.lines {
            paragraphs::append(&mut text, &line.text, setting);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::super::glyphs::line;
    use super::*;

    fn check(lines: Vec<Line>, expected: &[&str]) {
        let setting = Setting::of(std::iter::once(lines.as_slice()));
        let found: Vec<String> = group(lines, &setting)
            .into_iter()
            .map(|item| match item {
                Item::Line(line) => line.text,
                Item::Row(cells, _) => format!("[{}]", cells.join(" | ")),
            })
            .collect();
        assert_eq!(found, expected);
    }

    fn beside(mut line: Line) -> Line {
        line.is_beside = true;
        line
    }

    #[test]
    fn cells_of_one_line_each() {
        check(
            vec![
                line("Before.", 68.0, 700.0, 10.0),
                line("P1", 75.0, 680.0, 10.0),
                beside(line("System down", 129.0, 680.0, 10.0)),
                beside(line("4 hours", 345.0, 680.0, 10.0)),
                line("P2", 75.0, 660.0, 10.0),
                beside(line("Team stuck", 129.0, 660.0, 10.0)),
                line("After.", 68.0, 630.0, 10.0),
            ],
            &["Before.", "[P1 | System down | 4 hours]", "[P2 | Team stuck]", "After."],
        );
    }

    #[test]
    fn cells_of_several_lines() {
        check(
            vec![
                line("Class of", 75.0, 760.0, 10.0),
                line("fault", 75.0, 746.0, 10.0),
                line("Meaning", 144.0, 760.0, 10.0),
                line("On site", 358.0, 760.0, 10.0),
                line("1", 75.0, 725.0, 10.0),
                beside(line("Crane stands still, danger", 144.0, 725.0, 10.0)),
                line("to people", 144.0, 711.0, 10.0),
                line("2 hours", 358.0, 725.0, 10.0),
                line("2", 75.0, 690.0, 10.0),
                beside(line("Restricted", 144.0, 690.0, 10.0)),
            ],
            &[
                "[Class of fault | Meaning | On site]",
                "[1 | Crane stands still, danger to people | 2 hours]",
                "[2 | Restricted]",
            ],
        );
    }

    #[test]
    fn cells_centred_in_their_row() {
        check(
            vec![
                line("update", 50.0, 700.0, 10.0),
                line("Fetches what there", 150.0, 712.0, 10.0),
                line("is in all of the", 150.0, 700.0, 10.0),
                line("sources.", 150.0, 688.0, 10.0),
                line("search", 50.0, 664.0, 10.0),
                line("Name", 50.0, 652.0, 10.0),
                line("Looks for a package", 150.0, 670.0, 10.0),
                line("in all of the", 150.0, 658.0, 10.0),
                line("sources.", 150.0, 646.0, 10.0),
            ],
            &[
                "[update | Fetches what there is in all of the sources.]",
                "[search Name | Looks for a package in all of the sources.]",
            ],
        );
    }

    #[test]
    fn columns_of_text_are_no_row() {
        let column =
            |left: f64| (0..14).map(move |place| line("some words", left, 700.0 - 14.0 * f64::from(place), 10.0));
        check(column(50.0).chain(column(300.0)).collect(), &["some words"; 28]);
    }

    #[test]
    fn marks_belong_to_their_text() {
        check(
            vec![
                line("•", 80.0, 700.0, 10.0),
                beside(line("first", 100.0, 700.0, 10.0)),
                line("3.2", 80.0, 660.0, 10.0),
                beside(line("Annual leave", 110.0, 660.0, 10.0)),
            ],
            &["• first", "3.2 Annual leave"],
        );
    }
}
