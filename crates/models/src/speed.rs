//! Speed: tokens a second of a short fixed prompt.

use crate::ModelsError;
use inference::{GenerateRequest, Generator, Message, ModelError, Progress, Sampling, Usage};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Tokens of the prompt, very nearly.
const PROMPT: usize = 256;
/// Tokens written at most; a model may end sooner.
const NEW: usize = 32;

/// Words of many kinds, so that the prompt is not one token repeated.
const WORDS: &str = "The harbour office keeps a register of every vessel that asks for a berth, with its length, its \
draught and the hour at which it is expected; the pilot on duty signs each line before the tide turns. ";

/// How fast a model was, once, on one machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Speed {
    /// Tokens of a prompt read in a second.
    pub prefill_tokens_per_s: f64,
    /// Tokens of an answer written in a second.
    pub decode_tokens_per_s: f64,
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
    /// Tokens written.
    pub new_tokens: usize,
    /// When.
    pub at: Timestamp,
    /// On what: the processor and how many cores.
    pub machine: String,
}

/// Measures `generator` once. What else it is asked meanwhile slows it down, and shows.
pub(crate) async fn measure(generator: &Generator, at: Timestamp) -> Result<Speed, ModelsError> {
    let usage = write(generator, prompt(generator)?, NEW).await?;
    let rate = |tokens: usize, time: Duration| {
        let seconds = time.as_secs_f64();
        if seconds > 0.0 { tokens as f64 / seconds } else { 0.0 }
    };
    Ok(Speed {
        prefill_tokens_per_s: rate(usage.prompt_tokens.saturating_sub(usage.reused_tokens), usage.prefill),
        // The first token comes with the prompt.
        decode_tokens_per_s: rate(usage.new_tokens.saturating_sub(1), usage.decode),
        prompt_tokens: usage.prompt_tokens,
        new_tokens: usage.new_tokens,
        at,
        machine: machine(),
    })
}

/// Lets the model write a few tokens: whether it runs at all.
pub(crate) async fn self_test(generator: &Generator) -> Result<(), ModelsError> {
    let usage = write(generator, vec![user("Name the days of the week.".to_owned())], 4).await?;
    if usage.new_tokens == 0 {
        let sentence = "the model wrote nothing in its self-test; use another copy or another model";
        return Err(ModelsError::Refused(sentence.to_owned()));
    }
    Ok(())
}

async fn write(generator: &Generator, messages: Vec<Message>, new: usize) -> Result<Usage, ModelsError> {
    let request = GenerateRequest { messages, max_new_tokens: new, sampling: greedy(), ..GenerateRequest::default() };
    let mut stream = generator.generate(request)?;
    loop {
        match stream.next().await {
            Some(Ok(Progress::Finished(usage))) => return Ok(usage),
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(error.into()),
            None => return Err(ModelError::Stopped.into()),
        }
    }
}

fn greedy() -> Sampling {
    Sampling { temperature: 0.0, ..Sampling::default() }
}

fn user(content: String) -> Message {
    Message::user(content)
}

/// A prompt of very nearly [`PROMPT`] tokens that asks for a long answer.
fn prompt(generator: &Generator) -> Result<Vec<Message>, ModelsError> {
    let message = |words: usize| {
        let text: Vec<&str> = WORDS.split_whitespace().cycle().take(words).collect();
        vec![user(format!("Continue this report with as much detail as you can:\n\n{}", text.join(" ")))]
    };
    let (mut low, mut high) = (0, PROMPT * 2);
    while low < high {
        let middle = (low + high).div_ceil(2);
        if generator.count_prompt_tokens(&message(middle))? <= PROMPT { low = middle } else { high = middle - 1 }
    }
    Ok(message(low))
}

/// Such as `Xeon Platinum, 2 cores`.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let name = name.map_or(std::env::consts::ARCH, |(_, name)| name.trim());
    format!("{name}, {cores} {}", if cores == 1 { "core" } else { "cores" })
}
