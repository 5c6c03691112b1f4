//! Every route of the router, as every role, with an object of one's own and one of somebody else's.
//!
//! The routes are read from the router's own source, so that one without an expectation here fails. Each answer is one
//! character: 2 (200), 3 (303), 0 (400), U (401), F (403), N (404), C (409), O (503).

use crate::remote::with_engine;
use axum::http::{Method, StatusCode};
use domain::{Collection, Label, Permission, Role};
use std::collections::{BTreeMap, BTreeSet};
use storage::{Folder, JobFilter, Removal};
use testkit::{Behaviour, Browser, Page, TestApp, Upstream};

const SOURCES: [&str; 2] =
    [include_str!("../../crates/web/src/routes/mod.rs"), include_str!("../../crates/web/src/routes/openai/mod.rs")];

/// ada reads the handbook, ben has no grant, clara manages the handbook, dora is admin, emil auditor.
const PEOPLE: [&str; 5] = ["ada", "ben", "clara", "dora", "emil"];

/// Method, path, fields of the form, what the five get with an object of their side, and with one of gina's, whose
/// collection nobody else was given; `-` where there is no object.
const EXPECTED: &str = include_str!("every_route.txt");

struct Expectation {
    fields: Vec<(String, String)>,
    own: String,
    foreign: Option<String>,
}

fn expectations() -> BTreeMap<(String, String), Expectation> {
    let lines = EXPECTED.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let parsed = lines.map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [method, path, own, foreign, rest @ ..] = words.as_slice() else { panic!("{line}") };
        let fields = rest.first().map(|fields| fields.split('&').filter_map(|pair| pair.split_once('=')));
        let fields = fields.into_iter().flatten().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let foreign = (*foreign != "-").then(|| (*foreign).to_owned());
        (((*method).to_owned(), (*path).to_owned()), Expectation { fields, own: (*own).to_owned(), foreign })
    });
    let all: Vec<_> = parsed.collect();
    let count = all.len();
    let map: BTreeMap<_, _> = all.into_iter().collect();
    assert_eq!(map.len(), count, "a route stands twice in the table");
    map
}

/// Method and path of every route in the router's source.
fn routes() -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    for source in SOURCES {
        assert!(!source.contains(".nest(") && !source.contains("any("), "routes that this test cannot read");
        for rest in source.split(".route(").skip(1) {
            let path = rest.split('"').nth(1).unwrap().to_owned();
            let handlers = rest.split_once(',').unwrap().1;
            let handlers = handlers.split("\n        .").next().unwrap();
            for method in ["get", "post", "put", "patch", "delete"] {
                let beginning = [format!(" {method}("), format!(".{method}(")];
                if beginning.iter().any(|mark| handlers.contains(mark.as_str())) {
                    found.insert((method.to_uppercase(), path.clone()));
                }
            }
        }
    }
    found
}

#[test]
fn no_route_is_without_an_expectation() {
    let (routes, expected): (BTreeSet<_>, BTreeSet<_>) = (routes(), expectations().into_keys().collect());
    assert!(routes.len() > 70, "the router's source was not read: {}", routes.len());
    let missing: Vec<_> = routes.difference(&expected).collect();
    let gone: Vec<_> = expected.difference(&routes).collect();
    assert!(missing.is_empty(), "add what each role gets to every_route.txt: {missing:?}");
    assert!(gone.is_empty(), "no longer routes: {gone:?}");
}

/// The objects of one side.
struct Side {
    curator: &'static str,
    collection: Collection,
    /// What the asker's conversations are found by.
    asker: &'static str,
}

struct House {
    world: TestApp,
    own: Side,
    foreign: Side,
    made: usize,
    _upstream: Upstream,
}

fn letter(status: StatusCode) -> char {
    match status.as_u16() {
        200 => '2',
        303 => '3',
        400 => '0',
        401 => 'U',
        403 => 'F',
        404 => 'N',
        409 => 'C',
        422 => 'X',
        503 => 'O',
        other => panic!("no letter for {other}"),
    }
}

impl House {
    async fn new() -> Self {
        let upstream = Upstream::start(Behaviour::Says(vec!["The working day has eight hours [1].".to_owned()])).await;
        let world = with_engine(&upstream).await;
        let handbook = world.app.store.collection_by_name("Handbook").await.unwrap().unwrap();
        world.user("gina", Role::Curator, Label::Internal).await;
        let vault = world.collection("Vault").await;
        world.grant(&vault, "gina", Some(Permission::Manage)).await;
        let own = Side { curator: "clara", collection: handbook, asker: "ada" };
        let foreign = Side { curator: "gina", collection: vault, asker: "gina" };
        Self { world, own, foreign, made: 0, _upstream: upstream }
    }

    /// Fresh ids of this side's objects, by what stands before `{id}` in a path.
    async fn objects(&mut self, foreign: bool, path: &str) -> String {
        let kind = path.split('/').nth(1).unwrap_or_default().to_owned();
        self.made += 1;
        let side = if foreign { &self.foreign } else { &self.own };
        let store = &self.world.app.store;
        match kind.as_str() {
            "collections" => side.collection.id.to_string(),
            "documents" | "jobs" | "batches" => {
                let source = format!("note-{}.txt", self.made);
                let text = format!("Note {}. The working day has eight hours.", self.made);
                let mut browser = self.world.signed_in(side.curator).await;
                let address = format!("/collections/{}/documents", side.collection.id);
                browser.upload(&address, "internal", &source, text.as_bytes()).await.expect(StatusCode::SEE_OTHER);
                self.world.ingest().await;
                let jobs = store.jobs(&JobFilter::default(), 100).await.unwrap();
                let job = jobs.into_iter().find(|job| job.source == source).unwrap();
                match kind.as_str() {
                    "jobs" => job.id.to_string(),
                    "batches" => job.batch.unwrap().to_string(),
                    _ => job.document.to_string(),
                }
            }
            "conversations" | "answers" => {
                let mut browser = self.world.signed_in(side.asker).await;
                let (address, page) = crate::story::ask(&mut browser, "How long is the working day?").await;
                let answer = page.split("data-answer=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
                let conversation = address.split(['/', '#', '?']).nth(2).unwrap().to_owned();
                if kind == "answers" { answer } else { conversation }
            }
            "folders" => {
                let path = self.world.shares().join(format!("share-{}", self.made));
                std::fs::create_dir(&path).unwrap();
                let folder = Folder {
                    id: domain::FolderId::new(store.environment()),
                    path: path.to_string_lossy().into_owned(),
                    collection: side.collection.id,
                    label: None,
                    removal: Removal::Keep,
                    quarantine: false,
                    every: 3600,
                    paused: false,
                    scanned_at: None,
                    found: None,
                    problem: None,
                    created_at: store.environment().now(),
                };
                let mut act = store.begin().await.unwrap();
                act.insert_folder(&folder).await.unwrap();
                let actor = audit::Actor::console();
                let event = audit::Event::new(audit::Action::FolderChanged, &actor, self.world.operation());
                act.record(event).await.unwrap();
                act.commit().await.unwrap();
                folder.id.to_string()
            }
            "people" => store.user_by_name(side.asker).await.unwrap().unwrap().id.to_string(),
            "groups" => {
                let (actor, operation) = (audit::Actor::console(), self.world.operation());
                let name = format!("crew{}", self.made);
                self.world.app.identity.create_group(&name, &actor, operation).await.unwrap().id.to_string()
            }
            "account" if path.contains("/sessions/") => {
                drop(self.world.signed_in(side.asker).await);
                let user = store.user_by_name(side.asker).await.unwrap().unwrap();
                store.sessions_of(user.id).await.unwrap()[0].id.to_string()
            }
            // Nothing here needs a second person, so none waits: approvals.rs looks at those that do. Keys of one's own and
            // of others are in security_keys.rs.
            "approvals" | "second-factor" => "0195a1b2c3d47e5f8a9b0c1d2e3f4a5b".to_owned(),
            "account" => {
                self.world.token(side.asker).await;
                let user = store.user_by_name(side.asker).await.unwrap().unwrap();
                store.tokens_of(user.id).await.unwrap()[0].id.to_string()
            }
            "audit" => "1".to_owned(),
            "static" => "app.css".to_owned(),
            "manual" => "backup".to_owned(),
            "v1" => "carrel".to_owned(),
            other => panic!("no object for /{other}/…: teach this test to make one"),
        }
    }
}

fn address(path: &str, id: &str) -> String {
    let mut address = path.to_owned();
    for hole in ["{id}", "{*id}", "{sequence}", "{name}"] {
        address = address.replace(hole, id);
    }
    let act = if path.starts_with("/approvals") { "approve" } else { "pause" };
    address.replace("{act}", act).replace("{page}", "1.png")
}

async fn send(browser: &mut Browser, method: &str, address: &str, fields: &[(String, String)]) -> Page {
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    match (method, address.ends_with("/documents")) {
        ("GET", _) => browser.get(address).await,
        (_, true) => browser.upload(address, "internal", "sent.txt", b"Sent by somebody.").await,
        _ => browser.post(address, &fields).await,
    }
}

/// What each of the five gets.
async fn grid(house: &mut House, method: &str, path: &str, expectation: &Expectation, foreign: bool) -> String {
    // What an act before gave or took does not count.
    for (name, own, other) in [("ada", Some(Permission::Read), None), ("clara", Some(Permission::Manage), None)] {
        house.world.grant(&house.own.collection, name, own).await;
        house.world.grant(&house.foreign.collection, name, other).await;
    }
    let mut got = String::new();
    let has_object = path.contains('{');
    for name in PEOPLE {
        let id = if has_object { house.objects(foreign, path).await } else { String::new() };
        let mut browser = house.world.signed_in(name).await;
        let ada = house.world.app.store.user_by_name("ada").await.unwrap().unwrap().id.to_string();
        let handbook = house.own.collection.id.to_string();
        let share = house.world.shares().join(format!("sent-{name}"));
        std::fs::create_dir_all(&share).unwrap();
        let share = share.to_string_lossy().into_owned();
        let fields: Vec<_> = expectation
            .fields
            .iter()
            .map(|(field, value)| {
                let value = value.replace("{ada}", &ada).replace("{handbook}", &handbook).replace("{share}", &share);
                (field.clone(), value.replace("{new}", &format!("new{}{name}", house.made)))
            })
            .collect();
        let page = send(&mut browser, method, &address(path, &id), &fields).await;
        got.push(letter(page.status));
        if foreign && page.status == StatusCode::NOT_FOUND {
            let nowhere = address(path, "0195a1b2c3d47e5f8a9b0c1d2e3f4a5b");
            let missing = send(&mut browser, method, &nowhere, &fields).await;
            let plain = |page: &Page| {
                let operation = page.headers["x-operation-id"].clone();
                format!("{} {:?} {}", page.status, page.headers, page.body).replace(&operation, "")
            };
            assert_eq!(plain(&page), plain(&missing), "{name} at {method} {path}: hidden answers as missing");
        }
    }
    got
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_as_every_role_with_own_and_foreign_objects() {
    let mut house = House::new().await;
    let mut faults = Vec::new();
    for ((method, path), expectation) in expectations() {
        if path.starts_with("/v1/") {
            continue;
        }
        let own = grid(&mut house, &method, &path, &expectation, false).await;
        if own != expectation.own {
            faults.push(format!("{method} {path}: own {own}, expected {}", expectation.own));
        }
        if let Some(expected) = &expectation.foreign {
            let foreign = grid(&mut house, &method, &path, &expectation, true).await;
            if foreign != *expected {
                faults.push(format!("{method} {path}: foreign {foreign}, expected {expected}"));
            }
        }
    }
    assert!(faults.is_empty(), "ada, ben, clara, dora, emil:\n{}", faults.join("\n"));
}

/// Open to everybody, as browsers and watchers of the machine need it.
const PUBLIC: [&str; 13] = [
    "/",
    "/setup",
    "/sign-in",
    "/sign-in/certificate",
    "/sign-in/code",
    "/sign-in/oidc",
    "/sign-in/oidc/return",
    "/sign-in/password",
    "/healthz",
    "/readyz",
    "/metrics",
    "/favicon.ico",
    "/static/{name}",
];

#[tokio::test(flavor = "multi_thread")]
async fn without_a_session_or_a_form_of_ones_own_nothing_is_done() {
    let mut house = House::new().await;
    let program = house.world.program(None);
    let before = house.world.events().await.len();
    for (method, path) in routes() {
        let address = address(&path, "0195a1b2c3d47e5f8a9b0c1d2e3f4a5b");
        if path.starts_with("/v1/") {
            let told = program.send(method.parse::<Method>().unwrap(), &address, &[], "{}".to_owned()).await;
            assert_eq!(told.status, StatusCode::UNAUTHORIZED, "{method} {path}");
            continue;
        }
        if PUBLIC.contains(&path.as_str()) {
            continue;
        }
        let mut nobody = house.world.browser();
        let page = match method.as_str() {
            "GET" => nobody.get(&address).await,
            _ => nobody.post_raw(&address, &[("csrf", "guessed")]).await,
        };
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{method} {path}");
        assert!(page.location.unwrap().starts_with("/sign-in?next="), "{method} {path}");
        if method == "POST" {
            for name in ["clara", "dora"] {
                let mut browser = house.world.signed_in(name).await;
                let refused = match path.ends_with("/documents") {
                    true => continue,
                    false => browser.post_raw(&address, &[("csrf", "guessed")]).await,
                };
                assert_eq!(refused.status, StatusCode::FORBIDDEN, "{name} at {path} without the form's token");
            }
        }
    }
    let changed = house.world.events().await.split_off(before);
    let only = [audit::Action::SignInSucceeded, audit::Action::AccessDenied, audit::Action::TokenRefused];
    let done: Vec<_> = changed.iter().map(|entry| entry.event.action).filter(|it| !only.contains(it)).collect();
    assert!(done.is_empty(), "{done:?}");
    house.made += 1;
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_reach_only_what_their_token_is_for() {
    let house = House::new().await;
    for ((method, path), expectation) in expectations().into_iter().filter(|((_, path), _)| path.starts_with("/v1/")) {
        let mut got = String::new();
        for name in PEOPLE {
            let program = house.world.program_of(name).await;
            let body = match path.as_str() {
                "/v1/embeddings" => r#"{"model":"embedding","input":"tide"}"#,
                _ => r#"{"model":"carrel","messages":[{"role":"user","content":"How long is the working day?"}]}"#,
            };
            let method = method.parse::<Method>().unwrap();
            let told = program.send(method, &address(&path, "carrel"), &[], body.to_owned()).await;
            got.push(letter(told.status));
        }
        assert_eq!(got, expectation.own, "{method} {path}");
    }
}
