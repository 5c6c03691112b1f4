//! Where documents are read: in processes of this same program that can do nothing else.

use confine::{Allowance, Confinement, Documents, Pool, ReadFailure, Settings};
use extract::{ExtractError, Line, Picture};
use ingest::{ContentStore, Pages, Reader};
use recognize::{FILES, Options, Pack, Recognizer};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

/// The word on the command line that makes this program a reader of documents. Not for people. A model pack for the
/// text in pictures may follow.
pub(crate) const COMMAND: &str = "read-documents";

/// Memory that reading one file may take: two readers and the server stay below 1.5 GB, whatever the files are.
const MEMORY_BYTES: u64 = 560 << 20;

/// Memory that drawing one page may take: a scan of A4 at 600 dots an inch three times over.
const DRAWING_BYTES: u64 = 448 << 20;

/// Bytes of one picture of a page.
const PICTURE_BYTES: u64 = 24 << 20;

/// What a reader process does.
pub(crate) fn serve() -> ExitCode {
    confine::serve_reader(|| {
        let pack = std::env::args_os().nth(2).map(PathBuf::from);
        let pack = pack.map(|directory| Pack::read(&directory)).transpose().map_err(|error| error.to_string())?;
        let mut recognition = Recognition { pack, recognizer: None };
        Ok(Documents::new(move |picture| recognition.recognize(picture)))
    })
}

/// Text recognition that is made ready when the first picture comes: most files have none.
struct Recognition {
    pack: Option<Pack>,
    recognizer: Option<Recognizer>,
}

impl Recognition {
    fn recognize(&mut self, picture: &Picture) -> Result<Option<Vec<Line>>, ExtractError> {
        let failed = |error: recognize::RecognizeError| ExtractError::Damaged { reason: error.to_string() };
        if let Some(pack) = self.pack.take() {
            // One thread: several documents are read side by side.
            let options = Options { threads: 1, ..Options::default() };
            self.recognizer = Some(Recognizer::of(pack, options).map_err(failed)?);
        }
        match &self.recognizer {
            Some(recognizer) => recognizer.recognize(picture).map(Some).map_err(failed),
            None => Ok(None),
        }
    }
}

/// Who draws pages for people who read: processes of their own, so that nobody waits behind an import.
pub(crate) fn pages(content: ContentStore) -> Pages {
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let time = Allowance { base: Duration::from_secs(20), per_mib: Duration::from_millis(200) };
    let settings = Settings {
        // A page takes a moment: two keep up with many readers.
        workers: cores.clamp(1, 2),
        memory_bytes: DRAWING_BYTES,
        output_bytes: PICTURE_BYTES,
        wall: time,
        cpu: time,
        // What a file that takes its worker over could keep would end up in somebody's picture of another file.
        files_per_worker: 1,
        ..Settings::default()
    };
    Pages::confined(content, Pool::new(command(), settings), settings.workers)
}

/// This program as a reader. By this name it is the program that runs, even if an update has replaced the file meanwhile.
fn command() -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.arg(COMMAND);
    command
}

/// Readers, as many as there are cores, but not so many that their memory could take the machine's. With a model pack
/// at `recognition` they read the text in pictures.
pub(crate) fn reader(recognition: &Path) -> io::Result<Reader> {
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let settings = Settings { workers: cores.min(8), memory_bytes: MEMORY_BYTES, ..Settings::default() };
    let mut command = command();
    if Pack::is_at(recognition) {
        command.arg(recognition.canonicalize()?);
    }
    Ok(Reader::confined(Pool::new(command, settings), settings.workers))
}

/// How a reader of documents is held on this machine, as a new one finds out.
pub(crate) async fn confinement(recognition: &Path) -> Result<Confinement, ReadFailure> {
    let settings = Settings { workers: 1, memory_bytes: MEMORY_BYTES, ..Settings::default() };
    let mut command = command();
    if Pack::is_at(recognition) {
        command.arg(recognition);
    }
    Pool::new(command, settings).check().await
}

/// Takes a model pack for text recognition over, file by file, the last one last: what is cut short is no pack.
pub(crate) fn install(pack: &Path, recognition: &Path) -> Result<(), Box<dyn std::error::Error>> {
    // Only one that works replaces one that works.
    Recognizer::load(pack, Options::default())?;
    std::fs::create_dir_all(recognition)?;
    for name in FILES {
        let partial = recognition.join(format!("{name}.partial"));
        std::fs::copy(pack.join(name), &partial)?;
        std::fs::File::open(&partial)?.sync_all()?;
        std::fs::rename(partial, recognition.join(name))?;
    }
    Ok(())
}
