//! Workers that speak the protocol wrongly. Written against its description, not with its code.

use crate::common::{costs_one_file, one_worker, read, role, test};
use confine::{Pool, ReadFailure, Settings};
use libtest_mimic::Trial;
use serde_json::{Value, json};
use std::io::{self, Read, Write};
use std::process::{Command, ExitCode};

pub fn tests() -> Vec<Trial> {
    vec![
        test("wrong_words_end_a_worker", wrong_words),
        test("a_worker_that_does_not_start_is_nobodys_fault", no_worker),
        test("a_worker_without_confinement_may_be_refused", unconfined),
    ]
}

async fn wrong_words() {
    let limits = extract::Limits { entries: 50, unpacked_bytes: 1 << 20, ..one_worker().limits };
    let pool = Pool::new(role("pretend"), Settings { limits, output_bytes: 1 << 20, ..one_worker() });
    for name in [
        "garbage",
        "a frame of 4 GiB",
        "no json",
        "a second hello",
        "endless news",
        "endless empty blocks",
        "a child of 2^60 bytes",
        "children without end",
        "half a frame",
        "nothing",
    ] {
        costs_one_file(&pool, name, "crashed").await;
    }
    // More than fits into a pipe, so it is still being sent when the answer comes.
    let long = "x".repeat(1 << 20);
    let failure = read(&pool, "an answer too early", &long).await.unwrap_err();
    assert!(failure.to_string().contains("an answer before the question"), "{failure:?}");
    // What comes after an answer is not held against the next file.
    for _ in 0..3 {
        read(&pool, "more than was asked", "x").await.unwrap();
    }
}

async fn no_worker() {
    let missing = Pool::new(Command::new("/nowhere/at/all"), one_worker());
    let unable = Pool::new(role("read-nothing"), one_worker());
    let silent = Pool::new(Command::new("/bin/false"), one_worker());
    for (pool, reason) in [(missing, "No such file"), (unable, "its models are missing"), (silent, "exit status: 1")] {
        let failure = read(&pool, "a.txt", "x").await.unwrap_err();
        assert!(failure.may_pass() && failure.to_string().contains(reason), "{failure:?}");
    }
}

async fn unconfined() {
    let settings = Settings { require_confinement: true, ..one_worker() };
    let failure = read(&Pool::new(role("pretend"), settings), "a.txt", "x").await.unwrap_err();
    assert!(matches!(failure, ReadFailure::Unconfined(_)) && failure.may_pass(), "{failure:?}");
}

/// The impostor's whole life.
pub fn pretend() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn serve() -> io::Result<()> {
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    hear(&mut input)?;
    let hello = json!({"version": 2, "confinement": {"landlock": "None", "seccomp": false, "rlimits": false}});
    say(&mut output, 1, &hello)?;
    output.flush()?;
    loop {
        let request = hear(&mut input)?;
        let length = request["length"].as_u64().unwrap_or_default();
        if request["name"] == "an answer too early" {
            say(&mut output, 6, &done())?;
            output.flush()?;
        } else {
            io::copy(&mut (&mut input).take(length), &mut io::sink())?;
            answer(&mut output, request["name"].as_str().unwrap_or_default())?;
        }
    }
}

fn answer(output: &mut impl Write, name: &str) -> io::Result<()> {
    match name {
        "garbage" => output.write_all(b"Segmentation fault, or so\n")?,
        "a frame of 4 GiB" => {
            output.write_all(&[5, 255, 255, 255, 255])?;
            loop {
                output.write_all(&[b' '; 4096])?;
            }
        }
        "no json" => output.write_all(&[6, 2, 0, 0, 0, b'{', b'['])?,
        "a second hello" => say(output, 1, &json!({}))?,
        "endless news" => loop {
            say(output, 4, &json!({"pictures": 1}))?;
        },
        "endless empty blocks" => loop {
            say(output, 5, &json!([]))?;
        },
        "a child of 2^60 bytes" => say(output, 3, &json!({"name": "x", "length": 1_u64 << 60}))?,
        "children without end" => loop {
            say(output, 3, &json!({"name": "x", "length": 1}))?;
            output.write_all(b"x")?;
        },
        "half a frame" => {
            output.write_all(&[6, 200, 0, 0, 0, b'{'])?;
            output.flush()?;
            std::process::exit(0);
        }
        "nothing" => std::process::exit(0),
        "more than was asked" => {
            say(output, 6, &done())?;
            say(output, 6, &done())?;
        }
        _ => {
            let location = json!({"page": null, "area": null, "cells": null});
            say(output, 5, &json!([{"kind": "paragraph", "text": "The next one.", "location": location}]))?;
            say(output, 6, &done())?;
        }
    }
    output.flush()
}

fn done() -> Value {
    json!({"format": "Text", "extracted": extract::Extracted::default()})
}

fn say(output: &mut impl Write, kind: u8, content: &Value) -> io::Result<()> {
    let payload = content.to_string();
    output.write_all(&[kind])?;
    output.write_all(&u32::try_from(payload.len()).unwrap().to_le_bytes())?;
    output.write_all(payload.as_bytes())
}

fn hear(input: &mut impl Read) -> io::Result<Value> {
    let mut head = [0; 5];
    input.read_exact(&mut head)?;
    let length = u32::from_le_bytes([head[1], head[2], head[3], head[4]]);
    let mut payload = vec![0; length as usize];
    input.read_exact(&mut payload)?;
    Ok(serde_json::from_slice(&payload)?)
}
