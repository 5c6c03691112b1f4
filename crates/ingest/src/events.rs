//! What the kernel says of changes in watched folders. Only a hint: shares say nothing of what others change on them,
//! and a full queue forgets. Whoever listens has to look now and then all the same.

use domain::FolderId;
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

/// Listens to folders.
#[derive(Debug)]
pub(crate) struct Events {
    /// None if the kernel has no inotify to give.
    inotify: Option<OwnedFd>,
    /// The watched folders that each listened-to one lies in.
    listened: HashMap<i32, BTreeSet<FolderId>>,
    /// That the kernel listens to no more was said already.
    complained: bool,
}

impl Events {
    pub(crate) fn new() -> Self {
        let inotify = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)
            .inspect_err(|error| tracing::warn!(%error, "changes in watched folders are found by looking alone"));
        Self { inotify: inotify.ok(), listened: HashMap::new(), complained: false }
    }

    /// Listens to these folders, all within one watched folder. `true` if any of them is new: what happened in it until
    /// now was not heard.
    pub(crate) fn listen(&mut self, id: FolderId, folders: &[PathBuf]) -> bool {
        let Some(inotify) = &self.inotify else { return false };
        let what = WatchFlags::CLOSE_WRITE
            | WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MOVE
            | WatchFlags::ATTRIB
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::ONLYDIR
            | WatchFlags::EXCL_UNLINK;
        let mut new = false;
        for folder in folders {
            match inotify::add_watch(inotify, folder.as_path(), what) {
                Ok(descriptor) => new |= self.listened.entry(descriptor).or_default().insert(id),
                Err(Errno::NOSPC) => {
                    if !std::mem::replace(&mut self.complained, true) {
                        let advice = "raise fs.inotify.max_user_watches to hear of all changes at once";
                        tracing::warn!(advice, "some watched folders are found changed by looking alone");
                    }
                    break;
                }
                // Gone meanwhile, or not to be read: the look says so.
                Err(_) => {}
            }
        }
        new
    }

    /// Listens no more to what lies in none of these watched folders.
    pub(crate) fn keep(&mut self, ids: &HashSet<FolderId>) {
        let Some(inotify) = &self.inotify else { return };
        self.listened.retain(|descriptor, folders| {
            folders.retain(|id| ids.contains(id));
            if folders.is_empty() {
                let _ = inotify::remove_watch(inotify, *descriptor);
            }
            !folders.is_empty()
        });
    }

    /// The watched folders in which something changed since the last call.
    pub(crate) fn changed(&mut self) -> BTreeSet<FolderId> {
        let mut changed = BTreeSet::new();
        let Some(inotify) = &self.inotify else { return changed };
        let mut buffer = [MaybeUninit::uninit(); 16 << 10];
        let mut reader = inotify::Reader::new(inotify, &mut buffer);
        loop {
            let event = match reader.next() {
                Ok(event) => event,
                Err(Errno::INTR) => continue,
                Err(_) => return changed,
            };
            if event.events().contains(ReadFlags::QUEUE_OVERFLOW) {
                changed.extend(self.listened.values().flatten());
            }
            if let Some(folders) = self.listened.get(&event.wd()) {
                changed.extend(folders);
            }
            if event.events().contains(ReadFlags::IGNORED) {
                self.listened.remove(&event.wd());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_heard_in_the_folder_that_it_happened_in() {
        let environment = domain::Environment::system();
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (first, second) = (FolderId::new(&environment), FolderId::new(&environment));
        let mut events = Events::new();
        assert!(events.listen(first, &[one.path().to_owned()]));
        assert!(events.listen(second, &[two.path().to_owned()]));
        assert!(!events.listen(second, &[two.path().to_owned()]), "it is listened to already");
        assert!(events.changed().is_empty());
        std::fs::write(two.path().join("a.txt"), "a").unwrap();
        assert_eq!(events.changed(), BTreeSet::from([second]));
        assert!(events.changed().is_empty());
        events.keep(&HashSet::from([first]));
        std::fs::write(two.path().join("a.txt"), "b").unwrap();
        assert!(events.changed().is_empty());
        std::fs::remove_dir_all(one.path()).unwrap();
        assert_eq!(events.changed(), BTreeSet::from([first]));
    }
}
