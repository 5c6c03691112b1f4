//! An answer in the making, seen from the model: logits become tokens, tokens text, and the text goes to its reader.

use super::stop::StopTexts;
use super::stream::{FinishReason, Progress, Usage};
use super::{GenerateRequest, PromptText};
use crate::ModelError;
use crate::sampler::Sampler;
use crate::scheduler::Writer;
use crate::tokenizer::TextStream;
use std::sync::Arc;
use tokio::sync::mpsc::UnboundedSender;

/// Everything that one answer needs besides the model.
pub(super) struct Answer {
    sampler: Sampler,
    text: TextStream,
    stops: StopTexts,
    /// Whether a stop text was reached: what is held back is lost.
    stopped: bool,
    prompt_text: Arc<PromptText>,
    sender: UnboundedSender<Result<Progress, ModelError>>,
}

impl Answer {
    pub(super) fn new(
        request: GenerateRequest,
        prompt_text: Arc<PromptText>,
        sender: UnboundedSender<Result<Progress, ModelError>>,
    ) -> Self {
        Self {
            sampler: Sampler::new(request.sampling),
            text: TextStream::default(),
            stops: StopTexts::new(request.stop),
            stopped: false,
            prompt_text,
            sender,
        }
    }

    /// A reader that left is noticed by [`Writer::is_open`].
    fn send(&self, progress: Progress) {
        let _ = self.sender.send(Ok(progress));
    }

    fn show(&self, text: String) {
        if !text.is_empty() {
            self.send(Progress::Text(text));
        }
    }
}

impl Writer for Answer {
    fn accept(&mut self, logits: &mut [f32]) -> (u32, Option<FinishReason>) {
        let token = self.sampler.sample(logits);
        if self.prompt_text.tokenizer.is_end(token) {
            return (token, Some(FinishReason::Stop));
        }
        let (shown, stopped) = self.stops.push(&self.text.push(token, &self.prompt_text.tokenizer));
        self.show(shown);
        self.stopped = stopped;
        (token, stopped.then_some(FinishReason::Stop))
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
        if outcome.is_ok() && !self.stopped {
            let (shown, _) = self.stops.push(&self.text.finish());
            let rest = shown + &self.stops.finish();
            self.show(rest);
        }
        let _ = self.sender.send(outcome.map(Progress::Finished));
    }
}
