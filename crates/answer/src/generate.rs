//! Generate: runs the model over the prompt and passes its text on as it comes.

use crate::ask::Status;
use crate::{AskError, Event, NamedGenerator, Settings};
use inference::{GenerateRequest, Message, Progress, Sampling, Usage};
use std::hash::{DefaultHasher, Hash, Hasher};
use tokio_util::sync::CancellationToken;

/// What the model wrote.
pub(crate) struct Generated {
    pub(crate) text: String,
    /// `None` if it was stopped.
    pub(crate) usage: Option<Usage>,
}

/// Sampling of every answer: greedy, so that the same record gives the same text again.
pub(crate) const SAMPLING: Sampling = Sampling { temperature: 0.0, top_p: 1.0, seed: 0 };

/// Generates until the model ends or `stop` is cancelled. `reader` keys what the engine may reuse of an earlier
/// prompt: never across readers with different rights.
pub(crate) async fn generate(
    named: &NamedGenerator,
    messages: Vec<Message>,
    settings: &Settings,
    reader: &impl Hash,
    stop: &CancellationToken,
    mut report: impl FnMut(Event),
) -> Result<Generated, AskError> {
    let mut hasher = DefaultHasher::new();
    reader.hash(&mut hasher);
    let request = GenerateRequest {
        messages,
        max_new_tokens: settings.answer_tokens,
        sampling: SAMPLING,
        cache_key: Some(hasher.finish()),
        ..GenerateRequest::default()
    };
    let mut stream = named.generator.generate(request)?;
    let mut text = String::new();
    loop {
        let progress = tokio::select! {
            () = stop.cancelled() => return Ok(Generated { text, usage: None }),
            progress = stream.next() => progress,
        };
        match progress {
            Some(Ok(Progress::Waiting { ahead })) => report(Event::Status(Status::Waiting { ahead })),
            Some(Ok(Progress::Prefill { done, total, .. })) => report(Event::Status(Status::Reading { done, total })),
            Some(Ok(Progress::Text(delta))) => {
                if text.is_empty() {
                    report(Event::Status(Status::Writing));
                }
                text.push_str(&delta);
                report(Event::Text(delta));
            }
            Some(Ok(Progress::Finished(usage))) => return Ok(Generated { text, usage: Some(usage) }),
            Some(Err(error)) => return Err(error.into()),
            None => return Err(AskError::Interrupted),
        }
    }
}
