//! `carrel console-egress`: the appliance's console has changed what the service may reach, and the audit log hears of it at once,
//! whether or not the service runs.

use crate::Outcome;
use crate::config::Configuration;
use crate::site::Site;
use operations::egress::{COUNTERS, boot, record};
use std::path::Path;

pub(crate) async fn run(configuration: &Configuration) -> Outcome {
    let site = Site::open(configuration).await?;
    record(&site.store, Path::new(COUNTERS), &boot()).await?;
    Ok(())
}
