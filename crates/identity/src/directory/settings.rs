//! Where the directory is, how people are found in it, and what its groups mean here.

use domain::{Clearance, Label, Role};
use std::collections::BTreeSet;

/// What kind of server the directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DirectoryKind {
    /// Any server of LDAP, such as OpenLDAP.
    #[default]
    Ldap,
    /// Microsoft Active Directory: accounts have flags, a primary group, and a name with and without a domain.
    ActiveDirectory,
}

/// How groups within groups are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NestedGroups {
    /// By one question a level.
    #[default]
    Walk,
    /// By the server, with the matching rule in chain of Active Directory.
    Chain,
}

/// What a site configures of its directory.
#[derive(Clone)]
pub struct DirectorySettings {
    /// What kind of server it is.
    pub kind: DirectoryKind,
    /// `ldaps://host`, or `ldap://host` with [`DirectorySettings::start_tls`]; perhaps with a port.
    pub address: String,
    /// Whether TLS begins after the connection was made (RFC 4511, section 4.14).
    pub start_tls: bool,
    /// Certificates in PEM of those who may vouch for the directory's own.
    pub authorities: Vec<u8>,
    /// Who looks people up.
    pub bind_dn: String,
    /// The password for that.
    pub bind_password: String,
    /// Below which entry people are.
    pub base: String,
    /// Finds a person by the name that was typed, which takes the place of `{name}`.
    pub user_filter: String,
    /// The attribute that stays the same when a person is renamed: `entryUUID`, or `objectGUID` in Active Directory.
    pub id_attribute: String,
    /// The attribute that is the sign-in name here.
    pub name_attribute: String,
    /// The attribute by which pages address the person.
    pub display_attribute: String,
    /// Below which entry groups are.
    pub group_base: String,
    /// How groups within groups are found.
    pub nested_groups: NestedGroups,
    /// The attribute in which a group names its members, people and groups.
    pub member_attribute: String,
    /// What the directory's groups mean here.
    pub rules: Vec<GroupRule>,
}

impl std::fmt::Debug for DirectorySettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DirectorySettings").field("address", &self.address).finish_non_exhaustive()
    }
}

/// What it means to be in a group of the directory, directly or through other groups.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupRule {
    /// The group's name there.
    pub dn: String,
    /// A group here that the person is in.
    pub group: Option<String>,
    /// The person's role; of several, that of the first rule counts.
    pub role: Option<Role>,
    /// How high the person may read; of several, the highest counts.
    pub clearance: Option<Label>,
}

/// What follows from a person's groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rights {
    pub(crate) role: Role,
    pub(crate) clearance: Clearance,
    pub(crate) groups: BTreeSet<String>,
}

/// The rights of someone who is in these groups; `None` if no rule gives a role: unknown means denied.
pub(crate) fn rights(rules: &[GroupRule], is_in: impl Fn(&str) -> bool) -> Option<Rights> {
    let hold: Vec<&GroupRule> = rules.iter().filter(|rule| is_in(&rule.dn)).collect();
    Some(Rights {
        role: hold.iter().find_map(|rule| rule.role)?,
        clearance: Clearance(hold.iter().filter_map(|rule| rule.clearance).max().unwrap_or(Label::Public)),
        groups: hold.iter().filter_map(|rule| rule.group.clone()).collect(),
    })
}

/// A name of the directory as names are compared: without regard to case, and to space around its parts (RFC 4514).
pub(crate) fn comparable(dn: &str) -> String {
    let mut parts = Vec::new();
    let (mut part, mut escaped) = (String::new(), false);
    for c in dn.chars() {
        if c == ',' && !escaped {
            parts.push(std::mem::take(&mut part));
        } else {
            part.push(c);
        }
        escaped = c == '\\' && !escaped;
    }
    parts.push(part);
    let trimmed = |part: &String| match part.split_once('=') {
        Some((name, value)) => format!("{}={}", name.trim(), value.trim()),
        None => part.trim().to_owned(),
    };
    parts.iter().map(trimmed).collect::<Vec<_>>().join(",").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(dn: &str, group: Option<&str>, role: Option<Role>, clearance: Option<Label>) -> GroupRule {
        GroupRule { dn: dn.to_owned(), group: group.map(str::to_owned), role, clearance }
    }

    #[test]
    fn the_first_role_and_the_highest_clearance_count() {
        let rules = [
            rule("admins", None, Some(Role::Admin), None),
            rule("all", Some("everyone"), Some(Role::Staff), Some(Label::Internal)),
            rule("board", Some("board"), None, Some(Label::Secret)),
        ];
        let of = |groups: &[&str]| rights(&rules, |dn| groups.contains(&dn));
        let board = of(&["all", "board"]).unwrap();
        assert_eq!((board.role, board.clearance), (Role::Staff, Clearance(Label::Secret)));
        assert_eq!(board.groups, BTreeSet::from(["board".to_owned(), "everyone".to_owned()]));
        assert_eq!(of(&["all", "admins"]).unwrap().role, Role::Admin);
        assert_eq!(of(&["admins"]).unwrap().clearance, Clearance(Label::Public));
        assert_eq!(of(&["board"]), None, "no role, no account");
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn names_are_compared_without_case_and_space() {
        assert_eq!(comparable("CN=Night Watch, OU=Groups,dc=Port"), "cn=night watch,ou=groups,dc=port");
        assert_eq!(comparable("cn=a\\, b , dc=x"), "cn=a\\, b,dc=x");
        assert_ne!(comparable("cn=a,dc=x"), comparable("cn=b,dc=x"));
    }
}
