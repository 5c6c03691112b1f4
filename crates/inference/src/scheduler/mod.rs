//! The scheduler: many sequences on one model, step by step.
//!
//! - [`fair`]: whose request is admitted next.
//! - [`plan`]: what each step computes: the next token of every answer, drafts, and pieces of prompts.
//! - [`blocks`], [`prefix`], [`table`]: where keys and values are, and who may find them again.
//! - [`lookup`]: guesses at the next tokens. [`prompt_state`]: what the model makes of a prompt.
//! - [`step`]: the loop's body, [`sequence`]: what is scheduled.
//!
//! It knows tokens, not text, and no thread: [`crate::generator`] drives it.
//!
//! Invariants: a sequence's tokens don't depend on other sequences, on how it was cut into steps, on preemption, on
//! drafts or on cached blocks, as far as the model's logits don't. Blocks never exceed the budget. The oldest sequence
//! is never preempted, so that every one becomes the oldest and ends.

mod blocks;
mod fair;
mod lookup;
mod passages;
mod plan;
mod prefix;
mod prompt_state;
mod sequence;
mod step;
mod table;

pub(crate) use fair::FairQueue;
pub(crate) use sequence::{Request, Writer};
pub(crate) use step::{Limits, Scheduler};

#[cfg(test)]
mod tests;
