//! An answer in the making, seen from the model: logits become tokens, tokens text, and the text goes to its reader.

use super::PromptText;
use super::answer_text::AnswerText;
use super::stream::{FinishReason, Progress, Usage};
use crate::ModelError;
use crate::sampler::Sampler;
use crate::scheduler::Writer;
use std::sync::Arc;
use tokio::sync::mpsc::UnboundedSender;

/// Everything that one answer needs besides the model.
pub(super) struct Answer {
    sampler: Sampler,
    text: Option<AnswerText>,
    /// Whether a stop text was reached: what is held back is lost.
    stopped: bool,
    prompt_text: Arc<PromptText>,
    sender: UnboundedSender<Result<Progress, ModelError>>,
}

impl Answer {
    pub(super) fn new(
        sampler: Sampler,
        text: AnswerText,
        prompt_text: Arc<PromptText>,
        sender: UnboundedSender<Result<Progress, ModelError>>,
    ) -> Self {
        Self { sampler, text: Some(text), stopped: false, prompt_text, sender }
    }

    /// A reader that left is noticed by [`Writer::is_open`].
    fn send(&self, progress: Progress) {
        let _ = self.sender.send(Ok(progress));
    }
}

impl Writer for Answer {
    fn accept(&mut self, logits: &mut [f32]) -> Result<(u32, Option<FinishReason>), ModelError> {
        let choice = self.sampler.sample(logits)?;
        let token = choice.token;
        if self.prompt_text.tokenizer.is_end(token) {
            return Ok((token, Some(FinishReason::Stop)));
        }
        let Some(text) = &mut self.text else { return Ok((token, None)) };
        let written = text.push(choice, &self.prompt_text);
        self.stopped = written.stopped;
        written.steps.into_iter().for_each(|step| self.send(step));
        Ok((token, self.stopped.then_some(FinishReason::Stop)))
    }

    fn state(&mut self, state: Vec<f32>) {
        self.send(Progress::State(state));
    }

    fn is_open(&self) -> bool {
        !self.sender.is_closed()
    }

    fn waiting(&mut self, ahead: usize) {
        self.send(Progress::Waiting { ahead });
    }

    fn reading(&mut self, done: usize, total: usize, reused: usize) {
        self.send(Progress::Prefill { done, total, reused });
    }

    fn end(&mut self, outcome: Result<Usage, ModelError>) {
        if outcome.is_ok()
            && !self.stopped
            && let Some(mut text) = self.text.take()
        {
            text.finish().into_iter().for_each(|step| self.send(step));
        }
        let _ = self.sender.send(outcome.map(Progress::Finished));
    }
}
