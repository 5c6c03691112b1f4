//! Glossary: words of the site that mean the same, such as acronyms and spelling variants. A question that has one of
//! them is searched for the others too, by words alone: the embedder knows what it knows, and would be led astray by a
//! list.

use index::is_unspaced;
use std::ops::Range;

/// Groups of expressions that mean the same.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Glossary {
    groups: Vec<Vec<Expression>>,
}

/// Why a glossary cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum GlossaryError {
    /// More than a search could look through.
    #[error("the glossary has more than {GROUPS} lines; leave out what nobody asks for")]
    TooLong,
    /// A group that says nothing, or an expression that cannot be one.
    #[error("line {line} of the glossary needs two expressions or more, each of at most {LONGEST} characters")]
    Group {
        /// 1-based.
        line: usize,
    },
}

/// Groups at most.
const GROUPS: usize = 5000;
/// Longest expression, in characters.
const LONGEST: usize = 100;
/// Expressions added to a question at most.
const ADDED: usize = 12;

impl Glossary {
    /// Groups, each of expressions that mean the same.
    ///
    /// # Errors
    /// [`GlossaryError`] with the line that is wrong.
    pub fn new(groups: &[Vec<String>]) -> Result<Self, GlossaryError> {
        if groups.len() > GROUPS {
            return Err(GlossaryError::TooLong);
        }
        let of = |group: &Vec<String>| -> Vec<Expression> {
            group.iter().map(|one| Expression::of(one)).filter(|one| !one.text.is_empty()).collect()
        };
        let groups: Vec<Vec<Expression>> = groups.iter().map(of).collect();
        let wrong =
            |group: &Vec<Expression>| group.len() < 2 || group.iter().any(|one| one.text.chars().count() > LONGEST);
        match groups.iter().position(wrong) {
            Some(at) => Err(GlossaryError::Group { line: at + 1 }),
            None => Ok(Self { groups }),
        }
    }

    /// The question with what else its words are called; as it is if the glossary knows none of them.
    pub(crate) fn expand(&self, question: &str) -> String {
        let asked = Asked::of(question);
        let mut added: Vec<&str> = Vec::new();
        for group in self.groups.iter().filter(|group| group.iter().any(|one| one.stands_in(&asked).is_some())) {
            let missing = group.iter().filter(|one| one.stands_in(&asked).is_none());
            added.extend(missing.map(|one| one.text.as_str()));
        }
        added.truncate(ADDED);
        std::iter::once(question).chain(added).collect::<Vec<_>>().join(" ")
    }

    /// The question in other words: with each expression that the glossary knows called by one of its other names.
    pub(crate) fn variants(&self, question: &str) -> Vec<String> {
        let mut variants: Vec<String> = Vec::new();
        let asked = Asked::of(question);
        for group in &self.groups {
            if variants.len() >= ADDED {
                break;
            }
            // "HR department", not the "HR" in it.
            let standing = group.iter().filter(|one| one.stands_in(&asked).is_some());
            let Some(one) = standing.max_by_key(|one| one.text.len()) else { continue };
            for text in std::iter::once(question.to_owned()).chain(variants.clone()) {
                let Some(place) = one.stands_in(&Asked::of(&text)) else { continue };
                let others = group.iter().filter(|other| *other != one);
                variants.extend(
                    others.map(|other| format!("{}{}{}", &text[..place.start], other.text, &text[place.end..])),
                );
            }
            variants.truncate(ADDED);
        }
        variants
    }
}

/// A name of something.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Expression {
    text: String,
    /// In small letters unless it is an acronym.
    words: Vec<String>,
    /// IT is not "it".
    acronym: bool,
    /// Whether its script puts no space between words.
    unspaced: bool,
}

impl Expression {
    fn of(text: &str) -> Self {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let acronym = text.chars().count() <= 5 && !text.chars().any(char::is_lowercase);
        let fold = |word: &str| if acronym { word.to_owned() } else { word.to_lowercase() };
        let words = words(&text).map(|(_, word)| fold(word)).collect();
        Self { words, acronym, unspaced: text.contains(is_unspaced), text }
    }

    /// Where it stands in a question, as whole words or as a part of a compound with hyphens.
    fn stands_in(&self, asked: &Asked<'_>) -> Option<Range<usize>> {
        let words = self.words_stand_in(asked);
        // Where no spaces stand between words, it may stand within what looks like one.
        let within = || asked.text.find(&self.text).map(|start| start..start + self.text.len());
        words.or_else(|| if self.unspaced { within() } else { None })
    }

    fn words_stand_in(&self, asked: &Asked<'_>) -> Option<Range<usize>> {
        let same = |word: &Word<'_>, wanted: &String| *wanted == if self.acronym { word.text } else { &word.small };
        if let [wanted] = self.words.as_slice() {
            let found = asked.words.iter().chain(&asked.parts).find(|&word| same(word, wanted));
            return found.map(|word| word.start..word.start + word.text.len());
        }
        let mut windows = asked.words.windows(self.words.len().max(1));
        let found = windows.find(|window| window.iter().zip(&self.words).all(|(word, wanted)| same(word, wanted)))?;
        let last = found.last().filter(|_| !self.words.is_empty())?;
        Some(found.first()?.start..last.start + last.text.len())
    }
}

/// A question, cut once for all expressions.
struct Asked<'a> {
    text: &'a str,
    words: Vec<Word<'a>>,
    /// Of compounds with hyphens.
    parts: Vec<Word<'a>>,
}

struct Word<'a> {
    start: usize,
    text: &'a str,
    small: String,
}

impl<'a> Asked<'a> {
    fn of(text: &'a str) -> Self {
        let word = |(start, text): (usize, &'a str)| Word { start, text, small: text.to_lowercase() };
        let words: Vec<Word<'a>> = words(text).map(word).collect();
        let compounds = words.iter().filter(|word| word.text.contains('-'));
        let parts = compounds.flat_map(|compound| {
            compound.text.split('-').scan(compound.start, |next, part| {
                let start = *next;
                *next += part.len() + 1;
                Some((start, part))
            })
        });
        let parts = parts.filter(|(_, part)| !part.is_empty()).map(word).collect();
        Self { text, words, parts }
    }
}

/// The words of a text with their places.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut from = 0;
    text.split_inclusive(|c: char| !(c.is_alphanumeric() || matches!(c, '-' | '&' | '/'))).filter_map(move |piece| {
        let start = from;
        from += piece.len();
        let bare = piece.trim_end_matches(|c: char| !(c.is_alphanumeric() || matches!(c, '-' | '&' | '/')));
        let word = bare.trim_start_matches('-');
        let start = start + bare.len() - word.len();
        let word = word.trim_end_matches('-');
        (!word.is_empty()).then_some((start, word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glossary(groups: &[&[&str]]) -> Result<Glossary, GlossaryError> {
        Glossary::new(
            &groups.iter().map(|group| group.iter().map(|one| (*one).to_owned()).collect()).collect::<Vec<_>>(),
        )
    }

    #[test]
    fn a_question_is_searched_for_all_names_of_a_thing() {
        let known = glossary(&[&["VPN", "virtual private network"], &["IT", "information technology"]]).unwrap();
        assert_eq!(known.expand("How do I start the VPN?"), "How do I start the VPN? virtual private network");
        assert_eq!(known.expand("a Virtual  private network?"), "a Virtual  private network? VPN");
        assert_eq!(known.expand("Is it broken?"), "Is it broken?", "an acronym is not a pronoun");
        assert_eq!(known.expand("Ask IT."), "Ask IT. information technology");
        assert_eq!(known.expand("private VPNs"), "private VPNs", "whole words only");
        assert_eq!(known.expand("Wer gibt mir VPN-Zugang?"), "Wer gibt mir VPN-Zugang? virtual private network");
    }

    #[test]
    fn words_without_spaces_between_them_are_known_too() {
        let known = glossary(&[&["年假", "annual leave"]]).unwrap();
        assert_eq!(known.expand("年假有多少天？"), "年假有多少天？ annual leave");
        assert_eq!(known.variants("年假有多少天？"), ["annual leave有多少天？"]);
        let mixed = glossary(&[&["VPN 接続", "remote access"]]).unwrap();
        assert_eq!(mixed.expand("vpn  接続 ?"), "vpn  接続 ? remote access");
    }

    #[test]
    fn a_question_can_be_put_in_other_words() {
        let known = glossary(&[&["PO", "People Office", "HR"], &["VPN", "virtual private network"]]).unwrap();
        assert_eq!(known.variants("Where is the PO?"), ["Where is the People Office?", "Where is the HR?"]);
        assert_eq!(known.variants("the VPN-Zugang"), ["the virtual private network-Zugang"]);
        assert_eq!(
            known.variants("HR and -VPN-").last().unwrap(),
            "People Office and -virtual private network-",
            "both at once"
        );
        assert!(known.variants("Where is the canteen?").is_empty());
        let nested = glossary(&[&["HR", "HR department", "People Office"]]).unwrap();
        assert_eq!(nested.variants("Ask the HR department.")[1], "Ask the People Office.");
        let many: Vec<Vec<String>> = (0..4000).map(|at| vec![format!("a{at}"), format!("b{at}")]).collect();
        let question: String = (0..700).map(|at| format!("a{at} ")).collect();
        assert_eq!(Glossary::new(&many).unwrap().variants(&question).len(), ADDED);
    }

    #[test]
    fn a_glossary_that_says_nothing_is_refused_with_its_line() {
        assert_eq!(glossary(&[&["a", "b"], &["alone", " "]]), Err(GlossaryError::Group { line: 2 }));
        assert_eq!(glossary(&[&["a", &"x".repeat(101)]]), Err(GlossaryError::Group { line: 1 }));
        let many = vec![vec!["a".to_owned(), "b".to_owned()]; GROUPS + 1];
        assert_eq!(Glossary::new(&many), Err(GlossaryError::TooLong));
    }

    #[test]
    fn what_is_added_has_an_end() {
        let group: Vec<String> = (0..40).map(|at| format!("name{at}")).collect();
        let expanded = Glossary::new(&[group]).unwrap().expand("name0");
        assert_eq!(expanded.split_whitespace().count(), ADDED + 1);
    }
}
