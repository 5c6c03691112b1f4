//! The steps of signing in after the password.

use super::Chrome;
use askama::Template;
use identity::KeyQuestion;

/// A code of the second factor is asked for.
#[derive(Debug, Clone, Template)]
#[template(path = "code.html")]
pub struct CodePage {
    /// The frame; nobody is signed in yet.
    pub chrome: Chrome,
    /// Whether an authenticator app is part of the second factor.
    pub app: bool,
    /// What a security key is asked, if there is one that works here.
    pub key: Option<KeyQuestion>,
    /// Whether there are keys, all of them bound to another name.
    pub keys_elsewhere: bool,
    /// Where to go afterwards.
    pub next: String,
    /// Why the last code was not taken.
    pub error: Option<String>,
}

/// Another password has to be chosen.
#[derive(Debug, Clone, Template)]
#[template(path = "choose_password.html")]
pub struct ChoosePasswordPage {
    /// The frame; nobody is signed in yet.
    pub chrome: Chrome,
    /// Sign-in name, for password managers.
    pub name: String,
    /// What a password must be, one sentence.
    pub password_rule: String,
    /// Where to go afterwards.
    pub next: String,
    /// Why the password was not taken.
    pub error: Option<String>,
}

/// A second factor is set up.
#[derive(Debug, Clone, Template)]
#[template(path = "enrol.html")]
pub struct EnrolPage {
    /// The frame; without navigation if the sign-in waits for this.
    pub chrome: Chrome,
    /// The secret as people type it, in groups; `None` if there is an authenticator app already.
    pub secret: Option<String>,
    /// What a security key is asked; `None` if the server does not know its own name.
    pub key: Option<KeyQuestion>,
    /// The name of the key, as it was typed.
    pub name: String,
    /// Whether there is a second factor already.
    pub has_factor: bool,
    /// Whether the sign-in waits for this; if not, the password is asked for.
    pub demanded: bool,
    /// Where to go afterwards.
    pub next: String,
    /// Why it was not set up.
    pub error: Option<String>,
}

/// Recovery codes, shown this once.
#[derive(Debug, Clone, Template)]
#[template(path = "recovery_codes.html")]
pub struct RecoveryCodesPage {
    /// The frame.
    pub chrome: Chrome,
    /// The codes.
    pub codes: Vec<String>,
    /// Where to go afterwards.
    pub next: String,
    /// Whether the second factor was set up just now.
    pub enrolled: bool,
}

#[cfg(test)]
mod samples {
    use super::*;
    use crate::views::Nav;
    use domain::Role;

    fn chrome(title: &str) -> Chrome {
        Chrome { person: None, banner: None, ..Chrome::sample(title, Nav::None, Role::Staff) }
    }

    fn question() -> KeyQuestion {
        let options = r#"{"challenge":"q8b1","rpId":"carrel.port.example"}"#.to_owned();
        KeyQuestion { options, origin: "https://carrel.port.example".to_owned() }
    }

    impl CodePage {
        pub(crate) fn sample() -> Self {
            let error = Some("The code is not right, or was used before; wait for the next one.".to_owned());
            let (app, key, next) = (true, None, "/ask".to_owned());
            Self { chrome: chrome("One more step"), app, key, keys_elsewhere: false, next, error }
        }

        pub(crate) fn sample_key() -> Self {
            Self { app: false, key: Some(question()), error: None, ..Self::sample() }
        }
    }

    impl ChoosePasswordPage {
        pub(crate) fn sample() -> Self {
            Self {
                chrome: chrome("Choose a password"),
                name: "ada".to_owned(),
                password_rule: "At least 15 characters; a few words that only you put together are best.".to_owned(),
                next: "/ask".to_owned(),
                error: Some("The new password is the old one; choose another.".to_owned()),
            }
        }
    }

    impl EnrolPage {
        pub(crate) fn sample() -> Self {
            Self {
                chrome: chrome("Set up a second factor"),
                secret: Some("GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ".to_owned()),
                key: Some(question()),
                name: String::new(),
                has_factor: false,
                demanded: true,
                next: "/ask".to_owned(),
                error: None,
            }
        }

        pub(crate) fn sample_by_choice() -> Self {
            let chrome = Chrome::sample("Set up a second factor", Nav::None, Role::Staff);
            let error = Some("The password is not right.".to_owned());
            Self { chrome, key: None, demanded: false, error, ..Self::sample() }
        }

        pub(crate) fn sample_more() -> Self {
            let chrome = Chrome::sample("Add to your second factor", Nav::None, Role::Staff);
            Self { chrome, secret: None, demanded: false, has_factor: true, ..Self::sample() }
        }
    }

    impl RecoveryCodesPage {
        pub(crate) fn sample() -> Self {
            let codes = ["k3vd-9wqn-7hpc-x2mt", "b8rf-4jys-6dke-nz5a", "w7gm-2cxt-9vhq-p4ub"];
            Self {
                chrome: chrome("Recovery codes"),
                codes: codes.map(str::to_owned).to_vec(),
                next: "/ask".to_owned(),
                enrolled: true,
            }
        }
    }
}
