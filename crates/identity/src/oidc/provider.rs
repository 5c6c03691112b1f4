//! The provider: where its pages and keys are, and what a code is worth.

use super::exchange::{Question, address, ask};
use super::token::{Claims, Expected, KeySet, Unfit};
use crate::GroupRule;
use crate::tls;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::Uri;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;
use tokio::sync::Mutex;
use tokio_rustls::rustls::ClientConfig;

/// Keys are not fetched more often than this, whoever sends tokens signed by unknown ones.
const REST: SignedDuration = SignedDuration::from_secs(60);

/// What a site configures of its provider.
#[derive(Clone)]
pub struct OidcSettings {
    /// What the sign-in page calls it.
    pub name: String,
    /// The issuer, as its tokens name it.
    pub issuer: String,
    /// As what it knows us.
    pub client_id: String,
    /// The password for that.
    pub client_secret: String,
    /// Where it sends browsers back to: our own address and `/sign-in/oidc/return`.
    pub redirect: String,
    /// Its description (OpenID Connect Discovery 1.0), if that is not to be fetched.
    pub description: Option<Vec<u8>>,
    /// Certificates in PEM of those who may vouch for its own.
    pub authorities: Vec<u8>,
    /// What is asked for, beside `openid`.
    pub scopes: String,
    /// The claim that is the sign-in name here.
    pub name_claim: String,
    /// The claim by which pages address the person.
    pub display_claim: String,
    /// The claim that lists the person's groups.
    pub groups_claim: String,
    /// What its groups mean here.
    pub rules: Vec<GroupRule>,
}

/// The provider of the organisation.
#[derive(Clone)]
pub struct OidcProvider {
    pub(super) settings: Arc<OidcSettings>,
    issuer: Uri,
    /// None without TLS, on this machine: everything is asked for at the issuer's own address.
    tls: Option<Arc<ClientConfig>>,
    known: Arc<Mutex<Known>>,
}

impl std::fmt::Debug for OidcProvider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OidcProvider").field("issuer", &self.settings.issuer).finish_non_exhaustive()
    }
}

/// What was learnt of it.
#[derive(Default)]
struct Known {
    endpoints: Option<Endpoints>,
    keys: KeySet,
    keys_at: Option<Timestamp>,
}

/// Where its pages are.
#[derive(Debug, Clone)]
pub(super) struct Endpoints {
    authorization: String,
    token: Uri,
    keys: Uri,
}

#[derive(Deserialize)]
struct Description {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
}

#[derive(Deserialize)]
struct Granted {
    id_token: String,
}

impl OidcProvider {
    /// Reads the settings. Connects to nothing yet.
    ///
    /// # Errors
    /// What is wrong with them, in a sentence.
    pub fn new(settings: OidcSettings) -> Result<Self, String> {
        let issuer = address(&settings.issuer).map_err(|error| format!("oidc.issuer {error}"))?;
        if !settings.redirect.ends_with("/sign-in/oidc/return") {
            return Err("oidc.redirect must be this server's address and /sign-in/oidc/return".to_owned());
        }
        let tls = match issuer.scheme_str() {
            Some("https") => Some(tls::client(&settings.authorities, "oidc.ca_file")?),
            _ => None,
        };
        let provider = Self { settings: Arc::new(settings), issuer, tls, known: Arc::default() };
        if let Some(description) = &provider.settings.description {
            let endpoints =
                provider.described(description).map_err(|error| format!("oidc.description_file: {error}"))?;
            let known = Known { endpoints: Some(endpoints), ..Known::default() };
            return Ok(Self { known: Arc::new(Mutex::new(known)), ..provider });
        }
        Ok(provider)
    }

    /// Where its pages are, asked for once.
    pub(super) async fn endpoints(&self) -> Result<Endpoints, String> {
        let mut known = self.known.lock().await;
        if let Some(endpoints) = &known.endpoints {
            return Ok(endpoints.clone());
        }
        let issuer = self.settings.issuer.trim_end_matches('/');
        let address = address(&format!("{issuer}/.well-known/openid-configuration"))?;
        let body = ask(Question { address: &address, form: None, credentials: None }, self.tls.as_ref()).await?;
        let endpoints = self.described(&body)?;
        known.endpoints = Some(endpoints.clone());
        Ok(endpoints)
    }

    /// A description, if it is that of this provider and leads nowhere else.
    fn described(&self, body: &[u8]) -> Result<Endpoints, String> {
        let description: Description =
            serde_json::from_slice(body).map_err(|error| format!("its description cannot be read: {error}"))?;
        if description.issuer != self.settings.issuer {
            return Err(format!("it describes '{}' and not oidc.issuer", description.issuer));
        }
        let ours = |text: &str| {
            let uri = address(text)?;
            let same = uri.authority() == self.issuer.authority() && uri.scheme() == self.issuer.scheme();
            if same { Ok(uri) } else { Err(format!("'{text}' is at another address than oidc.issuer")) }
        };
        Ok(Endpoints {
            authorization: ours(&description.authorization_endpoint).map(|_| description.authorization_endpoint)?,
            token: ours(&description.token_endpoint)?,
            keys: ours(&description.jwks_uri)?,
        })
    }

    /// Where the browser goes to sign in (OpenID Connect Core 1.0, section 3.1.2.1).
    pub(super) fn authorization(&self, endpoints: &Endpoints, state: &str, nonce: &str, challenge: &str) -> String {
        let settings = &*self.settings;
        let scope = format!("openid {}", settings.scopes);
        let query = form(&[
            ("response_type", "code"),
            ("client_id", &settings.client_id),
            ("redirect_uri", &settings.redirect),
            ("scope", scope.trim()),
            ("state", state),
            ("nonce", nonce),
            ("code_challenge", challenge),
            ("code_challenge_method", "S256"),
        ]);
        let separator = if endpoints.authorization.contains('?') { '&' } else { '?' };
        format!("{}{separator}{query}", endpoints.authorization)
    }

    /// Who came back with this code.
    pub(super) async fn claims(
        &self,
        code: &str,
        verifier: &str,
        nonce: &str,
        now: Timestamp,
    ) -> Result<Claims, String> {
        let endpoints = self.endpoints().await?;
        let settings = &*self.settings;
        let body = form(&[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &settings.redirect),
            ("code_verifier", verifier),
        ]);
        // RFC 6749, section 2.3.1: both are encoded as in a form before they become a Basic credential.
        let credentials = format!("{}:{}", encoded(&settings.client_id), encoded(&settings.client_secret));
        let credentials = Some(format!("Basic {}", STANDARD.encode(credentials)));
        let answer =
            ask(Question { address: &endpoints.token, form: Some(body), credentials }, self.tls.as_ref()).await?;
        let granted: Granted = serde_json::from_slice(&answer).map_err(|_| "it sends no ID token".to_owned())?;
        let expected = Expected { issuer: &settings.issuer, audience: &settings.client_id, nonce, now };
        self.person(&self.open(&granted.id_token, &expected, &endpoints).await?)
    }

    /// The token's members, checked with the keys that are known, or else with those of this moment.
    async fn open(&self, token: &str, expected: &Expected<'_>, endpoints: &Endpoints) -> Result<Value, String> {
        let mut known = self.known.lock().await;
        let rested = known.keys_at.is_none_or(|at| expected.now.duration_since(at) >= REST);
        let opened = match known.keys.open(token, expected) {
            Err(Unfit::NoKey) if rested => {
                let question = Question { address: &endpoints.keys, form: None, credentials: None };
                let body = ask(question, self.tls.as_ref()).await?;
                known.keys = serde_json::from_slice(&body).map_err(|_| "its keys cannot be read".to_owned())?;
                known.keys_at = Some(expected.now);
                known.keys.open(token, expected)
            }
            opened => opened,
        };
        opened.map_err(|unfit| match unfit {
            Unfit::NoKey => "the ID token is signed by none of its keys".to_owned(),
            Unfit::Wrong(reason) => reason.to_owned(),
        })
    }

    fn person(&self, members: &Value) -> Result<Claims, String> {
        let settings = &*self.settings;
        let text = |name: &str| members.get(name).and_then(Value::as_str).map(str::to_owned);
        let missing = |name: &str| format!("the ID token has no claim '{name}'");
        let name = text(&settings.name_claim).ok_or_else(|| missing(&settings.name_claim))?;
        let groups = members.get(&settings.groups_claim).and_then(Value::as_array);
        Ok(Claims {
            subject: text("sub").ok_or_else(|| missing("sub"))?,
            display_name: text(&settings.display_claim).unwrap_or_else(|| name.clone()),
            groups: groups.into_iter().flatten().filter_map(|group| group.as_str().map(str::to_owned)).collect(),
            name,
        })
    }
}

fn form(fields: &[(&str, &str)]) -> String {
    let pair = |(name, value): &(&str, &str)| format!("{name}={}", encoded(value));
    fields.iter().map(pair).collect::<Vec<_>>().join("&")
}

fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}
