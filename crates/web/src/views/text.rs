//! The text of a passage as paragraphs, lists and tables. A passage keeps its blocks as lines: cells of a row are
//! separated by ` | `, and rows of a sheet carry the names of their columns (`Name: Ada | Rooms: 3`).

/// A piece of a passage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TextBlock<'a> {
    /// Running text.
    Paragraph(&'a str),
    /// Items of a list, without their marks.
    List(Vec<&'a str>),
    /// A table.
    Table(Table<'a>),
}

/// Rows of cells, all of the same number.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table<'a> {
    /// Names of the columns; none where they are not known.
    pub header: Vec<&'a str>,
    /// The cells, row by row.
    pub rows: Vec<Vec<&'a str>>,
}

/// More columns than this are not gathered by their names.
const COLUMNS: usize = 60;

/// What a list item begins with.
const MARKS: [&str; 5] = ["• ", "- ", "– ", "* ", "▪ "];

/// The blocks of these lines. On a sheet one row alone is a table, elsewhere it may be a sentence with a bar in it.
#[must_use]
pub fn text_blocks<'a>(lines: &[&'a str], is_sheet: bool) -> Vec<TextBlock<'a>> {
    let mut blocks = Vec::new();
    let mut rest = lines;
    while let [first, ..] = rest {
        let rows = run(rest, |line| cells(line).len() > 1);
        let items = run(rest, |line| item(line).is_some());
        let taken = if rows >= 2 || (rows == 1 && is_sheet) {
            blocks.push(TextBlock::Table(Table::of(&rest[..rows])));
            rows
        } else if items > 0 {
            blocks.push(TextBlock::List(rest[..items].iter().filter_map(|line| item(line)).collect()));
            items
        } else {
            blocks.push(TextBlock::Paragraph(first));
            1
        };
        rest = &rest[taken..];
    }
    blocks
}

/// How many lines from the first on are of a kind.
fn run(lines: &[&str], is_of_it: impl Fn(&str) -> bool) -> usize {
    lines.iter().take_while(|line| is_of_it(line)).count()
}

/// The cells of a row: bars between spaces part them, and empty ones have but a space (`a | | c`).
fn cells(line: &str) -> Vec<&str> {
    let mut cells = Vec::new();
    let mut begin = 0;
    for (bar, _) in line.match_indices(" |") {
        let end = bar + " |".len();
        if bar >= begin && (end == line.len() || line[end..].starts_with(' ')) {
            cells.push(line[begin..bar].trim());
            begin = end;
        }
    }
    cells.push(line[begin..].trim());
    cells
}

fn item(line: &str) -> Option<&str> {
    MARKS.iter().find_map(|mark| line.strip_prefix(mark)).map(str::trim)
}

impl<'a> Table<'a> {
    fn of(lines: &[&'a str]) -> Self {
        Self::named(lines).unwrap_or_else(|| Self::plain(lines))
    }

    /// Rows whose cells all say which column they stand in. Empty cells were left out of them.
    fn named(lines: &[&'a str]) -> Option<Self> {
        let mut header: Vec<&str> = Vec::new();
        let mut rows = Vec::new();
        for line in lines {
            let named: Option<Vec<(&str, &str)>> = cells(line).into_iter().map(|cell| cell.split_once(": ")).collect();
            let mut row: Vec<(usize, &str)> = Vec::new();
            for (name, value) in named? {
                let column = header.iter().position(|known| *known == name).unwrap_or_else(|| {
                    header.push(name);
                    header.len() - 1
                });
                if header.len() > COLUMNS || row.iter().any(|(taken, _)| *taken == column) {
                    return None;
                }
                row.push((column, value));
            }
            rows.push(row);
        }
        let fill = |row: Vec<(usize, &'a str)>| {
            let mut cells = vec![""; header.len()];
            row.into_iter().for_each(|(column, value)| cells[column] = value);
            cells
        };
        let rows = rows.into_iter().map(fill).collect();
        Some(Self { header, rows })
    }

    fn plain(lines: &[&'a str]) -> Self {
        let mut rows: Vec<Vec<&str>> = lines.iter().map(|line| cells(line)).collect();
        let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
        rows.iter_mut().for_each(|row| row.resize(columns, ""));
        Self { header: Vec::new(), rows }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_name_their_columns_become_a_table_with_a_header() {
        let lines = ["Name: Ada | Rooms: 3", "Name: Ben | Floor: 2: left | Rooms: 1"];
        let table = Table {
            header: vec!["Name", "Rooms", "Floor"],
            rows: vec![vec!["Ada", "3", ""], vec!["Ben", "1", "2: left"]],
        };
        assert_eq!(text_blocks(&lines, true), [TextBlock::Table(table)]);
    }

    #[test]
    fn other_rows_keep_their_cells_in_place() {
        let lines = ["Minutes", "Band | Pay", "A", "B1 | 27,600 | from May |x|", "B2 | | late"];
        let blocks = text_blocks(&lines, false);
        let [first, second, third, ..] = lines.map(TextBlock::Paragraph);
        assert_eq!(blocks[..3], [first, second, third], "one row alone may be a sentence");
        let rows = vec![vec!["B1", "27,600", "from May |x|"], vec!["B2", "", "late"]];
        assert_eq!(blocks[3..], [TextBlock::Table(Table { header: Vec::new(), rows })]);
    }

    #[test]
    fn marks_make_a_list_and_bars_in_sentences_stay() {
        let lines = ["Bring with you:", "• helmet", "- vest", "A | or B."];
        let list = TextBlock::List(vec!["helmet", "vest"]);
        let [first, .., last] = lines.map(TextBlock::Paragraph);
        assert_eq!(text_blocks(&lines, false), [first, list, last]);
        assert_eq!(text_blocks(&[], true), []);
    }

    #[test]
    fn very_wide_rows_lose_nothing() {
        let wide = vec!["x: y"; 100].join(" | ");
        let TextBlock::Table(table) = &text_blocks(&[&wide], true)[0] else { panic!() };
        assert_eq!((table.header.len(), table.rows[0].len()), (0, 100));
    }
}
