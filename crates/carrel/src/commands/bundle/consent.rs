//! The one place through which every apply and every rollback goes before it does anything: where a site that wants a
//! second person's word has it asked for. Nothing is asked for yet: whoever stands at the console may.

use crate::site::{Failure, Site};
use operations::bundle::{InForce, Kind, Package};

/// Whether this bundle may be put into force now.
#[allow(clippy::unused_async, reason = "who is to agree stands in the database")]
pub(super) async fn to_apply(_site: &Site, _package: &Package) -> Result<(), Failure> {
    Ok(())
}

/// Whether what this bundle replaced may be put back now.
#[allow(clippy::unused_async, reason = "who is to agree stands in the database")]
pub(super) async fn to_roll_back(_kind: Kind, _entry: &InForce) -> Result<(), Failure> {
    Ok(())
}
