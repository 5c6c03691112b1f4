//! The thinking of reasoning models: text between two tags before the answer, for whoever wants to look.
//!
//! The opening tag may stand at the end of the prompt, where some templates put it, or begin the answer. Tags anywhere
//! else are text: an answer about markup may well have them.

use crate::tokenizer::TextTokenizer;

/// Tags of known models: Qwen 3, DeepSeek R1 and many others; Magistral; Seed-OSS; EXAONE.
const KNOWN: [(&str, &str); 4] =
    [("<think>", "</think>"), ("[THINK]", "[/THINK]"), ("<seed:think>", "</seed:think>"), ("<thought>", "</thought>")];

/// Prompts end at most this many tokens behind an opening tag: white space.
const TAIL: usize = 4;

/// The tags of a model. Both are tokens of their own, so no text can become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ThinkingTags {
    open: (&'static str, Option<u32>),
    close: (&'static str, u32),
}

impl ThinkingTags {
    /// The tags that the vocabulary has, if any. Some vocabularies have only the closing one.
    pub(crate) fn find(tokenizer: &TextTokenizer) -> Option<Self> {
        KNOWN.into_iter().find_map(|(open, close)| {
            let token = tokenizer.marker(close)?;
            Some(Self { open: (open, tokenizer.marker(open)), close: (close, token) })
        })
    }

    /// The tokens that open and close thinking.
    pub(crate) fn ids(&self) -> (Option<u32>, u32) {
        (self.open.1, self.close.1)
    }

    /// The tag that `token` is: as a control token it would be no text.
    pub(crate) fn text(&self, token: u32) -> Option<&'static str> {
        match token {
            _ if self.open.1 == Some(token) => Some(self.open.0),
            _ if self.close.1 == token => Some(self.close.0),
            _ => None,
        }
    }

    /// Whether a prompt ends with thinking opened.
    pub(crate) fn opened_by(&self, prompt: &[u32]) -> bool {
        let tail = prompt.iter().rev().take(TAIL);
        let tag = tail.copied().find(|&token| self.text(token).is_some());
        tag.is_some() && tag == self.open.1
    }
}

/// A piece of what a model writes, told apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Split {
    /// Comes before `answer`.
    pub(crate) thinking: String,
    pub(crate) answer: String,
}

/// Tells thinking from answer while text arrives. White space around either goes with the tags.
#[derive(Debug)]
pub(crate) struct ThinkingFilter {
    tags: Option<ThinkingTags>,
    stage: Stage,
    /// May be part of a tag or white space before one.
    held: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing but white space was written.
    Begin,
    /// Behind the opening tag; no word yet.
    Opened,
    Thinking,
    /// Behind the closing tag; no word yet.
    Closed,
    Answer,
}

impl ThinkingFilter {
    /// Of a model with `tags`, whose thinking the prompt has opened if `inside`. Without tags all text is answer.
    pub(crate) fn new(tags: Option<ThinkingTags>, inside: bool) -> Self {
        let stage = match tags {
            None => Stage::Answer,
            Some(_) if inside => Stage::Opened,
            Some(_) => Stage::Begin,
        };
        Self { tags, stage, held: String::new() }
    }

    /// Whether thinking was opened and no word of the answer has come since.
    pub(crate) fn is_thinking(&self) -> bool {
        matches!(self.stage, Stage::Opened | Stage::Thinking | Stage::Closed)
    }

    /// Adds `text`; gives what is known to be thinking and answer now.
    pub(crate) fn push(&mut self, text: &str) -> Split {
        let mut split = Split::default();
        let Some(ThinkingTags { open: (open, _), close: (close, _) }) = self.tags else {
            split.answer = text.to_owned();
            return split;
        };
        self.held.push_str(text);
        loop {
            match self.stage {
                Stage::Begin => {
                    let begun = self.held.trim_start();
                    if let Some(rest) = begun.strip_prefix(open) {
                        self.go(Stage::Opened, rest.to_owned());
                    } else if open.starts_with(begun) {
                        return split;
                    } else {
                        self.stage = Stage::Answer;
                    }
                }
                Stage::Opened | Stage::Closed => {
                    let words = self.held.trim_start().to_owned();
                    if words.is_empty() {
                        self.held.clear();
                        return split;
                    }
                    self.go(if self.stage == Stage::Opened { Stage::Thinking } else { Stage::Answer }, words);
                }
                Stage::Thinking => {
                    if let Some((thinking, rest)) = self.held.split_once(close) {
                        split.thinking.push_str(thinking.trim_end());
                        self.go(Stage::Closed, rest.to_owned());
                        continue;
                    }
                    let tag = |at: &usize| close.starts_with(self.held[*at..].trim_start());
                    let held = self.held.char_indices().map(|(at, _)| at).find(tag).unwrap_or(self.held.len());
                    let rest = self.held.split_off(held);
                    split.thinking.push_str(&self.held);
                    self.held = rest;
                    return split;
                }
                Stage::Answer => {
                    split.answer.push_str(&std::mem::take(&mut self.held));
                    return split;
                }
            }
        }
    }

    fn go(&mut self, stage: Stage, held: String) {
        (self.stage, self.held) = (stage, held);
    }

    /// What was held back, when nothing more comes.
    pub(crate) fn finish(&mut self) -> Split {
        let held = std::mem::take(&mut self.held);
        if self.is_thinking() {
            Split { thinking: held.trim_end().to_owned(), answer: String::new() }
        } else {
            Split { thinking: String::new(), answer: held }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TAGS: ThinkingTags = ThinkingTags { open: ("<think>", Some(7)), close: ("</think>", 8) };

    /// Thinking and answer of the whole text.
    fn split(inside: bool, pieces: &[&str]) -> (String, String) {
        let mut filter = ThinkingFilter::new(Some(TAGS), inside);
        let mut splits: Vec<Split> = pieces.iter().map(|piece| filter.push(piece)).collect();
        splits.push(filter.finish());
        let (thinking, answers): (Vec<String>, Vec<String>) =
            splits.into_iter().map(|split| (split.thinking, split.answer)).unzip();
        (thinking.concat(), answers.concat())
    }

    fn both(thinking: &str, answer: &str) -> (String, String) {
        (thinking.to_owned(), answer.to_owned())
    }

    #[test]
    fn thinking_is_told_from_the_answer() {
        assert_eq!(split(false, &["<think>", "\nwhy", " so?\n", "</think>", "\n\n", "Yes."]), both("why so?", "Yes."));
        assert_eq!(split(false, &["\n<th", "ink>a < b</", "think", ">c"]), both("a < b", "c"));
        assert_eq!(split(true, &["\nhm", "m </thi", "s> no</think>", "ok"]), both("hmm </this> no", "ok"));
        assert_eq!(split(false, &["<think>\n\n</think>\n\nYes"]), both("", "Yes"));
    }

    #[test]
    fn only_the_beginning_can_think() {
        assert_eq!(split(false, &[" \n", "Write <think> first.</think>"]), both("", " \nWrite <think> first.</think>"));
        assert_eq!(split(false, &["<thinner>"]), both("", "<thinner>"));
        assert_eq!(split(true, &["a</think>b<think>c</think>"]), both("a", "b<think>c</think>"));
    }

    #[test]
    fn what_is_cut_short_is_not_lost() {
        assert_eq!(split(false, &["<thi"]), both("", "<thi"));
        assert_eq!(split(true, &["half a thought </th"]), both("half a thought </th", ""));
        assert_eq!(split(false, &["<think>half  "]), both("half", ""));
    }

    #[test]
    fn without_tags_text_is_left_alone() {
        let mut filter = ThinkingFilter::new(None, false);
        assert_eq!(filter.push("<think>").answer, "<think>");
        assert_eq!(filter.finish(), Split::default());
    }

    #[test]
    fn a_prompt_opens_thinking_at_its_very_end_only() {
        assert!(TAGS.opened_by(&[1, 2, 7, 3]));
        assert!(!TAGS.opened_by(&[1, 7, 3, 8, 3]));
        assert!(!TAGS.opened_by(&[7, 1, 2, 3, 4, 5]));
        let spelled = ThinkingTags { open: ("<think>", None), ..TAGS };
        assert!(!spelled.opened_by(&[1, 2, 3]));
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(
            text in "(<think>|</think>|<th|think>|[ \n]|[ab€</]){0,12}",
            cuts in proptest::collection::vec(0usize..40, 0..4),
            inside: bool,
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().filter(|&cut| text.is_char_boundary(cut)).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&str> = cuts.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect();
            let whole = split(inside, &[&text]);
            prop_assert_eq!(&split(inside, &pieces), &whole);
            if !inside && !text.trim_start().starts_with("<think>") {
                prop_assert_eq!(whole.1, text);
            }
        }
    }
}
