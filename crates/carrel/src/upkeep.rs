//! What a running server does for its audit log: checkpoints, retention, forwarding, and what the firewall of an appliance
//! counted.

use crate::site::{Failure, Site};
use ::audit::{Actor, SigningKey};
use domain::OperationId;
use forward::{Forwarder, Pace};
use jiff::SignedDuration;
use operations::egress::COUNTERS;
use std::path::Path;
use std::time::Duration;
use storage::{RetentionClass, Store};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// How often it is looked whether a checkpoint is due.
const CHECKPOINTS: Duration = Duration::from_secs(10);
/// How often old contents are purged.
const PURGES: Duration = Duration::from_secs(3600);
/// How often it is looked whether anything tried to leave.
const EGRESS: Duration = Duration::from_secs(60);

/// Starts it; settings that cannot be used are refused before.
pub(crate) fn start(site: &Site, stop: &CancellationToken) -> Result<Vec<JoinHandle<()>>, Failure> {
    let log = site.audit();
    let (classes, collector) = (log.classes()?, log.collector()?);
    let keep = Keep {
        store: site.store.clone(),
        key: site.signing_key()?,
        events: log.checkpoint_events,
        age: SignedDuration::from_mins(i64::from(log.checkpoint_minutes)),
        classes,
    };
    let mut tasks = vec![tokio::spawn(keep.run(stop.clone()))];
    if let Some(collector) = collector {
        tracing::info!(collector = collector.address(), "the audit log is passed on");
        let forwarder = Forwarder::new(site.store.clone(), collector, Pace::default());
        tasks.push(tokio::spawn(forwarder.run(stop.clone())));
    }
    Ok(tasks)
}

struct Keep {
    store: Store,
    key: SigningKey,
    events: u64,
    age: SignedDuration,
    classes: Vec<RetentionClass>,
}

impl Keep {
    async fn run(self, stop: CancellationToken) {
        let (mut checkpoints, mut purges) = (interval(CHECKPOINTS), interval(PURGES));
        checkpoints.set_missed_tick_behavior(MissedTickBehavior::Delay);
        purges.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut egress = interval(EGRESS);
        egress.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let boot = operations::egress::boot();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = checkpoints.tick() => {
                    if let Err(error) = self.store.checkpoint_if_due(&self.key, self.events, self.age).await {
                        tracing::error!(%error, "no checkpoint of the audit log could be signed");
                    }
                }
                _ = egress.tick() => {
                    let recorded = operations::egress::record(&self.store, Path::new(COUNTERS), &boot).await;
                    if let Err(error) = recorded {
                        tracing::error!(%error, "what tried to leave could not be recorded");
                    }
                }
                _ = purges.tick(), if !self.classes.is_empty() => {
                    let operation = OperationId::new(self.store.environment());
                    match self.store.purge_audit(&self.classes, &Actor::system(), operation).await {
                        Ok(0) => {}
                        Ok(events) => tracing::info!(events, "contents of old audit events were purged"),
                        Err(error) => tracing::error!(%error, "old audit events could not be purged"),
                    }
                }
            }
        }
    }
}
