//! A forwarder against collectors that are away, break off, are slow, and come back.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use audit::{Action, Actor, Event};
use domain::{Environment, OperationId};
use forward::{Collector, Forwarder, Pace, Tls};
use serde_json::json;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use storage::Store;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{ServerConfig, crypto};
use tokio_util::sync::CancellationToken;

const PACE: Pace = Pace {
    poll: Duration::from_millis(5),
    linger: Duration::from_millis(40),
    patience: Duration::from_secs(20),
    first_wait: Duration::from_millis(10),
    longest_wait: Duration::from_millis(50),
};

async fn store() -> (Store, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("carrel.db"), Environment::system()).await.unwrap();
    (store, folder)
}

async fn record(store: &Store, count: u32) {
    let mut act = store.begin().await.unwrap();
    for number in 0..count {
        let operation = OperationId::new(store.environment());
        let detail = json!({ "number": number, "text": "Größe ]\"\\\nx" });
        act.record(Event::new(Action::DocumentOpened, &Actor::console(), operation).detail(detail)).await.unwrap();
    }
    act.commit().await.unwrap();
}

/// The next message, by its count of octets; `None` at the end of the connection.
async fn frame(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut length = 0_usize;
    loop {
        match stream.read_u8().await.ok()? {
            b' ' => break,
            digit => length = length * 10 + usize::from(digit - b'0'),
        }
    }
    let mut message = vec![0; length];
    stream.read_exact(&mut message).await.ok()?;
    Some(String::from_utf8(message).unwrap())
}

fn sequence(message: &str) -> u64 {
    assert!(message.starts_with("<109>1 ") && !message.contains('\n'), "{message}");
    message.split("sequence=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap()
}

/// What a collector has taken in.
type Taken = Arc<Mutex<Vec<u64>>>;

/// Reads every connection to its end until it is aborted.
fn collect(listener: TcpListener, taken: &Taken) -> tokio::task::JoinHandle<()> {
    let taken = Arc::clone(taken);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            while let Some(message) = frame(&mut stream).await {
                taken.lock().unwrap().push(sequence(&message));
            }
        }
    })
}

async fn cursor(store: &Store, address: &str) -> u64 {
    store.forwarding(address).await.unwrap().map_or(0, |state| state.sequence)
}

async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    for _ in 0..2000 {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never: {what}");
}

#[tokio::test]
async fn nothing_is_lost_while_the_collector_is_away() {
    let (store, _folder) = store().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    record(&store, 30).await;
    let stop = CancellationToken::new();
    let forwarder = Forwarder::new(store.clone(), Collector::new(&address, None).unwrap(), PACE);
    let running = tokio::spawn(forwarder.run(stop.clone()));

    // It takes a few and breaks off with the rest unread: nothing of this connection counts.
    let (mut stream, _) = listener.accept().await.unwrap();
    let taken: Taken = Arc::new(Mutex::new(vec![sequence(&frame(&mut stream).await.unwrap())]));
    drop(stream);
    drop(listener);
    record(&store, 500).await;
    let state = async || store.forwarding(&address).await.unwrap();
    until("the failure is noted", async || state().await.is_some_and(|state| state.problem.is_some())).await;
    assert_eq!(cursor(&store, &address).await, 0);

    let collector = collect(TcpListener::bind(&address).await.unwrap(), &taken);
    until("all is taken in", async || cursor(&store, &address).await == 530).await;
    assert_eq!(state().await.unwrap().problem, None);
    let mut seen = taken.lock().unwrap().clone();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, (1..=530).collect::<Vec<u64>>(), "each at least once");

    // And what comes later comes too, once.
    taken.lock().unwrap().clear();
    record(&store, 3).await;
    until("it is confirmed", async || cursor(&store, &address).await == 533).await;
    assert_eq!(*taken.lock().unwrap(), [531, 532, 533]);
    stop.cancel();
    running.await.unwrap();

    // A new process goes on where the last one was.
    record(&store, 2).await;
    let stop = CancellationToken::new();
    let forwarder = Forwarder::new(store.clone(), Collector::new(&address, None).unwrap(), PACE);
    let running = tokio::spawn(forwarder.run(stop.clone()));
    until("it is confirmed", async || cursor(&store, &address).await == 535).await;
    assert_eq!(*taken.lock().unwrap(), [531, 532, 533, 534, 535]);
    stop.cancel();
    running.await.unwrap();
    collector.abort();
}

#[tokio::test]
async fn over_tls_only_the_collector_with_the_right_certificate_gets_anything() {
    let (store, folder) = store().await;
    record(&store, 12).await;
    let made = |name: &str| rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    let (right, wrong) = (made("collector.test"), made("collector.test"));
    let acceptor = |pair: &rcgen::CertifiedKey<rcgen::KeyPair>| {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pair.signing_key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![pair.cert.der().clone()], key)
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    };
    let authorities = folder.path().join("ca.pem");
    std::fs::write(&authorities, right.cert.pem()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let tls = Tls { authorities, name: Some("collector.test".to_owned()), identity: None };
    let collector = Collector::new(&address, Some(&tls)).unwrap();
    let stop = CancellationToken::new();
    let running = tokio::spawn(Forwarder::new(store.clone(), collector, PACE).run(stop.clone()));

    let (tcp, _) = listener.accept().await.unwrap();
    assert!(acceptor(&wrong).accept(tcp).await.is_err(), "an impostor is not spoken to");
    assert_eq!(cursor(&store, &address).await, 0);
    let mut taken = Vec::new();
    let tls = acceptor(&right);
    while cursor(&store, &address).await < 12 {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted.unwrap().0,
            () = tokio::time::sleep(Duration::from_millis(20)) => continue,
        };
        let Ok(mut stream) = tls.accept(accepted).await else { continue };
        while let Some(message) = frame(&mut stream).await {
            taken.push(sequence(&message));
        }
        let _ = tokio::io::AsyncWriteExt::shutdown(&mut stream).await;
    }
    taken.dedup();
    assert_eq!(taken, (1..=12).collect::<Vec<u64>>());
    stop.cancel();
    running.await.unwrap();
}
