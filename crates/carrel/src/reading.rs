//! Where documents are read: in processes of this same program that can do nothing else.

use confine::{Documents, Pool, Settings};
use ingest::Reader;
use std::process::{Command, ExitCode};

/// The word on the command line that makes this program a reader of documents. Not for people.
pub(crate) const COMMAND: &str = "read-documents";

/// Memory that reading one file may take: two readers and the server stay below 1.5 GB, whatever the files are.
const MEMORY_BYTES: u64 = 560 << 20;

/// What a reader process does.
pub(crate) fn serve() -> ExitCode {
    confine::serve_reader(|| Ok(Documents::without_recognition()))
}

/// Readers, as many as there are cores, but not so many that their memory could take the machine's.
pub(crate) fn reader() -> Reader {
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let settings = Settings { workers: cores.min(8), memory_bytes: MEMORY_BYTES, ..Settings::default() };
    // By this name it is the program that runs, even if an update has replaced the file meanwhile.
    let mut command = Command::new("/proc/self/exe");
    command.arg(COMMAND);
    Reader::confined(Pool::new(command, settings), settings.workers)
}
