//! Prompt-lookup speculation (Saxena 2023): answers copy from passages, so where the last tokens stood before, what
//! followed them there is a guess at what follows now. Guesses are verified in one step of the model and never change
//! the text.

/// The most tokens guessed at once: a step with this many rows still costs a processor about what its reading of the
/// weights costs.
pub(super) const LONGEST_DRAFT: usize = 8;

/// Last tokens that must have stood there before; one is no sign of a copy.
const SHORTEST_MATCH: usize = 2;

/// A match this long is as good as any longer one.
const LONGEST_MATCH: usize = 16;

/// Drafts in a row without any token accepted after which a sequence stops guessing for a while.
const MISSES: u32 = 2;

/// Tokens for which it stops: first, and at most when it goes on to miss.
const PAUSES: (usize, usize) = (8, 128);

/// The guesses of one sequence and how they fared.
#[derive(Debug)]
pub(super) struct Lookup {
    /// Tokens to guess next time.
    length: usize,
    misses: u32,
    /// Steps left without a guess.
    paused: usize,
    next_pause: usize,
}

impl Default for Lookup {
    fn default() -> Self {
        Self { length: LONGEST_DRAFT / 2, misses: 0, paused: 0, next_pause: PAUSES.0 }
    }
}

impl Lookup {
    /// At most `most` tokens that may follow `tokens`; called once a step.
    pub(super) fn draft(&mut self, tokens: &[u32], most: usize) -> Vec<u32> {
        if self.paused > 0 {
            self.paused -= 1;
            return Vec::new();
        }
        continuation(tokens, most.min(self.length))
    }

    /// Learns that `accepted` of `drafted` tokens were right; after a draft of at least one token.
    pub(super) fn verified(&mut self, drafted: usize, accepted: usize) {
        if accepted > 0 {
            // A copy that goes on deserves more; one that ended early less.
            let length = if accepted == drafted { self.length.max(accepted) * 2 } else { accepted + 1 };
            *self = Self { length: length.min(LONGEST_DRAFT), ..Self::default() };
            return;
        }
        self.misses += 1;
        self.length = (self.length / 2).max(1);
        if self.misses >= MISSES {
            self.misses = 0;
            self.paused = self.next_pause;
            self.next_pause = (self.next_pause * 2).min(PAUSES.1);
        }
    }
}

/// What followed the longest earlier occurrence of the last tokens, the latest of equally long ones.
fn continuation(tokens: &[u32], most: usize) -> Vec<u32> {
    let mut best = (SHORTEST_MATCH - 1, 0);
    for end in (1..tokens.len()).rev() {
        if tokens[end - 1] != tokens[tokens.len() - 1] {
            continue;
        }
        let backwards = tokens[..end].iter().rev().zip(tokens.iter().rev()).take(LONGEST_MATCH);
        let length = backwards.take_while(|(a, b)| a == b).count();
        if length > best.0 {
            best = (length, end);
        }
        if length == LONGEST_MATCH {
            break;
        }
    }
    let (length, end) = best;
    if length < SHORTEST_MATCH {
        return Vec::new();
    }
    // Behind the last token the guess goes on with itself: text that repeats is guessed to go on repeating.
    tokens[end..].iter().copied().cycle().take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_followed_before_is_guessed() {
        assert_eq!(continuation(&[1, 2, 3, 4, 5, 9, 2, 3], 3), [4, 5, 9]);
        assert_eq!(continuation(&[1, 2, 3, 4, 5, 9, 2, 3], 2), [4, 5]);
        assert_eq!(continuation(&[1, 2, 3, 4, 5, 9, 3], 2), [] as [u32; 0], "one token is no sign");
        assert_eq!(continuation(&[1], 2), [] as [u32; 0]);
        assert_eq!(continuation(&[], 2), [] as [u32; 0]);
    }

    #[test]
    fn the_longest_match_wins_and_then_the_latest() {
        assert_eq!(continuation(&[1, 2, 3, 50, 7, 2, 3, 60, 1, 2, 3], 1), [50]);
        assert_eq!(continuation(&[2, 3, 50, 2, 3, 60, 2, 3], 1), [60]);
    }

    #[test]
    fn repetition_is_guessed_to_go_on() {
        assert_eq!(continuation(&[7, 8, 7, 8], 5), [7, 8, 7, 8, 7]);
        assert_eq!(continuation(&[5, 5, 5], 4), [5, 5, 5, 5]);
    }

    #[test]
    fn accepted_guesses_grow_and_rejected_ones_stop() {
        let tokens = [5; 40];
        let mut lookup = Lookup::default();
        assert_eq!(lookup.draft(&tokens, 99).len(), 4);
        lookup.verified(4, 4);
        assert_eq!(lookup.draft(&tokens, 99).len(), LONGEST_DRAFT);
        lookup.verified(8, 2);
        assert_eq!(lookup.draft(&tokens, 99).len(), 3);
        lookup.verified(3, 0);
        assert_eq!(lookup.draft(&tokens, 99).len(), 1);
        let pause = |lookup: &mut Lookup| {
            lookup.verified(1, 0);
            lookup.verified(1, 0);
            (0..).take_while(|_| lookup.draft(&tokens, 99).is_empty()).count()
        };
        lookup.verified(1, 0);
        assert_eq!((0..).take_while(|_| lookup.draft(&tokens, 99).is_empty()).count(), 8);
        assert_eq!([pause(&mut lookup), pause(&mut lookup)], [16, 32]);
        lookup.verified(1, 1);
        assert_eq!(lookup.draft(&tokens, 99).len(), 2);
        assert_eq!(pause(&mut lookup), 8);
    }
}
