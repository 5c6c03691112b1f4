//! A whole product in a temporary directory.

use crate::api::Program;
use crate::browser::Browser;
use crate::models::{embedder, generator};
use answer::{Answering, Live, NamedGenerator, Settings};
use audit::{Action, Actor, Event, SigningKey};
use axum::Extension;
use axum::extract::ConnectInfo;
use domain::{Clearance, Collection, CollectionId, Environment, Label, OperationId, Permission, Role, User};
use identity::{Identity, IdentityError, NewToken, NewUser, PasswordCost, Policy, SealingKey, TokenScope};
use index::Index;
use inference::{Generator, GeneratorOptions};
use ingest::{ContentStore, Incoming, Origin, Pages, Publisher, Reader, Reserve, Stage, Staged, Watcher, Worker};
use models::Models;
use operations::doctor::Subject;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use storage::Store;
use tempfile::TempDir;
use web::{App, LabelWords, Metrics, Names, Openings, Setup, Site, Words};

/// Everybody's password.
pub const PASSWORD: &str = "quiet herons at noon";

/// The product, with one person of each role: `ada` and `ben` (staff), `clara` (curator), `dora` (admin) and `emil`
/// (auditor), all cleared for internal documents, and nothing granted to anyone.
pub struct TestApp {
    /// What the routes work with.
    pub app: App,
    /// Does the jobs when [`TestApp::ingest`] says so.
    pub worker: Worker,
    data: TempDir,
    shares: TempDir,
}

impl TestApp {
    /// A fresh one, with the small models.
    pub async fn new() -> Self {
        Self::with_policy(Policy::default()).await
    }

    /// A fresh one whose people sign in by these rules; hashes cost the least in any case.
    pub async fn with_policy(policy: Policy) -> Self {
        Self::with(policy, Environment::system()).await
    }

    /// A fresh one with a clock and random source of the test's own.
    pub async fn with(policy: Policy, environment: Environment) -> Self {
        let data = tempfile::tempdir().expect("a temporary directory");
        let world = Self::with_setup(data, policy, environment, Setup::done()).await;
        world.with_people().await
    }

    /// A fresh one that keeps everything in a new folder below `folder`.
    pub async fn in_folder(folder: &std::path::Path) -> Self {
        let data = tempfile::tempdir_in(folder).expect("a temporary directory");
        let world = Self::with_setup(data, Policy::default(), Environment::system(), Setup::done()).await;
        world.with_people().await
    }

    async fn with_people(self) -> Self {
        let world = self;
        let people = [
            ("ada", Role::Staff),
            ("ben", Role::Staff),
            ("clara", Role::Curator),
            ("dora", Role::Admin),
            ("emil", Role::Auditor),
        ];
        for (name, role) in people {
            world.user(name, role, Label::Internal).await;
        }
        world
    }

    /// One in which nobody has an account yet, and the code that its console printed.
    pub async fn not_set_up() -> (Self, String) {
        let (setup, code) = Setup::waiting(&Environment::system());
        let data = tempfile::tempdir().expect("a temporary directory");
        (Self::with_setup(data, Policy::default(), Environment::system(), setup).await, code)
    }

    async fn with_setup(data: TempDir, policy: Policy, environment: Environment, setup: Setup) -> Self {
        let shares = tempfile::tempdir().expect("a temporary directory");
        let store = Store::open(&data.path().join("carrel.db"), environment.clone()).await.expect("the store opens");
        let policy = Policy {
            cost: PasswordCost::LEAST,
            organisation: "Port Elsin".to_owned(),
            seal: Some(SealingKey::random(&environment)),
            ..policy
        };
        let identity = Identity::new(store.clone(), policy).expect("the cost is allowed");
        let embedder = embedder();
        let index = Index::open(&data.path().join("index"), embedder.dimension()).expect("the index opens");
        let index = Arc::new(index);
        let content = ContentStore::open(data.path().join("content")).expect("the content store opens");
        let publisher = Publisher::new(store.clone(), Arc::clone(&index));
        let named = NamedGenerator { name: "smollm2-135m".to_owned(), generator: generator() };
        let settings = Settings { answer_tokens: 48, passages: 3, passage_tokens: 400, ..Settings::default() };
        let answering = Answering::new(store.clone(), Arc::clone(&index), Arc::clone(&embedder), Some(named), settings);
        let options = GeneratorOptions {
            context_tokens: 2048,
            kv_memory_bytes: 1 << 28,
            passage_memory_bytes: 0,
            ..GeneratorOptions::default()
        };
        let loader = Arc::new(move |file: &std::path::Path| Generator::load(file, options));
        let model_settings = models::Settings::new(data.path().to_owned(), options, loader);
        let models = Models::of_server(store.clone(), answering.engines().clone(), model_settings);
        let (reader, model) = (Reader::in_process(2), "minilm".to_owned());
        let worker = Worker::new(store.clone(), content.clone(), reader, embedder, model, publisher.clone());
        let key = SigningKey::load_or_create(&data.path().join("audit.pem"), &environment).expect("a key is made");
        let stage = Stage::new(store.clone(), content.clone(), 4_000_000);
        let app = App {
            watcher: Watcher::new(stage.clone()),
            stage,
            store,
            identity,
            answering,
            live: Live::new(Duration::from_secs(30)),
            pages: Pages::in_process(content.clone()),
            openings: Openings::default(),
            content,
            publisher,
            index,
            models,
            metrics: Metrics::new(environment.now()),
            exports: web::Exports::default(),
            signing_key: Arc::new(key),
            setup,
            site: Arc::new(Site {
                names: Names::new(Words { organisation: "Port Elsin".to_owned(), labels: LabelWords::default() }),
                secure_cookies: true,
                data: data.path().to_owned(),
                subject: Subject {
                    data: data.path().to_owned(),
                    environment: environment.clone(),
                    reserve_bytes: 0,
                    server_running: true,
                    certificate: None,
                    revoked: None,
                    backup_hours: None,
                    checkpoint_minutes: 60,
                    generates: true,
                },
                configuration: serde_json::json!({ "answer": { "enabled": true } }),
                metrics_allow: Vec::new(),
                examples: vec![("Handbook".to_owned(), "How many days of leave do I get?".to_owned())],
                answers: true,
                watch_in: vec![shares.path().to_owned()],
            }),
        };
        Self { app, worker, data, shares }
    }

    /// Has so many bytes of its disk kept free.
    pub fn keep_free(&mut self, bytes: u64) {
        self.leave(&Reserve::new(self.data.path().to_owned(), bytes));
    }

    /// The same, of whichever disk.
    pub fn leave(&mut self, reserve: &Reserve) {
        self.app.stage = self.app.stage.clone().with_reserve(reserve.clone());
        self.app.watcher = Watcher::new(self.app.stage.clone());
        self.worker = self.worker.clone().with_reserve(reserve.clone());
        let mut site = (*self.app.site).clone();
        site.subject.reserve_bytes = reserve.bytes();
        self.app.site = Arc::new(site);
    }

    /// Where it keeps everything.
    #[must_use]
    pub fn data(&self) -> &std::path::Path {
        self.data.path()
    }

    /// Where folders may be watched.
    #[must_use]
    pub fn shares(&self) -> std::path::PathBuf {
        self.shares.path().canonicalize().expect("it is there")
    }

    /// Makes an account.
    pub async fn user(&self, name: &str, role: Role, clearance: Label) -> User {
        let new =
            NewUser { name: name.to_owned(), display_name: name.to_owned(), role, clearance: Clearance(clearance) };
        let made = self.app.identity.create_user(&new, PASSWORD, &Actor::console(), self.operation()).await;
        made.expect("the account is made")
    }

    /// Makes a collection whose documents are internal.
    pub async fn collection(&self, name: &str) -> Collection {
        let id = CollectionId::new(self.app.store.environment());
        let collection =
            Collection { id, name: name.to_owned(), description: String::new(), default_label: Label::Internal };
        let mut act = self.app.store.begin().await.expect("an act begins");
        act.insert_collection(&collection).await.expect("the collection is new");
        act.record(self.event(Action::CollectionCreated)).await.expect("it is recorded");
        act.commit().await.expect("it is committed");
        collection
    }

    /// Gives a person something to do in a collection, or takes it away.
    pub async fn grant(&self, collection: &Collection, name: &str, permission: Option<Permission>) {
        let user = self.app.store.user_by_name(name).await.expect("readable").expect("a known person");
        let mut act = self.app.store.begin().await.expect("an act begins");
        act.set_grant(collection.id, user.id.into(), permission).await.expect("the grant is set");
        act.record(self.event(Action::GrantChanged)).await.expect("it is recorded");
        act.commit().await.expect("it is committed");
    }

    /// Takes a file in; nothing is read before [`TestApp::ingest`].
    pub async fn submit(&self, collection: &Collection, source: &str, bytes: &[u8], label: Option<Label>) -> Staged {
        let origin = Origin { label, ..Origin::of(collection) };
        let file = Incoming::new(source, bytes.to_vec());
        let staged = self.app.stage.submit(&origin, file, &Actor::console(), self.operation()).await;
        staged.expect("the file is taken in")
    }

    /// Does all jobs that wait.
    pub async fn ingest(&self) {
        self.worker.run_until_idle().await.expect("the jobs are done");
    }

    /// A browser at which nobody is signed in.
    #[must_use]
    pub fn browser(&self) -> Browser {
        Browser::new(web::router(self.app.clone()))
    }

    /// A browser at another machine, at which nobody is signed in.
    #[must_use]
    pub fn browser_at(&self, address: IpAddr) -> Browser {
        let from = ConnectInfo(SocketAddr::new(address, 40_000));
        Browser::new(web::router(self.app.clone()).layer(Extension(from)))
    }

    /// A browser at which `name` is signed in.
    pub async fn signed_in(&self, name: &str) -> Browser {
        let mut browser = self.browser();
        assert!(browser.sign_in(name, PASSWORD).await, "{name} can sign in");
        browser
    }

    /// A token for programs of `name`, for questions and embeddings.
    pub async fn token(&self, name: &str) -> String {
        let user = self.app.store.user_by_name(name).await.expect("readable").expect("a known person");
        let new = NewToken { name: "script".to_owned(), scopes: TokenScope::USUAL.to_vec(), days: 30 };
        let issued = self.app.identity.issue_token(&user, &new, &Actor::console(), self.operation()).await;
        issued.expect("the token is made").secret
    }

    /// A program that sends this token.
    #[must_use]
    pub fn program(&self, token: Option<&str>) -> Program {
        Program::new(web::router(self.app.clone()), token)
    }

    /// A program at another machine.
    #[must_use]
    pub fn program_at(&self, address: IpAddr, token: Option<&str>) -> Program {
        let from = ConnectInfo(SocketAddr::new(address, 40_000));
        Program::new(web::router(self.app.clone()).layer(Extension(from)), token)
    }

    /// A token of `name` for this alone.
    ///
    /// # Errors
    /// What [`Identity::issue_token`] refuses.
    pub async fn token_for(&self, name: &str, scope: TokenScope) -> Result<String, IdentityError> {
        let user = self.app.store.user_by_name(name).await.expect("readable").expect("a known person");
        let new = NewToken { name: "script".to_owned(), scopes: vec![scope], days: 30 };
        let issued = self.app.identity.issue_token(&user, &new, &Actor::console(), self.operation()).await?;
        Ok(issued.secret)
    }

    /// A program that acts for `name`.
    pub async fn program_of(&self, name: &str) -> Program {
        let token = self.token(name).await;
        self.program(Some(&token))
    }

    /// All audit events, oldest first.
    pub async fn events(&self) -> Vec<audit::Entry> {
        let mut all: Vec<audit::Entry> = Vec::new();
        loop {
            let from = all.last().map_or(1, |entry| entry.sequence + 1);
            let more = self.app.store.audit_from(from, 500).await.expect("the log can be read");
            if more.is_empty() {
                return all;
            }
            all.extend(more);
        }
    }

    /// A new operation, as the console begins one.
    #[must_use]
    pub fn operation(&self) -> OperationId {
        OperationId::new(self.app.store.environment())
    }

    fn event(&self, action: Action) -> Event {
        Event::new(action, &Actor::console(), self.operation())
    }
}
