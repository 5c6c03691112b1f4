//! Watch: looks into every watched folder when the server starts, at intervals, soon after the kernel says that
//! something changed, and when a person wants it.
//!
//! Which folders there are is read from the database again and again, so a change of them holds at once, whoever made
//! it. Each folder is looked into apart from the others: a share that hangs holds up itself alone.

use crate::events::Events;
use crate::look::{Fresh, Looked, QUIET, look};
use crate::stage::Stage;
use audit::Actor;
use domain::{FolderId, OperationId};
use jiff::{SignedDuration, Timestamp};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use storage::{Folder, StorageError};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How often the kernel and the database are asked.
const TICK: Duration = Duration::from_millis(500);

/// Looks into watched folders. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Watcher {
    stage: Stage,
    state: Arc<Mutex<State>>,
}

struct State {
    events: Events,
    watched: HashMap<FolderId, Watched>,
    /// Folders that a person wants looked into now.
    wanted: HashSet<FolderId>,
}

/// What is known of a folder beside its row.
#[derive(Default)]
struct Watched {
    /// When the last look began.
    looked_at: Option<Timestamp>,
    /// When something has been quiet for long enough to be looked at.
    due: Option<Timestamp>,
    fresh: Fresh,
    looking: bool,
}

impl Watcher {
    /// A watcher that takes files in through `stage`.
    #[must_use]
    pub fn new(stage: Stage) -> Self {
        let state = State { events: Events::new(), watched: HashMap::new(), wanted: HashSet::new() };
        Self { stage, state: Arc::new(Mutex::new(state)) }
    }

    /// Watches until `stop` is cancelled. What goes wrong with a folder stands in its list.
    pub async fn run(&self, stop: CancellationToken) {
        let mut looks = JoinSet::new();
        while !stop.is_cancelled() {
            match self.due().await {
                Ok(due) => {
                    for (folder, fresh) in due {
                        let watcher = self.clone();
                        looks.spawn(async move { watcher.look(folder, fresh).await });
                    }
                }
                Err(error) => tracing::error!(%error, "watched folders cannot be looked up; trying again"),
            }
            while looks.try_join_next().is_some() {}
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(TICK) => {}
            }
        }
    }

    /// Looks into the folders that are due now, one after the other; gives how many these were.
    ///
    /// # Errors
    /// A failing database.
    pub async fn round(&self) -> Result<usize, StorageError> {
        let due = self.due().await?;
        let number = due.len();
        for (folder, fresh) in due {
            self.look(folder, fresh).await;
        }
        Ok(number)
    }

    /// Has a folder looked into soon, even a paused one.
    pub fn look_now(&self, id: FolderId) {
        self.state().wanted.insert(id);
    }

    /// Whether a look into this folder is under way or wanted.
    #[must_use]
    pub fn is_looking(&self, id: FolderId) -> bool {
        let state = self.state();
        state.wanted.contains(&id) || state.watched.get(&id).is_some_and(|watched| watched.looking)
    }

    /// The folders to look into now; they count as being looked into from here on.
    async fn due(&self) -> Result<Vec<(Folder, Fresh)>, StorageError> {
        let folders = self.stage.store().folders().await?;
        let now = self.stage.store().environment().now();
        let mut guard = self.state();
        let state = &mut *guard;
        let active: HashSet<FolderId> =
            folders.iter().filter(|folder| !folder.paused).map(|folder| folder.id).collect();
        state.events.keep(&active);
        state.watched.retain(|id, watched| watched.looking || active.contains(id));
        state.wanted.retain(|id| folders.iter().any(|folder| folder.id == *id));
        for id in state.events.changed() {
            state.watched.entry(id).or_default().due = now.checked_add(QUIET).ok();
        }
        let mut due = Vec::new();
        for folder in folders {
            let wanted = state.wanted.contains(&folder.id);
            if folder.paused && !wanted {
                continue;
            }
            let watched = state.watched.entry(folder.id).or_default();
            let every = SignedDuration::from_secs(i64::from(folder.every));
            let waited = watched.looked_at.is_none_or(|at| now.duration_since(at) >= every);
            if !watched.looking && (wanted || waited || watched.due.is_some_and(|due| due <= now)) {
                state.wanted.remove(&folder.id);
                (watched.looking, watched.looked_at, watched.due) = (true, Some(now), None);
                due.push((folder, std::mem::take(&mut watched.fresh)));
            }
        }
        Ok(due)
    }

    async fn look(&self, folder: Folder, mut fresh: Fresh) {
        // Whatever becomes of this look, the folder must not count as being looked into for ever.
        let ended = Ended { watcher: self, id: folder.id };
        let operation = OperationId::new(self.stage.store().environment());
        let looked = look(&self.stage, &folder, &mut fresh, &Actor::system(), operation).await;
        if let Err(error) = &looked {
            tracing::warn!(%error, folder = folder.path, "a watched folder could not be looked into");
        }
        let Looked { scanned, folders } = looked.unwrap_or_default();
        let found = scanned.found;
        if found.changed + found.renamed > 0 {
            let (new, renamed) = (found.changed, found.renamed);
            tracing::info!(folder = folder.path, new, renamed, "a watched folder changed");
        }
        let now = self.stage.store().environment().now();
        let mut guard = self.state();
        let state = &mut *guard;
        let unheard = !folder.paused && state.events.listen(folder.id, &folders);
        let watched = state.watched.entry(folder.id).or_default();
        watched.fresh = fresh;
        if unheard || !scanned.changing.is_empty() {
            watched.due = now.checked_add(QUIET).ok();
        }
        drop(guard);
        drop(ended);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says, when it goes, that a look has ended.
struct Ended<'a> {
    watcher: &'a Watcher,
    id: FolderId,
}

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        if let Some(watched) = self.watcher.state().watched.get_mut(&self.id) {
            watched.looking = false;
        }
    }
}
