//! `carrel console-shell`: the appliance's console says that a root shell is opened there. Root can do what no log hears of; that
//! somebody became root is heard of.

use crate::Outcome;
use crate::config::Configuration;
use crate::site::Site;
use ::audit::{Action, Actor, Event};

pub(crate) async fn run(configuration: &Configuration) -> Outcome {
    let site = Site::open(configuration).await?;
    let mut act = site.store.begin().await?;
    act.record(Event::new(Action::ConsoleShell, &Actor::console(), site.operation())).await?;
    act.commit().await?;
    Ok(())
}
