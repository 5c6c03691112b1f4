//! Mail: single messages (RFC 5322 with MIME, Outlook's own format) and mailboxes. Both kinds of message become a
//! [`letter::Letter`] and its content, so that they read alike.

mod body;
mod calendar;
mod cms;
pub(crate) mod eml;
mod letter;
pub(crate) mod mbox;
mod mime;
pub(crate) mod msg;
mod part;
mod quotes;
mod transfer;

pub(crate) use mbox::is_mailbox;
pub(crate) use part::{is_field, is_mail};
