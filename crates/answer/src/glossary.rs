//! Glossary: words of the site that mean the same, such as acronyms and spelling variants. A question that has one of
//! them is searched for the others too, by words alone: the embedder knows what it knows, and would be led astray by a
//! list.

/// Groups of expressions that mean the same.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Glossary {
    groups: Vec<Vec<String>>,
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
        let tidy = |expression: &String| expression.split_whitespace().collect::<Vec<_>>().join(" ");
        let groups: Vec<Vec<String>> =
            groups.iter().map(|group| group.iter().map(tidy).filter(|one| !one.is_empty()).collect()).collect();
        let wrong = |group: &Vec<String>| group.len() < 2 || group.iter().any(|one| one.chars().count() > LONGEST);
        match groups.iter().position(wrong) {
            Some(at) => Err(GlossaryError::Group { line: at + 1 }),
            None => Ok(Self { groups }),
        }
    }

    /// The question with what else its words are called; as it is if the glossary knows none of them.
    pub(crate) fn expand(&self, question: &str) -> String {
        let mut added: Vec<&str> = Vec::new();
        for group in self.groups.iter().filter(|group| group.iter().any(|one| stands_in(one, question))) {
            added.extend(group.iter().map(String::as_str).filter(|one| !stands_in(one, question)));
        }
        added.truncate(ADDED);
        std::iter::once(question).chain(added).collect::<Vec<_>>().join(" ")
    }
}

/// Whether `expression` stands in `text` as whole words. Capitals count only in acronyms: IT is not "it".
fn stands_in(expression: &str, text: &str) -> bool {
    let words = |text: &str| -> Vec<String> {
        let parts = text.split(|c: char| !(c.is_alphanumeric() || matches!(c, '-' | '&' | '/')));
        parts.map(|word| word.trim_matches('-').to_owned()).filter(|word| !word.is_empty()).collect()
    };
    let acronym = expression.chars().count() <= 5 && !expression.chars().any(char::is_lowercase);
    let same = |a: &String, b: &String| if acronym { a == b } else { a.to_lowercase() == b.to_lowercase() };
    let (wanted, text) = (words(expression), words(text));
    !wanted.is_empty() && text.windows(wanted.len()).any(|window| window.iter().zip(&wanted).all(|(a, b)| same(a, b)))
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
