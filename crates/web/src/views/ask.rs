//! The ask page: conversations, answers, sources.

use super::{AnswerState, AnswerView, Chrome, Support, filters};
use askama::Template;

/// The ask page.
#[derive(Debug, Clone, Template)]
#[template(path = "ask.html")]
pub struct AskPage {
    /// The frame.
    pub chrome: Chrome,
    /// Id of the conversation that is open; none before the first question.
    pub conversation: Option<String>,
    /// The person's conversations, newest first, in groups such as `Today` and `Earlier`.
    pub groups: Vec<ConversationGroup>,
    /// The open conversation's questions and answers, oldest first.
    pub turns: Vec<AnswerView>,
    /// The collections that the person may ask about.
    pub collections: Vec<CollectionChoice>,
    /// Questions that the person's own collections answer; shown before the first question.
    pub examples: Vec<String>,
    /// What stands in the question field, such as a question that was not accepted.
    pub question: String,
    /// Why the question was not accepted.
    pub error: Option<String>,
    /// How many passages the person may see.
    pub passages: u64,
}

/// Conversations of one span of time.
#[derive(Debug, Clone)]
pub struct ConversationGroup {
    /// Such as `Today`.
    pub name: String,
    /// Newest first.
    pub conversations: Vec<ConversationLink>,
}

/// One conversation in the list.
#[derive(Debug, Clone)]
pub struct ConversationLink {
    /// Its id.
    pub id: String,
    /// Its title: the first question.
    pub title: String,
    /// Whether it is the open one.
    pub current: bool,
}

/// A collection that a question can be narrowed to.
#[derive(Debug, Clone)]
pub struct CollectionChoice {
    /// Its id: the value of the field `collection`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether it is asked.
    pub checked: bool,
}

impl AskPage {
    /// Whether an answer is in work, so that a reader without script needs the page again soon.
    #[must_use]
    pub fn in_work(&self) -> bool {
        self.turns.iter().any(|turn| turn.state.in_work())
    }

    /// How many collections are asked, as the form's summary says it.
    #[must_use]
    pub fn asked_collections(&self) -> String {
        match self.collections.iter().filter(|collection| collection.checked).collect::<Vec<_>>().as_slice() {
            all if all.is_empty() || all.len() == self.collections.len() => "All collections".to_owned(),
            [one] => one.name.clone(),
            some => format!("{} of {} collections", some.len(), self.collections.len()),
        }
    }
}

#[cfg(test)]
mod samples {
    use super::*;
    use crate::views::Nav;
    use domain::{Label, Role};

    impl AskPage {
        pub(crate) fn sample() -> Self {
            let link = |id: &str, title: &str, current| ConversationLink {
                id: id.to_owned(),
                title: title.to_owned(),
                current,
            };
            let choice =
                |id: &str, name: &str| CollectionChoice { id: id.to_owned(), name: name.to_owned(), checked: true };
            let mut chrome = Chrome::sample("Ask", Nav::Ask, Role::Staff);
            chrome.banner = Some(Label::Confidential);
            Self {
                chrome,
                conversation: Some("0195a1aaaa".to_owned()),
                groups: vec![
                    ConversationGroup {
                        name: "Today".to_owned(),
                        conversations: vec![
                            link("0195a1aaaa", "How many days of annual leave do I get in my first year?", true),
                            link("0195a1aaab", "Who signs travel orders above 2,000 €?", false),
                        ],
                    },
                    ConversationGroup {
                        name: "Earlier".to_owned(),
                        conversations: vec![
                            link("0195a1aaac", "What do I do when the dome alarm rings?", false),
                            link("0195a1aaad", "Resetting the token for the guest network", false),
                            link("0195a1aaae", "Notice period in the cleaning contract", false),
                        ],
                    },
                ],
                turns: vec![AnswerView::sample()],
                collections: vec![
                    choice("c1", "Handbook and policies"),
                    choice("c2", "IT manual"),
                    choice("c3", "Safety"),
                ],
                examples: vec![
                    "How many days of annual leave do I get in my first year?".to_owned(),
                    "What do I do when the dome alarm rings?".to_owned(),
                    "How do I connect to the network from home?".to_owned(),
                ],
                question: String::new(),
                error: None,
                passages: 1_480,
            }
        }

        pub(crate) fn sample_first_visit() -> Self {
            let mut page = Self { conversation: None, turns: Vec::new(), groups: Vec::new(), ..Self::sample() };
            page.chrome.banner = None;
            page
        }

        pub(crate) fn sample_in(state: AnswerState) -> Self {
            let mut page = Self::sample();
            page.turns = vec![AnswerView::sample(), AnswerView::sample_in(state)];
            page
        }

        pub(crate) fn sample_without_collections() -> Self {
            Self { collections: Vec::new(), examples: Vec::new(), passages: 0, ..Self::sample_first_visit() }
        }
    }
}
