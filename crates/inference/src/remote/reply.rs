//! What the engine's events say: pieces of text, calls of functions, why it ended, and what it counted.

use crate::TokenLogprob;
use crate::generator::{FinishReason, Progress};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Most functions called in one answer.
const CALLS: usize = 64;
/// Most bytes of an answer, its calls included.
const ANSWER_BYTES: usize = 8 << 20;

#[derive(Deserialize)]
struct Chunk {
    #[serde(default)]
    choices: Vec<Choice>,
    usage: Option<Counts>,
    error: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    index: usize,
    #[serde(default)]
    delta: Delta,
    logprobs: Option<Logprobs>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Logprobs {
    content: Option<Vec<Likely>>,
}

#[derive(Deserialize)]
struct Likely {
    token: String,
    bytes: Option<Vec<u8>>,
    logprob: f32,
    #[serde(default)]
    top_logprobs: Vec<Alternative>,
}

#[derive(Deserialize)]
struct Alternative {
    token: String,
    logprob: f32,
}

impl From<Likely> for TokenLogprob {
    fn from(likely: Likely) -> Self {
        Self {
            bytes: likely.bytes.unwrap_or_else(|| likely.token.clone().into_bytes()),
            token: likely.token,
            logprob: likely.logprob,
            top: likely.top_logprobs.into_iter().map(|other| (other.token, other.logprob)).collect(),
        }
    }
}

#[derive(Deserialize, Default)]
struct Delta {
    content: Option<String>,
    /// What llama-server and older vLLM call the thinking; others say `reasoning`, and some say both.
    reasoning_content: Option<String>,
    reasoning: Option<String>,
    tool_calls: Option<Vec<CallPiece>>,
}

#[derive(Deserialize)]
struct CallPiece {
    #[serde(default)]
    index: usize,
    function: Option<FunctionPiece>,
}

#[derive(Deserialize)]
struct FunctionPiece {
    name: Option<String>,
    arguments: Option<String>,
}

/// Tokens as the engine counted them.
#[derive(Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counts {
    #[serde(default)]
    pub(super) prompt_tokens: usize,
    #[serde(default)]
    pub(super) completion_tokens: usize,
    prompt_tokens_details: Option<PromptDetails>,
}

#[derive(Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
struct PromptDetails {
    cached_tokens: Option<usize>,
}

impl Counts {
    /// How many tokens of the prompt the engine had computed before.
    pub(super) fn cached(&self) -> usize {
        self.prompt_tokens_details.and_then(|details| details.cached_tokens).unwrap_or(0)
    }
}

/// An answer as far as it has come.
#[derive(Debug, Default)]
pub(super) struct Reply {
    calls: BTreeMap<usize, (String, String)>,
    bytes: usize,
    /// Events with something new in them.
    pub(super) pieces: usize,
    pub(super) finish: Option<FinishReason>,
    pub(super) counts: Option<Counts>,
    pub(super) done: bool,
}

impl Reply {
    /// Takes the data of an event over and gives what it adds to the answer. An error is what was wrong with it.
    pub(super) fn take(&mut self, data: &str) -> Result<Vec<Progress>, String> {
        if data.trim() == "[DONE]" {
            self.done = true;
            return Ok(Vec::new());
        }
        let chunk: Chunk =
            serde_json::from_str(data).map_err(|_| "an event of it is not what it should be".to_owned())?;
        if let Some(error) = chunk.error.filter(|error| !error.is_null()) {
            return Err(format!("it reports '{}'", super::refusal::sentence(&error)));
        }
        self.counts = chunk.usage.or(self.counts);
        let mut added = Vec::new();
        // One answer was asked for; another one's pieces are not ours.
        for choice in chunk.choices.into_iter().filter(|choice| choice.index == 0) {
            let calls = choice.delta.tool_calls.unwrap_or_default();
            let content = choice.delta.content.unwrap_or_default();
            let thinking = choice.delta.reasoning_content.or(choice.delta.reasoning).unwrap_or_default();
            self.pieces += usize::from(!content.is_empty() || !thinking.is_empty() || !calls.is_empty());
            self.bytes += content.len() + thinking.len();
            if !thinking.is_empty() {
                added.push(Progress::Thinking(thinking));
            }
            let likely = choice.logprobs.and_then(|logprobs| logprobs.content).unwrap_or_default();
            if !likely.is_empty() {
                added.push(Progress::Logprobs(likely.into_iter().map(TokenLogprob::from).collect()));
            }
            if !content.is_empty() {
                added.push(Progress::Text(content));
            }
            for piece in calls {
                self.call(piece)?;
            }
            match choice.finish_reason.as_deref() {
                None | Some("") => {}
                Some("length") => self.finish = Some(FinishReason::Length),
                Some(_) => self.finish = Some(FinishReason::Stop),
            }
        }
        if self.bytes > ANSWER_BYTES { Err("it does not end".to_owned()) } else { Ok(added) }
    }

    fn call(&mut self, piece: CallPiece) -> Result<(), String> {
        if piece.index >= CALLS {
            return Err("it calls too many functions".to_owned());
        }
        let Some(function) = piece.function else { return Ok(()) };
        let (name, arguments) = self.calls.entry(piece.index).or_default();
        for (whole, piece) in [(name, function.name), (arguments, function.arguments)] {
            let piece = piece.unwrap_or_default();
            self.bytes += piece.len();
            whole.push_str(&piece);
        }
        Ok(())
    }

    /// The calls, written as models of this machine write them, so that one reader serves both.
    pub(super) fn calls(&self) -> String {
        let call = |(name, arguments): &(String, String)| {
            let arguments = match arguments.trim() {
                "" => serde_json::json!({}),
                text => serde_json::from_str(text).unwrap_or_else(|_| text.into()),
            };
            let call = serde_json::json!({ "name": name, "arguments": arguments });
            format!("\n<tool_call>\n{call}\n</tool_call>")
        };
        self.calls.values().map(call).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(piece: &str) -> Vec<Progress> {
        vec![Progress::Text(piece.to_owned())]
    }

    #[test]
    fn text_counts_and_the_end_are_read() {
        let mut reply = Reply::default();
        let role = r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":null},"finish_reason":null}]}"#;
        assert_eq!(reply.take(role).unwrap(), []);
        assert_eq!(reply.take(r#"{"choices":[{"delta":{"content":"Her"}}]}"#).unwrap(), text("Her"));
        assert_eq!(reply.take(r#"{"choices":[{"index":1,"delta":{"content":"no"}}]}"#).unwrap(), []);
        assert_eq!(
            reply.take(r#"{"choices":[{"delta":{"content":"ons"},"finish_reason":"length"}]}"#).unwrap(),
            text("ons")
        );
        let counts = r#"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11,
            "prompt_tokens_details":{"cached_tokens":4}}}"#;
        assert_eq!(reply.take(counts).unwrap(), []);
        assert_eq!((reply.pieces, reply.finish, reply.done), (2, Some(FinishReason::Length), false));
        let counts = reply.counts.unwrap();
        assert_eq!((counts.prompt_tokens, counts.completion_tokens, counts.cached()), (9, 2, 4));
        reply.take("[DONE]").unwrap();
        assert!(reply.done);
    }

    #[test]
    fn thinking_and_likelihoods_come_beside_the_text() {
        let event = r#"{"choices":[{"delta":{"content":"Yes","reasoning_content":"Hm."},"logprobs":{"content":[
            {"token":"Yes","logprob":-0.5,"bytes":null,"top_logprobs":[{"token":"No","logprob":-1.5}]}]}}]}"#;
        let top = vec![("No".to_owned(), -1.5)];
        let likely = TokenLogprob { token: "Yes".into(), bytes: b"Yes".to_vec(), logprob: -0.5, top };
        let expected =
            [Progress::Thinking("Hm.".into()), Progress::Logprobs(vec![likely]), Progress::Text("Yes".into())];
        assert_eq!(Reply::default().take(event).unwrap(), expected);
    }

    #[test]
    fn calls_come_in_pieces_and_leave_as_text() {
        let mut reply = Reply::default();
        for function in
            [r#"{"name":"tide","arguments":""}"#, r#"{"arguments":"{\"at\": \"Pi"}"#, r#"{"arguments":"er 4\"}"}"#]
        {
            let event =
                format!(r#"{{"choices":[{{"delta":{{"tool_calls":[{{"index":0,"function":{function}}}]}}}}]}}"#);
            assert_eq!(reply.take(&event).unwrap(), []);
        }
        let call = r#"{"name":"tide","arguments":{"at":"Pier 4"}}"#;
        assert_eq!(reply.calls(), format!("\n<tool_call>\n{call}\n</tool_call>"));
        let far = r#"{"choices":[{"delta":{"tool_calls":[{"index":9999999,"function":{"name":"x"}}]}}]}"#;
        assert!(reply.take(far).unwrap_err().contains("too many"));
    }

    #[test]
    fn nonsense_is_an_error() {
        for data in ["", "hello", "[1]", r#"{"choices":7}"#, r#"{"choices":[{"delta":{"content":5}}]}"#] {
            assert!(Reply::default().take(data).is_err(), "{data}");
        }
        let error = Reply::default().take(r#"{"error":{"message":"out of\nmemory"}}"#).unwrap_err();
        assert_eq!(error, "it reports 'out of memory'");
        let long = format!(r#"{{"choices":[{{"delta":{{"content":"{}"}}}}]}}"#, "x".repeat(ANSWER_BYTES + 1));
        assert_eq!(Reply::default().take(&long).unwrap_err(), "it does not end");
    }
}
