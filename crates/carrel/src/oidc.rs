//! The OpenID provider of the organisation, as a site configures it.

use crate::config::Configuration;
use crate::directory::{DirectoryGroup, secret};
use crate::site::Failure;
use identity::{GroupRule, OidcProvider, OidcSettings};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;

/// `[oidc]`; there is none unless an issuer is named.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct OidcOptions {
    /// What the sign-in page calls it.
    pub(crate) name: String,
    /// The issuer, as its tokens name it.
    pub(crate) issuer: String,
    pub(crate) client_id: String,
    /// File whose first line is the client's secret; only its owner may read it.
    pub(crate) client_secret_file: PathBuf,
    /// This server's address as browsers know it, and `/sign-in/oidc/return`.
    pub(crate) redirect: String,
    /// Its description as a file, if it is not to be fetched.
    pub(crate) description_file: Option<PathBuf>,
    /// Certificates in PEM of those who vouch for its own; not needed on this machine.
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) scopes: String,
    pub(crate) name_claim: String,
    pub(crate) display_claim: String,
    pub(crate) groups_claim: String,
    /// What its groups mean here; `dn` is the group's name in the claim.
    pub(crate) group: Vec<DirectoryGroup>,
}

impl Default for OidcOptions {
    fn default() -> Self {
        let text = str::to_owned;
        Self {
            name: text("your organisation's account"),
            issuer: String::new(),
            client_id: String::new(),
            client_secret_file: PathBuf::new(),
            redirect: String::new(),
            description_file: None,
            ca_file: None,
            scopes: text("profile groups"),
            name_claim: text("preferred_username"),
            display_claim: text("name"),
            groups_claim: text("groups"),
            group: Vec::new(),
        }
    }
}

impl Configuration {
    /// The provider, if one is configured.
    pub(crate) fn oidc(&self) -> Result<Option<Arc<OidcProvider>>, Failure> {
        let options = self.oidc.clone();
        if options.issuer.is_empty() {
            return Ok(None);
        }
        let file = |name: &str, path: &PathBuf| {
            std::fs::read(path).map_err(|error| format!("oidc.{name} {}: {error}", path.display()))
        };
        let rule = |DirectoryGroup { dn, group, role, clearance }| GroupRule { dn, group, role, clearance };
        let provider = OidcProvider::new(OidcSettings {
            description: options.description_file.as_ref().map(|path| file("description_file", path)).transpose()?,
            authorities: options.ca_file.as_ref().map_or(Ok(Vec::new()), |path| file("ca_file", path))?,
            client_secret: secret(&options.client_secret_file)?,
            name: options.name,
            issuer: options.issuer,
            client_id: options.client_id,
            redirect: options.redirect,
            scopes: options.scopes,
            name_claim: options.name_claim,
            display_claim: options.display_claim,
            groups_claim: options.groups_claim,
            rules: options.group.into_iter().map(rule).collect(),
        })?;
        Ok(Some(Arc::new(provider)))
    }
}
