//! An answer, divided into sentences, with the citation marks that the model wrote taken out.

use unicode_segmentation::UnicodeSegmentation;

/// A sentence as the model wrote it.
pub(super) struct Raw {
    /// Without marks.
    pub(super) text: String,
    /// The numbers that stood between brackets.
    pub(super) marks: Vec<u32>,
    pub(super) starts_paragraph: bool,
    pub(super) list_item: bool,
}

/// Divides an answer into sentences and takes the citation marks out. A mark belongs to the sentence in which, or
/// behind whose full stop, it stands; one that opens a line belongs to the line's first sentence.
pub(super) fn split(text: &str) -> Vec<Raw> {
    let mut sentences: Vec<Raw> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (list_item, line) = list_item(line);
        let (clean, marks) = without_marks(line);
        let first_of_line = sentences.len();
        let mut ends = Vec::new();
        let mut before = String::new();
        for (at, piece) in clean.split_sentence_bound_indices() {
            // "Yes." says nothing that could be checked without the sentence behind it.
            let word = piece.trim();
            let alone = word.ends_with('.') && word[..word.len() - 1].chars().all(char::is_alphabetic);
            if alone && before.is_empty() && clean[at + piece.len()..].chars().any(char::is_alphanumeric) {
                before = format!("{word} ");
            } else if piece.chars().any(char::is_alphanumeric) {
                let first = sentences.len() == first_of_line;
                let (starts_paragraph, list_item) = (first, first && list_item);
                let text = std::mem::take(&mut before) + &tidy(piece);
                sentences.push(Raw { text, marks: Vec::new(), starts_paragraph, list_item });
                ends.push(at + piece.len());
            }
        }
        for (at, numbers) in marks {
            let stands_at = clean[..at].trim_end().len();
            let of_line = ends.iter().position(|end| stands_at <= *end).unwrap_or(ends.len().saturating_sub(1));
            // A line of marks alone belongs to the sentence before it.
            let owner = if ends.is_empty() { first_of_line.checked_sub(1) } else { Some(first_of_line + of_line) };
            if let Some(raw) = owner.and_then(|owner| sentences.get_mut(owner)) {
                raw.marks.extend(numbers);
            }
        }
    }
    sentences
}

/// The numbers of a leading `[3]`, `[1, 2]` or `[Passage 1]`, and what follows it.
fn mark(text: &str) -> Option<(Vec<u32>, &str)> {
    let (inside, rest) = text.strip_prefix('[')?.split_once(']')?;
    let inside = inside.trim_start_matches("Passage").trim_start_matches("passage");
    let numbers: Result<Vec<u32>, _> = inside.split(',').map(|number| number.trim().parse()).collect();
    Some((numbers.ok()?, rest))
}

/// A line without its marks, and where in it each one stood.
fn without_marks(line: &str) -> (String, Vec<(usize, Vec<u32>)>) {
    let (mut clean, mut marks, mut rest) = (String::new(), Vec::new(), line);
    while let Some(at) = rest.find('[') {
        clean.push_str(&rest[..at]);
        if let Some((numbers, after)) = mark(&rest[at..]) {
            marks.push((clean.len(), numbers));
            rest = after;
        } else {
            clean.push('[');
            rest = &rest[at + 1..];
        }
    }
    clean.push_str(rest);
    (clean, marks)
}

fn tidy(piece: &str) -> String {
    let mut tidy = piece.split_whitespace().collect::<Vec<_>>().join(" ").replace("**", "");
    for stop in [" .", " ,", " ;", " :"] {
        tidy = tidy.replace(stop, stop.trim_start());
    }
    tidy
}

fn list_item(line: &str) -> (bool, &str) {
    for bullet in ["- ", "* ", "• "] {
        if let Some(rest) = line.strip_prefix(bullet) {
            return (true, rest);
        }
    }
    let digits = line.chars().take_while(char::is_ascii_digit).count();
    match line[digits..].strip_prefix(". ") {
        Some(rest) if (1..3).contains(&digits) => (true, rest),
        _ => (false, line.trim_start_matches('#').trim_start()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_belong_to_the_sentence_before_them() {
        let raw = split("Leave is 24 days [1]. It accrues monthly.[2] Ask HR [1, 3].\n\n- Form A [2]");
        let seen: Vec<_> = raw.iter().map(|r| (r.text.as_str(), r.marks.as_slice(), r.list_item)).collect();
        assert_eq!(
            seen,
            [
                ("Leave is 24 days.", &[1][..], false),
                ("It accrues monthly.", &[2][..], false),
                ("Ask HR.", &[1, 3][..], false),
                ("Form A", &[2][..], true),
            ]
        );
    }

    #[test]
    fn brackets_that_are_no_citations_stay() {
        let raw = split("See [sic] the list [2].");
        assert_eq!((raw[0].text.as_str(), raw[0].marks.as_slice()), ("See [sic] the list.", &[2][..]));
    }

    #[test]
    fn a_yes_alone_goes_with_what_it_says_yes_to() {
        let raw = split("Yes. Gifts up to EUR 40 may be kept [1]. Thanks.");
        let seen: Vec<_> = raw.iter().map(|r| r.text.as_str()).collect();
        assert_eq!(seen, ["Yes. Gifts up to EUR 40 may be kept.", "Thanks."]);
        assert_eq!(raw[0].marks, [1]);
    }
}
