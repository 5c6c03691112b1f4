//! What the tests stand on: a database in a temporary folder and a clock that stands still until it is moved.

use audit::{Action, Actor, Event};
use domain::{
    Clearance, Clock, Collection, CollectionId, ContentHash, Document, DocumentId, DocumentState, Environment, Group,
    GroupId, Label, Location, Metadata, OperationId, Passage, PassageId, Role, SystemRandom, User, UserId,
};
use jiff::{SignedDuration, Timestamp};
use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use storage::{Act, PublishedVersion, Result, Store};
use tempfile::TempDir;

#[derive(Clone)]
struct Stopped(Arc<AtomicI64>);

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.0.load(Ordering::Relaxed)).unwrap()
    }
}

pub struct World {
    pub store: Store,
    pub environment: Environment,
    clock: Stopped,
    folder: TempDir,
}

impl World {
    pub async fn new() -> Self {
        let clock = Stopped(Arc::new(AtomicI64::new(1_800_000_000_000)));
        let environment = Environment::new(clock.clone(), SystemRandom);
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("carrel.db"), environment.clone()).await.unwrap();
        Self { store, environment, clock, folder }
    }

    pub fn file(&self) -> PathBuf {
        self.folder.path().join("carrel.db")
    }

    /// Another process, as far as SQLite can tell.
    pub async fn second_store(&self) -> Store {
        Store::open(&self.file(), self.environment.clone()).await.unwrap()
    }

    /// Past every guard of the crate, as someone with the file in hands.
    pub async fn raw(&self) -> SqliteConnection {
        SqliteConnectOptions::new().filename(self.file()).connect().await.unwrap()
    }

    pub fn now(&self) -> Timestamp {
        self.environment.now()
    }

    pub fn wait(&self, duration: SignedDuration) {
        self.clock.0.fetch_add(i64::try_from(duration.as_millis()).unwrap(), Ordering::Relaxed);
    }

    pub fn event(&self, action: Action) -> Event {
        Event::new(action, &Actor::console(), OperationId::new(&self.environment))
    }

    pub async fn begin(&self) -> Act {
        self.store.begin().await.unwrap()
    }

    /// Commits, with an event that says nothing in particular.
    pub async fn commit(&self, mut act: Act) {
        act.record(self.event(Action::ConfigurationChanged)).await.unwrap();
        act.commit().await.unwrap();
    }

    /// One write of its own.
    pub async fn write<T>(&self, write: impl AsyncFnOnce(&mut Act) -> Result<T>) -> Result<T> {
        let mut act = self.begin().await;
        let result = write(&mut act).await?;
        self.commit(act).await;
        Ok(result)
    }

    pub async fn user(&self, name: &str) -> User {
        let user = User {
            id: UserId::new(&self.environment),
            name: name.to_owned(),
            display_name: name.to_uppercase(),
            role: Role::Staff,
            clearance: Clearance(Label::Internal),
            disabled: false,
        };
        self.write(async |act| act.insert_user(&user, "$argon2id$").await).await.unwrap();
        user
    }

    pub async fn group(&self, name: &str) -> Group {
        let group = Group { id: GroupId::new(&self.environment), name: name.to_owned() };
        self.write(async |act| act.insert_group(&group).await).await.unwrap();
        group
    }

    pub async fn collection(&self, name: &str) -> Collection {
        let collection = Collection {
            id: CollectionId::new(&self.environment),
            name: name.to_owned(),
            description: String::new(),
            default_label: Label::Internal,
        };
        self.write(async |act| act.insert_collection(&collection).await).await.unwrap();
        collection
    }

    /// A document that waits, not stored yet.
    pub fn draft(&self, collection: CollectionId, source: &str) -> Document {
        Document {
            id: DocumentId::new(&self.environment),
            collection,
            title: source.to_owned(),
            source: source.to_owned(),
            media_type: "text/plain".to_owned(),
            label: Label::Internal,
            readers: None,
            version: 0,
            content: ContentHash::of(source.as_bytes()),
            size_bytes: 1 << 40,
            pages: None,
            language: None,
            state: DocumentState::Waiting,
            warnings: Vec::new(),
            metadata: Metadata::default(),
            parent: None,
            passages: 0,
            embedded: true,
            hidden: false,
            created_at: self.now(),
            updated_at: self.now(),
        }
    }

    /// A version with one passage a text.
    pub fn version(&self, document: &Document, version: u32, texts: &[&str]) -> PublishedVersion {
        let passage = |(text, ordinal): (&&str, u32)| Passage {
            id: PassageId::new(&self.environment),
            document: document.id,
            version,
            ordinal,
            page: Some(ordinal + 1),
            places: vec![Location::on_page(Some(ordinal + 1))],
            heading_path: vec!["Handbook".to_owned(), format!("§ {ordinal}")],
            text: (*text).to_owned(),
            hash: ContentHash::of(text.as_bytes()),
        };
        PublishedVersion {
            document: document.id,
            version,
            content: ContentHash::of(format!("{texts:?}").as_bytes()),
            size_bytes: 1234,
            title: format!("{} {version}", document.source),
            media_type: "application/pdf".to_owned(),
            language: Some("en".to_owned()),
            pages: Some(9),
            warnings: vec!["a picture was left out".to_owned()],
            metadata: Metadata { author: Some("Ada".to_owned()), ..Metadata::default() },
            passages: texts.iter().zip(0..).map(passage).collect(),
            model: "mini".to_owned(),
        }
    }

    pub async fn insert(&self, document: &Document) {
        self.write(async |act| act.insert_document(document).await).await.unwrap();
    }

    pub async fn publish(&self, version: &PublishedVersion) {
        self.write(async |act| act.publish(version).await).await.unwrap();
    }
}
