//! What a site calls itself and its four labels. It may change while the server runs, once: when it is set up.

use domain::Label;
use std::fmt::Display;
use std::sync::{Arc, PoisonError, RwLock};

/// The words that a site chose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// Name of the organisation, on every page.
    pub organisation: String,
    /// What the labels are called, the lowest first.
    pub labels: LabelWords,
}

/// What the four labels are called. Their stable names stay: addresses, programs and the audit log use those.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelWords(pub [String; 4]);

impl Default for LabelWords {
    fn default() -> Self {
        Self(Label::ALL.map(|label| label.as_str().to_owned()))
    }
}

impl LabelWords {
    /// What this label is called.
    #[must_use]
    pub fn of(&self, label: Label) -> &str {
        self.0.get(usize::from(label.rank())).map_or(label.as_str(), String::as_str)
    }
}

/// The words in use. Cheap to clone; all clones change together.
#[derive(Debug, Clone)]
pub struct Names(Arc<RwLock<Arc<Words>>>);

impl Names {
    /// These, until others are set.
    #[must_use]
    pub fn new(words: Words) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(words))))
    }

    /// The words of now.
    #[must_use]
    pub fn get(&self) -> Arc<Words> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn set(&self, words: Words) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(words);
    }
}

tokio::task_local! {
    /// The words for the request that is being answered: templates show labels by them.
    static WORDS: Arc<Words>;
}

/// Answers a request with these words.
pub(crate) async fn with<T>(words: Arc<Words>, answer: impl Future<Output = T>) -> T {
    WORDS.scope(words, answer).await
}

/// Renders with these words, outside of a request: in an event stream.
pub(crate) fn rendering<T>(words: Arc<Words>, render: impl FnOnce() -> T) -> T {
    WORDS.sync_scope(words, render)
}

/// What the label of this stable name is called here; the name itself where no site has said.
pub(crate) fn label_word(name: impl Display) -> String {
    let name = name.to_string();
    let called = |label: Label| WORDS.try_with(|words| words.labels.of(label).to_owned()).ok();
    name.parse().ok().and_then(called).unwrap_or(name)
}

/// What all labels are called, the lowest first, for the script that keeps the banner.
pub(crate) fn label_words() -> String {
    Label::ALL.map(label_word).join("|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_called_what_the_site_calls_it() {
        assert_eq!(label_word("secret"), "secret");
        let labels = LabelWords(["Open", "Official", "Restricted", "Closed"].map(str::to_owned));
        let words = Arc::new(Words { organisation: "Port Elsin".to_owned(), labels });
        rendering(words, || {
            assert_eq!(label_word("secret"), "Closed");
            assert_eq!(label_word("no label"), "no label");
        });
    }
}
