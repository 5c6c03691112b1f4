//! What holds whatever comes.

use super::*;
use proptest::collection::vec;
use proptest::prelude::*;
use std::sync::atomic::Ordering;

const CONTEXT: usize = 48;

#[derive(Debug, Clone)]
enum Event {
    Ask(Ask),
    /// The reader of one of the requests so far leaves, in the middle of a step or between two.
    Leave(usize, bool),
    Rounds(usize),
}

/// Prompts are made of a few pieces, so that many begin alike and much repeats.
fn ask() -> impl Strategy<Value = Ask> {
    let piece = prop_oneof![
        Just(vec![1, 2, 3, 4, 5, 6, 7, 8, 9]),
        Just(vec![1, 2, 3, 4, 5, 6, 9, 9]),
        Just(vec![4, 5]),
        vec(1u32..11, 1..6)
    ];
    let sampling = prop_oneof![
        Just(Sampling::default()),
        (0u64..5).prop_map(|seed| Sampling { temperature: 0.5, top_p: 0.95, seed, ..Sampling::GREEDY }),
    ];
    let user = proptest::option::of(0u64..3);
    (vec(piece, 1..4), 1usize..30, user, proptest::option::of(0u64..2), sampling, any::<bool>()).prop_map(
        |(pieces, limit, user, key, sampling, state)| {
            let mut prompt = pieces.concat();
            prompt.truncate(CONTEXT - 1);
            let limit = limit.min(CONTEXT - prompt.len());
            Ask { prompt, limit, user, key, sampling, state }
        },
    )
}

fn events(leaves: bool) -> impl Strategy<Value = Vec<Event>> {
    let leave = (0usize..30, any::<bool>()).prop_map(|(index, inside)| Event::Leave(index, inside));
    let event = prop_oneof![
        4 => ask().prop_map(Event::Ask),
        3 => (1usize..12).prop_map(Event::Rounds),
        u32::from(leaves) => leave,
    ];
    vec(event, 1..30)
}

fn setup() -> impl Strategy<Value = Setup> {
    let blocks = CONTEXT / 4;
    (blocks..blocks * 3, 1usize..5, any::<bool>(), any::<bool>(), 1usize..20, 1usize..9).prop_map(
        |(blocks, max_running, speculate, copies, prefill, prefill_while_writing)| Setup {
            blocks,
            context: CONTEXT,
            max_running,
            speculate,
            copies,
            prefill,
            prefill_while_writing,
        },
    )
}

/// Runs `events` to their end; what was asked, and what became of it. Blocks are checked in every step.
fn run(bench: &mut Bench, events: &[Event]) -> Vec<(Ask, Arc<Outcome>)> {
    let mut asked: Vec<(Ask, Arc<Outcome>)> = Vec::new();
    for event in events {
        match event {
            Event::Ask(ask) => asked.push((ask.clone(), bench.ask(ask))),
            Event::Rounds(rounds) => (0..*rounds).for_each(|_| {
                bench.round();
            }),
            Event::Leave(index, inside) => {
                let Some((_, outcome)) = asked.get(index % asked.len().max(1)) else { continue };
                let outcome = Arc::clone(outcome);
                let leave = move || outcome.left.store(true, Ordering::Relaxed);
                if *inside {
                    *fake::locked(&bench.wires.between_layers) = Some(Box::new(leave));
                    bench.round();
                    *fake::locked(&bench.wires.between_layers) = None;
                } else {
                    leave();
                }
            }
        }
    }
    bench.finish();
    asked
}

/// Steps that each request could need if it ran alone.
fn steps_alone(setup: &Setup, ask: &Ask) -> usize {
    let tokens = ask.prompt.len() + ask.limit;
    tokens.div_ceil(setup.prefill.min(setup.prefill_while_writing)) + ask.limit
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_text_is_as_if_it_were_alone(setup in setup(), events in events(false)) {
        let mut bench = Bench::new(setup);
        let asked = run(&mut bench, &events);
        for (ask, outcome) in &asked {
            prop_assert_eq!(outcome.text(), ask.text());
            let usage = outcome.usage();
            prop_assert_eq!((usage.prompt_tokens, usage.new_tokens), (ask.prompt.len(), ask.text().len()));
            prop_assert!(usage.reused_tokens < ask.prompt.len());
            // Those of the whole prompt's last tokens, whatever happened on the way.
            prop_assert_eq!(&*fake::locked(&outcome.states), &ask.states());
            prop_assert!(usage.accepted_tokens <= usage.drafted_tokens);
        }
        let state = bench.scheduler.state();
        prop_assert_eq!((state.running, state.blocks_used), (0, 0));
        prop_assert_eq!(state.answers, asked.len() as u64);
    }

    #[test]
    fn nobody_starves(setup in setup(), events in events(false)) {
        let mut bench = Bench::new(setup);
        let asked = run(&mut bench, &events);
        let bound: usize = asked.iter().map(|(ask, _)| steps_alone(&setup, ask)).sum();
        prop_assert!(bench.steps <= bound, "{} steps, bound {bound}", bench.steps);
    }

    #[test]
    fn who_leaves_takes_nothing_along(setup in setup(), events in events(true)) {
        let mut bench = Bench::new(setup);
        for (ask, outcome) in run(&mut bench, &events) {
            let (text, found) = (ask.text(), outcome.text());
            if outcome.left.load(Ordering::Relaxed) {
                prop_assert!(text.starts_with(&found));
            } else {
                prop_assert_eq!(text, found);
            }
        }
        prop_assert_eq!(bench.scheduler.state().blocks_used, 0);
        // Junk of unfinished steps isn't found later either.
        for event in events {
            if let Event::Ask(ask) = event {
                bench.answer(&ask);
            }
        }
    }

    #[test]
    fn nothing_is_shared_between_keys(setup in setup(), first in vec(ask(), 1..6), then in vec(ask(), 1..6)) {
        let mut bench = Bench::new(setup);
        for ask in first {
            bench.answer(&Ask { key: Some(1), ..ask });
        }
        for (index, ask) in (2..).zip(then) {
            // A key of its own, or none: whatever was asked before, nothing of it is used.
            let key = (index % 2 == 0).then_some(index);
            prop_assert_eq!(bench.answer(&Ask { key, ..ask }).usage().reused_tokens, 0);
        }
    }

    #[test]
    fn a_users_first_request_waits_for_one_of_each_other_at_most(
        setup in setup(),
        many in vec(ask(), 2..12),
        first in ask(),
    ) {
        let mut bench = Bench::new(Setup { max_running: 1, ..setup });
        let many: Vec<_> = many.iter().map(|ask| bench.ask(&Ask { user: Some(1), ..ask.clone() })).collect();
        bench.round();
        let ended = || many.iter().filter(|outcome| outcome.has_ended()).count();
        let before = ended();
        let outcome = bench.ask(&Ask { user: Some(2), ..first });
        while !outcome.has_ended() {
            prop_assert!(bench.round());
        }
        prop_assert!(ended() <= before + 1, "only the one that ran already came first");
    }
}
