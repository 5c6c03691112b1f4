//! How the tokens of a step are shared out.

/// What a step may hold. More prompt tokens a step read prompts faster (up to where the processor's products are at
/// their speed); fewer make the pauses between the words of running answers shorter.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    /// Prompt tokens while nobody writes.
    pub prefill: usize,
    /// Prompt tokens while somebody writes: the longest pause between two words of an answer.
    pub prefill_while_writing: usize,
    /// Drafted tokens of all sequences: beyond some rows a step costs its arithmetic, and a guess is no longer free.
    pub drafts: usize,
}

impl Budget {
    pub(super) const DEFAULT: Self = Self { prefill: 512, prefill_while_writing: 64, drafts: 16 };

    /// Prompt tokens that sequences with these demands leave over: others could begin.
    pub(super) fn left(&self, pending: impl Iterator<Item = usize> + Clone) -> usize {
        let reading: usize = pending.clone().filter(|&pending| pending > 1).sum();
        self.prefill_of(pending).saturating_sub(reading)
    }

    fn prefill_of(&self, mut pending: impl Iterator<Item = usize>) -> usize {
        match pending.any(|pending| pending == 1) {
            true => self.prefill_while_writing.max(1),
            false => self.prefill.max(1),
        }
    }
}

/// What a sequence has for a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Demand {
    /// Tokens that aren't computed yet: one when it writes, more when it reads.
    pub pending: usize,
    /// Tokens drafted behind them.
    pub drafted: usize,
}

/// What a sequence gets of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Share {
    /// Of its pending tokens.
    pub pending: usize,
    /// Of its drafted ones.
    pub drafted: usize,
}

/// Shares a step out among sequences, the oldest first. Who writes always gets its one token; drafts are shared evenly;
/// prompts are read one after the other, so that the first one's answer begins as early as it can.
pub(super) fn plan(demands: &[Demand], budget: &Budget) -> Vec<Share> {
    let mut left = budget.prefill_of(demands.iter().map(|demand| demand.pending));
    let mut drafts = budget.drafts;
    let mut drafting = demands.iter().filter(|demand| demand.drafted > 0).count();
    let share = |demand: &Demand| {
        if demand.pending > 1 {
            let pending = demand.pending.min(left);
            left -= pending;
            return Share { pending, drafted: 0 };
        }
        let mut drafted = 0;
        if demand.drafted > 0 {
            drafted = demand.drafted.min(drafts / drafting);
            drafts -= drafted;
            drafting -= 1;
        }
        Share { pending: demand.pending, drafted }
    };
    demands.iter().map(share).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BUDGET: Budget = Budget { prefill: 100, prefill_while_writing: 10, drafts: 8 };

    fn shares(demands: &[(usize, usize)]) -> Vec<(usize, usize)> {
        let demands: Vec<_> = demands.iter().map(|&(pending, drafted)| Demand { pending, drafted }).collect();
        plan(&demands, &BUDGET).iter().map(|share| (share.pending, share.drafted)).collect()
    }

    #[test]
    fn prompts_are_read_in_turn_and_writers_never_wait() {
        assert_eq!(shares(&[(70, 0), (70, 0), (70, 0)]), [(70, 0), (30, 0), (0, 0)]);
        assert_eq!(shares(&[(70, 0), (1, 0), (70, 0), (1, 0)]), [(10, 0), (1, 0), (0, 0), (1, 0)]);
        assert_eq!(shares(&[(4, 0), (1, 0), (70, 0)]), [(4, 0), (1, 0), (6, 0)]);
    }

    #[test]
    fn drafts_are_shared_evenly() {
        assert_eq!(shares(&[(1, 8)]), [(1, 8)]);
        assert_eq!(shares(&[(1, 8), (1, 8)]), [(1, 4), (1, 4)]);
        assert_eq!(shares(&[(1, 1), (1, 0), (1, 8)]), [(1, 1), (1, 0), (1, 7)]);
    }

    #[test]
    fn what_is_left_lets_others_begin() {
        let left = |pending: &[usize]| BUDGET.left(pending.iter().copied());
        assert_eq!([left(&[]), left(&[40]), left(&[40, 90])], [100, 60, 0]);
        assert_eq!([left(&[1]), left(&[1, 4]), left(&[1, 40])], [10, 6, 0]);
    }

    proptest! {
        #[test]
        fn a_step_keeps_to_its_budget_and_moves(demands in proptest::collection::vec((1usize..300, 0usize..9), 1..20)) {
            let shares = shares(&demands);
            let writes = demands.iter().any(|&(pending, _)| pending == 1);
            let read: usize = shares.iter().zip(&demands).filter(|(_, demand)| demand.0 > 1).map(|(s, _)| s.0).sum();
            let most = if writes { 10 } else { 100 };
            prop_assert!(read <= most);
            prop_assert!(shares.iter().map(|share| share.1).sum::<usize>() <= 8);
            let oldest_reader = demands.iter().position(|demand| demand.0 > 1);
            prop_assert!(oldest_reader.is_none_or(|index| shares[index].0 > 0));
            for (share, demand) in shares.iter().zip(&demands) {
                prop_assert!(share.0 <= demand.0 && share.1 <= demand.1);
                prop_assert!(demand.0 > 1 || share.0 == 1);
            }
        }
    }
}
