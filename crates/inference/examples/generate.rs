//! Measures a model: reads a prompt of N tokens, writes M, and prints tokens a second.
//!
//! `cargo run --release -p inference --example generate -- FILE [PROMPT_TOKENS [NEW_TOKENS [REPEATS]]]`; with `-` for
//! PROMPT_TOKENS the next argument is a question, whose answer is printed.
#![allow(clippy::print_stdout)]

use inference::{GenerateRequest, Generator, GeneratorOptions, Message, Progress};
use std::path::Path;
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let file = arguments.first().ok_or("usage: generate FILE [PROMPT_TOKENS [NEW_TOKENS [REPEATS]]]")?;
    let number =
        |index: usize, default: usize| arguments.get(index).and_then(|text| text.parse().ok()).unwrap_or(default);
    let started = Instant::now();
    let generator = Generator::load(Path::new(file), GeneratorOptions::default())?;
    println!("loaded in {:.1} s: {:?}", started.elapsed().as_secs_f64(), generator.info());
    if arguments.get(1).is_some_and(|argument| argument == "-") {
        let question = arguments.get(2).ok_or("a question is missing")?;
        return answer(&generator, question, 200, true);
    }
    let wanted = number(1, 1500);
    let mut prompt = String::new();
    while generator.count_tokens(&prompt) < wanted {
        for index in 0..8 {
            prompt.push_str(&format!("Item {index} of the staff handbook says that leave is granted on request. "));
        }
    }
    for _ in 0..number(3, 2) {
        answer(&generator, &prompt, number(2, 64), false)?;
    }
    Ok(())
}

fn answer(generator: &Generator, question: &str, new: usize, show: bool) -> Result<(), Box<dyn std::error::Error>> {
    let request =
        GenerateRequest { messages: vec![Message::user(question)], max_new_tokens: new, ..GenerateRequest::default() };
    let mut stream = generator.generate(request)?;
    while let Some(step) = stream.blocking_next() {
        match step? {
            Progress::Text(text) if show => print!("{text}"),
            Progress::Finished(usage) => println!(
                "\n{} prompt tokens at {:.1}/s, {} new tokens at {:.1}/s",
                usage.prompt_tokens,
                usage.prompt_tokens as f64 / usage.prefill.as_secs_f64(),
                usage.new_tokens,
                usage.new_tokens as f64 / usage.decode.as_secs_f64(),
            ),
            _ => {}
        }
    }
    Ok(())
}
