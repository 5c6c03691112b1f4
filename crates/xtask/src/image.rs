//! `cargo xtask image`: the offline installer image.

use crate::arguments::Arguments;
use crate::failure::{Failure, Result};

/// Says that there is no image yet.
pub fn run(arguments: Arguments) -> Result<()> {
    arguments.finish()?;
    Err(Failure::new("the offline installer image cannot be built yet; install the `carrel` binary by hand instead"))
}
