//! What a reader sees of an answer in the making.

use crate::{ModelError, TokenLogprob};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::sync::mpsc;

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FinishReason {
    /// The model ended it, or a stop text did.
    Stop,
    /// `max_new_tokens` or the context was used up.
    Length,
}

/// What an answer took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Why it ended.
    pub finish: FinishReason,
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
    /// How many of them were computed for an earlier request.
    pub reused_tokens: usize,
    /// Tokens written, the one that ends the answer included.
    pub new_tokens: usize,
    /// Tokens guessed while writing, from what was read or written before.
    pub drafted_tokens: usize,
    /// How many of them were right: written without a step of their own.
    pub accepted_tokens: usize,
    /// Time for the prompt, from its admission on.
    pub prefill: Duration,
    /// Time for the answer.
    pub decode: Duration,
}

/// Counts up whenever [`Progress::State`] tells something else: what was fitted on states of another version means nothing.
/// 1: the last token's state alone, behind five of seven layers.
pub const STATE_VERSION: u32 = 2;

/// A step of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Progress {
    /// Others are served first.
    Waiting {
        /// How many requests are to be admitted first or, with none of these, answers to be ended: 1 is the next.
        ahead: usize,
    },
    /// The prompt is being read.
    Prefill {
        /// Tokens read.
        done: usize,
        /// Tokens of the prompt.
        total: usize,
        /// How many of `done` were computed for an earlier request.
        reused: usize,
    },
    /// What the middle of the model makes of the whole prompt, if the request asked; before any text: the hidden state of
    /// the last token, then the mean of the last sixteen tokens', so twice the width of the model. Passages that are
    /// computed apart are left out of the mean. What is told changes only with [`STATE_VERSION`].
    State(Vec<f32>),
    /// More of what the model thinks before it answers; whole characters. Not part of the answer.
    Thinking(String),
    /// How likely the tokens of the text that follows next were, if the request asked. The token that ends an answer is
    /// left out, as are those of a stop text.
    Logprobs(Vec<TokenLogprob>),
    /// More of the answer; whole characters.
    Text(String),
    /// The answer is complete; nothing follows.
    Finished(Usage),
}

/// An answer in the making. Dropping it cancels the request within one step.
#[derive(Debug)]
pub struct TokenStream {
    receiver: mpsc::UnboundedReceiver<Result<Progress, ModelError>>,
    ended: bool,
}

impl TokenStream {
    pub(crate) fn new() -> (mpsc::UnboundedSender<Result<Progress, ModelError>>, Self) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (sender, Self { receiver, ended: false })
    }

    /// The next step, or `None` after [`Progress::Finished`] or an error.
    pub async fn next(&mut self) -> Option<Result<Progress, ModelError>> {
        if self.ended {
            return None;
        }
        let step = self.receiver.recv().await;
        self.pass(step)
    }

    /// As [`Self::next`], blocking the thread. Not for use on a thread of an async runtime.
    pub fn blocking_next(&mut self) -> Option<Result<Progress, ModelError>> {
        if self.ended {
            return None;
        }
        let step = self.receiver.blocking_recv();
        self.pass(step)
    }

    /// A model that went away without a word is an error, told once.
    fn pass(&mut self, step: Option<Result<Progress, ModelError>>) -> Option<Result<Progress, ModelError>> {
        let step = step.unwrap_or(Err(ModelError::Stopped));
        self.ended = matches!(step, Err(_) | Ok(Progress::Finished(_)));
        Some(step)
    }
}
