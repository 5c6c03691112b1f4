//! What the wording of a line says about its place in the text, for formats that do not mark headings and lists.

/// The longest heading that is believed, in characters.
pub(crate) const HEADING_CHARS: usize = 120;

/// The depth of a section number at the start: 1 for `3 Leave` and `§ 3 Leave`, 2 for `3.2 Annual leave`; the rest
/// must begin with a capital letter.
pub(crate) fn section_depth(line: &str) -> Option<u8> {
    let line = line.strip_prefix('§').map_or(line, str::trim_start);
    let (number, rest) = line.split_once(char::is_whitespace)?;
    let number = number.strip_suffix('.').unwrap_or(number);
    let mut depth = 0_u8;
    for (place, part) in number.split('.').enumerate() {
        let digits = !part.is_empty() && part.len() <= 3 && part.bytes().all(|byte| byte.is_ascii_digit());
        // Appendices: `A.1 Forms`.
        let letter = place == 0 && part.len() == 1 && part.as_bytes()[0].is_ascii_uppercase() && number.len() > 1;
        if !digits && !letter {
            return None;
        }
        depth += 1;
        if depth > 6 {
            return None;
        }
    }
    rest.trim_start().chars().next().filter(|c| c.is_uppercase())?;
    Some(depth)
}

/// Whether a line could be a heading by its wording: short, with letters, not the end of a sentence.
pub(crate) fn could_be_heading(line: &str) -> bool {
    let ends_openly =
        !line.ends_with(['.', ',', ';', ':', '-', '–', '|', '!', '…', '。', '、']) || line.ends_with("...");
    let starts_well = line.chars().find(|c| c.is_alphanumeric()).is_some_and(|c| !c.is_lowercase());
    let letters = line.chars().filter(|c| c.is_alphabetic()).count();
    let chars = line.chars().count();
    ends_openly && starts_well && letters >= 2 && letters * 2 >= chars && chars <= HEADING_CHARS
}

/// Whether all letters are capitals, and there are some.
pub(crate) fn is_all_capitals(line: &str) -> bool {
    line.chars().filter(|c| c.is_uppercase()).count() >= 3 && !line.chars().any(char::is_lowercase)
}

/// Whether the long words begin with capitals: `Rights of the Council`.
pub(crate) fn is_title_case(line: &str) -> bool {
    let mut long = line.split_whitespace().filter(|word| word.chars().count() > 3).peekable();
    long.peek().is_some() && long.all(|word| word.chars().next().is_some_and(|c| !c.is_lowercase()))
}

/// The text after the mark of a list item: a bullet, or a number or letter with a stop or a bracket.
pub(crate) fn list_item(line: &str) -> Option<&str> {
    let (mark, rest) = line.split_once(char::is_whitespace)?;
    let rest = rest.trim_start();
    let bullet = matches!(
        mark,
        "-" | "*"
            | "+"
            | "•"
            | "◦"
            | "‣"
            | "⁃"
            | "▪"
            | "■"
            | "□"
            | "☐"
            | "●"
            | "○"
            | "–"
            | "·"
            | "→"
            | "➢"
            | "✓"
            | "\u{f0b7}"
            | "\u{f0a7}"
    );
    if bullet && !rest.is_empty() {
        return Some(rest);
    }
    let name = mark.strip_suffix([')', '.'])?;
    let name = name.strip_prefix('(').unwrap_or(name);
    let number = (1..=3).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_digit());
    let letter = name.len() == 1 && name.as_bytes()[0].is_ascii_lowercase();
    // The number stays: people ask for "point 3".
    ((number || letter) && !rest.is_empty()).then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn section_numbers() {
        for (line, depth) in [
            ("3 Leave", Some(1)),
            ("3. Leave", Some(1)),
            ("3.2 Annual leave", Some(2)),
            ("10.4.1. Über", Some(3)),
            ("§ 7 Kündigung", Some(1)),
            ("A.1 Forms", Some(2)),
            ("A Forms", None),
            ("3.2 days", None),
            ("2026 Report", None),
            ("3.14", None),
            ("1.2.3.4.5.6.7 Deep", None),
        ] {
            assert_eq!(section_depth(line), depth, "{line}");
        }
    }

    #[test]
    fn headings_by_wording() {
        assert!(could_be_heading("What happens"));
        assert!(could_be_heading("Who may leave?"));
        assert!(!could_be_heading("It happens on Monday."));
        assert!(!could_be_heading("and then it"));
        assert!(!could_be_heading("12.4 – 18.9"));
        assert!(is_all_capitals("NOTICE OF WORK") && !is_all_capitals("Notice") && !is_all_capitals("2026"));
        assert!(is_title_case("Rights of the Council") && !is_title_case("Rights that people have"));
    }

    #[test]
    fn list_items() {
        assert_eq!(list_item("• one"), Some("one"));
        assert_eq!(list_item("- one"), Some("one"));
        assert_eq!(list_item("(a) one"), Some("(a) one"));
        assert_eq!(list_item("12. one"), Some("12. one"));
        assert_eq!(list_item("2026. one"), None);
        assert_eq!(list_item("- "), None);
        assert_eq!(list_item("one two"), None);
    }
}
