//! One file with one worker, whose every word is doubted: sizes, numbers and order are checked here.

use crate::process::Worker;
use crate::protocol::{self, ChildHead, Done, Failed, HEAD, Kind, Progress, Request, SMALL, Task};
use crate::{ReadFailure, Reading, Receiver, ReceiverError, Refusal, Settings, Source, picture};
use domain::Block;
use extract::{Child, Limits};
use render::PagePicture;
use serde::Deserialize;
use std::future::Future;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout};

/// What a frame counts at least towards the output: many small ones cost time.
const LEAST_COST: u64 = 4096;

/// How often a worker may tell how far it is.
const MOST_NEWS: u32 = 100_000;

/// Bytes of a file that are in our memory at a time.
const PIECE: usize = 128 << 10;

/// A file to be read, and what was heard about it.
pub(crate) struct Errand<'a> {
    name: &'a str,
    task: Task,
    source: Source<'a>,
    size: u64,
    settings: &'a Settings,
    handed_out: bool,
}

/// How a worker that did as it should ended its answer.
pub(crate) enum Outcome {
    Read(Reading),
    Drawn(PagePicture),
    Refused(Refusal),
}

/// What ended the exchange with a worker, which is of no use any more.
#[derive(Debug)]
pub(crate) enum Broken {
    /// Its pipes closed.
    Ended,
    /// It said something that cannot be.
    Untrue(&'static str),
    TooSlow(Duration),
    Source(io::Error),
    Receiver(ReceiverError),
}

impl From<io::Error> for Broken {
    /// Of a pipe to a worker: its other end is gone.
    fn from(_: io::Error) -> Self {
        Self::Ended
    }
}

impl<'a> Errand<'a> {
    pub(crate) async fn new(
        name: &'a str,
        task: Task,
        source: Source<'a>,
        settings: &'a Settings,
    ) -> Result<Self, ReadFailure> {
        let size = source.checked_size(settings).await?;
        Ok(Self { name, task, source, size, settings, handed_out: false })
    }

    /// Bytes of the file.
    pub(crate) const fn size(&self) -> u64 {
        self.size
    }

    /// Whether nobody would notice if it began anew.
    pub(crate) const fn can_be_repeated(&self) -> bool {
        !self.handed_out
    }

    /// Sends the file to the worker and hears it out.
    pub(crate) async fn run<R: Receiver>(&mut self, worker: &mut Worker, receiver: &mut R) -> Result<Outcome, Broken> {
        worker.processor_time().allow(self.settings.cpu.for_size(self.size));
        let mut clock = Clock::new(self.settings.wall.for_size(self.size));
        let processor = worker.processor_time();
        let mut more = self.settings.pictures;
        let (input, output) = worker.pipes();
        clock.within(self.send(input, output)).await??;
        if let Task::Draw(order) = self.task {
            return clock.within(picture::hear(output, &order, self.settings.output_bytes)).await?;
        }
        let mut budget = Budget::new(&self.settings.limits, self.settings.output_bytes);
        let mut blocks = Vec::new();
        loop {
            let (kind, length) = clock.within(head(output)).await??;
            budget.frame(kind, length)?;
            let payload = clock.within(take(output, length)).await??;
            match kind {
                Kind::Blocks => blocks.append(&mut parse::<Vec<Block>>(&payload)?),
                Kind::Progress => {
                    receiver.progress(parse::<Progress>(&payload)?);
                    // A picture takes seconds, and a file may be a thousand of them.
                    let time = self.settings.picture.min(more);
                    more -= time;
                    clock.extend(time);
                    if !time.is_zero() {
                        processor.allow(self.settings.cpu.for_size(self.size) + time);
                    }
                }
                Kind::Child => {
                    let ChildHead { name, length } = parse(&payload)?;
                    let length = budget.child(length)?;
                    let bytes = clock.within(take(output, length)).await??;
                    self.handed_out = true;
                    receiver.child(Child { name, bytes }).await.map_err(Broken::Receiver)?;
                }
                Kind::Done => {
                    let Done { format, mut extracted } = parse(&payload)?;
                    extracted.blocks = blocks;
                    return Ok(Outcome::Read(Reading { format, extracted }));
                }
                Kind::Failed => return Ok(Outcome::Refused(parse::<Failed>(&payload)?.presentable())),
                Kind::Hello | Kind::Unable | Kind::Drawn | Kind::Start | Kind::Read => {
                    return Err(Broken::Untrue("a wrong frame"));
                }
            }
        }
    }

    /// Sends the file. A worker that speaks before it has all of it has not read what it speaks about.
    async fn send(
        &self,
        input: &mut (impl AsyncWrite + Unpin),
        output: &mut (impl AsyncBufRead + Unpin),
    ) -> Result<(), Broken> {
        tokio::select! {
            biased;
            early = output.fill_buf() => match early {
                Ok([]) | Err(_) => Err(Broken::Ended),
                Ok(_) => Err(Broken::Untrue("an answer before the question")),
            },
            sent = self.feed(input) => sent,
        }
    }

    /// Ends with the write of the last byte: nothing may come between it and the return, for then the answer might.
    async fn feed(&self, input: &mut (impl AsyncWrite + Unpin)) -> Result<(), Broken> {
        let request = Request {
            name: self.name.to_owned(),
            task: self.task,
            limits: self.settings.limits,
            output_bytes: self.settings.output_bytes,
            length: self.size,
        };
        let request = protocol::message(Kind::Read, &request)?;
        if request.len() - HEAD > SMALL {
            return Err(Broken::Source(io::Error::other("its name is too long")));
        }
        let path = match self.source {
            Source::Bytes(bytes) => {
                input.write_all(&request).await?;
                return Ok(input.write_all(bytes).await?);
            }
            Source::File(path) => path,
        };
        let mut file = tokio::fs::File::open(path).await.map_err(Broken::Source)?;
        file.set_max_buf_size(PIECE);
        input.write_all(&request).await?;
        let mut piece = vec![0; PIECE];
        let mut left = self.size;
        while left > 0 {
            let most = usize::try_from(left).map_or(PIECE, |left| left.min(PIECE));
            let read = file.read(&mut piece[..most]).await.map_err(Broken::Source)?;
            if read == 0 {
                return Err(Broken::Source(io::Error::other("it became shorter while it was read")));
            }
            left -= read as u64;
            input.write_all(&piece[..read]).await?;
        }
        Ok(())
    }
}

/// Time that is left for a worker. It does not run while others are waited for.
pub(crate) struct Clock {
    whole: Duration,
    left: Duration,
}

impl Clock {
    pub(crate) const fn new(whole: Duration) -> Self {
        Self { whole, left: whole }
    }

    /// Gives more time.
    pub(crate) const fn extend(&mut self, time: Duration) {
        self.whole = self.whole.saturating_add(time);
        self.left = self.left.saturating_add(time);
    }

    /// Waits as long as there is time.
    pub(crate) async fn within<T>(&mut self, waiting: impl Future<Output = T>) -> Result<T, Broken> {
        let began = Instant::now();
        let result = timeout(self.left, waiting).await;
        self.left = self.left.saturating_sub(began.elapsed());
        result.map_err(|_| Broken::TooSlow(self.whole))
    }
}

/// What a worker may still say. An honest one keeps to the same numbers, see `worker::Outlet`.
struct Budget {
    output_bytes: u64,
    children: usize,
    children_bytes: u64,
    news: u32,
}

impl Budget {
    const fn new(limits: &Limits, output_bytes: u64) -> Self {
        // The last two frames of an honest worker may be small.
        let output_bytes = output_bytes.saturating_add(2 * LEAST_COST);
        Self { output_bytes, children: limits.entries, children_bytes: limits.unpacked_bytes, news: MOST_NEWS }
    }

    fn frame(&mut self, kind: Kind, length: usize) -> Result<(), Broken> {
        let left = match kind {
            Kind::Blocks | Kind::Done => {
                self.output_bytes = spend(self.output_bytes, (length as u64).max(LEAST_COST))?;
                return Ok(());
            }
            Kind::Progress => self.news.checked_sub(1).map(|left| self.news = left),
            Kind::Child => self.children.checked_sub(1).map(|left| self.children = left),
            _ => Some(()),
        };
        match left {
            Some(()) if length <= SMALL => Ok(()),
            _ => Err(Broken::Untrue("more than it may say")),
        }
    }

    fn child(&mut self, length: u64) -> Result<usize, Broken> {
        self.children_bytes = spend(self.children_bytes, length)?;
        usize::try_from(length).map_err(|_| Broken::Untrue("a file larger than memory"))
    }
}

fn spend(left: u64, cost: u64) -> Result<u64, Broken> {
    left.checked_sub(cost).ok_or(Broken::Untrue("more than it may say"))
}

/// Kind and length of the next frame.
pub(crate) async fn head(output: &mut (impl AsyncRead + Unpin)) -> Result<(Kind, usize), Broken> {
    let mut head = [0; HEAD];
    output.read_exact(&mut head).await?;
    Kind::head(head).ok_or(Broken::Untrue("no frame"))
}

/// So many bytes. Memory is taken as they come, not as they are announced.
pub(crate) async fn take(output: &mut (impl AsyncRead + Unpin), length: usize) -> Result<Vec<u8>, Broken> {
    let mut bytes = Vec::with_capacity(length.min(PIECE));
    output.take(length as u64).read_to_end(&mut bytes).await?;
    if bytes.len() == length { Ok(bytes) } else { Err(Broken::Ended) }
}

pub(crate) fn parse<T: for<'a> Deserialize<'a>>(payload: &[u8]) -> Result<T, Broken> {
    serde_json::from_slice(payload).map_err(|_| Broken::Untrue("a frame that cannot be followed"))
}
