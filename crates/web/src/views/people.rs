//! Users and groups.

use super::Chrome;
use askama::Template;
use domain::{Label, Role};

/// The people page.
#[derive(Debug, Clone, Template)]
#[template(path = "people.html")]
pub struct PeoplePage {
    /// The frame.
    pub chrome: Chrome,
    /// All users, by name.
    pub users: Vec<UserRow>,
    /// The user whose account is open for a change (`?edit=ID`).
    pub edit: Option<UserRow>,
    /// All groups, by name.
    pub groups: Vec<GroupCard>,
    /// A password that was just made, shown this once.
    pub new_password: Option<NewPassword>,
}

/// One user.
#[derive(Debug, Clone)]
pub struct UserRow {
    /// Id.
    pub id: String,
    /// Sign-in name.
    pub name: String,
    /// How pages address the person.
    pub display_name: String,
    /// What the person is for.
    pub role: Role,
    /// The highest label that the person may read.
    pub clearance: Label,
    /// Whether the account is closed.
    pub disabled: bool,
    /// Names of the person's groups.
    pub groups: Vec<String>,
    /// Whether the person has a second factor.
    pub second_factor: bool,
    /// Whether the person has to choose another password first.
    pub must_change: bool,
    /// Who knows the password, if not the appliance: `directory` or `provider`.
    pub elsewhere: Option<&'static str>,
    /// Sessions of this moment.
    pub sessions: usize,
    /// Whether it is the one who looks at the page.
    pub you: bool,
}

/// One group with its members.
#[derive(Debug, Clone)]
pub struct GroupCard {
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
    /// Members, by name.
    pub members: Vec<Member>,
}

/// One member of a group.
#[derive(Debug, Clone)]
pub struct Member {
    /// Sign-in name: the value of the field `name`.
    pub name: String,
    /// How pages address the person.
    pub display_name: String,
}

/// A password made by the appliance.
#[derive(Debug, Clone)]
pub struct NewPassword {
    /// Sign-in name.
    pub name: String,
    /// The password.
    pub password: String,
}

#[cfg(test)]
mod samples {
    use super::*;
    use crate::views::Nav;

    impl PeoplePage {
        pub(crate) fn sample() -> Self {
            let user = |name: &str, display_name: &str, role, clearance, disabled, groups: &[&str]| UserRow {
                id: format!("u-{name}"),
                name: name.to_owned(),
                display_name: display_name.to_owned(),
                role,
                clearance,
                disabled,
                groups: groups.iter().map(|group| (*group).to_owned()).collect(),
                second_factor: matches!(role, Role::Admin | Role::Auditor),
                must_change: name == "ben",
                elsewhere: (name == "chiyo").then_some("directory"),
                sessions: usize::from(!disabled),
                you: name == "ada",
            };
            let users = vec![
                user("ada", "Ada Moreau", Role::Admin, Label::Internal, false, &["Everyone"]),
                user("ben", "Ben Okafor", Role::Staff, Label::Internal, false, &["Everyone", "Night assistants"]),
                user(
                    "chiyo",
                    "Chiyo Tanaka",
                    Role::Curator,
                    Label::Confidential,
                    false,
                    &["Everyone", "Personnel office"],
                ),
                user("dario", "Dario Lindqvist", Role::Auditor, Label::Secret, false, &[]),
                user("emil", "Emil Varga", Role::Staff, Label::Public, true, &["Everyone"]),
            ];
            let member = |index: usize| Member {
                name: users[index].name.clone(),
                display_name: users[index].display_name.clone(),
            };
            let group = |id: &str, name: &str, members| GroupCard { id: id.to_owned(), name: name.to_owned(), members };
            let groups = vec![
                group("g1", "Everyone", (0..3).map(member).collect()),
                group("g3", "Night assistants", vec![member(1)]),
                group("g2", "Personnel office", Vec::new()),
            ];
            Self {
                chrome: Chrome::sample("People", Nav::People, Role::Admin),
                users,
                edit: None,
                groups,
                new_password: None,
            }
        }

        pub(crate) fn sample_edit() -> Self {
            let page = Self::sample();
            let new_password =
                Some(NewPassword { name: "ben".to_owned(), password: "wharf-lantern-ochre-2619".to_owned() });
            Self { edit: page.users.get(1).cloned(), new_password, ..page }
        }
    }
}
