//! What `operations::doctor` is to look at, by the configuration; for the command, the health page and diagnostics.

use crate::config::{Configuration, Engine};
use crate::lock::IndexLock;
use crate::tls::Transport;
use domain::Environment;
use listen::Files;
use operations::doctor::Subject;

/// The data directory of this configuration, and what the site wants of it.
pub(crate) fn subject(configuration: &Configuration, environment: Environment) -> Subject {
    let data = configuration.data.clone();
    // What is wrong with [tls] is found where the configuration is looked at.
    let certificate = match configuration.tls.transport(configuration.listen, &data.join("keys")) {
        Ok(Transport::Encrypted(settings, _)) => {
            Some((settings.files.paths().0, matches!(settings.files, Files::Own(_))))
        }
        _ => None,
    };
    let backup = &configuration.backup;
    Subject {
        server_running: IndexLock::is_taken(&data),
        environment,
        reserve_bytes: configuration.disk.reserve_bytes(),
        certificate,
        revoked: configuration.tls.client_crl.clone(),
        backup_hours: backup.to.as_ref().map(|_| backup.every_hours).filter(|hours| *hours > 0),
        checkpoint_minutes: configuration.audit.checkpoint_minutes,
        generates: configuration.answer.enabled && configuration.generate.engine == Engine::Local,
        data,
    }
}

/// The configuration as it may leave the machine.
pub(crate) fn cleaned(configuration: &Configuration) -> serde_json::Value {
    let configuration = serde_json::to_value(configuration).unwrap_or_default();
    operations::diagnostics::without_secrets(&configuration)
}
