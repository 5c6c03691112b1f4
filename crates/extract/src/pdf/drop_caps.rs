//! Initials that go over several lines.

use super::glyphs::Line;

/// Puts each initial in front of the line that it begins, and moves the lines beside it to where they would else begin.
pub(super) fn join(lines: Vec<Line>) -> Vec<Line> {
    let mut joined: Vec<Line> = Vec::with_capacity(lines.len());
    let mut lines = lines.into_iter().peekable();
    while let Some(line) = lines.next() {
        let is_initial = lines.peek().is_some_and(|next| is_initial(&line, next));
        if !is_initial {
            joined.push(line);
            continue;
        }
        let initial = line;
        let mut is_first = true;
        while let Some(mut line) = lines.next_if(|line| stands_beside(&initial, line)) {
            line.left = initial.left;
            line.is_beside = false;
            if is_first {
                line.text.insert_str(0, initial.text.trim());
                line.area = line.area.around(initial.area);
                is_first = false;
            }
            joined.push(line);
        }
    }
    joined
}

fn is_initial(line: &Line, next: &Line) -> bool {
    let mut letters = line.text.trim().chars();
    let is_letter = letters.next().is_some_and(char::is_uppercase) && letters.next().is_none();
    let is_large = line.size > 1.8 * next.size;
    is_letter && is_large && next.text.starts_with(char::is_alphabetic) && stands_beside(line, next)
        // It begins with the top line beside it.
        && next.baseline > line.baseline + 0.5 * next.size
}

fn stands_beside(initial: &Line, line: &Line) -> bool {
    let gap = line.left - initial.right;
    line.turn == initial.turn
        && line.size < initial.size
        && (-0.5 * line.size..1.5 * line.size).contains(&gap)
        && line.baseline > initial.baseline - 0.3 * line.size
        && line.baseline < initial.baseline + initial.size
}

#[cfg(test)]
mod tests {
    use super::super::glyphs::line;
    use super::*;

    #[test]
    fn an_initial_begins_its_word() {
        let lines = vec![
            line("T", 50.0, 676.0, 36.0),
            line("he harbour opens at six", 70.0, 700.0, 10.0),
            line("and closes at ten,", 70.0, 688.0, 10.0),
            line("every day.", 50.0, 664.0, 10.0),
            line("A", 50.0, 600.0, 10.0),
        ];
        let found: Vec<(String, f64)> = join(lines).into_iter().map(|line| (line.text, line.left)).collect();
        assert_eq!(found[0], ("The harbour opens at six".to_owned(), 50.0));
        assert_eq!(found[1], ("and closes at ten,".to_owned(), 50.0));
        assert_eq!(found.len(), 4);
    }
}
