//! Local accounts: which passwords are taken, who is slowed down by guessing, and when sessions end.

use audit::Action;
use axum::http::StatusCode;
use domain::{Environment, SystemRandom};
use identity::{PasswordCost, Policy};
use jiff::{SignedDuration, Timestamp};
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use testkit::{Browser, PASSWORD, TestApp};

/// A clock that a test sets.
#[derive(Clone)]
pub(crate) struct Hands(Arc<Mutex<Timestamp>>);

impl Hands {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new("2026-03-14T09:00:00Z".parse().unwrap())))
    }

    pub(crate) fn forward(&self, by: SignedDuration) {
        let mut now = self.0.lock().unwrap();
        *now += by;
    }

    pub(crate) fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

impl domain::Clock for Hands {
    fn now(&self) -> Timestamp {
        Hands::now(self)
    }
}

/// A product whose clock a test sets.
pub(crate) async fn world_at(policy: Policy) -> (TestApp, Hands) {
    let hands = Hands::new();
    let world = TestApp::with(policy, Environment::new(hands.clone(), SystemRandom)).await;
    (world, hands)
}

fn address(last: u8) -> IpAddr {
    IpAddr::from([10, 0, 0, last])
}

/// What the sign-in form answers.
pub(crate) async fn try_password(browser: &mut Browser, name: &str, password: &str) -> (StatusCode, Option<String>) {
    let csrf = browser.get("/sign-in").await.csrf();
    let page = browser.post_raw("/sign-in", &[("name", name), ("password", password), ("csrf", &csrf)]).await;
    (page.status, page.location)
}

pub(crate) async fn count(world: &TestApp, action: Action) -> usize {
    world.events().await.iter().filter(|entry| entry.event.action == action).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_a_colleagues_password_stops_only_the_guesser() {
    let world = TestApp::new().await;
    let mut known = world.browser_at(address(1));
    assert!(known.sign_in("ada", PASSWORD).await);
    known.post("/sign-out", &[]).await.expect(StatusCode::SEE_OTHER);

    let mut guesser = world.browser_at(address(2));
    for _ in 0..8 {
        assert_eq!(try_password(&mut guesser, "ada", "a guess of some length").await.0, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(try_password(&mut guesser, "ada", PASSWORD).await.0, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(try_password(&mut guesser, "ben", PASSWORD).await.0, StatusCode::SEE_OTHER, "another name is free");
    let mut elsewhere = world.browser_at(address(3));
    assert!(elsewhere.sign_in("ada", PASSWORD).await, "from another address she gets in");

    // The guesser sits at her own machine: her browser is known and its count is its own.
    let mut beside = world.browser_at(address(1));
    for _ in 0..8 {
        try_password(&mut beside, "ada", "a guess of some length").await;
    }
    assert_eq!(try_password(&mut beside, "ada", PASSWORD).await.0, StatusCode::TOO_MANY_REQUESTS);
    assert!(known.sign_in("ada", PASSWORD).await);
    assert_eq!(count(&world, Action::SignInThrottled).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_from_everywhere_stops_at_unknown_places_only() {
    let (world, hands) = world_at(Policy { crowd: 20, ..Policy::default() }).await;
    let (mut known, mut been) = (world.browser_at(address(1)), world.browser_at(address(2)));
    assert!(known.sign_in("ada", PASSWORD).await && been.sign_in("ada", PASSWORD).await);
    known.post("/sign-out", &[]).await.expect(StatusCode::SEE_OTHER);
    for last in 100..120 {
        let mut guesser = world.browser_at(address(last));
        assert_eq!(try_password(&mut guesser, "ada", "a guess of some length").await.0, StatusCode::UNAUTHORIZED);
    }
    let mut unknown = world.browser_at(address(200));
    assert_eq!(try_password(&mut unknown, "ada", PASSWORD).await.0, StatusCode::TOO_MANY_REQUESTS);
    assert!(known.sign_in("ada", PASSWORD).await, "a known browser");
    let mut anew = world.browser_at(address(2));
    assert!(anew.sign_in("ada", PASSWORD).await, "a new browser at a place where she has been");
    hands.forward(SignedDuration::from_hours(25));
    assert!(unknown.sign_in("ada", PASSWORD).await, "and it ends by itself");
}

#[tokio::test(flavor = "multi_thread")]
async fn common_passwords_and_names_are_refused_with_the_reason() {
    let world = TestApp::new().await;
    let mut ada = world.signed_in("ada").await;
    for (password, reason) in [
        ("fourteen chars", "at least 15 characters"),
        ("Sunshine-Princess", "easy to guess"),
        ("P@ssw0rdP@ssw0rd", "easy to guess"),
        ("ada likes the harbour", "easy to guess"),
        ("port elsin at high tide", "easy to guess"),
        (PASSWORD, "is the old one"),
    ] {
        let fields = [("current", PASSWORD), ("new", password), ("repeat", password)];
        let page = ada.post("/account/password", &fields).await.expect(StatusCode::BAD_REQUEST);
        assert!(page.body.contains(reason), "{password}: {}", page.body);
    }
    assert_eq!(count(&world, Action::UserPasswordChanged).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_made_by_an_admin_opens_one_page_only() {
    let world = TestApp::new().await;
    let mut dora = world.signed_in("dora").await;
    let new = [("name", "gus"), ("display_name", "Gus"), ("role", "staff"), ("clearance", "internal")];
    let made = dora.post("/people", &new).await.expect(StatusCode::OK).body;
    let (_, rest) = made.split_once("<code class=\"secret\">").unwrap();
    let temporary = rest.split('<').next().unwrap();

    let mut gus = world.browser();
    let (status, location) = try_password(&mut gus, "gus", temporary).await;
    assert_eq!((status, location.as_deref()), (StatusCode::SEE_OTHER, Some("/sign-in/password?next=/")));
    for page in ["/ask", "/account", "/second-factor", "/sign-in/code"] {
        let led = gus.get(page).await.expect(StatusCode::SEE_OTHER).location.unwrap();
        assert!(led.starts_with("/sign-in/password?next="), "{page}: {led}");
    }
    let form = gus.get("/sign-in/password").await.expect(StatusCode::OK);
    assert!(!form.body.contains("main-nav"));
    let choose = async |browser: &mut Browser, password: &str| {
        let fields = [("csrf", form.csrf()), ("new", password.to_owned()), ("repeat", password.to_owned())];
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        browser.post_raw("/sign-in/password", &fields).await
    };
    assert!(choose(&mut gus, temporary).await.expect(StatusCode::BAD_REQUEST).body.contains("is the old one"));
    choose(&mut gus, "too short").await.expect(StatusCode::BAD_REQUEST);
    choose(&mut gus, "five wet boots drying").await.expect(StatusCode::SEE_OTHER);
    gus.get("/ask").await.expect(StatusCode::OK);
    assert!(world.browser().sign_in("gus", "five wet boots drying").await);
    gus.get("/ask").await.expect(StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_end_when_idle_and_in_any_case() {
    let (world, hands) = world_at(Policy::default()).await;
    let (mut idle, mut busy) = (world.signed_in("ada").await, world.signed_in("ada").await);
    for _ in 0..15 {
        hands.forward(SignedDuration::from_mins(45));
        if busy.get("/account").await.status != StatusCode::OK {
            break;
        }
        idle.get("/sign-in").await;
    }
    idle.get("/account").await.expect(StatusCode::SEE_OTHER);
    busy.get("/account").await.expect(StatusCode::OK);
    for _ in 0..4 {
        hands.forward(SignedDuration::from_mins(45));
        busy.get("/account").await;
    }
    busy.get("/account").await.expect(StatusCode::SEE_OTHER);
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_listed_and_ended_one_by_one_and_all_at_once() {
    let world = TestApp::new().await;
    let (mut here, mut there) = (world.signed_in("ada").await, world.signed_in("ada").await);
    let page = here.get("/account").await.expect(StatusCode::OK);
    let (_, rest) = page.body.split_once("action=\"/account/sessions/").unwrap();
    let address = format!("/account/sessions/{}", rest.split('"').next().unwrap());
    let mut ben = world.signed_in("ben").await;
    ben.post(&address, &[]).await.expect(StatusCode::NOT_FOUND);
    there.get("/ask").await.expect(StatusCode::OK);
    here.post(&address, &[]).await.expect(StatusCode::SEE_OTHER);
    there.get("/ask").await.expect(StatusCode::SEE_OTHER);

    let (mut second, mut third) = (world.signed_in("ada").await, world.signed_in("ada").await);
    here.post("/account/sessions/end-others", &[]).await.expect(StatusCode::SEE_OTHER);
    for gone in [&mut second, &mut third] {
        gone.get("/ask").await.expect(StatusCode::SEE_OTHER);
    }
    here.get("/ask").await.expect(StatusCode::OK);
    let mut dora = world.signed_in("dora").await;
    let ada = world.app.store.user_by_name("ada").await.unwrap().unwrap().id;
    dora.post(&format!("/people/{ada}"), &[("action", "end_sessions")]).await.expect(StatusCode::SEE_OTHER);
    here.get("/ask").await.expect(StatusCode::SEE_OTHER);
    assert_eq!(count(&world, Action::SessionEnded).await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hash_of_another_cost_is_made_anew_at_sign_in() {
    let world = TestApp::new().await;
    let ada = world.app.store.user_by_name("ada").await.unwrap().unwrap().id;
    let before = world.app.store.password_hash(ada).await.unwrap().unwrap();
    let policy = Policy { cost: PasswordCost { memory_kib: 64, ..PasswordCost::LEAST }, ..Policy::default() };
    let later = identity::Identity::new(world.app.store.clone(), policy).unwrap();
    let sign_in = async |password: &str| {
        let operation = domain::OperationId::new(world.app.store.environment());
        later.sign_in("ada", password, &identity::Client::default(), operation).await
    };
    assert!(sign_in("a guess of some length").await.is_err());
    assert_eq!(world.app.store.password_hash(ada).await.unwrap().as_ref(), Some(&before));
    sign_in(PASSWORD).await.unwrap();
    let after = world.app.store.password_hash(ada).await.unwrap().unwrap();
    assert!(before.contains("m=8,") && after.contains("m=64,"), "{after}");
    sign_in(PASSWORD).await.unwrap();
    assert_eq!(world.app.store.password_hash(ada).await.unwrap().unwrap(), after, "once");
}
