//! How people sign in, as a site configures it.

use crate::config::Configuration;
use crate::site::Failure;
use domain::Label;
use identity::{ApprovalRules, CommonPasswords, PasswordCost, Policy, RelyingParty, SealingKey, SecondFactorRule};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// `[sign_in]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SignIn {
    /// Who has to have a second factor.
    pub(crate) second_factor: SecondFactor,
    /// Where browsers reach this server, such as `https://carrel.port.example`: security keys are bound to it.
    pub(crate) origin: String,
    /// A session ends after so many minutes without a request.
    pub(crate) idle_minutes: u64,
    /// A session ends after so many hours in any case.
    pub(crate) absolute_hours: u64,
    /// Memory of a password's hash, in MiB.
    pub(crate) hash_memory_mb: u32,
    /// Passes over that memory.
    pub(crate) hash_passes: u32,
}

/// Who has to have a second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SecondFactor {
    /// Nobody.
    Off,
    /// Admins and auditors.
    Admins,
    /// Everybody.
    All,
}

/// `[approvals]`: acts that need a second person.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Approvals {
    /// Exports of the audit log.
    pub(crate) audit_export: bool,
    /// Wider grants on collections that hold documents of this label or a higher one.
    pub(crate) grants_from: Option<Label>,
    /// The end of a legal hold.
    pub(crate) hold_release: bool,
    /// A restore over a data directory that holds something.
    pub(crate) restore: bool,
    /// Another release of the product.
    pub(crate) update: bool,
    /// How long a request stands.
    pub(crate) expiry_hours: u32,
}

/// Reads a list of passwords that are refused.
pub(crate) fn refused_passwords(file: &Path) -> Result<CommonPasswords, Failure> {
    let named = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let text = std::fs::read_to_string(file).map_err(|error| named(&error))?;
    Ok(CommonPasswords::parse(&text).map_err(|error| named(&error))?)
}

impl Default for Approvals {
    fn default() -> Self {
        let (audit_export, hold_release, restore, update) = (false, false, false, false);
        Self { audit_export, grants_from: None, hold_release, restore, update, expiry_hours: 72 }
    }
}

impl Default for SignIn {
    fn default() -> Self {
        let policy = Policy::default();
        Self {
            second_factor: SecondFactor::Off,
            origin: String::new(),
            idle_minutes: policy.idle.as_secs() / 60,
            absolute_hours: policy.absolute.as_secs() / 3600,
            hash_memory_mb: policy.cost.memory_kib / 1024,
            hash_passes: policy.cost.passes,
        }
    }
}

impl Configuration {
    /// The name that security keys are bound to: what the site says, or else the first host name of the certificate that
    /// the server makes itself, or `localhost` if it listens there. `None` if none of these is known.
    pub(crate) fn relying_party(&self) -> Result<Option<RelyingParty>, Failure> {
        let said = self.sign_in.origin.trim();
        if !said.is_empty() {
            return Ok(Some(RelyingParty::new(said).map_err(|why| format!("sign_in.origin: {why}"))?));
        }
        let (port, loopback) = (self.listen.port(), self.listen.ip().is_loopback());
        let named = self.tls.names.iter().filter(|_| self.tls.certificate.is_none() && self.tls.off.is_none());
        let mut origins: Vec<String> = named.map(|name| format!("https://{name}:{port}")).collect();
        if loopback {
            let encrypted = self.tls.always || self.tls.certificate.is_some() || self.tls.client_ca.is_some();
            origins.push(format!("{}://localhost:{port}", if encrypted { "https" } else { "http" }));
        }
        Ok(origins.iter().find_map(|origin| RelyingParty::new(origin).ok()))
    }

    /// Where the site's own list of refused passwords lies, if it has one; a bundle brings it.
    pub(crate) fn refused_passwords(&self) -> PathBuf {
        self.data.join("lists/passwords.txt")
    }

    /// The rules of this site, with the key that seals the secrets of second factors.
    pub(crate) fn policy(&self, organisation: &str, seal: SealingKey) -> Result<Policy, Failure> {
        let SignIn { second_factor, idle_minutes, absolute_hours, hash_memory_mb, hash_passes, .. } = self.sign_in;
        let within = |name: &str, value: u64, least: u64, most: u64| match (least..=most).contains(&value) {
            true => Ok(value),
            false => Err(format!("sign_in.{name} must be between {least} and {most}")),
        };
        Ok(Policy {
            idle: Duration::from_secs(60 * within("idle_minutes", idle_minutes, 1, 24 * 60)?),
            absolute: Duration::from_secs(3600 * within("absolute_hours", absolute_hours, 1, 30 * 24)?),
            cost: PasswordCost {
                // OWASP's least for argon2id is 19 MiB.
                memory_kib: 1024 * u32::try_from(within("hash_memory_mb", hash_memory_mb.into(), 19, 4096)?)?,
                passes: u32::try_from(within("hash_passes", hash_passes.into(), 2, 100)?)?,
                ..PasswordCost::default()
            },
            organisation: organisation.to_owned(),
            refused_passwords: match self.refused_passwords() {
                file if file.is_file() => refused_passwords(&file)?,
                _ => CommonPasswords::default(),
            },
            second_factor: match second_factor {
                SecondFactor::Off => SecondFactorRule::Off,
                SecondFactor::Admins => SecondFactorRule::Admins,
                SecondFactor::All => SecondFactorRule::All,
            },
            relying_party: self.relying_party()?,
            directory: self.directory()?,
            oidc: self.oidc()?,
            approvals: ApprovalRules {
                audit_export: self.approvals.audit_export,
                grants_from: self.approvals.grants_from,
                hold_release: self.approvals.hold_release,
                restore: self.approvals.restore,
                update: self.approvals.update,
                expiry: SignedDuration::from_hours(self.approvals.expiry_hours.into()),
            },
            seal: Some(seal),
            ..Policy::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(change: impl FnOnce(&mut Configuration)) -> Result<Option<String>, String> {
        let mut configuration = Configuration::default();
        change(&mut configuration);
        let party = configuration.relying_party().map_err(|error| error.to_string())?;
        Ok(party.map(|party| party.origin().to_owned()))
    }

    #[test]
    fn the_server_knows_its_name_from_what_the_site_says() {
        let is = |origin: &str| Ok(Some(origin.to_owned()));
        assert_eq!(origin(|_| {}), is("http://localhost:8080"));
        assert_eq!(origin(|c| c.tls.always = true), is("https://localhost:8080"));
        let everywhere = |c: &mut Configuration| c.listen = "0.0.0.0:443".parse().unwrap();
        assert_eq!(origin(everywhere), Ok(None));
        let names = |c: &mut Configuration| {
            everywhere(c);
            c.tls.names = vec!["10.0.0.5".to_owned(), "carrel.port.example".to_owned()];
        };
        assert_eq!(origin(names), is("https://carrel.port.example"));
        assert_eq!(
            origin(|c| {
                names(c);
                c.tls.off = Some("behind a proxy".to_owned());
            }),
            Ok(None)
        );
        assert_eq!(
            origin(|c| {
                names(c);
                c.sign_in.origin = "https://other.example".to_owned();
            }),
            is("https://other.example")
        );
        let wrong = origin(|c| c.sign_in.origin = "https://10.0.0.5".to_owned()).unwrap_err();
        assert!(wrong.contains("sign_in.origin") && wrong.contains("bare address"), "{wrong}");
    }
}
