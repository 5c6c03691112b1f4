//! Listings: programs and their output, set in letters of one width, line by line.

use super::glyphs::Line;
use domain::Area;

/// A part of a page.
pub(super) enum Part {
    Lines(Vec<Line>),
    /// Its text with indents and line ends, and the box around it.
    Listing(String, Area),
}

/// Takes the listings out of the lines of a page.
pub(super) fn split(lines: Vec<Line>) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut open: Vec<Line> = Vec::new();
    let mut fixed: Vec<Line> = Vec::new();
    for line in lines {
        // Comments and names in it may be set otherwise.
        let is_in_it = fixed
            .last()
            .map_or(line.is_fixed, |last| line.is_fixed_to(if line.is_beside { 2 } else { 6 }) && goes_on(last, &line));
        if is_in_it {
            fixed.push(line);
            continue;
        }
        close(&mut fixed, &mut open, Some(&line), &mut parts);
        if line.is_fixed && !line.is_beside {
            fixed.push(line);
        } else {
            open.push(line);
        }
    }
    close(&mut fixed, &mut open, None, &mut parts);
    if !open.is_empty() {
        parts.push(Part::Lines(open));
    }
    parts
}

fn goes_on(last: &Line, line: &Line) -> bool {
    let down = last.baseline - line.baseline;
    line.turn == last.turn
        && (line.size - last.size).abs() < 0.06 * line.size
        && (line.is_beside || down > 0.0 && down < 2.6 * line.size)
}

/// One line alone stays with the text around it, and so does the cell of a table, with `next` on its right.
fn close(fixed: &mut Vec<Line>, open: &mut Vec<Line>, next: Option<&Line>, parts: &mut Vec<Part>) {
    // What stands beside text that is no listing, such as the name of an option, is none either.
    let begins_beside = fixed.first().is_some_and(|line| line.is_beside);
    let rows = fixed.iter().filter(|line| !line.is_beside).count();
    let is_cell = next.zip(fixed.last()).is_some_and(|(next, last)| {
        let right = fixed.iter().map(|line| line.right).fold(f64::NEG_INFINITY, f64::max);
        next.left >= right && (next.is_beside || next.baseline > last.baseline + 0.3 * last.size)
    });
    if begins_beside || is_cell || rows < 2 {
        open.append(fixed);
        return;
    }
    if !open.is_empty() {
        parts.push(Part::Lines(std::mem::take(open)));
    }
    let lines = std::mem::take(fixed);
    if let Some(area) = lines.iter().map(|line| line.area).reduce(Area::around) {
        parts.push(Part::Listing(text(&lines), area));
    }
}

fn text(lines: &[Line]) -> String {
    const WIDEST: f64 = 200.0;
    let left = lines.iter().map(|line| line.left).fold(f64::INFINITY, f64::min);
    let (width, characters) = lines.iter().fold((0.0, 0.0), |(width, characters), line| {
        (width + line.right - line.left, characters + line.text.chars().count() as f64)
    });
    let letter = if characters > 0.0 && width > 0.0 { width / characters } else { 1.0 };
    let mut distances: Vec<f64> =
        lines.windows(2).map(|pair| pair[0].baseline - pair[1].baseline).filter(|distance| *distance > 1.0).collect();
    distances.sort_by(f64::total_cmp);
    let leading = distances.get(distances.len() / 4).copied().unwrap_or(f64::INFINITY);
    let mut text = String::new();
    // How many characters the row has so far.
    let mut at = 0;
    let mut above = None;
    for line in lines {
        if let (Some(above), false) = (above, line.is_beside) {
            text.push('\n');
            if above - line.baseline > 1.6 * leading {
                text.push('\n');
            }
            at = 0;
        }
        above = Some(line.baseline);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let column = ((line.left - left) / letter).clamp(0.0, WIDEST).round() as usize;
        let spaces = column.saturating_sub(at).max(usize::from(line.is_beside));
        text.extend(std::iter::repeat_n(' ', spaces));
        text.push_str(line.text.trim());
        at += spaces + line.text.trim().chars().count();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::glyphs::line;
    use super::*;

    #[test]
    fn indents_and_gaps_are_kept() {
        let fixed = |text: &str, left: f64, baseline: f64| {
            let mut line = line(text, left, baseline, 10.0);
            line.is_fixed = true;
            line
        };
        let mut beside = fixed("# note", 120.0, 688.0);
        beside.is_beside = true;
        let lines = vec![
            line("Text before.", 50.0, 720.0, 10.0),
            fixed("if (a) {", 50.0, 700.0),
            fixed("b()", 70.0, 688.0),
            beside,
            fixed("}", 50.0, 676.0),
            fixed("c()", 50.0, 652.0),
            line("Text with a", 50.0, 620.0, 10.0),
            fixed("word", 50.0, 600.0),
        ];
        let found: Vec<String> = split(lines)
            .into_iter()
            .map(|part| match part {
                Part::Lines(lines) => lines.into_iter().map(|line| line.text).collect::<Vec<_>>().join("|"),
                Part::Listing(text, _) => format!("[{text}]"),
            })
            .collect();
        assert_eq!(found, ["Text before.", "[if (a) {\n    b()       # note\n}\n\nc()]", "Text with a|word"]);
    }
}
