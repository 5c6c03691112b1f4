//! Generate: runs the model over the prompt and passes its text on as it comes.

use crate::ask::Status;
use crate::{AskError, Event, NamedGenerator, Settings, Wishes};
use inference::{GenerateRequest, Message, Progress, Sampling, TokenLogprob, Usage};
use std::hash::{DefaultHasher, Hash, Hasher};
use tokio_util::sync::CancellationToken;

/// What the model wrote.
pub(crate) struct Generated {
    pub(crate) text: String,
    /// How likely its tokens were, if the engine tells.
    pub(crate) logprobs: Vec<TokenLogprob>,
    /// `None` if it was stopped, or refused.
    pub(crate) usage: Option<Usage>,
    /// Whether nothing was written, for what the hidden state says.
    pub(crate) refused: bool,
}

/// Sampling of every answer that does not ask otherwise: greedy, so that the same record gives the same text again.
pub(crate) const SAMPLING: Sampling = Sampling::GREEDY;

/// Generates until the model ends or `stop` is cancelled; `refuses` is shown the hidden state before anything is written, if
/// there is one to show. `reader` is who asks and what that person may read: people take turns, and what the engine may
/// reuse of an earlier prompt is keyed by the scope, never shared across different rights. A scope names the person as
/// well, for a document may be narrowed to single people: so far no two people have an equal one.
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
) -> Result<Generated, AskError> {
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
    let mut stream = named.generator.generate(request)?;
    let (mut text, mut logprobs) = (String::new(), Vec::new());
    let mut writing = false;
    loop {
        let progress = tokio::select! {
            () = stop.cancelled() => return Ok(Generated { text, logprobs, usage: None, refused: false }),
            progress = stream.next() => progress,
        };
        match progress {
            Some(Ok(Progress::Waiting { ahead })) => report(Event::Status(Status::Waiting { ahead })),
            Some(Ok(Progress::Prefill { done, total, .. })) => report(Event::Status(Status::Reading { done, total })),
            Some(Ok(Progress::State(state))) => {
                if refuses.as_mut().is_some_and(|refuses| refuses(state)) {
                    return Ok(Generated { text, logprobs, usage: None, refused: true });
                }
            }
            Some(Ok(Progress::Text(delta))) => {
                if !std::mem::replace(&mut writing, true) {
                    report(Event::Status(Status::Writing));
                }
                text.push_str(&delta);
                report(Event::Text(delta));
            }
            Some(Ok(Progress::Thinking(delta))) => {
                if !std::mem::replace(&mut writing, true) {
                    report(Event::Status(Status::Writing));
                }
                report(Event::Thinking(delta));
            }
            Some(Ok(Progress::Logprobs(tokens))) => {
                logprobs.extend(tokens.iter().cloned());
                if wishes.logprobs.is_some() {
                    report(Event::Logprobs(tokens));
                }
            }
            Some(Ok(Progress::Finished(usage))) => {
                return Ok(Generated { text, logprobs, usage: Some(usage), refused: false });
            }
            Some(Err(error)) => return Err(error.into()),
            None => return Err(AskError::Interrupted),
        }
    }
}

/// A number that stands for `value` in this process.
pub(crate) fn number(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
