//! Plain text: paragraphs by blank lines, and what can be told of headings, lists and columns.

use crate::blocks::{Blocks, clean_title, first_heading};
use crate::outline::{could_be_heading, is_all_capitals, list_item, section_depth};
use crate::{ExtractError, Extracted, Limits, encoding, sniff};
use domain::{Block, BlockKind};

pub(crate) fn extract(bytes: &[u8], limits: &Limits) -> Result<Extracted, ExtractError> {
    let (text, damaged) = encoding::decode(bytes, None);
    if sniff::is_binary(&text) {
        return Err(ExtractError::unknown(
            "it is not a text file; bring PDF, Office or OpenDocument files, HTML or text",
        ));
    }
    let blocks = read(&text, limits)?;
    let warnings = if damaged { vec!["some characters could not be decoded".to_owned()] } else { Vec::new() };
    if blocks.is_empty() {
        return Err(ExtractError::Empty);
    }
    let title = first_heading(&blocks).and_then(|heading| clean_title(&heading));
    Ok(Extracted { title, blocks, pages: None, warnings, ..Extracted::default() })
}

/// The blocks of a plain text, alone or inside another format.
pub(crate) fn read(text: &str, limits: &Limits) -> Result<Vec<Block>, ExtractError> {
    let mut blocks = Blocks::new(limits);
    let groups = paragraphs(text);
    for (place, group) in groups.iter().enumerate() {
        let next = groups.get(place + 1).map(|group| group.as_slice());
        push_group(&mut blocks, group, next)?;
    }
    Ok(blocks.into_vec())
}

/// Groups of lines between blank lines or form feeds.
fn paragraphs(text: &str) -> Vec<Vec<&str>> {
    text.split('\x0c')
        .flat_map(|part| {
            let lines: Vec<&str> = part.lines().flat_map(|line| line.split('\r')).collect();
            lines.split(|line| line.trim().is_empty()).map(<[&str]>::to_vec).collect::<Vec<_>>()
        })
        .filter(|group| !group.is_empty())
        .collect()
}

fn push_group(blocks: &mut Blocks<'_>, group: &[&str], next: Option<&[&str]>) -> Result<(), ExtractError> {
    if let Some((level, rest)) = heading(group, next, blocks.as_slice().is_empty()) {
        blocks.push(BlockKind::Heading(level), group[0].trim(), None)?;
        return if rest.is_empty() { Ok(()) } else { push_group(blocks, rest, next) };
    }
    if is_columns(group) {
        return blocks.push(BlockKind::Preformatted, &group.join("\n"), None);
    }
    // A list begins at a mark and goes on in the lines after it.
    let mut kind = BlockKind::Paragraph;
    let mut lines = String::new();
    for (place, line) in group.iter().map(|line| line.trim()).enumerate() {
        let item =
            list_item(line).filter(|_| place == 0 || kind == BlockKind::ListItem || !is_in_sentence(&lines, line));
        if let Some(item) = item {
            blocks.push(kind, &lines, None)?;
            (kind, lines) = (BlockKind::ListItem, item.to_owned());
        } else {
            lines.push(' ');
            lines.push_str(line);
        }
    }
    blocks.push(kind, &lines, None)
}

/// Whether a line that starts like `12. Dezember` only goes on with the sentence above it.
fn is_in_sentence(before: &str, line: &str) -> bool {
    let is_numbered = line.starts_with(|c: char| c.is_ascii_digit() || c.is_ascii_lowercase());
    is_numbered && !before.trim_end().ends_with(['.', ':', ';', '?', '!'])
}

/// The level of a heading in the first line of a group, and the lines after it. Two lines make a heading when the
/// second is an underline; a line alone when it is numbered, in capitals, or stands over a longer text.
fn heading<'g>(group: &'g [&'g str], next: Option<&[&str]>, is_first: bool) -> Option<(u8, &'g [&'g str])> {
    let line = group[0].trim();
    if let Some(underline) = group.get(1).map(|line| line.trim()).filter(|line| line.len() >= 3) {
        let level = [('=', 1), ('-', 2), ('~', 3)].iter().find(|(mark, _)| underline.chars().all(|c| c == *mark));
        if let Some((_, level)) = level.filter(|_| could_be_heading(line)) {
            return Some((*level, &group[2..]));
        }
    }
    let is_alone =
        group.len() == 1 && could_be_heading(line) && list_item(line).is_none_or(|_| section_depth(line).is_some());
    let next = next?;
    if !is_alone {
        return None;
    }
    if is_all_capitals(line) {
        return Some((1, &[]));
    }
    // Numbered lines in a row are a list, not headings.
    if let Some(depth) = section_depth(line).filter(|_| section_depth(next[0].trim()).is_none() || next.len() > 1) {
        return Some((depth.saturating_add(1).min(6), &[]));
    }
    // The lines at the top of a letter are no headings: text must follow that fills its lines.
    let is_over_text = line.chars().count() <= 60 && next[0].trim().chars().count() >= 50;
    is_over_text.then_some((if is_first { 1 } else { 2 }, &[]))
}

/// Whether the lines are set in columns, so that their spaces matter: gaps inside at least half of them.
fn is_columns(group: &[&str]) -> bool {
    let has_gap = |line: &&&str| line.trim().contains("   ") || line.trim().contains('\t');
    group.len() > 1 && group.iter().filter(has_gap).count() * 2 >= group.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &[u8], expected: &[(BlockKind, &str)]) -> Extracted {
        let extracted = extract(input, &Limits::default()).unwrap();
        let found: Vec<_> = extracted.blocks.iter().map(|block| (block.kind, block.text.as_str())).collect();
        assert_eq!(found, expected);
        extracted
    }

    #[test]
    fn paragraphs_headings_lists_and_columns() {
        use BlockKind::{Heading, ListItem, Paragraph, Preformatted};
        let input = b"NOTICE OF WORK\r\n\r\nWhat happens\r\n\r\nThe gateway is replaced on Wednesday, between 22:00 and\r\n02:00, and nobody can work from outside then.\r\n\r\n1. First,\r\n   this.\r\n2. Then that.\r\n\r\n  Fitter     86,86\r\n  Diver     122,01\r\n\r\nOld rules\n=========\nThey end.\r\n";
        let extracted = check(
            input,
            &[
                (Heading(1), "NOTICE OF WORK"),
                (Heading(2), "What happens"),
                (
                    Paragraph,
                    "The gateway is replaced on Wednesday, between 22:00 and 02:00, and nobody can work from outside then.",
                ),
                (ListItem, "1. First, this."),
                (ListItem, "2. Then that."),
                (Preformatted, "  Fitter     86,86\n  Diver     122,01"),
                (Heading(1), "Old rules"),
                (Paragraph, "They end."),
            ],
        );
        assert_eq!(extracted.title.as_deref(), Some("NOTICE OF WORK"));
    }

    #[test]
    fn a_date_at_the_start_of_a_line_is_no_list() {
        check(
            "Das Büro ist geschlossen vom\n24. Dezember bis zum 4. Januar.".as_bytes(),
            &[(BlockKind::Paragraph, "Das Büro ist geschlossen vom 24. Dezember bis zum 4. Januar.")],
        );
    }

    #[test]
    fn numbered_sections_are_headings() {
        use BlockKind::{Heading, Paragraph};
        check(
            b"3.2 Annual leave\n\nYou get 24 days.\nEvery year.",
            &[(Heading(3), "3.2 Annual leave"), (Paragraph, "You get 24 days. Every year.")],
        );
    }

    #[test]
    fn binary_and_blank_files_are_refused() {
        assert!(matches!(extract(b"a\0b", &Limits::default()), Err(ExtractError::UnknownKind { .. })));
        assert_eq!(extract(" \u{200b}\n".as_bytes(), &Limits::default()), Err(ExtractError::Empty));
    }
}
