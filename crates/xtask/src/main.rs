//! The developer commands of Carrel: `cargo xtask COMMAND`.
//!
//! Knows none of the other crates: it must build in seconds on a fresh machine, before anything else does.

// A command line tool talks on its terminal.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod arguments;
mod bench;
mod demo;
mod failure;
mod image;
mod models;
mod test;
mod test_image;
mod workspace;

use arguments::Arguments;
use failure::{Failure, Result};
use std::process::ExitCode;

const HELP: &str = "\
cargo xtask COMMAND

  demo [--port 8080] [--data DIR] [--no-build] [--tiny] [--embed default|multilingual|quality]
        fetch the models, build, and serve the sample documents on http://127.0.0.1:8080
  test [--only NAME]... [--list]
        everything that must pass; --list names the steps
  fetch [--role ROLE]... [--verify] [--list]
        fetch the models of models.lock (all but the optional ones, or those of the given roles) and check them
  bench [NAME]... [--runs N] [--dataset DIR] [--no-peers] [--prepare] [--list]
        measure, each in turn with the programs it is held against (--prepare only builds those),
        keep the figures in docs/benchmarks.json and write docs/benchmarks.md
  image [--models DIR|none] [--key FILE] [--version V] [--out DIR] [--level 1..22] [--carrel FILE] [--preseed FILE]
        build the offline installer image and the same system as a signed update (docs/appliance/build.md)
  image --new-key --key FILE
        make a key that signs them
  image --portable [--version V] [--out DIR] [--carrel FILE] [--key FILE]
        build the tarball for a host that is there already; the key's public half goes along, to be trusted
  bundle --kind program|models|lists|crl|passwords|keys [--folder DIR] [--version V] [--sequence N] [--key FILE]
         [--add-key FILE]... [--remove-key ID]... [--carrel FILE] [--out FILE]
        make and sign one file for a machine that runs already (docs/operator/update.md)
  test-image [--work DIR] [--carrel FILE] [--no-build] [--second]
        install and update an appliance in an emulator; takes long; --second: only the second machine, with the backup
        that a run before has left

Models are kept in $CARREL_MODELS, or else in the user's cache folder.";

fn main() -> ExitCode {
    match dispatch(Arguments::new(std::env::args().skip(1))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask: {failure}");
            ExitCode::from(failure.status())
        }
    }
}

fn dispatch(mut arguments: Arguments) -> Result<()> {
    if arguments.flag("--help") || arguments.flag("-h") {
        println!("{HELP}");
        return Ok(());
    }
    match arguments.word().as_deref() {
        Some("demo") => demo::run(arguments),
        Some("test") => test::run(arguments),
        Some("fetch") => models::fetch::run(arguments),
        Some("bench") => bench::run(arguments),
        Some("image") => image::run(arguments),
        Some("bundle") => image::run_bundle(arguments),
        Some("test-image") => test_image::run(arguments),
        Some("help") => {
            println!("{HELP}");
            Ok(())
        }
        Some(other) => Err(Failure::usage(format!("there is no command '{other}'; see `cargo xtask help`"))),
        None => Err(Failure::usage(format!("a command is missing\n\n{HELP}"))),
    }
}
