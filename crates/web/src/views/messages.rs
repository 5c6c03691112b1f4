//! Small pages: sign-in, errors, and a question before something is done that cannot be undone.

use super::Chrome;
use askama::Template;

/// The sign-in page.
#[derive(Debug, Clone, Template)]
#[template(path = "sign_in.html")]
pub struct SignInPage {
    /// The frame; nobody is signed in.
    pub chrome: Chrome,
    /// The name that was typed.
    pub name: String,
    /// Why the person was not signed in.
    pub error: Option<String>,
    /// Where to go afterwards; empty means the first page.
    pub next: String,
    /// Whether the browser showed a certificate that may be signed in with.
    pub certificate: bool,
    /// What the provider is called at which people can sign in instead, if there is one.
    pub provider: Option<String>,
}

/// Signing in with a certificate that the browser showed.
#[derive(Debug, Clone, Template)]
#[template(path = "sign_in_certificate.html")]
pub struct CertificatePage {
    /// The frame; nobody is signed in.
    pub chrome: Chrome,
    /// The sign-in name that the certificate stands for.
    pub name: Option<String>,
    /// Its subject.
    pub subject: String,
    /// Where to go afterwards.
    pub next: String,
    /// Why the person was not signed in.
    pub error: Option<String>,
}

/// Something could not be shown or done.
#[derive(Debug, Clone, Template)]
#[template(path = "error.html")]
pub struct ErrorPage {
    /// The frame.
    pub chrome: Chrome,
    /// HTTP status.
    pub status: u16,
    /// What happened, one sentence.
    pub sentence: String,
    /// Id of the request, for a person who asks an admin about it.
    pub operation: Option<String>,
}

impl ErrorPage {
    /// What the person may do now.
    #[must_use]
    pub const fn advice(&self) -> &'static str {
        match self.status {
            400 | 413 | 415 | 422 => "Go back, change what you sent, and try again.",
            401 => "Sign in and try again.",
            403 => "If you need this for your work, ask whoever manages the collection, or an admin.",
            404 => "The address may be mistyped, the page may have gone, or it may not be open to you.",
            409 => "Someone may have changed it meanwhile. Go back, reload the page, and try again.",
            429 => "Wait a minute, then try again.",
            503 => "The appliance is busy. Wait a minute, then try again.",
            _ => "It is not your fault. Try again; if it happens again, give an admin the operation below.",
        }
    }
}

/// A question before something is done.
#[derive(Debug, Clone, Template)]
#[template(path = "confirm.html")]
pub struct ConfirmPage {
    /// The frame.
    pub chrome: Chrome,
    /// The question, such as `Delete “Travel Policy”?`.
    pub question: String,
    /// What follows from it, one or two sentences.
    pub consequence: String,
    /// Address that the form posts to.
    pub action: String,
    /// What the button says.
    pub button: String,
    /// Address for those who changed their mind.
    pub cancel: String,
    /// Hidden fields of the form: name and value.
    pub fields: Vec<(String, String)>,
    /// Whether it cannot be undone.
    pub dangerous: bool,
}

#[cfg(test)]
mod samples {
    use super::*;
    use crate::views::Nav;
    use domain::Role;

    impl SignInPage {
        pub(crate) fn sample() -> Self {
            let chrome = Chrome::sample("Sign in", Nav::None, Role::Staff);
            Self {
                chrome: Chrome { person: None, banner: None, ..chrome },
                name: String::new(),
                error: None,
                next: "/conversations/0195a1aaaa".to_owned(),
                certificate: false,
                provider: None,
            }
        }

        pub(crate) fn sample_provider() -> Self {
            Self { provider: Some("the harbour's account".to_owned()), ..Self::sample() }
        }

        pub(crate) fn sample_refused() -> Self {
            let error = Some("Name and password do not match. Passwords are case-sensitive.".to_owned());
            Self { name: "ada".to_owned(), error, certificate: true, ..Self::sample() }
        }
    }

    impl CertificatePage {
        pub(crate) fn sample() -> Self {
            let chrome = Chrome::sample("Sign in with a certificate", Nav::None, Role::Staff);
            Self {
                chrome: Chrome { person: None, banner: None, ..chrome },
                name: Some("ada.moreau".to_owned()),
                subject: "CN=Ada Moreau, OU=Crane operations, O=Port Elsin".to_owned(),
                next: "/ask".to_owned(),
                error: None,
            }
        }

        pub(crate) fn sample_refused() -> Self {
            let error = Some("There is no account for this certificate.".to_owned());
            Self { name: None, error, ..Self::sample() }
        }
    }

    impl ErrorPage {
        pub(crate) fn sample() -> Self {
            Self {
                chrome: Chrome { banner: None, ..Chrome::sample("Not found", Nav::None, Role::Staff) },
                status: 404,
                sentence: "There is nothing here that you can see.".to_owned(),
                operation: Some("0195a1b2c3d47e5f8a9b0c1d2e3f4a5b".to_owned()),
            }
        }
    }

    impl ConfirmPage {
        pub(crate) fn sample() -> Self {
            Self {
                chrome: Chrome::sample("Delete a document", Nav::Library, Role::Curator),
                question: "Delete “Travel Policy”?".to_owned(),
                consequence: "All its versions and passages go, and the next question no longer finds it. Answers that cited it keep their text. This cannot be undone.".to_owned(),
                action: "/documents/0195d02/delete".to_owned(),
                button: "Delete the document".to_owned(),
                cancel: "/collections/c1".to_owned(),
                fields: vec![("return".to_owned(), "/collections/c1".to_owned())],
                dangerous: true,
            }
        }
    }
}
