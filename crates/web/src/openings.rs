//! Which documents people have open: a page that shows twenty pictures of a document is one opening, not twenty-one.

use domain::{DocumentId, UserId};
use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How long a document that was opened counts as open. After that its pictures are recorded as an opening again.
const LASTS: SignedDuration = SignedDuration::from_mins(30);

/// Openings that are remembered. Beyond, they are forgotten and recorded anew, which errs on the safe side.
const MOST: usize = 20_000;

type Opening = (UserId, DocumentId, u32);

/// The openings of the last while. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Openings {
    latest: Arc<Mutex<HashMap<Opening, Timestamp>>>,
}

impl Openings {
    /// Notes that this person opened this version, which is in the log already.
    pub(crate) fn note(&self, user: UserId, document: DocumentId, version: u32, now: Timestamp) {
        let mut latest = self.latest();
        if latest.len() >= MOST {
            latest.retain(|_, at| is_recent(*at, now));
        }
        if latest.len() >= MOST {
            latest.clear();
        }
        latest.insert((user, document, version), now);
    }

    /// Whether this person has this version open.
    pub(crate) fn has(&self, user: UserId, document: DocumentId, version: u32, now: Timestamp) -> bool {
        self.latest().get(&(user, document, version)).is_some_and(|at| is_recent(*at, now))
    }

    fn latest(&self) -> MutexGuard<'_, HashMap<Opening, Timestamp>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Not if the clock was set back meanwhile.
fn is_recent(at: Timestamp, now: Timestamp) -> bool {
    let since = now.duration_since(at);
    !since.is_negative() && since <= LASTS
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Environment;

    #[test]
    fn an_opening_is_of_one_person_one_version_and_lasts_a_while() {
        let environment = Environment::system();
        let (ada, ben) = (UserId::new(&environment), UserId::new(&environment));
        let document = DocumentId::new(&environment);
        let openings = Openings::default();
        let at = |seconds: i64| Timestamp::from_second(1_000_000 + seconds).unwrap();
        openings.note(ada, document, 2, at(0));
        assert!(openings.has(ada, document, 2, at(1)) && openings.has(ada, document, 2, at(1800)));
        assert!(!openings.has(ada, document, 2, at(1801)) && !openings.has(ada, document, 2, at(-1)));
        assert!(!openings.has(ben, document, 2, at(1)) && !openings.has(ada, document, 1, at(1)));
        for _ in 0..MOST {
            openings.note(ben, DocumentId::new(&environment), 1, at(1));
        }
        assert!(openings.latest().len() <= MOST);
    }
}
