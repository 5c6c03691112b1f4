//! The code with which the first two people prove that they stood before the machine: in a file, for as long as nobody has an
//! account, so that the console of an appliance can show it.

use crate::site::Site;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The file, in the data directory.
const FILE: &str = "setup-code";
/// How often it is looked whether it is still needed.
const LOOK: Duration = Duration::from_secs(2);

/// Keeps the file until somebody has an account, or the server stops; a file of a start before goes at once.
pub(crate) async fn keep(site: Site, code: Option<String>, stop: CancellationToken) {
    let file = site.data.join(FILE);
    let _ = fs::remove_file(&file);
    let Some(code) = code else { return };
    if let Err(error) = write(&file, &code) {
        tracing::warn!(%error, "the console cannot show the setup code");
    }
    while site.identity.is_empty().await.unwrap_or(true) {
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(LOOK) => {}
        }
    }
    let _ = fs::remove_file(&file);
}

fn write(file: &Path, code: &str) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    writeln!(options.write(true).create_new(true).mode(0o600).open(file)?, "{code}")
}
