//! Whose turn it is: start-time fair queueing (Goyal et al. 1996) over users, each request of the same weight.
//!
//! Each request has a place in virtual time: behind the last of its user's, and not before the time at which it came.
//! Who asks much spreads over the future; who asks now and then is served next.

use std::collections::HashMap;

struct Entry<T> {
    user: Option<u64>,
    /// Virtual time when it came.
    came: u64,
    place: u64,
    item: T,
}

/// A queue in which a user's many requests don't delay another user's first.
pub(crate) struct FairQueue<T> {
    /// In the order of service.
    entries: Vec<Entry<T>>,
    /// The place of the request taken last.
    now: u64,
    /// The first place for the next request of users who were served more than others lately.
    next: HashMap<Option<u64>, u64>,
}

impl<T> Default for FairQueue<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), now: 0, next: HashMap::new() }
    }
}

impl<T> FairQueue<T> {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Puts a request where its user's turn is, behind those with the same turn; gives how many are before it.
    /// Requests of nobody in particular are those of one user.
    pub(crate) fn push(&mut self, user: Option<u64>, item: T) -> usize {
        let last = self.entries.iter().rev().find(|entry| entry.user == user).map(|entry| entry.place + 1);
        let place = last.or_else(|| self.next.get(&user).copied()).unwrap_or(0).max(self.now);
        let index = self.entries.partition_point(|entry| entry.place <= place);
        self.entries.insert(index, Entry { user, came: self.now, place, item });
        index
    }

    /// The one whose turn it is.
    pub(crate) fn front(&self) -> Option<&T> {
        self.entries.first().map(|entry| &entry.item)
    }

    /// Takes the one whose turn it is.
    pub(crate) fn pop(&mut self) -> Option<T> {
        if self.entries.is_empty() {
            return None;
        }
        let entry = self.entries.remove(0);
        self.now = entry.place;
        self.next.insert(entry.user, entry.place + 1);
        // A place in the past says nothing any more.
        self.next.retain(|_, place| *place > self.now);
        Some(entry.item)
    }

    /// In the order of service.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.entries.iter_mut().map(|entry| &mut entry.item)
    }

    /// Drops those that don't `stay`; the later ones of their users move up.
    pub(crate) fn retain(&mut self, mut stay: impl FnMut(&T) -> bool) {
        let before = self.entries.len();
        self.entries.retain(|entry| stay(&entry.item));
        if self.entries.len() == before {
            return;
        }
        let mut next = self.next.clone();
        for entry in &mut self.entries {
            entry.place = next.get(&entry.user).copied().unwrap_or(0).max(entry.came);
            next.insert(entry.user, entry.place + 1);
        }
        // Stable: those that had the same place and came first stay first.
        self.entries.sort_by_key(|entry| entry.place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn drain(queue: &mut FairQueue<&'static str>) -> Vec<&'static str> {
        std::iter::from_fn(|| queue.pop()).collect()
    }

    #[test]
    fn users_take_turns() {
        let mut queue = FairQueue::default();
        for (user, item) in [(1, "a1"), (1, "a2"), (1, "a3"), (2, "b1"), (2, "b2"), (3, "c1")] {
            queue.push(Some(user), item);
        }
        assert_eq!(drain(&mut queue), ["a1", "b1", "c1", "a2", "b2", "a3"]);
    }

    #[test]
    fn requests_of_one_user_are_served_as_they_came() {
        let mut queue = FairQueue::default();
        assert_eq!([queue.push(None, "1"), queue.push(None, "2"), queue.push(None, "3")], [0, 1, 2]);
        assert_eq!(drain(&mut queue), ["1", "2", "3"]);
    }

    #[test]
    fn who_was_served_often_does_not_come_first_again() {
        let mut queue = FairQueue::default();
        for item in ["a1", "a2", "a3"] {
            queue.push(Some(1), item);
        }
        assert_eq!((queue.pop(), queue.pop()), (Some("a1"), Some("a2")));
        queue.push(Some(2), "b1");
        assert_eq!(drain(&mut queue), ["b1", "a3"]);
        // One who asks again right after each answer doesn't pass one who waits.
        queue.push(Some(1), "a4");
        queue.push(Some(2), "b2");
        assert_eq!(queue.pop(), Some("b2"));
        queue.push(Some(2), "b3");
        assert_eq!(drain(&mut queue), ["a4", "b3"]);
    }

    #[test]
    fn who_gives_up_makes_room_for_the_others_of_the_user() {
        let mut queue = FairQueue::default();
        for item in ["a1", "a2", "a3"] {
            queue.push(Some(1), item);
        }
        for item in ["b1", "b2"] {
            queue.push(Some(2), item);
        }
        queue.retain(|item| !["a1", "a2"].contains(item));
        assert_eq!(drain(&mut queue), ["b1", "a3", "b2"]);
    }

    proptest! {
        #[test]
        fn a_users_first_waits_for_at_most_one_of_each_other(
            operations in proptest::collection::vec((0u64..5, any::<bool>()), 1..80),
        ) {
            let mut queue = FairQueue::default();
            for (user, takes) in operations {
                if takes {
                    queue.pop();
                } else {
                    queue.push(Some(user), user);
                }
            }
            // A stranger comes now.
            queue.push(Some(9), 9);
            let before: Vec<u64> = std::iter::from_fn(|| queue.pop()).take_while(|&user| user != 9).collect();
            for user in 0..5 {
                prop_assert!(before.iter().filter(|&&other| other == user).count() <= 1, "{before:?}");
            }
        }
    }
}
