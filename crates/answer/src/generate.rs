//! Generate: runs the model over the prompt and passes its text on as it comes.

use crate::ask::Status;
use crate::record::Answer;
use crate::{AskError, Event, NamedGenerator, Settings, Wishes};
use inference::{GenerateRequest, Message, ModelError, Progress, Sampling, TokenLogprob, Usage};
use std::hash::{DefaultHasher, Hash, Hasher};
use tokio_util::sync::CancellationToken;

/// What the model wrote.
#[derive(Default)]
pub(crate) struct Generated {
    pub(crate) text: String,
    /// How likely its tokens were, if the engine tells.
    pub(crate) logprobs: Vec<TokenLogprob>,
    /// `None` if it was stopped, refused, or broken off.
    pub(crate) usage: Option<Usage>,
    /// Whether nothing was written, for what the hidden state says.
    pub(crate) refused: bool,
    /// What broke it off.
    pub(crate) error: Option<AskError>,
}

/// Why there is no whole answer, and what there is of one.
pub(crate) struct Failure {
    pub(crate) error: AskError,
    /// What the model was given, and what it had written by then.
    pub(crate) answer: Option<Box<Answer>>,
}

impl From<AskError> for Failure {
    fn from(error: AskError) -> Self {
        Self { error, answer: None }
    }
}

impl AskError {
    /// What the person who asked is told. A fault of ours is told without its reason: that stands in the log and in the
    /// audit event.
    pub(crate) fn told(&self) -> String {
        match self {
            Self::NoModel
            | Self::NothingBeside
            | Self::Invalid(_)
            | Self::Interrupted
            | Self::Model(
                ModelError::Overloaded { .. }
                | ModelError::PromptTooLong { .. }
                | ModelError::RemoteUnreachable { .. }
                | ModelError::RemoteRefused { .. }
                | ModelError::RemoteBroken { .. },
            ) => self.to_string(),
            Self::Model(_) | Self::Index(_) | Self::Storage(_) => "something went wrong here".to_owned(),
        }
    }
}

/// Sampling of every answer that does not ask otherwise: greedy, so that the same record gives the same text again.
pub(crate) const SAMPLING: Sampling = Sampling::GREEDY;

/// Generates until the model ends or fails, or `stop` is cancelled; `refuses` is shown the hidden state before anything is
/// written, if there is one to show. `reader` is who asks and what that person may read: people take turns, and what the
/// engine may reuse of an earlier prompt is keyed by the scope, never shared across different rights. A scope names the
/// person as well, for a document may be narrowed to single people: so far no two people have an equal one.
#[allow(clippy::too_many_arguments, reason = "the line's own state, passed on once")]
pub(crate) async fn generate(
    named: &NamedGenerator,
    messages: Vec<Message>,
    passages: Vec<String>,
    (settings, wishes): (&Settings, &Wishes),
    reader: (&impl Hash, &impl Hash),
    stop: &CancellationToken,
    mut refuses: Option<impl FnMut(Vec<f32>) -> bool>,
    mut report: impl FnMut(Event),
) -> Generated {
    let request = GenerateRequest {
        messages,
        max_new_tokens: wishes.max_new_tokens.unwrap_or(settings.answer_tokens),
        sampling: wishes.sampling.unwrap_or(SAMPLING),
        stop: wishes.stop.clone(),
        schema: wishes.schema.clone(),
        tools: wishes.tools.clone(),
        // An engine elsewhere is asked only for what it must tell.
        logprobs: wishes.logprobs.or_else(|| named.generator.remote_address().is_none().then_some(0)),
        cache_key: Some(number(reader.1)),
        passages,
        common_messages: if wishes.without_documents { 0 } else { crate::prompt::common(wishes) },
        user: Some(number(reader.0)),
        state: refuses.is_some(),
        // The passages say what there is to say; thinking would only keep the reader waiting.
        thinking: false,
    };
    let mut generated = Generated::default();
    let mut stream = match named.generator.generate(request) {
        Ok(stream) => stream,
        Err(error) => return Generated { error: Some(error.into()), ..generated },
    };
    let mut writing = false;
    loop {
        let progress = tokio::select! {
            () = stop.cancelled() => return generated,
            progress = stream.next() => progress,
        };
        match progress {
            Some(Ok(Progress::Waiting { ahead })) => report(Event::Status(Status::Waiting { ahead })),
            Some(Ok(Progress::Prefill { done, total, .. })) => report(Event::Status(Status::Reading { done, total })),
            Some(Ok(Progress::State(state))) => {
                if refuses.as_mut().is_some_and(|refuses| refuses(state)) {
                    return Generated { refused: true, ..generated };
                }
            }
            Some(Ok(Progress::Text(delta))) => {
                if !std::mem::replace(&mut writing, true) {
                    report(Event::Status(Status::Writing));
                }
                generated.text.push_str(&delta);
                report(Event::Text(delta));
            }
            Some(Ok(Progress::Thinking(delta))) => {
                if !std::mem::replace(&mut writing, true) {
                    report(Event::Status(Status::Writing));
                }
                report(Event::Thinking(delta));
            }
            Some(Ok(Progress::Logprobs(tokens))) => {
                generated.logprobs.extend(tokens.iter().cloned());
                if wishes.logprobs.is_some() {
                    report(Event::Logprobs(tokens));
                }
            }
            Some(Ok(Progress::Finished(usage))) => return Generated { usage: Some(usage), ..generated },
            Some(Err(error)) => return Generated { error: Some(error.into()), ..generated },
            None => return Generated { error: Some(AskError::Interrupted), ..generated },
        }
    }
}

/// A number that stands for `value` in this process.
pub(crate) fn number(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use index::IndexError;
    use storage::StorageError;

    #[test]
    fn a_fault_of_ours_is_told_without_its_reason() {
        let damaged = StorageError::Damaged { what: "row 7 of the table answers".to_owned() };
        for ours in [AskError::from(damaged), AskError::from(IndexError::NotUnit)] {
            assert_eq!(ours.told(), "something went wrong here", "{ours}");
        }
        let refused = ModelError::RemoteRefused { address: "http://far".to_owned(), reason: "no memory".to_owned() };
        for theirs in [AskError::NoModel, AskError::Interrupted, AskError::from(refused)] {
            assert_eq!(theirs.told(), theirs.to_string());
        }
    }
}
