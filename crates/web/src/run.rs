//! An answer in the making for a program: it goes on as long as somebody reads, and not a step longer.

use answer::{Answer, Answering, AskError, Event, Question, Status};
use std::collections::VecDeque;
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Dropping it stops the answer within a step; the record keeps what was written.
pub(crate) struct Run {
    steps: mpsc::UnboundedReceiver<Result<Event, AskError>>,
    seen: VecDeque<Event>,
    _stop: DropGuard,
}

impl Run {
    /// Begins to answer. The task has the record to bring to its end whatever becomes of the reader.
    pub(crate) fn begin(answering: Answering, question: Question) -> Self {
        let (sender, steps) = mpsc::unbounded_channel();
        let stop = CancellationToken::new();
        let guard = stop.clone().drop_guard();
        tokio::spawn(async move {
            let answered = answering.ask(&question, &stop, |event| drop(sender.send(Ok(event)))).await;
            if let Err(error) = answered {
                tracing::warn!(%error, answer.id = %question.id, "answer failed");
                let _ = sender.send(Err(error));
            }
        });
        Self { steps, seen: VecDeque::new(), _stop: guard }
    }

    /// What happens next; `None` after the answer.
    pub(crate) async fn next(&mut self) -> Option<Result<Event, AskError>> {
        if let Some(event) = self.seen.pop_front() {
            return Some(Ok(event));
        }
        loop {
            match self.steps.recv().await? {
                // The error that follows says more.
                Ok(Event::Answer(answer)) if answer.state == storage::AnswerState::Failed => {}
                Ok(event) => return Some(Ok(event)),
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// Waits until the model has taken the question, so that what fails before is still told with a status.
    pub(crate) async fn taken(mut self) -> Result<Self, AskError> {
        let mut seen = VecDeque::new();
        while let Some(event) = self.next().await {
            let event = event?;
            let waits = matches!(event, Event::Status(Status::Searching) | Event::Sources(_));
            seen.push_back(event);
            if !waits {
                break;
            }
        }
        self.seen = seen;
        Ok(self)
    }

    /// The answer.
    pub(crate) async fn finish(mut self) -> Result<Answer, AskError> {
        while let Some(event) = self.next().await {
            if let Event::Answer(answer) = event? {
                return Ok(*answer);
            }
        }
        Err(AskError::Interrupted)
    }
}
