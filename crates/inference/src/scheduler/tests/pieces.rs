//! One behaviour each.

use super::fake::{END, Fault, locked};
use super::*;
use crate::generator::FinishReason;
use std::sync::atomic::Ordering;

/// A prompt whose greedy answer has `length` tokens, another one for each `number`.
fn prompt(number: u32, tokens: u32, length: usize) -> Vec<u32> {
    let token = |seed: u32, index: u32| 1 + ((seed * 1000 + index).wrapping_mul(0x9E37_79B9) >> 16) % 11;
    (number * 1000..number * 1000 + 1000)
        .map(|seed| (0..tokens).map(|index| token(seed, index)).collect())
        .find(|prompt: &Vec<u32>| plain_text(prompt, length, Sampling::default()).len() == length)
        .expect("one of them answers at length")
}

#[test]
fn an_answer_ends_by_its_last_token_or_by_its_limit() {
    let mut bench = Bench::new(Setup::default());
    let mut reasons = Vec::new();
    for seed in 0..20 {
        let ask = Ask::new([1 + seed % 11, 2, 3 + seed % 8], 12);
        let usage = bench.answer(&ask).usage();
        assert_eq!((usage.prompt_tokens, usage.new_tokens), (3, ask.text().len()));
        assert_eq!(usage.finish == FinishReason::Stop, ask.text().last() == Some(&END));
        reasons.push(usage.finish);
    }
    assert!(reasons.contains(&FinishReason::Stop) && reasons.contains(&FinishReason::Length));
}

#[test]
fn prompts_are_read_in_pieces_and_told() {
    let mut bench = Bench::new(Setup { speculate: false, ..Setup::default() });
    let ask = Ask::new(prompt(0, 40, 3), 3);
    let outcome = bench.answer(&ask);
    assert_eq!(*locked(&outcome.reading), [(0, 40, 0), (16, 40, 0), (32, 40, 0), (40, 40, 0)]);
    let steps: Vec<_> = bench.chunks().concat();
    assert_eq!(steps, [(0, 16, 0), (16, 16, 0), (32, 8, 1), (40, 1, 1), (41, 1, 1)]);
}

#[test]
fn running_answers_go_on_while_a_prompt_is_read() {
    let mut bench = Bench::new(Setup { speculate: false, ..Setup::default() });
    let writing = bench.ask(&Ask::new(prompt(0, 4, 30), 30));
    bench.round();
    let reading = bench.ask(&Ask::new(prompt(5, 30, 2), 2));
    for written in 2..=8 {
        bench.round();
        assert_eq!(writing.text().len(), written);
    }
    assert_eq!(reading.text().len(), 0);
    bench.finish();
    assert!(bench.chunks().iter().all(|step| step.len() == 1 || step.iter().map(|chunk| chunk.1).sum::<usize>() <= 5));
}

#[test]
fn a_conversation_goes_on_where_its_last_answer_ended() {
    for copies in [true, false] {
        let mut bench = Bench::new(Setup { copies, ..Setup::default() });
        let mut ask = Ask { key: Some(1), ..Ask::new(prompt(0, 18, 7), 7) };
        let first = bench.answer(&ask);
        ask.prompt.extend(first.text());
        ask.prompt.extend([5, 6]);
        let usage = bench.answer(&ask).usage();
        // 18 + 7 tokens, of which the last one was never computed: 6 whole blocks.
        assert_eq!(usage.reused_tokens, 24);
        // The same again: all but the last token, or whole blocks only.
        assert_eq!(bench.answer(&ask).usage().reused_tokens, if copies { 26 } else { 24 });
        // Whoever wants the hidden states has the last 16 of its 27 tokens computed again.
        ask.state = true;
        assert_eq!(bench.answer(&ask).usage().reused_tokens, if copies { 11 } else { 8 });
    }
}

#[test]
fn a_block_is_copied_when_a_prompt_parts_in_its_middle() {
    let mut bench = Bench::new(Setup::default());
    let ask = Ask { key: Some(1), ..Ask::new([1, 2, 3, 4, 5, 6, 7, 8, 9], 4) };
    let other = Ask { prompt: vec![1, 2, 3, 4, 5, 6, 9, 9, 9], ..ask.clone() };
    bench.answer(&ask);
    assert_eq!(bench.answer(&other).usage().reused_tokens, 6);
    assert_eq!(bench.wires.copies.load(Ordering::Relaxed), 1);
    assert_eq!(bench.answer(&ask).usage().reused_tokens, 8);
    assert_eq!(bench.answer(&other).usage().reused_tokens, 8);
}

#[test]
fn a_prompt_is_reused_while_its_first_answer_is_still_written() {
    let mut bench = Bench::new(Setup::default());
    let ask = Ask { key: Some(1), ..Ask::new(prompt(0, 13, 20), 20) };
    let first = bench.ask(&ask);
    bench.round();
    let second = bench.ask(&ask);
    bench.round();
    assert!(!first.has_ended());
    bench.finish();
    assert_eq!(second.usage().reused_tokens, 12);
    assert_eq!([first.text(), second.text()], [ask.text(), ask.text()]);
}

#[test]
fn without_a_key_nothing_is_left_behind() {
    let mut bench = Bench::new(Setup::default());
    let ask = Ask::new(prompt(0, 20, 10), 10);
    for _ in 0..2 {
        assert_eq!(bench.answer(&ask).usage().reused_tokens, 0);
        assert_eq!(bench.scheduler.state().blocks_cached, 0);
    }
}

#[test]
fn guesses_save_steps() {
    let repeating: Vec<u32> = [3, 4, 5, 6, 7, 8].repeat(4);
    let ask = Ask::new(repeating, 30);
    let run = |speculate| {
        let mut bench = Bench::new(Setup { speculate, ..Setup::default() });
        let usage = bench.answer(&ask).usage();
        (bench.steps, usage)
    };
    let ((plain_steps, plain), (steps, usage)) = (run(false), run(true));
    assert_eq!((plain.drafted_tokens, plain.accepted_tokens), (0, 0));
    assert!(usage.accepted_tokens > 0 && usage.accepted_tokens <= usage.drafted_tokens, "{usage:?}");
    assert_eq!(plain_steps - steps, usage.accepted_tokens);
}

#[test]
fn memory_that_runs_out_puts_the_youngest_off() {
    // Sixteen blocks hold one whole sequence, or two halves.
    let setup = Setup { blocks: 16, speculate: false, max_running: 2, ..Setup::default() };
    let mut bench = Bench::new(setup);
    let asks = [Ask::new(prompt(0, 24, 36), 36), Ask::new(prompt(9, 24, 36), 36)];
    let outcomes = asks.each_ref().map(|ask| bench.ask(ask));
    let mut ended = Vec::new();
    while bench.round() {
        ended
            .extend((0..2).filter(|&index| outcomes[index].has_ended() && !ended.contains(&index)).collect::<Vec<_>>());
    }
    assert!(bench.scheduler.state().preemptions > 0);
    assert_eq!(ended, [0, 1]);
    for (ask, outcome) in asks.iter().zip(&outcomes) {
        assert_eq!(outcome.text(), ask.text());
        assert_eq!(outcome.usage().reused_tokens, 0);
        let reading = locked(&outcome.reading);
        assert!(reading.is_sorted(), "it is never told to have gone back: {reading:?}");
    }
    assert_eq!(bench.scheduler.state().blocks_used, 0);
}

#[test]
fn who_has_most_running_is_put_off_first() {
    let mut bench = Bench::new(Setup { blocks: 20, context: 40, speculate: false, max_running: 3, ..Setup::default() });
    let ask = |from, user| Ask { user: Some(user), ..Ask::new(prompt(from, 12, 28), 28) };
    let outcomes = [ask(0, 1), ask(3, 1), ask(6, 2)].map(|ask| bench.ask(&ask));
    while bench.scheduler.state().preemptions == 0 {
        assert!(bench.round());
    }
    let lengths = outcomes.each_ref().map(|outcome| outcome.text().len());
    for _ in 0..3 {
        bench.round();
    }
    let moved: Vec<_> = (0..3).filter(|&index| outcomes[index].text().len() > lengths[index]).collect();
    assert_eq!(moved, [0, 2], "the second request of the user who has two is put off");
    bench.finish();
    assert!(outcomes.iter().all(|outcome| outcome.has_ended()));
}

#[test]
fn a_stopped_step_counts_as_not_done() {
    let mut bench = Bench::new(Setup { max_running: 2, speculate: false, ..Setup::default() });
    let ask = |from| Ask { key: Some(1), ..Ask::new(prompt(from, 12, 20), 20) };
    let outcomes = [bench.ask(&ask(0)), bench.ask(&ask(4))];
    (0..4).for_each(|_| assert!(bench.round()));
    // One of two readers leaves: the step goes on for the other.
    let leaving = Arc::clone(&outcomes[0]);
    let leave = move || leaving.left.store(true, Ordering::Relaxed);
    *locked(&bench.wires.between_layers) = Some(Box::new(leave));
    let before = outcomes[1].text().len();
    bench.round();
    assert!(outcomes[1].text().len() > before);
    let leaving = Arc::clone(&outcomes[1]);
    let leave = move || leaving.left.store(true, Ordering::Relaxed);
    *locked(&bench.wires.between_layers) = Some(Box::new(leave));
    let before = outcomes[1].text().len();
    bench.round();
    assert_eq!(outcomes[1].text().len(), before);
    assert!(!bench.scheduler.has_work());
    assert_eq!(bench.scheduler.state().blocks_used, 0);
    // What the stopped step wrote isn't found by those that come after.
    *locked(&bench.wires.between_layers) = None;
    bench.answer(&ask(4));
    bench.answer(&ask(0));
}

#[test]
fn a_fault_ends_the_sequences_of_its_step_only() {
    for fault in [Fault::Error, Fault::Panic] {
        let mut bench = Bench::new(Setup { max_running: 2, speculate: false, ..Setup::default() });
        let ask = |from| Ask { key: Some(1), ..Ask::new(prompt(from, 12, 20), 20) };
        let outcomes = [0, 4, 8].map(|from| bench.ask(&ask(from)));
        (0..4).for_each(|_| assert!(bench.round()));
        *locked(&bench.wires.fault) = Some(fault);
        bench.round();
        for outcome in &outcomes[..2] {
            let error = locked(&outcome.ended).clone().unwrap().unwrap_err();
            assert!(error.starts_with("computing failed: "), "{error}");
        }
        assert_eq!(bench.scheduler.state().blocks_used, 0);
        bench.finish();
        assert_eq!(outcomes[2].text(), ask(8).text());
        // What the failed step may have left in memory isn't found.
        assert!(bench.answer(&ask(0)).usage().reused_tokens >= 11);
    }
}

#[test]
fn a_panic_of_a_writer_ends_its_sequence_only() {
    struct Broken(Arc<Outcome>);
    impl crate::scheduler::Writer for Broken {
        fn accept(&mut self, _: &mut [f32]) -> Result<(u32, Option<FinishReason>), crate::ModelError> {
            std::panic::resume_unwind(Box::new("a test's fault"))
        }
        fn state(&mut self, _: Vec<f32>) {}
        fn is_open(&self) -> bool {
            true
        }
        fn waiting(&mut self, _: usize) {}
        fn reading(&mut self, _: usize, _: usize, _: usize) {}
        fn end(&mut self, outcome: Result<crate::Usage, crate::ModelError>) {
            *locked(&self.0.ended) = Some(outcome.map_err(|error| error.to_string()));
        }
    }
    let mut bench = Bench::new(Setup::default());
    let ask = Ask::new(prompt(0, 6, 10), 10);
    let whole = bench.ask(&ask);
    let broken = Arc::new(Outcome::default());
    let writer = Box::new(Broken(Arc::clone(&broken)));
    bench.queue.push(
        None,
        Request {
            prompt: vec![1, 2],
            limit: 5,
            user: None,
            cache_key: None,
            common: 0,
            passages: Vec::new(),
            state: false,
            writer,
            told: None,
        },
    );
    bench.finish();
    assert_eq!(whole.text(), ask.text());
    assert!(locked(&broken.ended).clone().unwrap().is_err());
    assert_eq!(bench.scheduler.state().blocks_used, 0);
}

#[test]
fn the_budget_is_in_bytes_and_holds_one_context_at_least() {
    let blocks = |blocks, context| Bench::new(Setup { blocks, context, ..Setup::default() }).scheduler.state().blocks;
    assert_eq!((blocks(100, 64), blocks(2, 64), blocks(2, 65)), (100, 16, 17));
}
