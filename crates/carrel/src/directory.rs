//! The directory of the organisation, as a site configures it, and the nightly look at it.

use crate::config::Configuration;
use crate::site::Failure;
use domain::{Environment, Label, OperationId, Role};
use identity::{Directory, DirectoryKind, DirectorySettings, GroupRule, Identity, NestedGroups};
use jiff::ToSpan;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The hour of the nightly look, by the machine's own time.
const NIGHT: i8 = 3;

/// `[directory]`; there is none unless an address is named.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct DirectoryOptions {
    /// `ldaps://host`, or `ldap://host` with `start_tls`.
    pub(crate) address: String,
    /// What kind of server it is: the defaults of what follows go by it.
    pub(crate) kind: Kind,
    pub(crate) start_tls: bool,
    /// Certificates in PEM of those who vouch for the directory's own.
    pub(crate) ca_file: PathBuf,
    /// Who looks people up.
    pub(crate) bind_dn: String,
    /// File whose first line is the password for that; only its owner may read it.
    pub(crate) bind_password_file: PathBuf,
    /// Below which entry people are.
    pub(crate) base: String,
    /// Empty, this and the next three are as the kind of server has them.
    pub(crate) user_filter: String,
    pub(crate) id_attribute: String,
    pub(crate) name_attribute: String,
    pub(crate) display_attribute: String,
    /// Below which entry groups are; `base` unless named.
    pub(crate) group_base: String,
    pub(crate) member_attribute: String,
    /// How groups within groups are found; as the kind of server has it unless named.
    pub(crate) nested_groups: Option<Nested>,
    /// What the directory's groups mean here.
    pub(crate) group: Vec<DirectoryGroup>,
}

/// `directory.kind`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// Any server of LDAP.
    #[default]
    Ldap,
    /// Microsoft Active Directory.
    ActiveDirectory,
}

/// `directory.nested_groups`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Nested {
    /// By one question a level.
    Walk,
    /// By the server, with Active Directory's matching rule in chain.
    Chain,
}

impl Kind {
    /// How people are found, and which of their attributes are the id that stays, the sign-in name, and the name on pages.
    const fn usual(self) -> [&'static str; 4] {
        match self {
            Self::Ldap => ["(&(objectClass=person)(uid={name}))", "entryUUID", "uid", "cn"],
            Self::ActiveDirectory => [
                "(&(objectCategory=person)(objectClass=user)(|(sAMAccountName={name})(userPrincipalName={name})))",
                "objectGUID",
                "sAMAccountName",
                "displayName",
            ],
        }
    }
}

/// `[[directory.group]]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DirectoryGroup {
    /// Its name in the directory.
    pub(crate) dn: String,
    /// A group here.
    pub(crate) group: Option<String>,
    /// A role.
    pub(crate) role: Option<Role>,
    /// A clearance.
    pub(crate) clearance: Option<Label>,
}

impl Default for DirectoryOptions {
    fn default() -> Self {
        let text = str::to_owned;
        Self {
            address: String::new(),
            start_tls: false,
            ca_file: PathBuf::new(),
            bind_dn: String::new(),
            bind_password_file: PathBuf::new(),
            base: String::new(),
            kind: Kind::Ldap,
            user_filter: String::new(),
            id_attribute: String::new(),
            name_attribute: String::new(),
            display_attribute: String::new(),
            group_base: String::new(),
            member_attribute: text("member"),
            nested_groups: None,
            group: Vec::new(),
        }
    }
}

impl Configuration {
    /// The directory, if one is configured.
    pub(crate) fn directory(&self) -> Result<Option<Arc<Directory>>, Failure> {
        let options = self.directory.clone();
        if options.address.is_empty() {
            return Ok(None);
        }
        let rule = |DirectoryGroup { dn, group, role, clearance }| GroupRule { dn, group, role, clearance };
        let [user_filter, id_attribute, name_attribute, display_attribute] = options.kind.usual();
        let or = |said: String, usual: &str| if said.is_empty() { usual.to_owned() } else { said };
        let nested = match (options.nested_groups, options.kind) {
            (Some(Nested::Walk), _) | (None, Kind::Ldap) => NestedGroups::Walk,
            (Some(Nested::Chain), _) | (None, Kind::ActiveDirectory) => NestedGroups::Chain,
        };
        let directory = Directory::new(DirectorySettings {
            kind: match options.kind {
                Kind::Ldap => DirectoryKind::Ldap,
                Kind::ActiveDirectory => DirectoryKind::ActiveDirectory,
            },
            nested_groups: nested,
            authorities: std::fs::read(&options.ca_file)
                .map_err(|error| format!("directory.ca_file {}: {error}", options.ca_file.display()))?,
            bind_password: secret(&options.bind_password_file)?,
            group_base: if options.group_base.is_empty() { options.base.clone() } else { options.group_base },
            address: options.address,
            start_tls: options.start_tls,
            bind_dn: options.bind_dn,
            base: options.base,
            user_filter: or(options.user_filter, user_filter),
            id_attribute: or(options.id_attribute, id_attribute),
            name_attribute: or(options.name_attribute, name_attribute),
            display_attribute: or(options.display_attribute, display_attribute),
            member_attribute: options.member_attribute,
            rules: options.group.into_iter().map(rule).collect(),
        })?;
        Ok(Some(Arc::new(directory)))
    }
}

/// The first line of a file that only its owner can read.
pub(crate) fn secret(file: &Path) -> Result<String, Failure> {
    let failed = |error: std::io::Error| format!("{}: {error}", file.display());
    if std::fs::metadata(file).map_err(failed)?.permissions().mode() & 0o077 != 0 {
        return Err(format!("{} can be read by others; run chmod 600 on it", file.display()).into());
    }
    let text = std::fs::read_to_string(file).map_err(failed)?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// Looks at the directory every night until told to stop. What goes wrong is in the audit log and tried again the next
/// night; people of the directory are looked at when they sign in as well.
pub(crate) async fn nightly(identity: Identity, environment: Environment, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(until_night(&environment)) => {}
        }
        match identity.synchronise(OperationId::new(&environment)).await {
            Ok(done) => tracing::info!(accounts = done.accounts, closed = done.closed, "compared with the directory"),
            Err(error) => tracing::warn!(%error, "the accounts were not compared with the directory"),
        }
    }
}

fn until_night(environment: &Environment) -> Duration {
    let now = environment.now().to_zoned(TimeZone::system());
    let tonight = now.date().at(NIGHT, 0, 0, 0).to_zoned(TimeZone::system());
    let next = tonight.and_then(|tonight| if tonight > now { Ok(tonight) } else { tonight.checked_add(1.day()) });
    let left = next.ok().and_then(|next| Duration::try_from(now.duration_until(&next)).ok());
    left.unwrap_or(Duration::from_secs(24 * 3600)).max(Duration::from_secs(60))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Clock, SystemRandom};

    struct At(jiff::Timestamp);

    impl Clock for At {
        fn now(&self) -> jiff::Timestamp {
            self.0
        }
    }

    #[test]
    fn the_next_night_is_within_a_day() {
        for hour in 0..48 {
            let at = jiff::Timestamp::from_second(1_770_000_000 + hour * 3600).unwrap();
            let wait = until_night(&Environment::new(At(at), SystemRandom));
            assert!(wait <= Duration::from_secs(25 * 3600), "{wait:?}");
            let then = (at + jiff::SignedDuration::try_from(wait).unwrap()).to_zoned(TimeZone::system());
            assert!(then.hour() == NIGHT || wait == Duration::from_secs(60), "{then}");
        }
    }
}
