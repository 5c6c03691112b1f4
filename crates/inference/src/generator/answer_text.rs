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
pub(super) struct AnswerText {
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
    /// A stop text was reached: the answer is over, and [`AnswerText::finish`] has nothing to add.
    pub(super) stopped: bool,
}

impl AnswerText {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat_template::ChatTemplate;
    use crate::gguf::GgufFile;
    use crate::grammar::Grammars;
    use crate::thinking::ThinkingTags;
    use candle_core::quantized::gguf_file::{self, Value};

    /// What the tokens of [`prompt_text`] stand for; `Ã` and `©` are the two bytes of é in GPT-2's alphabet.
    const TOKENS: [(&str, u32); 9] = [
        ("<|im_start|>", 3),
        ("<|im_end|>", 3),
        ("[THINK]", 3),
        ("[/THINK]", 3),
        ("a", 1),
        ("\u{120}b", 1),
        ("Ã", 1),
        ("©", 1),
        ("END", 1),
    ];

    fn prompt_text() -> PromptText {
        let array = |values: Vec<Value>| Value::Array(values);
        let metadata = [
            ("tokenizer.ggml.model", Value::String("gpt2".into())),
            ("tokenizer.ggml.tokens", array(TOKENS.map(|(token, _)| Value::String(token.into())).to_vec())),
            ("tokenizer.ggml.token_type", array(TOKENS.map(|(_, kind)| Value::U32(kind)).to_vec())),
            ("tokenizer.ggml.merges", array(Vec::new())),
            ("tokenizer.ggml.eos_token_id", Value::U32(1)),
        ];
        let metadata: Vec<(&str, &Value)> = metadata.iter().map(|(key, value)| (*key, value)).collect();
        let mut file = tempfile::NamedTempFile::new().unwrap();
        gguf_file::write(file.as_file_mut(), &metadata, &[]).unwrap();
        let gguf = GgufFile::open(file.path()).unwrap();
        let tokenizer = TextTokenizer::read(&gguf).unwrap();
        let template = ChatTemplate::read(&gguf, &tokenizer).unwrap();
        let thinking = ThinkingTags::find(&tokenizer);
        PromptText { tokenizer, template, thinking, grammars: Grammars::default() }
    }

    /// The steps of an answer, as short texts: `t:` thinking, `a:` answer, `l:` tokens whose likelihoods are told.
    fn steps(prompt: &[u32], tokens: &[u32], stops: &[&str]) -> Vec<String> {
        let text = prompt_text();
        let mut answer = AnswerText::new(&text, prompt, stops.iter().map(|&stop| stop.to_owned()).collect());
        let mut steps = Vec::new();
        let mut stopped = false;
        for &token in tokens {
            let logprobs = Some(Logprobs { logprob: -1.0, top: vec![(token, -1.0)] });
            let written = answer.push(Choice { token, logprobs }, &text);
            steps.extend(written.steps);
            stopped = written.stopped;
        }
        if !stopped {
            steps.extend(answer.finish());
        }
        let name = |step| match step {
            Progress::Thinking(text) => format!("t:{text}"),
            Progress::Text(text) => format!("a:{text}"),
            Progress::Logprobs(told) => {
                assert!(told.iter().all(|told| told.top == [(told.token.clone(), -1.0)]));
                format!("l:{}", told.into_iter().map(|told| told.token).collect::<Vec<_>>().join("|"))
            }
            other => panic!("{other:?}"),
        };
        steps.into_iter().map(name).collect()
    }

    #[test]
    fn thinking_between_control_tokens_is_set_apart() {
        assert_eq!(steps(&[0], &[2, 4, 5, 3, 5, 4], &[]), ["t:a", "t: b", "l: b", "a:b", "l:a", "a:a"]);
        assert_eq!(steps(&[0, 2], &[4, 3, 4], &[]), ["t:a", "l:a", "a:a"]);
        assert_eq!(steps(&[0], &[4, 2, 5], &[]), ["l:a", "a:a", "l:[THINK]", "a:[THINK]", "l: b", "a: b"]);
    }

    #[test]
    fn likelihoods_come_with_the_text_they_belong_to() {
        assert_eq!(steps(&[0], &[4, 6, 7, 5], &[]), ["l:a", "a:a", "l:\u{fffd}|\u{fffd}", "a:é", "l: b", "a: b"]);
        assert_eq!(steps(&[0], &[4, 6], &[]), ["l:a", "a:a", "l:\u{fffd}", "a:\u{fffd}"]);
    }

    #[test]
    fn a_stop_text_leaves_no_likelihoods_behind() {
        assert_eq!(steps(&[0], &[4, 8], &["END"]), ["l:a", "a:a"]);
        assert_eq!(steps(&[0], &[4, 5], &["a b c"]), ["l:a| b", "a:a b"]);
        // Thinking may have the stop text in it.
        assert_eq!(steps(&[0], &[2, 8, 3, 4, 8], &["END"]), ["t:END", "l:a", "a:a"]);
    }
}
