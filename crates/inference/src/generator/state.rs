//! What a generator is doing, for those who watch it.

/// A moment of a generator, and its sums since it was loaded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GeneratorState {
    /// Requests that wait for admission.
    pub waiting: usize,
    /// Admitted requests; those put off for lack of memory included.
    pub running: usize,
    /// Blocks of memory for keys and values.
    pub blocks: usize,
    /// How many of them running answers hold.
    pub blocks_used: usize,
    /// How many hold what is kept of earlier sequences; they make room when needed.
    pub blocks_cached: usize,
    /// Answers that came to their end.
    pub answers: u64,
    /// Tokens of the prompts of all admitted requests.
    pub prompt_tokens: u64,
    /// How many of these were computed for earlier requests.
    pub reused_tokens: u64,
    /// Tokens written, those of answers given up included.
    pub new_tokens: u64,
    /// Tokens guessed in ended answers.
    pub drafted_tokens: u64,
    /// How many of these were right.
    pub accepted_tokens: u64,
    /// How often a running answer was put off for lack of memory.
    pub preemptions: u64,
}

impl GeneratorState {
    /// The share of prompt tokens that were computed before, 0 to 1.
    #[must_use]
    pub fn prefix_hit_rate(&self) -> f64 {
        share(self.reused_tokens, self.prompt_tokens)
    }

    /// The share of guessed tokens that were right, 0 to 1.
    #[must_use]
    pub fn acceptance_rate(&self) -> f64 {
        share(self.accepted_tokens, self.drafted_tokens)
    }
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_nothing_are_nothing() {
        let state = GeneratorState { prompt_tokens: 8, reused_tokens: 6, ..GeneratorState::default() };
        assert_eq!((state.prefix_hit_rate(), state.acceptance_rate()), (0.75, 0.0));
    }
}
