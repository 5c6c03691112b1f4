//! The remote engine against sockets that say exactly what a test wants.

use super::*;
use crate::{FinishReason, Generator, Message, Usage};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};

const STREAM: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nConnection: close\r\n\r\n";

/// A server that reads each request and hands its connection to `serve`; what it read comes out of the receiver.
fn server(serve: impl Fn(&mut TcpStream) + Send + Sync + 'static) -> (String, Receiver<(String, String)>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (sender, receiver) = channel();
    let serve = Arc::new(serve);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (sender, serve) = (sender.clone(), Arc::clone(&serve));
            std::thread::spawn(move || {
                let mut stream = stream.unwrap();
                let _ = sender.send(read_request(&stream));
                serve(&mut stream);
                let _ = stream.shutdown(Shutdown::Both);
            });
        }
    });
    (address, receiver)
}

fn read_request(stream: &TcpStream) -> (String, String) {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    (head, String::from_utf8(body).unwrap())
}

fn says(text: &'static str) -> impl Fn(&mut TcpStream) + Send + Sync {
    move |stream| drop(stream.write_all(text.as_bytes()))
}

fn options(address: &str) -> RemoteOptions {
    RemoteOptions { address: address.to_owned(), model: "m".to_owned(), ..RemoteOptions::default() }
}

fn request() -> GenerateRequest {
    GenerateRequest { messages: vec![Message::user("hello")], max_new_tokens: 20, ..GenerateRequest::default() }
}

fn ask(generator: &Generator) -> (String, Result<Usage, ModelError>) {
    let mut stream = generator.generate(request()).unwrap();
    let mut text = String::new();
    loop {
        match stream.blocking_next().unwrap() {
            Ok(Progress::Text(piece)) => text.push_str(&piece),
            Ok(Progress::Finished(usage)) => return (text, Ok(usage)),
            Ok(_) => {}
            Err(error) => return (text, Err(error)),
        }
    }
}

/// What comes of a server that answers so.
fn outcome(serve: impl Fn(&mut TcpStream) + Send + Sync + 'static) -> (String, Result<Usage, ModelError>) {
    let (address, _requests) = server(serve);
    ask(&Generator::remote(options(&address)).unwrap())
}

#[track_caller]
fn assert_error(outcome: (String, Result<Usage, ModelError>), words: &str) {
    let error = outcome.1.unwrap_err().to_string();
    assert!(error.contains(words), "{error}");
}

#[test]
fn an_answer_streams_and_is_counted() {
    let (address, requests) = server(|stream| {
        let events = [
            r#"{"choices":[{"delta":{"role":"assistant","content":""}}]}"#,
            r#"{"choices":[{"delta":{"content":"At "}}]}"#,
            r#"{"choices":[{"delta":{"content":"noon."},"finish_reason":"stop"}]}"#,
            r#"{"choices":[],"usage":{"prompt_tokens":31,"completion_tokens":4}}"#,
            "[DONE]",
        ];
        stream.write_all(STREAM.as_bytes()).unwrap();
        for event in events {
            stream.write_all(format!("data: {event}\n\n").as_bytes()).unwrap();
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let key_file = folder.path().join("key");
    std::fs::write(&key_file, "s3cret\nnot this\n").unwrap();
    let options = RemoteOptions { key_file: Some(key_file), ..options(&format!("{address}/llm")) };
    let generator = Generator::remote(options).unwrap();
    assert!(!format!("{generator:?}").contains("s3cret"));
    let (text, usage) = ask(&generator);
    let usage = usage.unwrap();
    assert_eq!((text.as_str(), usage.finish), ("At noon.", FinishReason::Stop));
    assert_eq!((usage.prompt_tokens, usage.new_tokens), (31, 4));
    let (head, body) = requests.recv().unwrap();
    assert!(head.starts_with("POST /llm/v1/chat/completions HTTP/1.1\r\n"), "{head}");
    assert!(head.to_lowercase().contains("authorization: bearer s3cret\r\n"), "{head}");
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((&body["model"], &body["messages"][0]["content"]), (&"m".into(), &"hello".into()));
}

#[test]
fn nobody_there_is_said_so_and_after_a_while_not_even_tried() {
    let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let generator = Generator::remote(options(&format!("http://{closed}"))).unwrap();
    for _ in 0..5 {
        assert_error(ask(&generator), "cannot be reached: the connection was refused");
    }
    let error = generator.generate(request()).unwrap_err().to_string();
    assert!(error.contains("several times in a row"), "{error}");
}

#[test]
fn a_broken_answer_keeps_its_beginning_and_is_an_error() {
    let (text, error) = outcome(|stream| {
        stream.write_all(STREAM.as_bytes()).unwrap();
        stream.write_all(b"data: {\"choices\":[{\"delta\":{\"content\":\"At \"}}]}\n\n").unwrap();
    });
    assert_eq!(text, "At ");
    assert_error((text, error), "stops in the middle");
    let chunked = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n5\r\ndata:";
    assert_error(outcome(says(chunked)), "stops in the middle");
}

#[test]
fn what_is_no_answer_is_an_error() {
    assert_error(outcome(says("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{}")), "does not stream");
    assert_error(outcome(says("SSH-2.0-OpenSSH_9.6\r\n")), "cannot be reached");
    assert_error(outcome(|_| {}), "cannot be reached");
    let garbage = |stream: &mut TcpStream| {
        stream.write_all(format!("{STREAM}data: what?\n\n").as_bytes()).unwrap();
    };
    assert_error(outcome(garbage), "not what it should be");
    let endless = |stream: &mut TcpStream| {
        let _ = stream.write_all(STREAM.as_bytes());
        while stream.write_all(&[b'x'; 4096]).is_ok() {}
    };
    assert_error(outcome(endless), "longer than a megabyte");
    let head = |stream: &mut TcpStream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nX: ");
        while stream.write_all(&[b'x'; 4096]).is_ok() {}
    };
    assert_error(outcome(head), "cannot be reached");
}

#[test]
fn refusals_are_told_by_their_status() {
    let refused = |status: &'static str| outcome(says(status));
    assert_error(refused("HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"), "does not accept the key");
    assert_error(refused("HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"), "no such model");
    assert_error(refused("HTTP/1.1 302 Go\r\nLocation: http://127.0.0.1:1/\r\n\r\n"), "redirects are not followed");
    assert_error(refused("HTTP/1.1 500 No\r\nContent-Length: 3\r\n\r\nout"), "status 500 ('out')");
    let (_, busy) = refused("HTTP/1.1 429 Busy\r\nRetry-After: 9\r\nContent-Length: 0\r\n\r\n");
    assert!(matches!(busy, Err(ModelError::Overloaded { retry_after, .. }) if retry_after.as_secs() == 9));
}

#[test]
fn silence_ends_at_its_limit() {
    let silent = |_: &mut TcpStream| std::thread::sleep(Duration::from_secs(30));
    let (address, _requests) = server(silent);
    let short = Duration::from_millis(200);
    let generator = Generator::remote(RemoteOptions { first_token_timeout: short, ..options(&address) }).unwrap();
    assert_error(ask(&generator), "no word within 0.2 s");

    let (address, _requests) = server(|stream| {
        stream.write_all(STREAM.as_bytes()).unwrap();
        stream.write_all(b"data: {\"choices\":[{\"delta\":{\"content\":\"At\"}}]}\n\n").unwrap();
        std::thread::sleep(Duration::from_secs(30));
    });
    let generator = Generator::remote(RemoteOptions { idle_timeout: short, ..options(&address) }).unwrap();
    let (text, error) = ask(&generator);
    assert_eq!(text, "At");
    assert_error((text, error), "nothing more came within 0.2 s");
}

#[test]
fn leaving_closes_the_connection_and_frees_the_place() {
    let (closed, is_closed) = channel();
    let (address, requests) = server(move |stream| {
        stream.write_all(STREAM.as_bytes()).unwrap();
        let word = b"data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n";
        while stream.write_all(word).is_ok() {
            std::thread::sleep(Duration::from_millis(5));
        }
        closed.send(()).unwrap();
    });
    let one = RemoteOptions { max_concurrent: 1, max_waiting: 1, ..options(&address) };
    let generator = Generator::remote(one).unwrap();
    let mut first = generator.generate(request()).unwrap();
    while !matches!(first.blocking_next(), Some(Ok(Progress::Text(_)))) {}
    let mut second = generator.generate(request()).unwrap();
    assert!(matches!(second.blocking_next(), Some(Ok(Progress::Waiting { ahead: 1 }))));
    let full = generator.generate(request()).unwrap_err();
    assert!(matches!(full, ModelError::Overloaded { waiting: 1, .. }), "{full}");
    drop(first);
    is_closed.recv_timeout(Duration::from_secs(20)).expect("the engine sees that its reader left");
    while !matches!(second.blocking_next(), Some(Ok(Progress::Text(_)))) {}
    assert_eq!(requests.iter().take(2).count(), 2);
}

#[test]
fn options_without_sense_are_refused() {
    for options in [
        options("https://engine"),
        RemoteOptions { model: " ".into(), ..options("http://engine") },
        RemoteOptions { max_concurrent: 0, ..options("http://engine") },
        RemoteOptions { key_file: Some("/nowhere/key".into()), ..options("http://engine") },
    ] {
        assert!(Generator::remote(options).is_err());
    }
}
