//! Compare: one question, answered by the model in use and by the one that is tried beside it, from the same passages.
//!
//! Each answer is a record of its own, like any other; the passages are found once. The two write one after the other,
//! so that each has the machine to itself and their times can be compared.

use crate::ask::{AskError, Event, Found, Question, Status};
use crate::record::Answer;
use crate::{Answering, NamedGenerator};
use audit::Actor;
use domain::{AccessScope, OperationId, UserId};
use std::time::Instant;
use tokio_util::sync::CancellationToken;

/// One question, recorded once for each model.
#[derive(Clone)]
pub struct Comparison {
    /// For the model in use.
    pub stable: (Question, NamedGenerator),
    /// For the one beside it.
    pub experimental: (Question, NamedGenerator),
}

impl Answering {
    /// Records that `owner` asks `text` of both models, in a new conversation.
    ///
    /// # Errors
    /// [`AskError::NoModel`], [`AskError::NothingBeside`]; an empty or endless question; a failing database.
    pub async fn open_comparison(
        &self,
        owner: UserId,
        text: &str,
        scope: AccessScope,
        actor: &Actor,
        operation: OperationId,
    ) -> Result<Comparison, AskError> {
        let stable = self.engines.stable().ok_or(AskError::NoModel)?;
        let experimental = self.engines.experimental().ok_or(AskError::NothingBeside)?;
        let first = self.open(owner, None, text, scope.clone(), actor, operation).await?;
        let second = self.open(owner, Some(first.conversation), text, scope, actor, operation).await?;
        Ok(Comparison { stable: (first, stable), experimental: (second, experimental) })
    }

    /// Answers both, the model in use first. `report` hears of the first and of the second answer; `stop` has one
    /// token for each.
    ///
    /// # Errors
    /// The first [`AskError`]; both records are brought to an end whatever happens.
    pub async fn compare(
        &self,
        comparison: &Comparison,
        stop: [&CancellationToken; 2],
        mut report: impl FnMut(usize, Event),
    ) -> Result<[Answer; 2], AskError> {
        let Comparison { stable: (first, stable), experimental: (second, experimental) } = comparison;
        report(0, Event::Status(Status::Searching));
        report(1, Event::Status(Status::Searching));
        let found = match self.find_for_both(comparison, &mut report).await {
            Ok(found) => found,
            Err(error) => {
                let _ = self.end(second, Err(AskError::Interrupted), &mut |event| report(1, event)).await;
                let answer = self.end(first, Err(error), &mut |event| report(0, event)).await?;
                return Ok([answer.clone(), answer]);
            }
        };
        report(1, Event::Status(Status::Waiting { ahead: 1 }));
        let one = self.one(first, stable, &found, stop[0], &mut |event| report(0, event)).await;
        let two = self.one(second, experimental, &found, stop[1], &mut |event| report(1, event)).await;
        Ok([one?, two?])
    }

    async fn one(
        &self,
        question: &Question,
        named: &NamedGenerator,
        found: &Found,
        stop: &CancellationToken,
        report: &mut impl FnMut(Event),
    ) -> Result<Answer, AskError> {
        // Both are timed as if each had found the passages itself.
        let begin = Instant::now().checked_sub(found.took).unwrap_or_else(Instant::now);
        let outcome = self.write(question, named, found, begin, stop, report).await;
        self.end(question, outcome, report).await
    }

    async fn find_for_both(
        &self,
        comparison: &Comparison,
        report: &mut impl FnMut(usize, Event),
    ) -> Result<Found, AskError> {
        let Comparison { stable: (first, stable), experimental: (second, _) } = comparison;
        let found = self.find(first, stable).await?;
        self.show(first, &found, &mut |event| report(0, event)).await?;
        self.show(second, &found, &mut |event| report(1, event)).await?;
        Ok(found)
    }
}
