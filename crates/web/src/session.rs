//! Who asks: the extractors that every route begins with.

use crate::app::App;
use crate::error::WebError;
use crate::views::{Chrome, Flash, FlashKind, Nav, Person, Theme};
use audit::{Action, Actor, Event, Outcome};
use axum::Form;
use axum::extract::{ConnectInfo, FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, Method, header};
use axum_extra::extract::CookieJar;
use domain::{AccessScope, CollectionId, Label, OperationId, Permission, Principal, Role};
use identity::{Authenticated, Client, SignInStep, SignedIn};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use subtle::ConstantTimeEq;

/// Name of the session cookie.
pub(crate) const SESSION_COOKIE: &str = "carrel_session";
/// Name of the cookie that ties a sign-in form to the browser it was shown in.
pub(crate) const FORM_COOKIE: &str = "carrel_form";
/// Name of the cookie by which a browser is known from an earlier sign-in.
pub(crate) const BROWSER_COOKIE: &str = "carrel_browser";
/// Seconds that a browser is known without being used: half a year.
const BROWSER_SECONDS: u32 = 180 * 24 * 3600;
const THEME_COOKIE: &str = "carrel_theme";

/// Somebody who acts: a person at a browser, or a program with a person's token. What either may do is decided by the
/// same functions.
pub(crate) trait Acting: Sync {
    /// Whose rights count.
    fn principal(&self) -> &Principal;

    /// As audit events name the person.
    fn actor(&self) -> Actor;

    /// The request.
    fn operation(&self) -> OperationId;
}

/// What may be read, as of now.
pub(crate) async fn scope_of(app: &App, caller: &impl Acting) -> Result<AccessScope, WebError> {
    Ok(app.identity.scope(caller.principal()).await?)
}

/// What may be done, collection by collection, as of now.
pub(crate) async fn permissions_of(
    app: &App,
    caller: &impl Acting,
) -> Result<BTreeMap<CollectionId, Permission>, WebError> {
    Ok(app.identity.permissions(caller.principal()).await?)
}

/// Goes on only for someone in one of these roles; a refusal is recorded.
pub(crate) async fn require(app: &App, caller: &impl Acting, roles: &[Role], what: &str) -> Result<(), WebError> {
    if roles.contains(&caller.principal().user.role) {
        return Ok(());
    }
    let mut act = app.store.begin().await?;
    let denied = Event::new(Action::AccessDenied, &caller.actor(), caller.operation());
    act.record(denied.on("page", what, what).outcome(Outcome::Denied)).await?;
    act.commit().await?;
    Err(WebError::Forbidden)
}

/// The person behind a request, and the request's own facts.
pub(crate) struct Reader {
    pub(crate) who: Authenticated,
    pub(crate) address: String,
    pub(crate) operation: OperationId,
    pub(crate) theme: Theme,
    said: Option<Flash>,
    /// The secret of the session.
    token: String,
}

impl FromRequestParts<App> for Reader {
    type Rejection = WebError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, WebError> {
        let jar = CookieJar::from_headers(&parts.headers);
        let token = jar.get(SESSION_COOKIE).map(|cookie| cookie.value().to_owned()).unwrap_or_default();
        let who = match token.as_str() {
            "" => None,
            token => app.identity.authenticate(token).await?,
        };
        let Some(who) = who else { return Err(nobody(parts, app, &jar).await?) };
        Ok(Self {
            who,
            token,
            address: client(parts).address,
            operation: operation(parts, app),
            theme: theme_of(&jar),
            said: said(parts),
        })
    }
}

impl Acting for Reader {
    fn principal(&self) -> &Principal {
        &self.who.principal
    }

    fn actor(&self) -> Actor {
        self.who.actor(&self.address)
    }

    fn operation(&self) -> OperationId {
        self.operation
    }
}

/// Where to go first: to the step that a sign-in has come to, or to its beginning.
async fn nobody(parts: &Parts, app: &App, jar: &CookieJar) -> Result<WebError, WebError> {
    let wanted = parts.uri.path_and_query().map_or("/", |wanted| wanted.as_str());
    let next = if parts.method == Method::GET { wanted.to_owned() } else { "/".to_owned() };
    let entrant = match jar.get(SESSION_COOKIE) {
        Some(cookie) => app.identity.entrant(cookie.value()).await?,
        None => None,
    };
    Ok(match entrant {
        Some(who) => WebError::Unfinished { page: page_of(who.session.step), next },
        None => WebError::SignIn { next },
    })
}

/// The page of a step of signing in.
pub(crate) const fn page_of(step: SignInStep) -> &'static str {
    match step {
        SignInStep::Done => "/",
        SignInStep::Code => "/sign-in/code",
        SignInStep::Enrol => "/second-factor",
        SignInStep::Password => "/sign-in/password",
    }
}

/// Someone whose sign-in may have steps to go. What they may see is the page of that step and nothing else, so only the
/// routes of those pages take this in place of [`Reader`].
pub(crate) struct Entrant {
    pub(crate) who: Authenticated,
    pub(crate) client: Client,
    pub(crate) operation: OperationId,
    pub(crate) theme: Theme,
}

impl FromRequestParts<App> for Entrant {
    type Rejection = WebError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, WebError> {
        let jar = CookieJar::from_headers(&parts.headers);
        let token = jar.get(SESSION_COOKIE).map(|cookie| cookie.value().to_owned()).unwrap_or_default();
        let who = match app.identity.entrant(&token).await? {
            Some(who) => Some(who),
            None => app.identity.authenticate(&token).await?,
        };
        let who = who.ok_or_else(|| WebError::SignIn { next: "/".to_owned() })?;
        let (client, operation) = (client(parts), operation(parts, app));
        Ok(Self { who, client, operation, theme: theme_of(&jar) })
    }
}

impl Entrant {
    /// Goes on only at one of these steps.
    pub(crate) fn at(&self, steps: &[SignInStep]) -> Result<(), WebError> {
        let step = self.who.session.step;
        let elsewhere = || WebError::Unfinished { page: page_of(step), next: "/".to_owned() };
        if steps.contains(&step) { Ok(()) } else { Err(elsewhere()) }
    }

    /// The frame of a page: without navigation before the sign-in is done.
    pub(crate) fn chrome(&self, app: &App, title: &str) -> Chrome {
        let user = &self.who.principal.user;
        let person = Person { display_name: user.display_name.clone(), role: user.role };
        Chrome {
            title: title.to_owned(),
            organisation: app.site.organisation(),
            asking: app.site.answers,
            active: Nav::None,
            person: (self.who.session.step == SignInStep::Done).then_some(person),
            csrf: self.who.session.csrf.clone(),
            banner: None,
            flash: None,
            theme: self.theme,
        }
    }
}

/// A form that such a person's own page sent.
pub(crate) struct PostedEntrant {
    pub(crate) entrant: Entrant,
    pub(crate) fields: Fields,
}

impl FromRequest<App> for PostedEntrant {
    type Rejection = WebError;

    async fn from_request(request: Request, app: &App) -> Result<Self, WebError> {
        let (mut parts, body) = request.into_parts();
        let entrant = Entrant::from_request_parts(&mut parts, app).await?;
        let fields = fields(Request::from_parts(parts, body), app).await?;
        same_token(&entrant.who, fields.get("csrf"))?;
        Ok(Self { entrant, fields })
    }
}

async fn fields(request: Request, app: &App) -> Result<Fields, WebError> {
    let Form(fields) = Form::<Vec<(String, String)>>::from_request(request, app)
        .await
        .map_err(|_| WebError::Invalid("the form could not be read".to_owned()))?;
    Ok(Fields(fields))
}

/// The cookies of a session that begins: the form's is spent, and the browser is known from now on if the sign-in is
/// done.
pub(crate) fn session_cookies(app: &App, signed_in: &SignedIn) -> Vec<(HeaderName, String)> {
    let mut cookies = vec![
        (header::SET_COOKIE, cookie(app, SESSION_COOKIE, &signed_in.token, None)),
        (header::SET_COOKIE, cookie(app, FORM_COOKIE, "", Some(0))),
    ];
    if let Some(browser) = &signed_in.browser {
        cookies.push((header::SET_COOKIE, cookie(app, BROWSER_COOKIE, browser, Some(BROWSER_SECONDS))));
    }
    cookies
}

impl Reader {
    /// As audit events name this person.
    pub(crate) fn actor(&self) -> Actor {
        self.who.actor(&self.address)
    }

    pub(crate) fn role(&self) -> Role {
        self.who.principal.user.role
    }

    /// Looks again who this is: what goes on for longer than a request must not outlive the session, nor go on with the
    /// groups and the clearance that it began with.
    pub(crate) async fn renew(&mut self, app: &App) -> Result<(), WebError> {
        let who = app.identity.authenticate(&self.token).await?;
        self.who = who.ok_or_else(|| WebError::SignIn { next: "/".to_owned() })?;
        Ok(())
    }

    /// What may be read, as of now.
    pub(crate) async fn scope(&self, app: &App) -> Result<AccessScope, WebError> {
        scope_of(app, self).await
    }

    /// What may be done, collection by collection, as of now.
    pub(crate) async fn permissions(&self, app: &App) -> Result<BTreeMap<CollectionId, Permission>, WebError> {
        permissions_of(app, self).await
    }

    /// Goes on only for someone in one of these roles; a refusal is recorded.
    pub(crate) async fn require(&self, app: &App, roles: &[Role], what: &str) -> Result<(), WebError> {
        require(app, self, roles, what).await
    }

    /// The frame of a page for this person.
    pub(crate) fn chrome(&self, app: &App, title: &str, active: Nav) -> Chrome {
        let user = &self.who.principal.user;
        Chrome {
            title: title.to_owned(),
            organisation: app.site.organisation(),
            active,
            person: Some(Person { display_name: user.display_name.clone(), role: user.role }),
            csrf: self.who.session.csrf.clone(),
            banner: None,
            flash: self.said.clone(),
            theme: self.theme,
            asking: app.site.answers,
        }
    }

    /// The same with the banner of the highest label on the page.
    pub(crate) fn chrome_with(&self, app: &App, title: &str, active: Nav, banner: Option<Label>) -> Chrome {
        Chrome { banner, ..self.chrome(app, title, active) }
    }
}

/// A form that this person's own page sent.
pub(crate) struct Posted {
    pub(crate) reader: Reader,
    pub(crate) fields: Fields,
}

impl FromRequest<App> for Posted {
    type Rejection = WebError;

    async fn from_request(request: Request, app: &App) -> Result<Self, WebError> {
        let (mut parts, body) = request.into_parts();
        let reader = Reader::from_request_parts(&mut parts, app).await?;
        let fields = fields(Request::from_parts(parts, body), app).await?;
        verify_csrf(&reader, fields.get("csrf"))?;
        Ok(Self { reader, fields })
    }
}

/// The token of a form must be the one of the session.
pub(crate) fn verify_csrf(reader: &Reader, token: &str) -> Result<(), WebError> {
    same_token(&reader.who, token)
}

fn same_token(who: &Authenticated, token: &str) -> Result<(), WebError> {
    let same = token.as_bytes().ct_eq(who.session.csrf.as_bytes());
    if bool::from(same) { Ok(()) } else { Err(WebError::Forged) }
}

/// Fields of a form, in order; a name may stand there more than once.
pub(crate) struct Fields(pub(crate) Vec<(String, String)>);

impl Fields {
    /// The first value of `name`, empty if there is none.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(field, _)| field == name).map_or("", |(_, value)| value.as_str())
    }

    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// The value of `name`, read as a `T`.
    pub(crate) fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(&self, name: &str) -> Result<T, WebError> {
        self.get(name).parse().map_err(|error| WebError::Invalid(format!("{name}: {error}")))
    }
}

pub(crate) fn operation(parts: &Parts, app: &App) -> OperationId {
    let made = parts.extensions.get::<OperationId>().copied();
    made.unwrap_or_else(|| OperationId::new(app.store.environment()))
}

pub(crate) fn client(parts: &Parts) -> Client {
    let address = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    let browser = CookieJar::from_headers(&parts.headers).get(BROWSER_COOKIE).map(|cookie| cookie.value().to_owned());
    let user_agent = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    Client {
        address: address.map_or_else(|| "unknown".to_owned(), |ConnectInfo(address)| address.ip().to_string()),
        user_agent: user_agent.unwrap_or_default().to_owned(),
        browser,
    }
}

/// The secret of a bearer token.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    // RFC 9110, section 11.1: names of schemes know no case.
    let (_, secret) = value.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))?;
    Some(secret.trim())
}

pub(crate) fn theme_of(jar: &CookieJar) -> Theme {
    jar.get(THEME_COOKIE).and_then(|cookie| cookie.value().parse().ok()).unwrap_or_default()
}

pub(crate) fn theme_cookie(theme: Theme) -> String {
    format!("{THEME_COOKIE}={}; Path=/; Max-Age=31536000; SameSite=Lax", theme.as_str())
}

/// A cookie that scripts cannot read and that leaves with no request from another site.
pub(crate) fn cookie(app: &App, name: &str, value: &str, max_age: Option<u32>) -> String {
    let secure = if app.site.secure_cookies { "; Secure" } else { "" };
    let age = max_age.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
    format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{age}")
}

/// What a page says after something was done. The address carries only the code, so that nobody can put words
/// into our mouth with a link.
const SAID: [(&str, FlashKind, &str); 38] = [
    ("saved", FlashKind::Done, "Saved."),
    ("created", FlashKind::Done, "Created."),
    ("deleted", FlashKind::Done, "Deleted. The next question no longer finds it."),
    ("conversation-deleted", FlashKind::Done, "The conversation is gone."),
    ("uploaded", FlashKind::Done, "Received. The documents are being read now."),
    ("unchanged", FlashKind::Notice, "Nothing to do: the very same file is there already."),
    ("granted", FlashKind::Done, "The grant holds from the next question on."),
    ("revoked", FlashKind::Done, "The grant is gone, and the next question heeds it."),
    ("cancelled", FlashKind::Done, "The job was taken out of the queue."),
    ("retried", FlashKind::Done, "The job is back in the queue."),
    ("batch-paused", FlashKind::Done, "Paused. What is being read now is read to its end."),
    ("batch-resumed", FlashKind::Done, "Resumed. The files are back in the queue."),
    ("batch-released", FlashKind::Done, "Released from quarantine. The files are in the queue."),
    ("batch-cancelled", FlashKind::Done, "Cancelled. What was read stays; the rest was taken out of the queue."),
    ("batch-retried", FlashKind::Done, "The files that failed are back in the queue."),
    ("nothing-to-do", FlashKind::Notice, "Nothing to do: no file of the batch is in that state any more."),
    ("too-late", FlashKind::Notice, "Too late: the job is no longer in that state."),
    ("password", FlashKind::Done, "Your password was changed. Sign in with the new one."),
    ("token-revoked", FlashKind::Done, "The token is gone: the next request with it is refused."),
    ("set-up", FlashKind::Done, "Everything is set up. The admin can sign in now."),
    ("session-ended", FlashKind::Done, "The session has ended: its next request is refused."),
    ("sessions-ended", FlashKind::Done, "All those sessions have ended."),
    ("factor-removed", FlashKind::Done, "The second factor is gone, and all sessions with it. Sign in again."),
    ("factor-reset", FlashKind::Done, "The second factor is gone. The person can set up a new one."),
    ("key-added", FlashKind::Done, "The second factor has one way more. This session goes on under a new id."),
    ("key-removed", FlashKind::Done, "The security key is gone: nobody signs in with it any more."),
    ("app-removed", FlashKind::Done, "The authenticator app is gone: its codes are no longer taken."),
    ("new-password", FlashKind::Done, "Your new password holds."),
    ("asked", FlashKind::Notice, "This needs a second person. It stands here until somebody agrees."),
    ("approved", FlashKind::Done, "Agreed."),
    ("refused", FlashKind::Done, "Refused. Nothing was done."),
    ("withdrawn", FlashKind::Done, "Taken back."),
    ("provider-refused", FlashKind::Problem, "You were not signed in there, or have no role here. Ask an admin."),
    ("signed-out", FlashKind::Done, "You are signed out."),
    ("folder-added", FlashKind::Done, "The folder is watched. The first look at it begins now."),
    ("folder-removed", FlashKind::Done, "The folder is no longer watched. Its documents stay."),
    ("looking", FlashKind::Done, "The folder is looked into now. Load this page again to see what was found."),
    ("relabelled", FlashKind::Done, "The label holds from the next question on."),
];

fn said(parts: &Parts) -> Option<Flash> {
    flash(parts.uri.query()?)
}

/// The message that `said=CODE` in a query stands for.
pub(crate) fn flash(query: &str) -> Option<Flash> {
    let code = query.split('&').find_map(|pair| pair.strip_prefix("said="))?;
    let (_, kind, text) = SAID.iter().find(|(known, ..)| *known == code)?;
    Some(Flash { kind: *kind, text: (*text).to_owned() })
}
