//! A person's own account.

use super::{Chrome, Theme};
use askama::Template;
use domain::{Label, Role};

/// The account page.
#[derive(Debug, Clone, Template)]
#[template(path = "account.html")]
pub struct AccountPage {
    /// The frame.
    pub chrome: Chrome,
    /// Sign-in name.
    pub name: String,
    /// How pages address the person.
    pub display_name: String,
    /// What the person is for.
    pub role: Role,
    /// The highest label that the person may read.
    pub clearance: Label,
    /// Names of the person's groups.
    pub groups: Vec<String>,
    /// Where the person is signed in.
    pub sessions: Vec<SessionRow>,
    /// Who knows the password, if not the appliance: such as `the directory`.
    pub elsewhere: Option<&'static str>,
    /// The second factor.
    pub factor: FactorView,
    /// What a password must be, one sentence.
    pub password_rule: String,
    /// Why the password was not changed.
    pub error: Option<String>,
    /// The person's tokens for programs, the latest first.
    pub tokens: Vec<TokenRow>,
    /// A token that was just made, shown this once.
    pub new_token: Option<NewSecret>,
    /// Why no token was made.
    pub token_error: Option<String>,
}

/// What the page says of the second factor.
#[derive(Debug, Clone)]
pub struct FactorView {
    /// Since when there is one.
    pub since: Option<String>,
    /// Whether an authenticator app is part of it.
    pub app: bool,
    /// Security keys that are part of it.
    pub keys: Vec<KeyRow>,
    /// Recovery codes that are left.
    pub codes: u64,
    /// Whether the site demands one of this person.
    pub demanded: bool,
}

/// A security key.
#[derive(Debug, Clone)]
pub struct KeyRow {
    /// Id.
    pub id: String,
    /// What the person calls it.
    pub name: String,
    /// The day on which it was registered.
    pub created: String,
    /// When it was last used, or `never`.
    pub last_used: String,
    /// The host's name that it is bound to.
    pub site: String,
    /// Whether that is this server's.
    pub works: bool,
}

/// A token with which programs act for the person.
#[derive(Debug, Clone)]
pub struct TokenRow {
    /// Id.
    pub id: String,
    /// What the person calls it.
    pub name: String,
    /// What it is for, such as `chat, embeddings`.
    pub scopes: String,
    /// When it was last used, or `never`.
    pub last_used: String,
    /// The day on which it ends.
    pub expires: String,
    /// Whether it has ended.
    pub expired: bool,
}

/// A secret made by the appliance.
#[derive(Debug, Clone)]
pub struct NewSecret {
    /// The token's name.
    pub name: String,
    /// The secret.
    pub secret: String,
}

/// One place where the person is signed in.
#[derive(Debug, Clone)]
pub struct SessionRow {
    /// Id.
    pub id: String,
    /// The browser, such as `Firefox on Linux`.
    pub device: String,
    /// Network address.
    pub address: String,
    /// When it began.
    pub created: String,
    /// When it was last used.
    pub last_seen: String,
    /// Whether it is the one that shows this page.
    pub current: bool,
}

impl AccountPage {
    /// The themes to choose from.
    #[must_use]
    pub const fn themes(&self) -> [Theme; 3] {
        Theme::ALL
    }
}

#[cfg(test)]
mod samples {
    use super::*;
    use crate::views::Nav;

    impl AccountPage {
        pub(crate) fn sample() -> Self {
            let session = |device: &str, address: &str, current| SessionRow {
                id: format!("s-{address}"),
                device: device.to_owned(),
                address: address.to_owned(),
                created: "14 March 2026, 08:02".to_owned(),
                last_seen: "14 March 2026, 09:41".to_owned(),
                current,
            };
            let key = |name: &str, last_used: &str, works| KeyRow {
                id: format!("k-{works}"),
                name: name.to_owned(),
                created: "2 March 2026".to_owned(),
                last_used: last_used.to_owned(),
                site: if works { "carrel.port.example" } else { "old.port.example" }.to_owned(),
                works,
            };
            Self {
                chrome: Chrome { banner: None, ..Chrome::sample("Account", Nav::None, Role::Staff) },
                name: "ada".to_owned(),
                display_name: "Ada Moreau".to_owned(),
                role: Role::Staff,
                clearance: Label::Confidential,
                groups: vec!["Everyone".to_owned(), "Personnel office".to_owned()],
                sessions: vec![
                    session("Firefox on Linux", "10.0.4.17", true),
                    session("Chrome on Windows", "10.0.7.203", false),
                ],
                elsewhere: None,
                factor: FactorView {
                    since: Some("2 March 2026".to_owned()),
                    app: true,
                    keys: vec![
                        key("Blue key on my ring", "12 March 2026, 08:02", true),
                        key("Old key", "never", false),
                    ],
                    codes: 7,
                    demanded: false,
                },
                password_rule: "At least 12 characters; a few words that only you put together are best.".to_owned(),
                error: None,
                tokens: vec![
                    TokenRow {
                        id: "t1".to_owned(),
                        name: "Shift planner".to_owned(),
                        scopes: "chat, embeddings".to_owned(),
                        last_used: "14 March 2026, 09:12".to_owned(),
                        expires: "12 June 2026".to_owned(),
                        expired: false,
                    },
                    TokenRow {
                        id: "t2".to_owned(),
                        name: "Notebook on the old laptop".to_owned(),
                        scopes: "chat".to_owned(),
                        last_used: "never".to_owned(),
                        expires: "1 March 2026".to_owned(),
                        expired: true,
                    },
                ],
                new_token: Some(NewSecret {
                    name: "Shift planner".to_owned(),
                    secret: "crl_Vd0Qm3cJ5yq8Zr2Hn7TbXkEwPaLsUfGoIiCxNv41RtY".to_owned(),
                }),
                token_error: None,
            }
        }

        pub(crate) fn sample_elsewhere() -> Self {
            let factor = FactorView { since: None, app: false, keys: Vec::new(), codes: 0, demanded: false };
            Self { elsewhere: Some("the directory of your organisation"), factor, new_token: None, ..Self::sample() }
        }
    }
}
