//! Sets of sequences, and how an `audit.purged` event names those whose content it removed.

use crate::{Action, Event};
use serde_json::{Value, json};

/// Sequences, as ranges that neither touch nor overlap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ranges(Vec<(u64, u64)>);

impl Ranges {
    /// Adds the sequences from `first` to `last`, both included.
    pub fn add(&mut self, first: u64, last: u64) {
        // The usual case: they come in order.
        if let Some(end) = self.0.last_mut()
            && first >= end.0
            && first <= end.1.saturating_add(1)
        {
            end.1 = end.1.max(last);
            return;
        }
        let in_order = self.0.last().is_none_or(|end| first > end.1);
        self.0.push((first, last));
        if !in_order {
            let mut all = std::mem::take(&mut self.0);
            all.sort_unstable();
            all.into_iter().for_each(|(first, last)| self.add(first, last));
        }
    }

    /// How many sequences they hold.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.iter().map(|(first, last)| last - first + 1).sum()
    }

    /// The first sequence that is not in `others`.
    #[must_use]
    pub fn first_outside(&self, others: &Self) -> Option<u64> {
        self.0.iter().find_map(|&(first, last)| {
            let around = others.0.partition_point(|other| other.1 < first);
            match others.0.get(around) {
                Some(other) if other.0 <= first => (other.1 < last).then(|| other.1 + 1),
                _ => Some(first),
            }
        })
    }

    /// The ranges, in order.
    #[must_use]
    pub fn as_slice(&self) -> &[(u64, u64)] {
        &self.0
    }
}

impl FromIterator<u64> for Ranges {
    fn from_iter<I: IntoIterator<Item = u64>>(sequences: I) -> Self {
        let mut ranges = Self::default();
        sequences.into_iter().for_each(|sequence| ranges.add(sequence, sequence));
        ranges
    }
}

/// The detail of an `audit.purged` event.
#[must_use]
pub fn purge_detail(class: &str, purged: &Ranges) -> Value {
    json!({ "class": class, "events": purged.count(), "sequences": purged.0 })
}

/// The sequences whose content this event removed; none if it is another event, or names what came after it.
#[must_use]
pub fn purged_by(event: &Event, sequence: u64) -> Vec<(u64, u64)> {
    if event.action != Action::AuditPurged {
        return Vec::new();
    }
    let range = |pair: &Value| {
        let (first, last) = (pair.get(0)?.as_u64()?, pair.get(1)?.as_u64()?);
        (0 < first && first <= last && last < sequence).then_some((first, last))
    };
    let named = event.detail.get("sequences").and_then(Value::as_array);
    named.into_iter().flatten().filter_map(range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn ranges_are_the_set_that_was_put_in(
            one in proptest::collection::vec((1_u64..60, 0_u64..9), 0..20),
            two in proptest::collection::vec((1_u64..60, 0_u64..9), 0..20),
        ) {
            let build = |parts: &[(u64, u64)]| {
                let (mut ranges, mut set) = (Ranges::default(), BTreeSet::new());
                for (first, more) in parts {
                    ranges.add(*first, first + more);
                    set.extend(*first..=first + more);
                }
                (ranges, set)
            };
            let ((ranges, set), (others, other_set)) = (build(&one), build(&two));
            prop_assert_eq!(ranges.count(), set.len() as u64);
            prop_assert!(ranges.as_slice().windows(2).all(|pair| pair[0].1 + 1 < pair[1].0));
            prop_assert_eq!(&set.iter().copied().collect::<Ranges>(), &ranges);
            prop_assert_eq!(ranges.first_outside(&others), set.difference(&other_set).next().copied());
        }
    }
}
