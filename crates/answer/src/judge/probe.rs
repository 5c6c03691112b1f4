//! The question to the model behind the same passages: is the answer in them? Not what it says counts, but how likely
//! it finds "yes" against "no". The prompt is the answer's own with one sentence more at its end, so what is computed for
//! it is used again by the answer (the scheduler's prefix cache), and only the sentence and one token are extra.

use crate::ask::{Event, Question, Status};
use crate::generate::{SAMPLING, number};
use crate::pack::Source;
use crate::{Answering, NamedGenerator};
use inference::{GenerateRequest, Message, MessageRole, Progress, TokenLogprob};
use tokio_util::sync::CancellationToken;

const PROBE: &str = "\n\nIs the answer to this question stated in the passages? Reply with yes or no only.";

/// Alternatives looked at for a form of yes and of no.
pub(super) const ALTERNATIVES: usize = 20;

/// More than this a single token does not prove.
const MOST: f32 = 4.0;

impl Answering {
    /// ln p(yes) - ln p(no), from -4 to 4. `None` if the model says neither or cannot be asked: engines elsewhere
    /// would read the prompt twice.
    pub(crate) async fn probe(
        &self,
        named: &NamedGenerator,
        question: &Question,
        messages: &[Message],
        sources: &[Source],
        stop: &CancellationToken,
        report: &mut impl FnMut(Event),
    ) -> Option<f32> {
        if named.generator.remote_address().is_some() {
            return None;
        }
        let mut messages = messages.to_vec();
        messages.last_mut().filter(|last| last.role == MessageRole::User)?.content.push_str(PROBE);
        let request = GenerateRequest {
            messages,
            max_new_tokens: 1,
            sampling: SAMPLING,
            logprobs: Some(ALTERNATIVES),
            cache_key: Some(number(&question.scope)),
            user: Some(number(&question.owner)),
            passages: self.quoted(sources),
            common_messages: crate::prompt::common(&question.wishes),
            ..GenerateRequest::default()
        };
        // What is wrong with the prompt, the answer's own request will say.
        let mut stream = named.generator.generate(request).ok()?;
        let mut likely = None;
        loop {
            let progress = tokio::select! {
                () = stop.cancelled() => return None,
                progress = stream.next() => progress,
            };
            match progress? {
                Ok(Progress::Waiting { ahead }) => report(Event::Status(Status::Waiting { ahead })),
                Ok(Progress::Prefill { done, total, .. }) => report(Event::Status(Status::Reading { done, total })),
                Ok(Progress::Logprobs(tokens)) => likely = likely.or_else(|| tokens.first().and_then(yes_against_no)),
                Ok(Progress::Finished(_)) => return likely,
                Ok(Progress::Text(_) | Progress::Thinking(_)) => {}
                Err(_) => return None,
            }
        }
    }
}

pub(super) fn yes_against_no(token: &TokenLogprob) -> Option<f32> {
    let sum = |words: [&str; 2]| -> f32 {
        let meant = |text: &str| words.contains(&text.trim().to_lowercase().as_str());
        token.top.iter().filter(|(text, _)| meant(text)).map(|(_, logprob)| logprob.exp()).sum()
    };
    let (yes, no) = (sum(["yes", "ja"]), sum(["no", "nein"]));
    // What stands in no list of alternatives is less likely than the last of them.
    let least = token.top.last().map_or(0.0, |(_, logprob)| logprob.exp()).max(1e-6);
    (yes > 0.0 || no > 0.0).then(|| (yes.max(least).ln() - no.max(least).ln()).clamp(-MOST, MOST))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(top: &[(&str, f32)]) -> TokenLogprob {
        let top = top.iter().map(|(text, p)| ((*text).to_owned(), p.ln())).collect();
        TokenLogprob { token: String::new(), bytes: Vec::new(), logprob: 0.0, top }
    }

    #[test]
    fn all_forms_of_yes_and_no_count() {
        let likely = yes_against_no(&token(&[("Yes", 0.4), ("No", 0.3), (" yes", 0.2), ("The", 0.1)])).unwrap();
        assert!((likely - 2.0_f32.ln()).abs() < 1e-5);
        assert!(yes_against_no(&token(&[("No", 0.9), ("The", 0.1)])).unwrap() < -2.0);
        assert!(yes_against_no(&token(&[("The", 0.9)])).is_none());
    }
}
