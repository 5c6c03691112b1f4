//! A small OpenID provider that signs real tokens, whose mistakes a test chooses.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// As what it knows the product, and the password for that.
pub const PROVIDER_CLIENT: (&str, &str) = ("carrel", "a secret: with/signs");

/// A key for signatures in tests, and for nothing else: RSA with 2048 bits, PKCS#8.
pub(crate) const RSA_KEY: &str = include_str!("provider_key.b64");

/// What it signs, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signs {
    /// With RSA (RS256).
    Rsa,
    /// On the curve P-256 (ES256).
    Ecdsa,
    /// With a key that it does not publish.
    Unknown,
    /// Not at all (`none`).
    Nothing,
    /// With the client's secret as a shared key's name only: HS256, which nobody should take.
    Shared,
}

struct Inner {
    /// Code, the challenge that came with the request, and the claims that it stands for.
    codes: BTreeMap<String, (String, Value)>,
    signs: Signs,
    issued: usize,
}

#[derive(Clone)]
struct Shared {
    inner: Arc<Mutex<Inner>>,
    rsa: Arc<RsaKeyPair>,
    ecdsa: Arc<EcdsaKeyPair>,
    stranger: Arc<EcdsaKeyPair>,
    address: String,
}

/// The running provider; it ends when it is dropped.
pub struct Provider {
    /// Its issuer, `http://127.0.0.1:port`.
    pub address: String,
    shared: Shared,
    server: JoinHandle<()>,
}

fn ecdsa() -> Arc<EcdsaKeyPair> {
    let random = SystemRandom::new();
    let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).expect("a key is made");
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.as_ref(), &random);
    Arc::new(key.expect("it is one"))
}

impl Provider {
    /// Starts on a free port of this machine.
    ///
    /// # Panics
    /// If there is none.
    pub async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = format!("http://{}", listener.local_addr().expect("it is bound"));
        let rsa = STANDARD.decode(RSA_KEY.replace('\n', "")).expect("base 64");
        let shared = Shared {
            inner: Arc::new(Mutex::new(Inner { codes: BTreeMap::new(), signs: Signs::Rsa, issued: 0 })),
            rsa: Arc::new(RsaKeyPair::from_pkcs8(&rsa).expect("a key")),
            ecdsa: ecdsa(),
            stranger: ecdsa(),
            address: address.clone(),
        };
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(describe))
            .route("/keys", get(keys))
            .route("/token", post(token))
            .with_state(shared.clone());
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Self { address, shared, server }
    }

    /// Signs otherwise from now on.
    pub fn sign(&self, signs: Signs) {
        self.shared.lock().signs = signs;
    }

    /// What a person does at the page that `address` leads to: signs in, and is sent back with a code. `claims` become
    /// those of the ID token, beside the usual ones; one of these may be named to be wrong. Returns path and query of the way
    /// back.
    ///
    /// # Panics
    /// If the address is not as it should be.
    #[must_use]
    pub fn sign_in(&self, address: &str, claims: &Value) -> String {
        let (page, query) = address.split_once('?').expect("a query");
        assert_eq!(page, format!("{}/authorize", self.address));
        let fields: BTreeMap<String, String> = serde_urlencoded::from_str(query).expect("fields");
        assert_eq!(fields["response_type"], "code");
        assert_eq!(fields["client_id"], PROVIDER_CLIENT.0);
        assert_eq!(fields["code_challenge_method"], "S256");
        assert!(fields["scope"].split(' ').any(|scope| scope == "openid"));
        let mut members = json!({
            "iss": self.address, "aud": PROVIDER_CLIENT.0, "exp": 4_000_000_000_u64, "nonce": fields["nonce"],
        });
        for (name, value) in claims.as_object().expect("claims") {
            members[name] = value.clone();
        }
        let mut inner = self.shared.lock();
        inner.issued += 1;
        let code = format!("code {}/{}", inner.issued, fields["state"].len());
        inner.codes.insert(code.clone(), (fields["code_challenge"].clone(), members));
        let back = serde_urlencoded::to_string([("code", code.as_str()), ("state", fields["state"].as_str())]);
        let (_, path) = fields["redirect_uri"].split_once("carrel.test").expect("our address");
        format!("{path}?{}", back.expect("fields"))
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn token(&self, members: &Value) -> String {
        let signs = self.lock().signs;
        let (alg, kid) = match signs {
            Signs::Rsa => ("RS256", "rsa"),
            Signs::Ecdsa => ("ES256", "ec"),
            Signs::Unknown => ("ES256", "other"),
            Signs::Nothing => ("none", "rsa"),
            Signs::Shared => ("HS256", "rsa"),
        };
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&json!({ "alg": alg, "kid": kid })), part(members));
        let random = SystemRandom::new();
        let signature = match signs {
            Signs::Rsa => {
                let mut bytes = vec![0; self.rsa.public().modulus_len()];
                self.rsa.sign(&RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut bytes).expect("signed");
                bytes
            }
            Signs::Ecdsa => self.ecdsa.sign(&random, signed.as_bytes()).expect("signed").as_ref().to_vec(),
            Signs::Unknown => self.stranger.sign(&random, signed.as_bytes()).expect("signed").as_ref().to_vec(),
            Signs::Nothing => Vec::new(),
            Signs::Shared => {
                let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, PROVIDER_CLIENT.1.as_bytes());
                ring::hmac::sign(&key, signed.as_bytes()).as_ref().to_vec()
            }
        };
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

async fn describe(State(shared): State<Shared>) -> Json<Value> {
    let at = |path: &str| format!("{}{path}", shared.address);
    Json(json!({
        "issuer": shared.address, "authorization_endpoint": at("/authorize"),
        "token_endpoint": at("/token"), "jwks_uri": at("/keys"),
    }))
}

async fn keys(State(shared): State<Shared>) -> Json<Value> {
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let public: ring::rsa::PublicKeyComponents<Vec<u8>> = shared.rsa.public().into();
    let point = shared.ecdsa.public_key().as_ref();
    Json(json!({ "keys": [
        { "kty": "OKP", "kid": "other kinds are passed over", "crv": "Ed25519", "x": "AA" },
        { "kty": "RSA", "kid": "rsa", "use": "sig", "n": text(&public.n), "e": text(&public.e) },
        { "kty": "EC", "kid": "ec", "crv": "P-256", "x": text(&point[1..33]), "y": text(&point[33..]) },
    ] }))
}

async fn token(
    State(shared): State<Shared>,
    headers: HeaderMap,
    Form(fields): Form<BTreeMap<String, String>>,
) -> Response {
    let refused = (StatusCode::BAD_REQUEST, Json(json!({ "error": "invalid_grant" })));
    let pairs = serde_urlencoded::to_string([PROVIDER_CLIENT]).expect("fields");
    let (name, secret) = pairs.split_once('=').expect("a pair");
    // As a form encodes a space, and as RFC 3986 does.
    let expected = [secret.to_owned(), secret.replace('+', "%20")].map(|s| STANDARD.encode(format!("{name}:{s}")));
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !expected.iter().any(|expected| given == format!("Basic {expected}")) {
        return refused.into_response();
    }
    // Each code is good for one try.
    let found = shared.lock().codes.remove(fields.get("code").map_or("", String::as_str));
    let verifier = fields.get("code_verifier").map_or("", String::as_str);
    let hash = ring::digest::digest(&ring::digest::SHA256, verifier.as_bytes());
    match found {
        Some((challenge, members)) if challenge == URL_SAFE_NO_PAD.encode(hash) => {
            let token = shared.token(&members);
            Json(json!({ "access_token": "unused", "token_type": "Bearer", "id_token": token })).into_response()
        }
        _ => refused.into_response(),
    }
}
