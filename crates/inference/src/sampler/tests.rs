//! What the sampler draws.

use super::*;
use proptest::prelude::*;

fn sampler(sampling: Sampling, prompt: &[u32]) -> Sampler {
    Sampler::new(&sampling, None, prompt, None)
}

fn draws(sampling: Sampling, logits: &[f32], count: usize) -> Vec<u32> {
    let mut sampler = sampler(sampling, &[]);
    (0..count).map(|_| sampler.sample(logits).unwrap().token).collect()
}

/// Of 20,000 draws, how many of each token.
fn shares(sampling: Sampling, logits: &[f32]) -> Vec<f32> {
    let mut shares = vec![0.0; logits.len()];
    for token in draws(sampling, logits, 20_000) {
        shares[token as usize] += 1.0 / 20_000.0;
    }
    shares
}

fn random() -> Sampling {
    Sampling { temperature: 1.0, seed: 3, ..Sampling::GREEDY }
}

/// Logits of these probabilities.
fn logits(probabilities: &[f32]) -> Vec<f32> {
    probabilities.iter().map(|probability| probability.ln() + 2.5).collect()
}

fn near(found: &[f32], expected: &[f32]) {
    for (found_one, expected_one) in found.iter().zip(expected) {
        assert!((found_one - expected_one).abs() < 0.015, "{found:?} where {expected:?} is due");
        assert!(*expected_one > 0.0 || *found_one == 0.0, "{found:?} where {expected:?} is due");
    }
}

#[test]
fn greedy_takes_the_first_of_the_greatest() {
    let logits = [0.0, f32::NAN, 3.0, 3.0, -1.0];
    assert_eq!(draws(Sampling::default(), &logits, 3), [2, 2, 2]);
}

#[test]
fn a_seed_repeats_its_draws_and_another_differs() {
    let logits: Vec<f32> = (0..50).map(|i| (i as f32 * 0.7).sin()).collect();
    for settings in [random(), Sampling { top_k: 20, top_p: 0.95, min_p: 0.01, repetition_penalty: 1.2, ..random() }] {
        let with = |seed| draws(Sampling { seed, ..settings }, &logits, 40);
        assert_eq!(with(7), with(7));
        assert_ne!(with(7), with(8));
    }
}

#[test]
fn draws_follow_the_probabilities() {
    let logits = logits(&[0.1, 0.6, 0.3]);
    near(&shares(random(), &logits), &[0.1, 0.6, 0.3]);
    // Halving the temperature squares the probabilities: 0.01, 0.36, 0.09 of 0.46.
    near(&shares(Sampling { temperature: 0.5, ..random() }, &logits), &[0.0217, 0.7826, 0.1957]);
}

#[test]
fn each_bound_leaves_its_share_of_the_tokens() {
    let logits = logits(&[0.05, 0.4, 0.1, 0.25, 0.2]);
    let with = |change: fn(Sampling) -> Sampling| shares(change(random()), &logits);
    near(&with(|s| Sampling { top_k: 2, ..s }), &[0.0, 0.6154, 0.0, 0.3846, 0.0]);
    near(&with(|s| Sampling { top_k: 1, ..s }), &[0.0, 1.0, 0.0, 0.0, 0.0]);
    near(&with(|s| Sampling { top_p: 0.8, ..s }), &[0.0, 0.4706, 0.0, 0.2941, 0.2353]);
    near(&with(|s| Sampling { top_p: 0.01, ..s }), &[0.0, 1.0, 0.0, 0.0, 0.0]);
    near(&with(|s| Sampling { min_p: 0.45, ..s }), &[0.0, 0.4706, 0.0, 0.2941, 0.2353]);
    near(&with(|s| Sampling { min_p: 1.0, ..s }), &[0.0, 1.0, 0.0, 0.0, 0.0]);
    // Of the three that top_k leaves, two have four fifths of the probability; min_p leaves the greater alone.
    near(&with(|s| Sampling { top_k: 3, top_p: 0.75, ..s }), &[0.0, 0.6154, 0.0, 0.3846, 0.0]);
    near(&with(|s| Sampling { top_k: 3, top_p: 0.75, min_p: 0.7, ..s }), &[0.0, 1.0, 0.0, 0.0, 0.0]);
    // Temperature comes last: what top_p leaves stays the same however flat the draw is.
    let hot = with(|s| Sampling { top_p: 0.8, temperature: 100.0, ..s });
    near(&hot, &[0.0, 0.3355, 0.0, 0.3334, 0.3311]);
}

#[test]
fn repetition_counts_prompt_and_answer_once() {
    let sampling = Sampling { repetition_penalty: 2.0, ..Sampling::GREEDY };
    let mut sampler = sampler(sampling, &[0, 0, 3]);
    // 4 of the prompt is halved to 2, so 3 wins; then it is halved, too, and 1.9 wins; then 2 of the prompt again.
    let tokens: Vec<u32> = (0..4).map(|_| sampler.sample(&[4.0, 3.0, 1.9, 3.9]).unwrap().token).collect();
    assert_eq!(tokens, [1, 0, 0, 0]);
    // What is below 0 sinks further: -1 to -2.
    let mut sampler = Sampler::new(&sampling, None, &[0], None);
    assert_eq!(sampler.sample(&[-1.0, -1.5]).unwrap().token, 1);
}

#[test]
fn frequency_and_presence_count_the_answer_alone() {
    let tokens = |sampling: Sampling| {
        let mut sampler = sampler(sampling, &[0, 0, 0]);
        (0..6).map(|_| sampler.sample(&[2.0, 1.4, 0.0]).unwrap().token).collect::<Vec<u32>>()
    };
    // 2.0, then 1.5 for the first token, then 1.0 and 1.4 for the second, and so on.
    assert_eq!(tokens(Sampling { frequency_penalty: 0.5, ..Sampling::GREEDY }), [0, 0, 1, 0, 1, 0]);
    // Once is as bad as often.
    assert_eq!(tokens(Sampling { presence_penalty: 1.0, ..Sampling::GREEDY }), [0, 1, 0, 0, 0, 0]);
    assert_eq!(tokens(Sampling { presence_penalty: -1.0, ..Sampling::GREEDY }), [0; 6]);
}

#[test]
fn log_probabilities_are_the_models_own() {
    let logits = logits(&[0.05, 0.4, 0.1, 0.25, 0.2]);
    let sampling = Sampling { temperature: 0.3, top_k: 1, frequency_penalty: 2.0, ..random() };
    let mut sampler = Sampler::new(&sampling, None, &[], Some(2));
    let tokens: Vec<Choice> = (0..2).map(|_| sampler.sample(&logits).unwrap()).collect();
    for (choice, (token, probability)) in tokens.into_iter().zip([(1, 0.4f32), (3, 0.25)]) {
        let told = choice.logprobs.unwrap();
        assert_eq!(choice.token, token);
        assert!((told.logprob - probability.ln()).abs() < 1e-5, "{told:?}");
        assert_eq!(told.top.iter().map(|(token, _)| *token).collect::<Vec<_>>(), [1, 3]);
        assert!((told.top[1].1 - 0.25f32.ln()).abs() < 1e-5, "{told:?}");
    }
    let alone = Sampler::new(&Sampling::GREEDY, None, &[], Some(0)).sample(&logits).unwrap();
    assert_eq!(alone.logprobs.unwrap().top, []);
}

#[test]
fn odd_logits_are_no_panic() {
    let odd = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0];
    let all = Sampling { top_k: 3, top_p: 0.5, min_p: 0.1, repetition_penalty: 1.5, ..random() };
    for logits in [&odd[..], &odd[..1], &odd[2..3], &[]] {
        for sampling in [random(), all, Sampling { top_p: 0.5, ..random() }] {
            let mut sampler = Sampler::new(&sampling, None, &[0, 9], Some(3));
            let token = sampler.sample(logits).unwrap().token as usize;
            assert!(token < logits.len().max(1));
        }
    }
}

proptest! {
    #[test]
    fn the_likeliest_tokens_are_those_of_a_full_sort(
        logits in proptest::collection::vec(-8i8..8, 1..400),
        count in 0usize..90,
    ) {
        let logits: Vec<f32> = logits.into_iter().map(f32::from).collect();
        let mut sorted: Vec<u32> = (0..logits.len() as u32).collect();
        sorted.sort_by(|&a, &b| logits[b as usize].total_cmp(&logits[a as usize]).then(a.cmp(&b)));
        sorted.truncate(count);
        let mut found = Vec::new();
        candidates::top(&logits, count, &mut found);
        prop_assert_eq!(found.iter().map(|candidate| candidate.token).collect::<Vec<_>>(), sorted);
    }

    #[test]
    fn a_nucleus_is_that_of_a_full_sort(
        logits in proptest::collection::vec(-3.0f32..3.0, 1..400),
        top_p in 0.01f32..0.99,
        seed: u64,
    ) {
        let mut sorted: Vec<u32> = (0..logits.len() as u32).collect();
        sorted.sort_by(|&a, &b| logits[b as usize].total_cmp(&logits[a as usize]).then(a.cmp(&b)));
        let whole: f64 = logits.iter().map(|logit| f64::from(logit.exp())).sum();
        let mut sum = 0.0;
        // A little more than the share, since sums in another order differ in their last digits.
        let enough = f64::from(top_p) * whole * (1.0 + 1e-5);
        let nucleus: Vec<u32> = sorted.into_iter().take_while(|&token| {
            let inside = sum <= enough;
            sum += f64::from(logits[token as usize].exp());
            inside
        }).collect();
        for token in draws(Sampling { top_p, seed, ..random() }, &logits, 20) {
            prop_assert!(nucleus.contains(&token));
        }
    }
}
