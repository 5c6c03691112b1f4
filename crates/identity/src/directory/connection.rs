//! The one place that speaks LDAP (RFC 4511), over TLS, to the one address that the site configured: no referral is
//! followed, no other host is ever asked.

use super::settings::{DirectorySettings, comparable};
use crate::tls;
use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, Scope, SearchEntry, ldap_escape};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio_rustls::rustls::ClientConfig;

/// For the connection, and for each question.
const PATIENCE: Duration = Duration::from_secs(10);
/// Groups within groups that are followed.
const DEEPEST: usize = 16;
/// Groups that one person may be in, those within others included.
const MOST_GROUPS: usize = 2_000;

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
    /// The groups, those within others included, as [`comparable`] writes them.
    pub(super) groups: BTreeSet<String>,
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
    pub(super) async fn sign_in(&self, name: &str, password: &str) -> Result<Option<Person>, String> {
        // A bind without a password is one without a name, and always succeeds (RFC 4513, section 5.1.2).
        if password.is_empty() || name.is_empty() {
            return Ok(None);
        }
        let (directory, name, password) = (self.clone(), name.to_owned(), password.to_owned());
        apart(async move {
            let mut ldap = directory.open().await?;
            let filter = directory.settings.user_filter.replace("{name}", &ldap_escape(name.as_str()));
            let Some((dn, person)) = directory.find(&mut ldap, &filter).await? else { return Ok(None) };
            let mut own = directory.connect().await?;
            let bound = own.with_timeout(PATIENCE).simple_bind(&dn, &password).await.map_err(why)?;
            let _ = own.unbind().await;
            match bound.rc {
                0 => {}
                // RFC 4511, appendix A: no such object, invalid credentials, unwilling to perform (such as a locked account).
                32 | 49 | 53 => return Ok(None),
                _ => return Err(format!("it answers a sign-in with: {bound}")),
            }
            let person = directory.with_groups(&mut ldap, &dn, person).await?;
            let _ = ldap.unbind().await;
            Ok(Some(person))
        })
        .await
    }

    /// The people with these ids, each if the directory still has them.
    pub(super) async fn people(&self, ids: Vec<String>) -> Result<Vec<(String, Option<Person>)>, String> {
        let directory = self.clone();
        apart(async move {
            let mut ldap = directory.open().await?;
            let mut all = Vec::new();
            for id in ids {
                let filter = format!("({}={id})", directory.settings.id_attribute);
                let person = match directory.find(&mut ldap, &filter).await? {
                    Some((dn, person)) => Some(directory.with_groups(&mut ldap, &dn, person).await?),
                    None => None,
                };
                all.push((id, person));
            }
            let _ = ldap.unbind().await;
            Ok(all)
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

    /// The one person that a filter finds, with the name of their entry, and no groups yet.
    async fn find(&self, ldap: &mut Ldap, filter: &str) -> Result<Option<(String, Person)>, String> {
        let settings = &*self.settings;
        let wanted = [&settings.id_attribute, &settings.name_attribute, &settings.display_attribute];
        let found = ldap.with_timeout(PATIENCE).search(&settings.base, Scope::Subtree, filter, &wanted[..]).await;
        let (entries, _) = found.and_then(|found| found.success()).map_err(why)?;
        if entries.len() > 1 {
            return Err(format!("it finds {} people for one name; narrow directory.user_filter", entries.len()));
        }
        let Some(entry) = entries.into_iter().next().map(SearchEntry::construct) else { return Ok(None) };
        let text = |name: &str| {
            let found = entry.attrs.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
            found.and_then(|(_, values)| values.first()).cloned()
        };
        let bytes = entry.bin_attrs.iter().find(|(known, _)| known.eq_ignore_ascii_case(&settings.id_attribute));
        let id = match (text(&settings.id_attribute), bytes.and_then(|(_, values)| values.first())) {
            (Some(text), _) => ldap_escape(text).into_owned(),
            (None, Some(bytes)) => bytes.iter().map(|byte| format!("\\{byte:02x}")).collect(),
            (None, None) => return Err(format!("'{}' has no attribute {}", entry.dn, settings.id_attribute)),
        };
        let name = text(&settings.name_attribute);
        let name = name.ok_or_else(|| format!("'{}' has no attribute {}", entry.dn, settings.name_attribute))?;
        let display_name = text(&settings.display_attribute).unwrap_or_else(|| name.clone());
        Ok(Some((entry.dn.clone(), Person { id, name, display_name, groups: BTreeSet::new() })))
    }

    /// Finds the groups that name the person, those that name these, and so on; groups in a circle end it, too.
    async fn with_groups(&self, ldap: &mut Ldap, dn: &str, person: Person) -> Result<Person, String> {
        let DirectorySettings { group_base, member_attribute, .. } = &*self.settings;
        let mut groups = BTreeSet::new();
        let mut members = vec![dn.to_owned()];
        for _ in 0..DEEPEST {
            let named: String =
                members.iter().map(|dn| format!("({member_attribute}={})", ldap_escape(dn.as_str()))).collect();
            let filter = format!("(|{named})");
            // RFC 4511, section 4.5.1.8: "1.1" asks for no attributes.
            let found = ldap.with_timeout(PATIENCE).search(group_base, Scope::Subtree, &filter, ["1.1"]).await;
            let (entries, _) = found.and_then(|found| found.success()).map_err(why)?;
            members = entries.into_iter().map(|entry| SearchEntry::construct(entry).dn).collect();
            members.retain(|dn| groups.insert(comparable(dn)));
            if groups.len() > MOST_GROUPS {
                return Err(format!("it puts one person into more than {MOST_GROUPS} groups"));
            }
            if members.is_empty() {
                break;
            }
        }
        Ok(Person { groups, ..person })
    }
}

/// In a task of its own: the decoder of answers ends by a panic if one is not as it should be, and that must end no more
/// than the question.
async fn apart<T: Send + 'static>(
    question: impl Future<Output = Result<T, String>> + Send + 'static,
) -> Result<T, String> {
    tokio::spawn(question).await.map_err(|_| "its answer cannot be read".to_owned())?
}

fn why(error: impl std::fmt::Display) -> String {
    error.to_string()
}
