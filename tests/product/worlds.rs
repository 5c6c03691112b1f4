//! Who sees what, in random worlds, against a model of a few lines: on every surface never one passage too many and
//! never one too few.
//!
//! A world is a sequence of random acts (documents, grants, memberships, labels, narrowing, clearances, deletions). After
//! each few acts every person looks everywhere, at pages that they keep open and in conversations of before as well. How
//! many worlds: `CARREL_WORLDS`, or a dozen.

use axum::http::StatusCode;
use domain::{Clearance, Collection, DocumentId, Group, Label, Permission, PrincipalId, Role, User};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use storage::Act;
use testkit::{Behaviour, Browser, Program, TestApp, Upstream};

const QUESTION: &str = "What does the tide report of the harbour say?";
/// Name, role: two of staff, so that one can have what the other has not.
const PEOPLE: [(&str, Role); 5] = [
    ("ada", Role::Staff),
    ("ben", Role::Staff),
    ("clara", Role::Curator),
    ("dora", Role::Admin),
    ("emil", Role::Auditor),
];
const GROUPS: usize = 2;
const COLLECTIONS: usize = 2;
/// Below what a page of results holds, so that a search for a word of all of them must show each.
const MOST_DOCUMENTS: usize = 10;

/// One random act. Numbers are taken modulo how many there are.
#[derive(Debug, Clone)]
enum Deed {
    Add { collection: usize, label: usize },
    Delete { document: usize },
    Label { document: usize, label: usize },
    Narrow { document: usize, readers: Option<Vec<usize>> },
    Grant { collection: usize, principal: usize, permission: Option<usize> },
    Membership { group: usize, person: usize, member: bool },
    Clear { person: usize, label: usize },
    Ask { person: usize },
}

fn deed() -> impl Strategy<Value = Deed> {
    let number = || 0..100_usize;
    prop_oneof![
        4 => (number(), number()).prop_map(|(collection, label)| Deed::Add { collection, label }),
        1 => number().prop_map(|document| Deed::Delete { document }),
        2 => (number(), number()).prop_map(|(document, label)| Deed::Label { document, label }),
        2 => (number(), proptest::option::of(proptest::collection::vec(number(), 0..3)))
            .prop_map(|(document, readers)| Deed::Narrow { document, readers }),
        5 => (number(), number(), proptest::option::weighted(0.7, number()))
            .prop_map(|(collection, principal, permission)| Deed::Grant { collection, principal, permission }),
        3 => (number(), number(), any::<bool>())
            .prop_map(|(group, person, member)| Deed::Membership { group, person, member }),
        2 => (number(), number()).prop_map(|(person, label)| Deed::Clear { person, label }),
        3 => number().prop_map(|person| Deed::Ask { person }),
    ]
}

/// What a document is in the model.
struct Known {
    id: DocumentId,
    /// A word that stands in it and nowhere else: its title, its text and its file name have it.
    word: String,
    collection: usize,
    label: Label,
    readers: Option<Vec<PrincipalId>>,
}

/// The naive model beside the product.
struct World {
    product: TestApp,
    upstream: Upstream,
    users: Vec<User>,
    groups: Vec<(Group, [bool; PEOPLE.len()])>,
    collections: Vec<Collection>,
    grants: BTreeMap<(usize, PrincipalId), Permission>,
    documents: Vec<Known>,
    /// Deleted ones are nobody's.
    gone: Vec<Known>,
    browsers: Vec<Browser>,
    programs: Vec<Program>,
    /// Person, address and what the sources were.
    conversations: Vec<(usize, String, Vec<DocumentId>)>,
}

/// Repeats every word of the prompt that marks a document: what was given to the model comes out again.
fn echo(body: &Value) -> Behaviour {
    let prompt = body["messages"].to_string();
    let mut words: Vec<&str> =
        prompt.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| word.starts_with("zorv")).collect();
    words.sort_unstable();
    words.dedup();
    let sentence = |word: &&str| format!("Tide report of the harbour: buoy {word} has calm water. ");
    Behaviour::Says(words.iter().map(sentence).collect())
}

impl World {
    async fn new() -> Self {
        let upstream = Upstream::start(Behaviour::ByRequest(echo)).await;
        let product = TestApp::new().await;
        let options = inference::RemoteOptions {
            address: upstream.address.clone(),
            model: "far".to_owned(),
            first_token_timeout: Duration::from_secs(60),
            ..inference::RemoteOptions::default()
        };
        let generator = inference::Generator::remote(options).unwrap();
        product.app.answering.engines().promote(answer::NamedGenerator { name: "far".to_owned(), generator });
        let (mut users, mut browsers, mut programs) = (Vec::new(), Vec::new(), Vec::new());
        for (name, _) in PEOPLE {
            users.push(product.app.store.user_by_name(name).await.unwrap().unwrap());
            browsers.push(product.signed_in(name).await);
            programs.push(product.program_of(name).await);
        }
        let mut collections = Vec::new();
        for at in 0..COLLECTIONS {
            collections.push(product.collection(&format!("Shelf {at}")).await);
        }
        let mut groups = Vec::new();
        for at in 0..GROUPS {
            let (actor, operation) = (audit::Actor::console(), product.operation());
            let group = product.app.identity.create_group(&format!("crew{at}"), &actor, operation).await.unwrap();
            groups.push((group, [false; PEOPLE.len()]));
        }
        let (grants, documents, gone) = (BTreeMap::new(), Vec::new(), Vec::new());
        let conversations = Vec::new();
        Self {
            product,
            upstream,
            users,
            groups,
            collections,
            grants,
            documents,
            gone,
            browsers,
            programs,
            conversations,
        }
    }

    fn principals_of(&self, person: usize) -> Vec<PrincipalId> {
        let own = std::iter::once(self.users[person].id.into());
        own.chain(self.groups.iter().filter(|(_, members)| members[person]).map(|(group, _)| group.id.into())).collect()
    }

    fn permission(&self, person: usize, collection: usize) -> Option<Permission> {
        self.principals_of(person).iter().filter_map(|id| self.grants.get(&(collection, *id)).copied()).max()
    }

    /// Clearance and narrowing alone.
    fn cleared(&self, person: usize, document: &Known) -> bool {
        let own = self.principals_of(person);
        let named = document.readers.as_ref().is_none_or(|readers| readers.iter().any(|reader| own.contains(reader)));
        document.label <= self.users[person].clearance.0 && named
    }

    /// The whole rule.
    fn may_read(&self, person: usize, document: &Known) -> bool {
        self.permission(person, document.collection).is_some() && self.cleared(person, document)
    }

    /// The rule for lists of jobs: an admin looks after all, whoever writes in a collection after its own.
    fn may_read_job(&self, person: usize, document: &Known) -> bool {
        let works = match PEOPLE[person].1 {
            Role::Admin => true,
            Role::Curator => self.permission(person, document.collection) >= Some(Permission::Write),
            _ => return false,
        };
        works && self.cleared(person, document)
    }

    fn principal(&self, number: usize) -> PrincipalId {
        match number % (PEOPLE.len() + GROUPS) {
            person if person < PEOPLE.len() => self.users[person].id.into(),
            group => self.groups[group - PEOPLE.len()].0.id.into(),
        }
    }

    async fn act(&self, write: impl AsyncFnOnce(&mut Act)) {
        let mut act = self.product.app.store.begin().await.unwrap();
        write(&mut act).await;
        let event = audit::Event::new(audit::Action::GrantChanged, &audit::Actor::console(), self.product.operation());
        act.record(event).await.unwrap();
        act.commit().await.unwrap();
    }

    async fn perform(&mut self, deed: &Deed) {
        let label = |number: usize| Label::ALL[number % 4];
        match deed.clone() {
            Deed::Add { collection, label: number } if self.documents.len() < MOST_DOCUMENTS => {
                let collection = collection % COLLECTIONS;
                let word = format!("zorv{}", self.documents.len() + self.gone.len());
                let text = format!("Tide report {word}\n\nTide report of the harbour: buoy {word} has calm water.\n");
                let (source, label) = (format!("{word}.txt"), label(number));
                let shelf = &self.collections[collection];
                self.product.submit(shelf, &source, text.as_bytes(), Some(label)).await;
                self.product.ingest().await;
                let made = self.product.app.store.document_by_source(shelf.id, &source).await.unwrap().unwrap();
                self.documents.push(Known { id: made.id, word, collection, label, readers: None });
            }
            Deed::Delete { document } if !self.documents.is_empty() => {
                let known = self.documents.remove(document % self.documents.len());
                self.act(async |act| act.delete_document(known.id).await.unwrap()).await;
                self.gone.push(known);
            }
            Deed::Label { document, label: number } if !self.documents.is_empty() => {
                let at = document % self.documents.len();
                self.documents[at].label = label(number);
                let id = self.documents[at].id;
                self.act(async |act| assert_eq!(act.relabel(id, label(number)).await.unwrap(), [id])).await;
            }
            Deed::Narrow { document, readers } if !self.documents.is_empty() => {
                let at = document % self.documents.len();
                let readers: Option<Vec<_>> =
                    readers.map(|numbers| numbers.iter().map(|number| self.principal(*number)).collect());
                let id = self.documents[at].id;
                self.act(async |act| act.narrow(id, readers.as_deref()).await.unwrap()).await;
                self.documents[at].readers = readers;
            }
            Deed::Grant { collection, principal, permission } => {
                let (collection, principal) = (collection % COLLECTIONS, self.principal(principal));
                let permission = permission.map(|number| Permission::ALL[number % 3]);
                let id = self.collections[collection].id;
                self.act(async |act| act.set_grant(id, principal, permission).await.unwrap()).await;
                match permission {
                    Some(permission) => self.grants.insert((collection, principal), permission),
                    None => self.grants.remove(&(collection, principal)),
                };
            }
            Deed::Membership { group, person, member } => {
                let (group, person) = (group % GROUPS, person % PEOPLE.len());
                let (id, user) = (self.groups[group].0.id, self.users[person].id);
                let (actor, operation) = (audit::Actor::console(), self.product.operation());
                self.product.app.identity.set_membership(id, user, member, &actor, operation).await.unwrap();
                self.groups[group].1[person] = member;
            }
            Deed::Clear { person, label: number } => {
                let person = person % PEOPLE.len();
                // Within a session that goes on: an admin's change would end it.
                let user = User { clearance: Clearance(label(number)), ..self.users[person].clone() };
                self.act(async |act| act.update_user(&user).await.unwrap()).await;
                self.users[person] = user;
            }
            Deed::Ask { person } => self.ask(person % PEOPLE.len()).await,
            _ => {}
        }
    }

    /// Asks in the browser: sources, prompt and answer hold nothing that may not be read, and something that may. Every
    /// second time the index may lag behind: rights that were taken away hold all the same, those that were given wait.
    async fn ask(&mut self, person: usize) {
        let in_step = self.conversations.len().is_multiple_of(2);
        if in_step {
            self.product.app.publisher.catch_up().await.unwrap();
        }
        let before = self.upstream.received().len();
        let asked = self.browsers[person].post("/ask", &[("question", QUESTION)]).await;
        let address = asked.expect(StatusCode::SEE_OTHER).location.unwrap();
        let page = loop {
            let page = self.browsers[person].get(&address).await.expect(StatusCode::OK).body;
            if !page.contains("data-stream=") {
                break page;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        let prompts: String = self.upstream.received()[before..].iter().map(|it| it.body.to_string()).collect();
        let (mut sources, mut readable) = (Vec::new(), 0);
        for document in &self.documents {
            let may = self.may_read(person, document);
            readable += usize::from(may);
            assert!(may || !has(&prompts, &document.word), "{person} had {} in the prompt", document.word);
            assert!(may || !has(&page, &document.word), "{person} was told of {}", document.word);
            if has(&page, &document.word) {
                sources.push(document.id);
            }
        }
        let enough = !sources.is_empty() || readable == 0 || !in_step;
        assert!(enough, "{person} may read {readable} and was shown {}", sources.len());
        self.conversations.push((person, address, sources));
    }

    /// Everybody looks everywhere.
    async fn check(&mut self) {
        // Rights that were taken away do not wait for the index; those that were given do, as the routes do that give them.
        #[allow(clippy::needless_range_loop, reason = "the number of the person counts")]
        for person in 0..PEOPLE.len() {
            let found = self.browsers[person].get("/search?q=tide+report").await.expect(StatusCode::OK).body;
            let hidden = self.documents.iter().filter(|document| !self.may_read(person, document)).chain(&self.gone);
            for document in hidden {
                assert!(!has(&found, &document.word), "{}: {} by an old index", PEOPLE[person].0, document.word);
            }
        }
        self.product.app.publisher.catch_up().await.unwrap();
        for person in 0..PEOPLE.len() {
            self.check_lists(person).await;
            self.check_documents(person).await;
            self.check_answers(person).await;
        }
    }

    async fn check_lists(&mut self, person: usize) {
        let name = PEOPLE[person].0;
        let found = self.browsers[person].get("/search?q=tide+report").await.expect(StatusCode::OK).body;
        let start = self.browsers[person].get("/search").await.expect(StatusCode::OK).body;
        let library = self.browsers[person].get("/library").await.expect(StatusCode::OK).body;
        let jobs = self.browsers[person].get("/jobs").await;
        let (mut readable, mut of_collection) = (0, [0; COLLECTIONS]);
        for document in &self.documents {
            let may = self.may_read(person, document);
            assert_eq!(has(&found, &document.word), may, "search of {name}: {}", document.word);
            assert_eq!(has(&jobs.body, &document.word), self.may_read_job(person, document), "jobs of {name}");
            readable += u64::from(may);
            of_collection[document.collection] += u64::from(may);
        }
        for document in &self.gone {
            assert!(!has(&found, &document.word) && !has(&jobs.body, &document.word), "{name}: {}", document.word);
        }
        let counted = format!("Search the {readable} passage");
        assert!(start.contains(&counted), "{name} may see {readable}: {start}");
        // Kinds to narrow a search to are those of one's own documents.
        assert_eq!(found.contains("value=\"text/plain\""), readable > 0, "{name}: {found}");
        for (at, expected) in of_collection.into_iter().enumerate() {
            let (id, granted) = (self.collections[at].id, self.permission(person, at).is_some());
            assert_eq!(library.contains(&format!("Shelf {at}")), granted, "{name}");
            assert_eq!(found.contains(&format!("<span>Shelf {at}</span>")), expected > 0, "facets of {name}");
            let page = self.browsers[person].get(&format!("/collections/{id}")).await;
            assert_eq!(page.status == StatusCode::OK, granted, "{name}");
            if granted {
                let words = if expected == 1 { "document" } else { "documents" };
                assert!(page.body.contains(&format!("<span>{expected} {words}</span>")), "{name}: {}", page.body);
                assert!(library.contains(&format!("<span>{expected} {words}</span>")), "{name}: {library}");
            }
            for document in self.documents.iter().filter(|document| document.collection == at) {
                assert_eq!(has(&page.body, &document.word), self.may_read(person, document), "{name} at shelf {at}");
            }
        }
    }

    async fn check_documents(&mut self, person: usize) {
        let missing = missing(&mut self.browsers[person], "").await;
        for (document, there) in
            self.documents.iter().map(|it| (it, true)).chain(self.gone.iter().map(|it| (it, false)))
        {
            let may = there && self.may_read(person, document);
            for part in ["", "/original"] {
                let page = self.browsers[person].get(&format!("/documents/{}{part}", document.id)).await;
                let expected = if may { StatusCode::OK } else { StatusCode::NOT_FOUND };
                assert_eq!(page.status, expected, "{} at {}{part}", PEOPLE[person].0, document.word);
                if may {
                    assert!(has(&page.body, &document.word));
                } else {
                    assert_eq!(without_operation(&page), missing, "a hidden one answers as one that is not there");
                }
            }
        }
    }

    /// Conversations of before, and a program that asks now.
    async fn check_answers(&mut self, person: usize) {
        for (owner, address, sources) in self.conversations.clone() {
            let page = self.browsers[person].get(&address).await;
            if owner != person {
                assert_eq!(page.status, StatusCode::NOT_FOUND, "somebody else's conversation");
                continue;
            }
            let known = self.documents.iter().map(|it| (it, true)).chain(self.gone.iter().map(|it| (it, false)));
            for (document, there) in known {
                let may = there && self.may_read(person, document);
                let was = sources.contains(&document.id);
                let text = &page.body;
                assert!(may || !has(text, &document.word), "{}: {} in an old answer", PEOPLE[person].0, document.word);
                // Text goes with any source that went; the list of sources keeps those that may still be read.
                assert!(!(may && was) || has(text, &document.word), "a source that may be read is missing: {text}");
            }
        }
        let before = self.upstream.received().len();
        let body = json!({ "model": "carrel", "messages": [{ "role": "user", "content": QUESTION }] });
        let told = self.programs[person].post("/v1/chat/completions", &body).await.expect(StatusCode::OK).text;
        let prompts: String = self.upstream.received()[before..].iter().map(|it| it.body.to_string()).collect();
        let readable = self.documents.iter().filter(|document| self.may_read(person, document)).count();
        let mut told_of = 0;
        for document in self.documents.iter().chain(&self.gone) {
            let may = self.documents.iter().any(|it| it.id == document.id) && self.may_read(person, document);
            assert!(may || !has(&told, &document.word), "a program of {}: {told}", PEOPLE[person].0);
            assert!(may || !has(&prompts, &document.word), "the prompt of a program of {}", PEOPLE[person].0);
            told_of += usize::from(has(&told, &document.word));
        }
        assert_eq!(told_of == 0, readable == 0, "a program of {}: {told}", PEOPLE[person].0);
    }
}

/// Whether the word stands there, and not as the beginning of another.
fn has(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| !text[at + word.len()..].starts_with(|c: char| c.is_ascii_digit()))
}

/// The page of a document that was never there.
async fn missing(browser: &mut Browser, part: &str) -> String {
    let page = browser.get(&format!("/documents/0195a1b2c3d47e5f8a9b0c1d2e3f4a5b{part}")).await;
    without_operation(&page.expect(StatusCode::NOT_FOUND))
}

/// Everything of an answer but its operation id: status, headers and body, byte for byte.
fn without_operation(page: &testkit::Page) -> String {
    let operation = &page.headers["x-operation-id"];
    format!("{} {:?} {}", page.status, page.headers, page.body).replace(operation.as_str(), "")
}

#[test]
fn nobody_sees_one_passage_too_many_or_too_few() {
    let worlds = std::env::var("CARREL_WORLDS").ok().and_then(|number| number.parse().ok()).unwrap_or(12);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    // Shrinking a world costs as much as it each time; the acts are printed as they are.
    let config = Config { cases: worlds, max_shrink_iters: 20, failure_persistence: None, ..Config::default() };
    let acts = proptest::collection::vec(proptest::collection::vec(deed(), 1..5), 6..14);
    let states = std::cell::Cell::new(0);
    TestRunner::new(config)
        .run(&acts, |steps| {
            let looked = runtime.block_on(async {
                let mut world = World::new().await;
                for step in &steps {
                    for deed in step {
                        world.perform(deed).await;
                    }
                    world.check().await;
                }
                steps.len()
            });
            states.set(states.get() + looked);
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
    eprintln!("{worlds} worlds, {} states, each as {} people see it", states.get(), PEOPLE.len());
}
