//! The worker's side: set up, confine, then read one file after the other.

use crate::confinement::{self, Confinement};
use crate::protocol::{
    self, BLOCKS, ChildHead, Done, Drawn, Failed, Hello, Kind, Progress, Request, SMALL, Start, Task, VERSION,
};
use extract::{Child, ExtractError, Extracted, Format, Limits};
use render::{Order, PagePicture, RenderError};
use rustix::event::{PollFd, PollFlags, poll};
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::mem;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::ExitCode;

/// How files are read in a worker.
pub trait Reader {
    /// Reads a file; `name` is its path or name, with which the person who brought it knows it. Files in it go to
    /// `outlet`.
    ///
    /// # Errors
    /// Every variant of [`ExtractError`].
    fn read(
        &mut self,
        name: &str,
        bytes: Vec<u8>,
        limits: &Limits,
        outlet: &mut Outlet<'_>,
    ) -> Result<(Format, Extracted), ExtractError>;

    /// Draws a page of a file; `name` as in [`Reader::read`].
    ///
    /// # Errors
    /// Every variant of [`RenderError`].
    fn draw(&mut self, name: &str, bytes: Vec<u8>, order: &Order) -> Result<PagePicture, RenderError> {
        let _ = (name, bytes, order);
        Err(RenderError::NothingToDraw)
    }
}

/// The whole life of a worker process: to be called first thing by a `main` that has started no thread and printed
/// nothing. `set_up` may still open files; what it cannot do it says in one sentence.
pub fn serve_reader<R: Reader>(set_up: impl FnOnce() -> Result<R, String>) -> ExitCode {
    match serve(set_up) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // To the log of the server. If it does not take it, nobody is left to tell.
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

fn serve<R: Reader>(set_up: impl FnOnce() -> Result<R, String>) -> io::Result<()> {
    let (input, output) = take_pipes()?;
    let liveline = output.try_clone()?;
    let mut input = BufReader::with_capacity(64 << 10, input);
    let mut output = BufWriter::with_capacity(64 << 10, output);
    let Some(Start { version: VERSION, memory_bytes }) = protocol::receive(&mut input, Kind::Start)? else {
        return Err(io::Error::other("the server speaks another version of the protocol"));
    };
    let mut reader = match set_up() {
        Ok(reader) => reader,
        Err(reason) => {
            protocol::send(&mut output, Kind::Unable, &reason)?;
            return output.flush();
        }
    };
    let confinement: Confinement = confinement::confine(memory_bytes);
    end_with_server(liveline)?;
    protocol::send(&mut output, Kind::Hello, &Hello { version: VERSION, confinement })?;
    output.flush()?;
    while let Some(request) = protocol::receive::<Request>(&mut input, Kind::Read)? {
        answer(&mut reader, &request, &mut input, &mut output)?;
        output.flush()?;
    }
    Ok(())
}

/// Standard input and output for ourselves. What anyone prints from now on goes to standard error.
fn take_pipes() -> io::Result<(File, File)> {
    let own = |fd: BorrowedFd<'_>| fd.try_clone_to_owned();
    let pipes = (File::from(own(io::stdin().as_fd())?), File::from(own(io::stdout().as_fd())?));
    rustix::stdio::dup2_stdout(io::stderr().as_fd())?;
    Ok(pipes)
}

/// Ends the process when the server is gone, whatever it is doing: then nobody reads our output any more, which a
/// poll for nothing reports (poll(2), `POLLERR`). The kernel's own signal for this (`PR_SET_PDEATHSIG`) comes when the
/// *thread* ends that started us, and servers let threads go.
fn end_with_server(output: File) -> io::Result<()> {
    let output = OwnedFd::from(output);
    std::thread::Builder::new().name("liveline".to_owned()).stack_size(64 << 10).spawn(move || {
        loop {
            let mut watched = [PollFd::new(&output, PollFlags::empty())];
            match poll(&mut watched, None) {
                Ok(_) if watched[0].revents().is_empty() => {}
                Err(rustix::io::Errno::INTR) => {}
                Ok(_) | Err(_) => std::process::exit(1),
            }
        }
    })?;
    Ok(())
}

fn answer<R: Reader>(
    reader: &mut R,
    request: &Request,
    input: &mut impl Read,
    output: &mut dyn Write,
) -> io::Result<()> {
    let length = usize::try_from(request.length).map_err(io::Error::other)?;
    let mut bytes = vec![0; length];
    input.read_exact(&mut bytes)?;
    if let Task::Draw(order) = &request.task {
        return draw(reader, request, order, bytes, output);
    }
    let mut outlet = Outlet {
        output,
        entries: request.limits.entries,
        children_bytes: request.limits.unpacked_bytes,
        output_bytes: request.output_bytes,
        limits: request.limits,
        output_limit: request.output_bytes,
        broken: None,
    };
    let read = reader.read(&request.name, bytes, &request.limits, &mut outlet);
    let sent = read.and_then(|(format, extracted)| outlet.done(format, extracted));
    if let Some(error) = outlet.broken.take() {
        return Err(error);
    }
    match sent {
        Ok(()) => Ok(()),
        Err(error) => protocol::send(&mut outlet.output, Kind::Failed, &Failed::from(error).presentable()),
    }
}

/// A page, drawn and sent; one whose picture is larger than anybody takes is not.
fn draw<R: Reader>(
    reader: &mut R,
    request: &Request,
    order: &Order,
    bytes: Vec<u8>,
    output: &mut dyn Write,
) -> io::Result<()> {
    let drawn = reader.draw(&request.name, bytes, order).map_err(Failed::from).and_then(|picture| {
        let error = ExtractError::TooLarge {
            what: "the picture of this page",
            limit: format!("{} MiB", request.output_bytes >> 20),
        };
        if picture.png.len() as u64 <= request.output_bytes { Ok(picture) } else { Err(error.into()) }
    });
    let mut output = output;
    match drawn {
        Ok(PagePicture { width, height, png }) => {
            protocol::send(&mut output, Kind::Drawn, &Drawn { width, height, length: png.len() as u64 })?;
            output.write_all(&png)
        }
        Err(failed) => protocol::send(&mut output, Kind::Failed, &failed.presentable()),
    }
}

/// The way out of a worker while it reads a file. It keeps the limits, so that an honest reader that goes beyond them
/// gets an error to pass on; the server checks them again.
pub struct Outlet<'a> {
    output: &'a mut dyn Write,
    entries: usize,
    children_bytes: u64,
    output_bytes: u64,
    limits: Limits,
    output_limit: u64,
    /// Why the server could not be reached; the worker ends with that.
    broken: Option<io::Error>,
}

impl Outlet<'_> {
    /// Hands out a file in the file.
    ///
    /// # Errors
    /// [`ExtractError::TooLarge`] beyond the limits, [`ExtractError::Damaged`] for a name of a size that no name has.
    pub fn child(&mut self, child: Child) -> Result<(), ExtractError> {
        let Child { name, bytes } = child;
        if name.len() > SMALL / 8 {
            return Err(ExtractError::Damaged { reason: "the name of a file in it is too long".to_owned() });
        }
        let limit = self.limits.entries;
        self.entries = self
            .entries
            .checked_sub(1)
            .ok_or_else(|| ExtractError::TooLarge { what: "the number of files in it", limit: limit.to_string() })?;
        let length = bytes.len() as u64;
        let limit = self.limits.unpacked_bytes;
        self.children_bytes = self.children_bytes.checked_sub(length).ok_or_else(|| ExtractError::TooLarge {
            what: "the size of the files in it",
            limit: format!("{} MiB", limit >> 20),
        })?;
        self.reach(|output| {
            protocol::send(output, Kind::Child, &ChildHead { name, length })?;
            output.write_all(&bytes)
        })
    }

    /// Tells how far reading has come.
    pub fn progress(&mut self, progress: Progress) {
        // If the server is gone, the next word to it finds out.
        let _ = self.reach(|output| {
            protocol::send(output, Kind::Progress, &progress)?;
            output.flush()
        });
    }

    /// The text in portions, so that neither side holds it twice, then the rest.
    fn done(&mut self, format: Format, mut extracted: Extracted) -> Result<(), ExtractError> {
        let mut portion = Vec::with_capacity(BLOCKS);
        for block in mem::take(&mut extracted.blocks) {
            portion.push(if portion.is_empty() { b'[' } else { b',' });
            self.json(&mut portion, &block)?;
            if portion.len() >= BLOCKS {
                self.blocks(&mut portion)?;
            }
        }
        if !portion.is_empty() {
            self.blocks(&mut portion)?;
        }
        let mut rest = Vec::new();
        self.json(&mut rest, &Done { format, extracted })?;
        self.frame(Kind::Done, &rest)
    }

    fn blocks(&mut self, portion: &mut Vec<u8>) -> Result<(), ExtractError> {
        portion.push(b']');
        self.frame(Kind::Blocks, portion)?;
        portion.clear();
        Ok(())
    }

    fn json<T: serde::Serialize>(&mut self, to: &mut Vec<u8>, content: &T) -> Result<(), ExtractError> {
        serde_json::to_writer(to, content).map_err(|error| self.unreachable(error.into()))
    }

    fn frame(&mut self, kind: Kind, payload: &[u8]) -> Result<(), ExtractError> {
        let limit = self.output_limit;
        self.output_bytes = self.output_bytes.checked_sub(payload.len() as u64).ok_or_else(|| {
            ExtractError::TooLarge { what: "its text with all places in it", limit: format!("{} MiB", limit >> 20) }
        })?;
        self.reach(|output| output.write_all(&protocol::frame(kind, payload)?))
    }

    fn reach(&mut self, say: impl FnOnce(&mut &mut dyn Write) -> io::Result<()>) -> Result<(), ExtractError> {
        say(&mut self.output).map_err(|error| self.unreachable(error))
    }

    /// Nobody hears the error that this gives: the worker ends.
    fn unreachable(&mut self, error: io::Error) -> ExtractError {
        self.broken.get_or_insert(error);
        ExtractError::Damaged { reason: "reading it was given up".to_owned() }
    }
}
