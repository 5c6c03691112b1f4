//! From chosen tokens to what a reader sees.

use super::PromptText;
use super::stop::StopTexts;
use super::stream::Progress;
use crate::TokenLogprob;
use crate::sampler::{Choice, Logprobs};
use crate::thinking::{Split, ThinkingFilter};
use crate::tokenizer::{TextStream, TextTokenizer};
use std::collections::VecDeque;

/// Writes one answer: bytes to characters, thinking aside, up to a stop text.
pub(super) struct Writer {
    text: TextStream,
    thinking: ThinkingFilter,
    stops: StopTexts,
    /// Likelihoods of tokens whose text isn't shown yet, each with the bytes of answer before it.
    unshown: VecDeque<(usize, TokenLogprob)>,
    /// Bytes of answer that came out of the filter, and how many of them were shown.
    written: usize,
    shown: usize,
}

/// What a token brought.
pub(super) struct Written {
    /// For the reader.
    pub(super) steps: Vec<Progress>,
    /// A stop text was reached: the answer is over, and [`Writer::finish`] has nothing to add.
    pub(super) stopped: bool,
}

impl Writer {
    /// For the answer to `prompt`, ending at one of `stops`.
    pub(super) fn new(text: &PromptText, prompt: &[u32], stops: Vec<String>) -> Self {
        let inside = text.thinking.is_some_and(|tags| tags.opened_by(prompt));
        Self {
            text: TextStream::default(),
            thinking: ThinkingFilter::new(text.thinking, inside),
            stops: StopTexts::new(stops),
            unshown: VecDeque::new(),
            written: 0,
            shown: 0,
        }
    }

    /// Adds a token that doesn't end the answer.
    pub(super) fn push(&mut self, choice: Choice, text: &PromptText) -> Written {
        let mut piece = self.text.push(choice.token, &text.tokenizer);
        if text.tokenizer.bytes(choice.token).is_empty()
            && let Some(tag) = text.thinking.and_then(|tags| tags.text(choice.token))
        {
            piece.push_str(tag);
        }
        let (was_thinking, before) = (self.thinking.is_thinking(), self.written);
        let split = self.thinking.push(&piece);
        if let Some(logprobs) = choice.logprobs
            && (!was_thinking || !split.answer.is_empty())
        {
            self.unshown.push_back((before, told(choice.token, logprobs, &text.tokenizer)));
        }
        let (shown, stopped) = self.pass(&split);
        Written { steps: self.steps(split.thinking, shown, stopped), stopped }
    }

    /// What was held back, when nothing more comes.
    pub(super) fn finish(&mut self) -> Vec<Progress> {
        let last = self.thinking.push(&self.text.finish());
        let rest = self.thinking.finish();
        let split = Split { thinking: last.thinking + &rest.thinking, answer: last.answer + &rest.answer };
        let (shown, stopped) = self.pass(&split);
        let shown = if stopped { shown } else { shown + &self.stops.finish() };
        self.steps(split.thinking, shown, stopped)
    }

    /// Takes what the filter gave; gives what may be shown of the answer, and whether it is over.
    fn pass(&mut self, split: &Split) -> (String, bool) {
        self.written += split.answer.len();
        if self.thinking.is_thinking() {
            // What was held back turned out to be a tag.
            self.unshown.retain(|(before, _)| *before < self.written);
        }
        self.stops.push(&split.answer)
    }

    fn steps(&mut self, thinking: String, shown: String, stopped: bool) -> Vec<Progress> {
        let mut steps = Vec::new();
        if !thinking.is_empty() {
            steps.push(Progress::Thinking(thinking));
        }
        if !shown.is_empty() {
            self.shown += shown.len();
            let count = self.unshown.iter().take_while(|(before, _)| *before < self.shown).count();
            if count > 0 {
                steps.push(Progress::Logprobs(self.unshown.drain(..count).map(|(_, told)| told).collect()));
            }
            steps.push(Progress::Text(shown));
        }
        if stopped {
            self.unshown.clear();
        }
        steps
    }
}

fn told(token: u32, logprobs: Logprobs, tokenizer: &TextTokenizer) -> TokenLogprob {
    let text = |token: u32| match tokenizer.bytes(token) {
        // A control token is no text, but its name tells what the model wanted.
        [] => tokenizer.token(token).unwrap_or_default().to_owned(),
        bytes => String::from_utf8_lossy(bytes).into_owned(),
    };
    TokenLogprob {
        token: text(token),
        bytes: tokenizer.bytes(token).to_vec(),
        logprob: logprobs.logprob,
        top: logprobs.top.into_iter().map(|(token, logprob)| (text(token), logprob)).collect(),
    }
}
