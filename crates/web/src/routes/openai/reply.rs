//! How an answer is told: OpenAI's objects, and our own field with what the answer rests on.

use super::tools;
use crate::answered::{self, REFUSAL, cited};
use answer::{Answer, Question};
use domain::{AnswerId, ConversationId};
use inference::{FinishReason, TokenLogprob};
use jiff::Timestamp;
use serde_json::{Value, json};
use storage::AnswerState;

/// What is the same in every object about one answer.
pub(super) struct Reply {
    id: AnswerId,
    conversation: ConversationId,
    model: String,
    created: i64,
    from_documents: bool,
    /// The answer is JSON.
    pub(super) shaped: bool,
    /// Functions may be called.
    pub(super) tools: bool,
    /// A call must be made, so that nothing else is text.
    pub(super) forced: bool,
    /// A larger model may write the answer anew, so what was written first is not yet the answer.
    pub(super) may_begin_again: bool,
}

impl Reply {
    pub(super) fn new(question: &Question, model: String, shaped: bool, escalates: bool, now: Timestamp) -> Self {
        let tools = !question.wishes.tools.is_empty();
        Self {
            id: question.id,
            conversation: question.conversation,
            model,
            created: now.as_second(),
            from_documents: !question.wishes.without_documents,
            shaped,
            tools,
            forced: tools && question.wishes.schema.is_some(),
            may_begin_again: escalates && !tools && !question.wishes.without_documents,
        }
    }

    /// The whole answer as one object.
    pub(super) fn whole(&self, answer: &Answer) -> Value {
        let mut message = json!({ "role": "assistant", "content": self.content(answer), "refusal": null });
        if answer.state == AnswerState::Refused && self.shaped {
            message["refusal"] = json!(REFUSAL);
        }
        if !answer.calls.is_empty() {
            message["tool_calls"] = tools::told(&answer.calls, false);
        }
        message["carrel"] = self.ours(answer);
        let logprobs = (!answer.logprobs.is_empty()).then(|| json!({ "content": likely(&answer.logprobs) }));
        let choice =
            json!({ "index": 0, "message": message, "logprobs": logprobs, "finish_reason": finish_reason(answer) });
        self.object("chat.completion", &json!([choice]), &usage(answer))
    }

    /// A piece of the answer.
    pub(super) fn chunk(&self, delta: &Value, finish: Option<&str>, logprobs: &[TokenLogprob]) -> Value {
        let logprobs = (!logprobs.is_empty()).then(|| json!({ "content": likely(logprobs) }));
        let choice = json!({ "index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish });
        self.object("chat.completion.chunk", &json!([choice]), &Value::Null)
    }

    /// The piece behind the last one, if the counts were asked for.
    pub(super) fn counts(&self, answer: &Answer) -> Value {
        self.object("chat.completion.chunk", &json!([]), &usage(answer))
    }

    fn object(&self, kind: &str, choices: &Value, usage: &Value) -> Value {
        json!({
            "id": format!("chatcmpl-{}", self.id),
            "object": kind,
            "created": self.created,
            "model": self.model,
            "choices": choices,
            "usage": usage,
        })
    }

    /// The text, with its citations as they were checked rather than as the model wrote them.
    fn content(&self, answer: &Answer) -> Value {
        match answer.state {
            AnswerState::Refused if self.shaped => Value::Null,
            AnswerState::Refused => json!(REFUSAL),
            _ if !answer.calls.is_empty() && answer.text.is_empty() => Value::Null,
            _ if self.shaped || !self.from_documents || !answer.calls.is_empty() => json!(answer.text),
            _ => json!(cited(&answer.sentences)),
        }
    }

    /// What the answer rests on.
    pub(super) fn ours(&self, answer: &Answer) -> Value {
        answered::rests_on((self.id, self.conversation), self.from_documents, answer)
    }
}

pub(super) fn finish_reason(answer: &Answer) -> &'static str {
    match answer.usage.map(|usage| usage.finish) {
        _ if !answer.calls.is_empty() => "tool_calls",
        Some(FinishReason::Length) if answer.state != AnswerState::Refused => "length",
        _ => "stop",
    }
}

fn usage(answer: &Answer) -> Value {
    let (prompt, reused, new) =
        answer.usage.map_or((0, 0, 0), |usage| (usage.prompt_tokens, usage.reused_tokens, usage.new_tokens));
    json!({
        "prompt_tokens": prompt,
        "completion_tokens": new,
        "total_tokens": prompt + new,
        "prompt_tokens_details": { "cached_tokens": reused },
    })
}

fn likely(tokens: &[TokenLogprob]) -> Value {
    let one = |token: &TokenLogprob| {
        let other = |(text, logprob): &(String, f32)| json!({ "token": text, "logprob": finite(*logprob), "bytes": text.as_bytes() });
        json!({
            "token": token.token,
            "logprob": finite(token.logprob),
            "bytes": token.bytes,
            "top_logprobs": token.top.iter().map(other).collect::<Vec<_>>(),
        })
    };
    tokens.iter().map(one).collect()
}

/// JSON has no word for minus infinity; OpenAI writes this for what is out of reach.
fn finite(logprob: f32) -> f32 {
    if logprob.is_finite() { logprob } else { -9999.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minus_infinity_is_a_number() {
        assert_eq!(finite(f32::NEG_INFINITY).to_bits(), (-9999.0f32).to_bits());
    }
}
