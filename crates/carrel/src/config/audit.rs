//! `[audit]`: checkpoints, retention, forwarding.

use domain::Label;
use forward::{Collector, Tls};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use storage::RetentionClass;

/// What a site can configure of its audit log.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AuditLog {
    /// A checkpoint is signed after this many events.
    pub(crate) checkpoint_events: u64,
    /// And after this many minutes, if there are any.
    pub(crate) checkpoint_minutes: u32,
    /// How long contents are kept; what is in no class is kept for ever.
    pub(crate) retention: Vec<Retention>,
    /// Where the log is passed on to.
    pub(crate) forward: Forward,
}

/// A class of events and how long their contents are kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Retention {
    /// What it is called in the events of purging.
    pub(crate) name: String,
    /// Names of actions, or beginnings such as `answer.*`.
    pub(crate) actions: Vec<String>,
    /// Only events whose highest label is one of these; empty: any, or none.
    #[serde(default)]
    pub(crate) labels: Vec<Label>,
    /// Days.
    pub(crate) days: u32,
}

/// A syslog collector inside the enclave.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Forward {
    /// `host:port`; empty: nothing is passed on and no connection is made.
    pub(crate) address: String,
    /// Certificates (PEM) that may sign the collector's; with them the connection is TLS.
    pub(crate) authorities: Option<PathBuf>,
    /// The name in the collector's certificate, if it is not the host of its address.
    pub(crate) name: Option<String>,
    /// Our certificate chain (PEM), if the collector asks for one.
    pub(crate) certificate: Option<PathBuf>,
    /// The key of that certificate (PEM).
    pub(crate) key: Option<PathBuf>,
}

impl Default for AuditLog {
    fn default() -> Self {
        Self { checkpoint_events: 1000, checkpoint_minutes: 60, retention: Vec::new(), forward: Forward::default() }
    }
}

impl AuditLog {
    /// The classes of retention, or what is wrong with one.
    pub(crate) fn classes(&self) -> Result<Vec<RetentionClass>, String> {
        let class = |class: &Retention| {
            let Retention { name, actions, labels, days } = class;
            RetentionClass::new(name, actions, labels.clone(), *days)
                .map_err(|error| format!("audit.retention '{name}': {error}"))
        };
        self.retention.iter().map(class).collect()
    }

    /// The collector, if the site names one, or what is wrong with it.
    pub(crate) fn collector(&self) -> Result<Option<Collector>, String> {
        let Forward { address, authorities, name, certificate, key } = &self.forward;
        if address.is_empty() {
            return Ok(None);
        }
        let identity = match (certificate, key) {
            (Some(certificate), Some(key)) => Some((certificate.clone(), key.clone())),
            (None, None) => None,
            _ => return Err("audit.forward needs certificate and key together, or neither".to_owned()),
        };
        let tls = authorities.clone().map(|authorities| Tls { authorities, name: name.clone(), identity });
        if tls.is_none() && (name.is_some() || certificate.is_some()) {
            return Err("audit.forward names a certificate but no authorities; without them there is no TLS".to_owned());
        }
        let collector = Collector::new(address, tls.as_ref()).map_err(|error| format!("audit.forward: {error}"))?;
        Ok(Some(collector))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> AuditLog {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn nothing_is_purged_or_passed_on_unless_the_site_says_so() {
        let default = read("");
        assert!(default.classes().unwrap().is_empty() && default.collector().unwrap().is_none());
        let text = "[[retention]]\nname = \"questions\"\nactions = [\"question.asked\", \"answer.*\"]\n\
            labels = [\"public\"]\ndays = 365\n[forward]\naddress = \"10.0.0.9:601\"";
        let log = read(text);
        assert_eq!(log.classes().unwrap()[0].name(), "questions");
        assert_eq!(log.collector().unwrap().unwrap().address(), "10.0.0.9:601");
    }

    #[test]
    fn what_cannot_be_meant_is_refused_in_words() {
        let wrong = read("[[retention]]\nname = \"x\"\nactions = [\"nothing.*\"]\ndays = 3").classes().unwrap_err();
        assert!(wrong.contains("fits no audited action"), "{wrong}");
        for text in [
            "[forward]\naddress = \"collector\"",
            "[forward]\naddress = \"a:1\"\ncertificate = \"c.pem\"",
            "[forward]\naddress = \"a:1\"\nname = \"b\"",
            "[forward]\naddress = \"a:1\"\nauthorities = \"/nowhere.pem\"",
        ] {
            assert!(read(text).collector().unwrap_err().contains("audit.forward"), "{text}");
        }
    }
}
