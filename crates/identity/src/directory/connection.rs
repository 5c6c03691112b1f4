//! The one place that speaks LDAP (RFC 4511), over TLS, to the one address that the site configured: no referral is
//! followed, no other host is ever asked.

use super::Looked;
use super::active_directory::{self, Obstacle, without_domain};
use super::settings::{DirectoryKind, DirectorySettings};
use crate::tls;
use jiff::Timestamp;
use ldap3::adapters::{Adapter, EntriesOnly, PagedResults};
use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, Scope, SearchEntry, ldap_escape};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio_rustls::rustls::ClientConfig;

/// For the connection, and for each question.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// Entries that are asked for at once; Active Directory gives at most a thousand.
const PAGE: i32 = 500;
/// People that one name may find: more than one is a mistake, and many more are none to wait for.
const MOST_FOUND: usize = 20;
/// People that are counted.
const MOST_PEOPLE: usize = 1_000_000;

/// The directory of the organisation.
#[derive(Clone)]
pub struct Directory {
    pub(super) settings: Arc<DirectorySettings>,
    tls: Arc<ClientConfig>,
}

impl std::fmt::Debug for Directory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.settings.fmt(f)
    }
}

/// Someone as the directory knows them.
#[derive(Debug, Clone)]
pub(super) struct Person {
    /// What stays the same, as a filter has it (RFC 4515).
    pub(super) id: String,
    pub(super) name: String,
    pub(super) display_name: String,
    /// The groups, those within others included, as [`comparable`](super::settings::comparable) writes them.
    pub(super) groups: BTreeSet<String>,
    /// Why the account may not be used, if so.
    pub(super) obstacle: Option<Obstacle>,
}

/// What became of a name and a password.
#[derive(Debug)]
pub(super) enum Shown {
    /// They are those of this person.
    Person(Person),
    /// They are not, or not now; the reason is for the audit log.
    Refused(Option<Obstacle>),
}

impl Directory {
    /// Reads the settings. Connects to nothing yet.
    ///
    /// # Errors
    /// What is wrong with them, in a sentence.
    pub fn new(settings: DirectorySettings) -> Result<Self, String> {
        let plain = settings.address.starts_with("ldap://");
        if !plain && !settings.address.starts_with("ldaps://") {
            return Err(format!("directory.address '{}' must begin with ldaps:// or ldap://", settings.address));
        }
        if plain && !settings.start_tls {
            return Err("directory.address is without TLS; use ldaps://, or set directory.start_tls".to_owned());
        }
        if !settings.user_filter.contains("{name}") {
            return Err("directory.user_filter must contain {name}".to_owned());
        }
        let tls = tls::client(&settings.authorities, "directory.ca_file")?;
        Ok(Self { settings: Arc::new(settings), tls })
    }

    /// The person with this name and password, if the directory says so.
    pub(super) async fn sign_in(&self, name: &str, password: &str, now: Timestamp) -> Result<Shown, String> {
        let name = match self.settings.kind {
            DirectoryKind::Ldap => name,
            DirectoryKind::ActiveDirectory => without_domain(name),
        };
        // A bind without a password is one without a name, and always succeeds (RFC 4513, section 5.1.2).
        if password.is_empty() || name.is_empty() {
            return Ok(Shown::Refused(None));
        }
        let (directory, name, password) = (self.clone(), name.to_owned(), password.to_owned());
        apart(async move {
            let mut ldap = directory.open().await?;
            let filter = directory.settings.user_filter.replace("{name}", &ldap_escape(name.as_str()));
            let Some((entry, mut person)) = directory.find(&mut ldap, &filter, now).await? else {
                return Ok(Shown::Refused(None));
            };
            let mut own = directory.connect().await?;
            let bound = own.with_timeout(PATIENCE).simple_bind(&entry.dn, &password).await.map_err(why)?;
            let _ = own.unbind().await;
            match bound.rc {
                0 => {}
                // RFC 4511, appendix A: no such object, invalid credentials, unwilling to perform (such as a locked account).
                // Only Active Directory says more, and only of an account whose password was right or that is locked.
                32 | 49 | 53 => return Ok(Shown::Refused(directory.refusal(&bound.text))),
                _ => return Err(format!("it answers a sign-in with: {bound}")),
            }
            if let Some(obstacle) = person.obstacle {
                return Ok(Shown::Refused(Some(obstacle)));
            }
            person.groups = directory.groups_of(&mut ldap, &entry).await?;
            let _ = ldap.unbind().await;
            Ok(Shown::Person(person))
        })
        .await
    }

    /// The people with these ids, each if the directory still has them.
    pub(super) async fn people(
        &self,
        ids: Vec<String>,
        now: Timestamp,
    ) -> Result<Vec<(String, Option<Person>)>, String> {
        let directory = self.clone();
        apart(async move {
            let mut ldap = directory.open().await?;
            let mut all = Vec::new();
            for id in ids {
                let filter = format!("({}={id})", directory.settings.id_attribute);
                let mut found = None;
                if let Some((entry, mut person)) = directory.find(&mut ldap, &filter, now).await? {
                    person.groups = directory.groups_of(&mut ldap, &entry).await?;
                    found = Some(person);
                }
                all.push((id, found));
            }
            let _ = ldap.unbind().await;
            Ok(all)
        })
        .await
    }

    /// What the rules name, and how many people there are: for an admin who sets the directory up.
    pub(super) async fn look(&self) -> Result<Looked, String> {
        let directory = self.clone();
        apart(async move {
            let mut ldap = directory.open().await?;
            let mut groups = Vec::new();
            for rule in &directory.settings.rules {
                groups.push((rule.dn.clone(), directory.members_of(&mut ldap, &rule.dn).await?));
            }
            // Whoever the filter would find, whatever the name.
            let (base, filter) = (&directory.settings.base, directory.settings.user_filter.replace("{name}", "*"));
            let people = directory.search_all(&mut ldap, base, &filter, &["1.1"], MOST_PEOPLE).await?.len();
            let _ = ldap.unbind().await;
            Ok(Looked { groups, people })
        })
        .await
    }

    async fn connect(&self) -> Result<Ldap, String> {
        let settings = LdapConnSettings::new()
            .set_conn_timeout(PATIENCE)
            .set_starttls(self.settings.start_tls)
            .set_config(Arc::clone(&self.tls));
        let (connection, ldap) = LdapConnAsync::with_settings(settings, &self.settings.address).await.map_err(why)?;
        tokio::spawn(async move {
            // Its faults reach whoever asks, too.
            let _ = connection.drive().await;
        });
        Ok(ldap)
    }

    /// A connection bound as the account that looks people up.
    async fn open(&self) -> Result<Ldap, String> {
        let mut ldap = self.connect().await?;
        let DirectorySettings { bind_dn, bind_password, .. } = &*self.settings;
        let bound = ldap.with_timeout(PATIENCE).simple_bind(bind_dn, bind_password).await.map_err(why)?;
        bound.success().map_err(|error| format!("it does not take directory.bind_dn and its password: {error}"))?;
        Ok(ldap)
    }

    /// The one person that a filter finds, with their entry, and no groups yet.
    async fn find(
        &self,
        ldap: &mut Ldap,
        filter: &str,
        now: Timestamp,
    ) -> Result<Option<(SearchEntry, Person)>, String> {
        let settings = &*self.settings;
        let mut wanted =
            vec![settings.id_attribute.as_str(), settings.name_attribute.as_str(), settings.display_attribute.as_str()];
        let special = settings.kind == DirectoryKind::ActiveDirectory;
        if special {
            wanted.extend(active_directory::ATTRIBUTES);
        }
        let mut entries = self.search_all(ldap, &settings.base, filter, &wanted, MOST_FOUND).await?;
        if entries.len() > 1 {
            return Err(format!("it finds {} people for one name; narrow directory.user_filter", entries.len()));
        }
        let Some(entry) = entries.pop() else { return Ok(None) };
        let text = |name: &str| value_of(&entry, name).and_then(|value| std::str::from_utf8(value).ok());
        let missing = |name: &str| format!("'{}' has no attribute {name}", entry.dn);
        let id = match (text(&settings.id_attribute), value_of(&entry, &settings.id_attribute)) {
            (Some(text), _) if !special => ldap_escape(text).into_owned(),
            (_, Some(bytes)) => active_directory::escaped(bytes),
            (_, None) => return Err(missing(&settings.id_attribute)),
        };
        let name = text(&settings.name_attribute).ok_or_else(|| missing(&settings.name_attribute))?.to_owned();
        let display_name = text(&settings.display_attribute).map_or_else(|| name.clone(), str::to_owned);
        let obstacle = if special { active_directory::obstacle(text, now) } else { None };
        let person = Person { id, name, display_name, groups: BTreeSet::new(), obstacle };
        Ok(Some((entry, person)))
    }

    /// All entries below `base` that a filter finds, asked for in pages (RFC 2696): Active Directory gives no more than a
    /// thousand at once. Continuations elsewhere (RFC 4511, section 4.5.3) are not followed.
    pub(super) async fn search_all(
        &self,
        ldap: &mut Ldap,
        base: &str,
        filter: &str,
        wanted: &[&str],
        most: usize,
    ) -> Result<Vec<SearchEntry>, String> {
        let wanted: Vec<String> = wanted.iter().map(|&name| name.to_owned()).collect();
        let adapters: Vec<Box<dyn Adapter<'_, String, Vec<String>>>> =
            vec![Box::new(EntriesOnly::new()), Box::new(PagedResults::new(PAGE))];
        let ldap = ldap.with_timeout(PATIENCE);
        let mut stream =
            ldap.streaming_search_with(adapters, base, Scope::Subtree, filter, wanted).await.map_err(why)?;
        let mut all = Vec::new();
        while let Some(entry) = stream.next().await.map_err(why)? {
            all.push(SearchEntry::construct(entry));
            if all.len() > most {
                return Err(format!("it finds more than {most} entries for {filter}"));
            }
        }
        stream.finish().await.success().map_err(why)?;
        Ok(all)
    }

    fn refusal(&self, diagnostic: &str) -> Option<Obstacle> {
        let special = self.settings.kind == DirectoryKind::ActiveDirectory;
        if special { active_directory::refusal(diagnostic) } else { None }
    }
}

/// The first value of an attribute, text or not.
pub(super) fn value_of<'a>(entry: &'a SearchEntry, name: &str) -> Option<&'a [u8]> {
    let texts = entry.attrs.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    let text = texts.and_then(|(_, values)| values.first()).map(String::as_bytes);
    let bytes = || entry.bin_attrs.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    text.or_else(|| bytes().and_then(|(_, values)| values.first()).map(Vec::as_slice))
}

/// In a task of its own: the decoder of answers ends by a panic if one is not as it should be, and that must end no more
/// than the question.
async fn apart<T: Send + 'static>(
    question: impl Future<Output = Result<T, String>> + Send + 'static,
) -> Result<T, String> {
    tokio::spawn(question).await.map_err(|_| "its answer cannot be read".to_owned())?
}

pub(super) fn why(error: impl std::fmt::Display) -> String {
    error.to_string()
}
