//! What the middle of the model makes of a prompt: hidden states of its last tokens, gathered while it is read.

use std::ops::Range;

/// Tokens at a prompt's end that are gathered: the question's last words, and what the template puts behind them.
const GATHERED: usize = 16;

/// The last token's hidden state and the sum over the last [`GATHERED`] ones.
///
/// Added up from the first to the last, so that it doesn't depend on how the prompt was cut into steps.
#[derive(Debug)]
pub(super) struct PromptState {
    /// The gathered tokens' places.
    places: Range<usize>,
    /// How many of them are added up.
    seen: usize,
    sum: Vec<f32>,
    last: Vec<f32>,
}

impl PromptState {
    /// For a prompt of `tokens` tokens. What stands before `behind` isn't gathered: passages are not computed in every
    /// prompt.
    pub(super) fn new(tokens: usize, behind: usize) -> Self {
        let first = tokens.saturating_sub(GATHERED).max(behind).min(tokens.saturating_sub(1));
        Self { places: first..tokens, seen: 0, sum: Vec::new(), last: Vec::new() }
    }

    /// The first token whose state is needed: it must be computed though its keys and values are known.
    pub(super) fn first(&self) -> usize {
        self.places.start
    }

    /// How many of the tokens at `place` are gathered: the last ones of them.
    pub(super) fn wanted(&self, place: &Range<usize>) -> usize {
        place.end.min(self.places.end).saturating_sub(place.start.max(self.places.start))
    }

    /// Adds `states`, rows of `hidden` numbers, in the order of the tokens.
    pub(super) fn add(&mut self, states: &[f32], hidden: usize) {
        for state in states.chunks_exact(hidden) {
            self.sum.resize(hidden, 0.0);
            self.sum.iter_mut().zip(state).for_each(|(sum, number)| *sum += number);
            self.last.clear();
            self.last.extend_from_slice(state);
            self.seen += 1;
        }
    }

    /// Forgets what was added: the prompt is read again.
    pub(super) fn restart(&mut self) {
        (self.seen, self.sum, self.last) = (0, Vec::new(), Vec::new());
    }

    /// The last token's state, then the mean of the gathered ones: twice the width of the model.
    #[allow(clippy::cast_precision_loss, reason = "at most 16 tokens")]
    pub(super) fn told(mut self) -> Vec<f32> {
        let count = self.seen.max(1) as f32;
        self.last.extend(self.sum.iter().map(|sum| sum / count));
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// However a prompt is cut: the last state, and the mean of the last sixteen behind the passages.
        #[test]
        fn the_end_of_a_prompt_is_gathered(
            tokens in 1usize..80, behind in 0usize..80, cuts in proptest::collection::btree_set(1usize..80, 0..6),
        ) {
            let row = |at: usize| [at as f32, (at * at) as f32];
            let mut state = PromptState::new(tokens, behind);
            let bounds: Vec<usize> =
                [0].into_iter().chain(cuts.into_iter().filter(|cut| *cut < tokens)).chain([tokens]).collect();
            for pair in bounds.windows(2) {
                let wanted = state.wanted(&(pair[0]..pair[1]));
                let rows: Vec<f32> = (pair[1] - wanted..pair[1]).flat_map(row).collect();
                state.add(&rows, 2);
            }
            let first = tokens.saturating_sub(16).max(behind).min(tokens - 1);
            prop_assert_eq!(state.first(), first);
            let count = (tokens - first) as f32;
            let mean = |of: usize| (first..tokens).map(|at| row(at)[of]).sum::<f32>() / count;
            let [last, squared] = row(tokens - 1);
            prop_assert_eq!(state.told(), vec![last, squared, mean(0), mean(1)]);
        }
    }

    #[test]
    fn what_was_read_before_a_preemption_counts_once() {
        let mut state = PromptState::new(3, 0);
        state.add(&[1.0, 2.0], 1);
        state.restart();
        state.add(&[1.0, 2.0, 6.0], 1);
        assert_eq!(state.told(), [6.0, 3.0]);
    }
}
