//! Reading through real worker processes. This executable is the worker, too: started with an argument of ours it
//! serves, else it runs the tests.

// Outside a test function, too, a test may fail by panicking.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;
mod drawing;
mod hostile;
mod impostor;
mod life;
mod limits;
mod ordinary;
mod speed;

use std::process::ExitCode;

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("read-documents") => confine::serve_reader(|| Ok(hostile::Hostile)),
        Some("read-nothing") => confine::serve_reader(|| Err::<hostile::Hostile, _>("its models are missing".into())),
        Some("pretend") => impostor::pretend(),
        Some("hold-a-worker") => life::hold_a_worker(),
        _ => {
            let tests = [
                ordinary::tests(),
                limits::tests(),
                impostor::tests(),
                life::tests(),
                speed::tests(),
                drawing::tests(),
            ];
            let arguments = libtest_mimic::Arguments::from_args();
            libtest_mimic::run(&arguments, tests.into_iter().flatten().collect()).exit_code()
        }
    }
}
