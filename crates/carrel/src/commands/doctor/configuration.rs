//! Whether the configuration can be used, as the server would at its start.

use crate::config::Configuration;
use crate::site::Failure;
use domain::Environment;
use identity::SealingKey;
use operations::doctor::Finding;

const CODE: &str = "configuration";

/// What was read cannot be used at all.
pub(super) fn unusable(error: &dyn std::fmt::Display) -> Finding {
    let why = "nothing starts with it";
    let advice = "correct the file or the CARREL_* variable that is named; docs/configuration.md has every setting";
    Finding::failed(CODE, error.to_string(), why, advice)
}

/// Every part of it that a start would refuse.
pub(super) fn looked_at(configuration: &Configuration) -> Finding {
    let mut faults: Vec<String> = Vec::new();
    let mut note = |part: Result<(), Failure>| faults.extend(part.err().map(|error| error.to_string()));
    let keys = configuration.data.join("keys");
    note(configuration.tls.transport(configuration.listen, &keys).map(|_| ()));
    note(configuration.audit.classes().map(|_| ()).map_err(Into::into));
    note(configuration.audit.collector().map(|_| ()).map_err(Into::into));
    note(configuration.generate.remote().map(|_| ()).map_err(Into::into));
    note(configuration.settings().map(|_| ()).map_err(Into::into));
    note(configuration.glossary().map(|_| ()));
    let seal = SealingKey::random(&Environment::system());
    note(configuration.policy(&configuration.organisation, seal).map(|_| ()));
    if let Some(folder) = configuration.backup.to.as_ref().filter(|folder| !folder.is_dir()) {
        faults.push(format!("backup.to names {}, which is not there; is its disk mounted?", folder.display()));
    }
    if faults.is_empty() {
        return Finding::ok(CODE, "can be used");
    }
    let why = "the server does not start with it, or does less than the site wants";
    let advice = "correct what is named, then restart the server; docs/configuration.md has every setting";
    Finding::failed(CODE, faults.join("; "), why, advice).with("faults", faults.len() as u64)
}
