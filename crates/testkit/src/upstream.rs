//! A generation engine elsewhere: a small OpenAI-compatible server whose behaviour a test chooses.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use futures_util::StreamExt;
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// How it answers.
#[derive(Debug, Clone)]
pub enum Behaviour {
    /// Streams these pieces of text and ends well.
    Says(Vec<String>),
    /// Streams what it thinks, waits until it is told to go on, and then behaves as [`Behaviour::Says`].
    Thinks(Vec<String>, Arc<Notify>, Vec<String>),
    /// Calls a function with these arguments.
    Calls(String, Value),
    /// Streams a piece of text at intervals, without end.
    Endless(String, Duration),
    /// Streams these pieces and goes away.
    Drops(Vec<String>),
    /// Refuses with a status.
    Refuses(StatusCode, String),
    /// Streams what is no JSON.
    Garbage,
    /// Streams one line without end.
    HugeLine,
    /// Says nothing at all.
    Silent,
    /// As the request's body has it.
    ByRequest(fn(&Value) -> Behaviour),
}

/// A request that it got.
#[derive(Debug, Clone)]
pub struct Received {
    /// Its `Authorization`.
    pub authorization: Option<String>,
    /// Its body.
    pub body: Value,
}

#[derive(Clone)]
struct Shared {
    behaviour: Arc<Mutex<Behaviour>>,
    received: Arc<Mutex<Vec<Received>>>,
}

/// The running server; it ends when it is dropped.
pub struct Upstream {
    /// `http://127.0.0.1:port`.
    pub address: String,
    shared: Shared,
    server: JoinHandle<()>,
}

impl Upstream {
    /// Starts on a free port of this machine.
    ///
    /// # Panics
    /// If there is none.
    pub async fn start(behaviour: Behaviour) -> Self {
        let shared = Shared { behaviour: Arc::new(Mutex::new(behaviour)), received: Arc::default() };
        let router = Router::new().route("/v1/chat/completions", post(complete)).with_state(shared.clone());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = format!("http://{}", listener.local_addr().expect("it is bound"));
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Self { address, shared, server }
    }

    /// Behaves otherwise from the next request on.
    pub fn behave(&self, behaviour: Behaviour) {
        *lock(&self.shared.behaviour) = behaviour;
    }

    /// The requests so far.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        lock(&self.shared.received).clone()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn complete(State(shared): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let mut behaviour = lock(&shared.behaviour).clone();
    if let Behaviour::ByRequest(choose) = behaviour {
        behaviour = choose(&body);
    }
    lock(&shared.received).push(Received { authorization, body });
    match behaviour {
        Behaviour::Says(pieces) => finished(pieces.iter().map(|piece| text(piece)).collect(), "stop"),
        Behaviour::Thinks(thoughts, go_on, pieces) => {
            let thought = |piece: &String| chunk(&json!({ "reasoning_content": piece }), None);
            let first: String = thoughts.iter().map(thought).collect();
            let rest = ended(pieces.iter().map(|piece| text(piece)).collect(), "stop");
            let rest = futures_util::stream::once(async move {
                go_on.notified().await;
                Ok::<_, std::io::Error>(rest)
            });
            streamed(Body::from_stream(futures_util::stream::iter([Ok(first)]).chain(rest)))
        }
        Behaviour::Calls(name, arguments) => {
            let function = json!({ "name": name, "arguments": arguments.to_string() });
            let call = json!([{ "index": 0, "id": "call_0", "type": "function", "function": function }]);
            finished(vec![chunk(&json!({ "tool_calls": call }), None)], "tool_calls")
        }
        Behaviour::Endless(piece, pause) => {
            let pieces = futures_util::stream::unfold((), move |()| {
                let event = text(&piece);
                async move {
                    tokio::time::sleep(pause).await;
                    Some((Ok::<_, std::io::Error>(event), ()))
                }
            });
            streamed(Body::from_stream(pieces))
        }
        Behaviour::Drops(pieces) => {
            let pieces: Vec<_> = pieces.iter().map(|piece| Ok(text(piece))).collect();
            // Only after what was said before has left.
            let gone = futures_util::stream::once(async {
                tokio::time::sleep(Duration::from_millis(200)).await;
                Err(std::io::Error::other("gone"))
            });
            streamed(Body::from_stream(futures_util::stream::iter(pieces).chain(gone)))
        }
        Behaviour::Refuses(status, message) => {
            (status, axum::Json(json!({ "error": { "message": message } }))).into_response()
        }
        Behaviour::Garbage => streamed(Body::from("data: this is no JSON\n\n")),
        Behaviour::HugeLine => streamed(Body::from_stream(futures_util::stream::repeat_with(|| {
            Ok::<_, std::io::Error>("x".repeat(65536))
        }))),
        Behaviour::Silent | Behaviour::ByRequest(_) => std::future::pending().await,
    }
}

fn streamed(body: Body) -> Response {
    ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response()
}

fn finished(events: Vec<String>, reason: &str) -> Response {
    streamed(Body::from(ended(events, reason)))
}

/// The events and what comes behind them at a good end.
fn ended(mut events: Vec<String>, reason: &str) -> String {
    let counts = json!({ "prompt_tokens": 100, "completion_tokens": events.len(), "total_tokens": 100 + events.len() });
    events.push(chunk(&json!({}), Some(reason)));
    events.push(format!("data: {}\n\n", json!({ "choices": [], "usage": counts })));
    events.push("data: [DONE]\n\n".to_owned());
    events.concat()
}

fn text(piece: &str) -> String {
    chunk(&json!({ "content": piece }), None)
}

fn chunk(delta: &Value, finish: Option<&str>) -> String {
    let choice = json!({ "index": 0, "delta": delta, "finish_reason": finish });
    format!("data: {}\n\n", json!({ "object": "chat.completion.chunk", "choices": [choice] }))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
