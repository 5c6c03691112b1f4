//! `carrel`: the one binary. Reads the command line and the configuration and is the only place that chooses what the
//! parts are made of.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line speaks to a person")]

mod backups;
mod commands;
mod config;
mod directory;
mod door;
mod evaluations;
mod examination;
mod glossary;
mod lock;
mod oidc;
mod progress;
mod reading;
mod second_person;
mod setup_code;
mod sign_in;
mod site;
mod sources;
mod tls;
mod upkeep;

use clap::{Parser, Subcommand};
use config::Configuration;
use std::path::PathBuf;
use std::process::ExitCode;

/// A private reading desk: an organisation's documents, questions about them, and answers with proof.
#[derive(Parser)]
#[command(name = "carrel", version, arg_required_else_help = true)]
struct Arguments {
    /// The data directory [default: ./data, or what the configuration says]
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The configuration file (TOML)
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server
    Serve(commands::serve::Arguments),
    /// Take files or folders into a collection
    Import(commands::import::Arguments),
    /// Search as a person would see it
    Search(commands::search::Arguments),
    /// Ask as a person would see it
    Ask(commands::ask::Arguments),
    /// People with accounts
    #[command(subcommand)]
    User(commands::user::Command),
    /// The directory of the organisation
    #[command(subcommand)]
    Directory(commands::directory::Command),
    /// Groups of people
    #[command(subcommand)]
    Group(commands::group::Command),
    /// Collections and their grants
    #[command(subcommand)]
    Collection(commands::collection::Command),
    /// Folders that are watched for files
    #[command(subcommand)]
    Folder(commands::folder::Command),
    /// What is being taken in, and what became of it
    #[command(subcommand)]
    Job(commands::job::Command),
    /// Model packs
    Model(commands::model::Arguments),
    /// The search index
    #[command(subcommand)]
    Index(commands::index::Command),
    /// Check that what is here is whole, or that nothing gets out
    Selftest(commands::selftest::Arguments),
    /// Say what is wrong here, why it matters, and what to do
    Doctor(commands::doctor::Arguments),
    /// Write what a supplier needs to help into a file, without contents, names and secrets
    Diagnostics(commands::diagnostics::Arguments),
    /// Signed bundles: releases, models, vocabulary, lists of revoked certificates, keys
    #[command(subcommand)]
    Bundle(commands::bundle::Command),
    /// The audit log
    #[command(subcommand)]
    Audit(commands::audit::Command),
    /// Backups on another disk, encrypted
    #[command(subcommand)]
    Backup(commands::backup::Command),
    /// Give a backup back, into an empty data directory or in place of what is there
    Restore(commands::backup::Restore),
    /// The server's certificate
    #[command(subcommand)]
    Tls(commands::tls::Command),
    /// Measure retrieval and answers on a set of questions
    #[command(subcommand)]
    Eval(commands::eval::Command),
    /// Measure speed
    #[command(subcommand)]
    Bench(commands::bench::Command),
    /// The manual, page by page
    Manual(commands::manual::Arguments),
    /// Pass bytes on between the socket on standard input and one address
    #[command(hide = true)]
    Relay(commands::relay::Arguments),
    /// Write down what the firewall says by now
    #[command(hide = true)]
    ConsoleEgress,
    /// Write down that somebody at the console opens a root shell
    #[command(hide = true)]
    ConsoleShell,
    /// Load the sample documents, make demo accounts, and serve
    #[command(hide = true)]
    Demo(commands::demo::Arguments),
}

/// What a command ends with: a sentence for the person when it failed.
type Outcome = Result<(), Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    // Before anything else: whoever reads documents must not have begun anything that confinement could not reach.
    if std::env::args_os().nth(1).is_some_and(|word| word == reading::COMMAND) {
        return reading::serve();
    }
    end_with_the_pager();
    let arguments = Arguments::parse();
    // Who reads it may be looking for what is wrong with the configuration.
    if let Command::Manual(arguments) = &arguments.command {
        return ended(commands::manual::run(arguments));
    }
    // It has nothing of this machine's.
    if let Command::Relay(arguments) = &arguments.command {
        return ended(commands::relay::run(arguments));
    }
    let configuration = match Configuration::load(arguments.config.as_deref(), arguments.data) {
        Ok(configuration) => configuration,
        Err(error) => {
            // Who asks what is wrong gets it as a finding.
            if let Command::Doctor(arguments) = &arguments.command {
                let _ = commands::doctor::without_configuration(arguments, &error);
                return ExitCode::FAILURE;
            }
            eprintln!("carrel: the configuration cannot be used: {error}");
            return ExitCode::from(2);
        }
    };
    log(matches!(arguments.command, Command::Serve(_) | Command::Demo(_)));
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("carrel: {error}");
            return ExitCode::FAILURE;
        }
    };
    ended(runtime.block_on(run(arguments.command, &configuration)))
}

/// Whoever reads through a pager and leaves in the middle ends the command, and wants to hear nothing of it.
fn end_with_the_pager() {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if panic.payload_as_str().is_some_and(|text| text.starts_with("failed printing to stdout: Broken pipe")) {
            std::process::exit(0);
        }
        tell(panic);
    }));
}

/// What a process ends with.
fn ended(outcome: Outcome) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("carrel: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command, configuration: &Configuration) -> Outcome {
    match command {
        Command::Serve(arguments) => commands::serve::run(arguments, configuration).await,
        Command::Import(arguments) => commands::import::run(arguments, configuration).await,
        Command::Search(arguments) => commands::search::run(arguments, configuration).await,
        Command::Ask(arguments) => commands::ask::run(arguments, configuration).await,
        Command::User(command) => commands::user::run(command, configuration).await,
        Command::Directory(command) => commands::directory::run(command, configuration).await,
        Command::Group(command) => commands::group::run(command, configuration).await,
        Command::Collection(command) => commands::collection::run(command, configuration).await,
        Command::Folder(command) => commands::folder::run(command, configuration).await,
        Command::Job(command) => commands::job::run(command, configuration).await,
        Command::Model(arguments) => commands::model::run(arguments, configuration).await,
        Command::Index(command) => commands::index::run(command, configuration).await,
        Command::Selftest(arguments) => commands::selftest::run(arguments, configuration).await,
        Command::Bundle(command) => commands::bundle::run(command, configuration).await,
        Command::Diagnostics(arguments) => commands::diagnostics::run(arguments, configuration).await,
        Command::Doctor(arguments) => commands::doctor::run(arguments, configuration).await,
        Command::Audit(command) => commands::audit::run(command, configuration).await,
        Command::Backup(command) => commands::backup::run(command, configuration).await,
        Command::Restore(arguments) => commands::backup::restore(arguments, configuration).await,
        Command::Tls(command) => commands::tls::run(command, configuration),
        Command::Eval(command) => commands::eval::run(command, configuration).await,
        Command::Bench(command) => commands::bench::run(command, configuration).await,
        Command::Manual(arguments) => commands::manual::run(&arguments),
        Command::Relay(arguments) => commands::relay::run(&arguments),
        Command::ConsoleEgress => commands::console_egress::run(configuration).await,
        Command::ConsoleShell => commands::console_shell::run(configuration).await,
        Command::Demo(arguments) => commands::demo::run(arguments, configuration).await,
    }
}

/// The log goes to standard error: all of it from a server, only warnings from a command. `CARREL_LOG` changes that.
fn log(serving: bool) {
    let default = if serving { "info,tantivy=warn" } else { "warn" };
    let filter = tracing_subscriber::EnvFilter::try_from_env("CARREL_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(default));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false).init();
}
