//! An answer, divided into sentences, with the citation marks that the model wrote taken out.

use super::quantities::month;
use super::words::is_abbreviation;
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
            let rest = &clean[at + piece.len()..];
            let alone = word.ends_with('.') && word[..word.len() - 1].chars().all(char::is_alphabetic);
            if (alone && before.is_empty() || goes_on(word, rest)) && rest.chars().any(char::is_alphanumeric) {
                before = format!("{before}{word} ");
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

/// Whether the dot at the end of `piece` is one of an abbreviation or an ordinal, so that the sentence goes on with `rest`:
/// `am 31. Dezember`, `im 1. Jahr`, `5 Mio. Euro`, `No. 5`.
fn goes_on(piece: &str, rest: &str) -> bool {
    let Some(bare) = piece.strip_suffix('.') else { return false };
    let mut words = bare.split_whitespace().rev().map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()));
    let (last, before) = (words.next().unwrap_or_default(), words.next().unwrap_or_default().to_lowercase());
    let next = rest.split_whitespace().next().unwrap_or_default();
    let next_word = next.trim_matches(|c: char| !c.is_alphanumeric());
    if is_abbreviation(last) {
        return true;
    }
    if ["no", "art", "abs", "st", "fig", "sec", "tab", "max", "min"].contains(&last.to_lowercase().as_str()) {
        return next.starts_with(|c: char| c.is_ascii_digit());
    }
    let ordinal = (1..=2).contains(&last.len()) && last.bytes().all(|byte| byte.is_ascii_digit());
    // "The period ends on the 15. Then …" is rare beside "im 1. Jahr", where an article asks for a noun.
    let counted = ["tag", "tage", "arbeitstag", "werktag", "monat", "jahr", "woche", "quartal"];
    ordinal
        && (month(next_word).is_some()
            || ["im", "der", "die", "das", "dem", "den", "des", "jeder", "jede", "jedes"].contains(&before.as_str())
            || counted.iter().any(|noun| next_word.to_lowercase().starts_with(noun)))
}

/// The numbers of a leading `[3]`, `[1, 2]`, `[1-3]` or `[Passage 1, Passage 2]`, and what follows it.
fn mark(text: &str) -> Option<(Vec<u32>, &str)> {
    /// More than a prompt has.
    const MOST: u32 = 100;
    let (inside, rest) = text.strip_prefix('[')?.split_once(']')?;
    let inside = inside.to_lowercase().replace("passages", "").replace("passage", "");
    let inside = inside.replace(" and ", ",").replace(" und ", ",");
    let mut numbers = Vec::new();
    for part in inside.split([',', ';']) {
        let (first, last) = part.split_once(['-', '–']).unwrap_or((part, part));
        let (first, last): (u32, u32) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        numbers.extend(first..=last.min(first.saturating_add(MOST)));
    }
    Some((numbers, rest))
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
    let rest = line[digits..].strip_prefix(". ").or_else(|| line[digits..].strip_prefix(") "));
    // "31. Dezember 2028" is a date.
    let is_month = |rest: &str| rest.split_whitespace().next().is_some_and(|word| month(word).is_some());
    match rest {
        Some(rest) if (1..3).contains(&digits) && !is_month(rest) => (true, rest),
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
    fn marks_of_several_passages_are_read_as_such() {
        for (written, numbers) in [
            ("[1-3]", vec![1, 2, 3]),
            ("[Passage 1, Passage 2]", vec![1, 2]),
            ("[1; 2]", vec![1, 2]),
            ("[1 and 4]", vec![1, 4]),
        ] {
            let raw = split(&format!("Leave is 24 days {written}."));
            assert_eq!((raw[0].text.as_str(), raw[0].marks.as_slice()), ("Leave is 24 days.", &numbers[..]));
        }
        assert!(split("See [1-x].")[0].text.contains("[1-x]"));
        assert!(split("See [1-4000000000].")[0].marks.len() < 200);
    }

    #[test]
    fn the_dot_of_a_date_or_an_abbreviation_ends_no_sentence() {
        for whole in [
            "Der Vertrag endet am 31. Dezember 2028.",
            "Im 1. Jahr gibt es 24 Tage.",
            "Die Pauschale beträgt 5 Mio. Euro.",
            "Es gilt Formular Nr. SR-231.",
            "Ask Dr. Adeyemi.",
        ] {
            let raw = split(whole);
            assert_eq!(raw.iter().map(|raw| raw.text.as_str()).collect::<Vec<_>>(), [whole]);
        }
        assert_eq!(split("There are 15. Then it ends.").len(), 2);
        let date = split("31. Dezember 2028 [1].");
        assert_eq!((date[0].text.as_str(), date[0].list_item), ("31. Dezember 2028.", false));
        let item = split("1) Switch off the crane.");
        assert_eq!((item[0].text.as_str(), item[0].list_item), ("Switch off the crane.", true));
    }

    #[test]
    fn a_yes_alone_goes_with_what_it_says_yes_to() {
        let raw = split("Yes. Gifts up to EUR 40 may be kept [1]. Thanks.");
        let seen: Vec<_> = raw.iter().map(|r| r.text.as_str()).collect();
        assert_eq!(seen, ["Yes. Gifts up to EUR 40 may be kept.", "Thanks."]);
        assert_eq!(raw[0].marks, [1]);
    }
}
