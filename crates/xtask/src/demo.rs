//! `cargo xtask demo`: from a fresh machine to the working product with its sample documents.

use crate::arguments::Arguments;
use crate::failure::{Context, Failure, Result};
use crate::models::{ModelsFolder, fetch};
use crate::workspace::Workspace;
use std::process::Command;

/// Fetches, builds and hands over to `carrel demo`. Does not come back while the server runs.
pub fn run(mut arguments: Arguments) -> Result<()> {
    let port = arguments.option("--port")?.unwrap_or_else(|| "8080".to_owned());
    let port: u16 = port.parse().map_err(|_| Failure::usage(format!("--port {port} is not a port (0 to 65535)")))?;
    let data = arguments.option("--data")?.unwrap_or_else(|| "data".to_owned());
    let embedder = format!("embed-{}", arguments.option("--embed")?.unwrap_or_else(|| "default".to_owned()));
    let (no_build, tiny) = (arguments.flag("--no-build"), arguments.flag("--tiny"));
    arguments.finish()?;

    let workspace = Workspace::open()?;
    let generate = if tiny { "generate-tests" } else { "generate-default" };
    let models = fetch::fetch(&workspace, &ModelsFolder::open()?, &[generate, &embedder, "recognize-default"])?;
    let [generate, embed, recognize] = models.as_slice() else {
        return Err(Failure::new("models.lock gave other models than asked for"));
    };
    let carrel = if no_build { workspace.carrel() } else { workspace.build_release()? };
    if !carrel.is_file() {
        return Err(Failure::new(format!("{} is not there; leave out --no-build to build it", carrel.display())));
    }
    let mut server = Command::new(carrel);
    server.arg("demo").arg("--data").arg(data).arg("--port").arg(port.to_string());
    server.arg("--samples").arg(workspace.path("tests/samples"));
    server.arg("--generate").arg(generate).arg("--embed").arg(embed).arg("--recognize").arg(recognize);
    become_process(server)
}

/// The server takes this process over, so that a signal to the command is a signal to the server.
#[cfg(unix)]
fn become_process(mut command: Command) -> Result<()> {
    use std::os::unix::process::CommandExt;
    Err(command.exec()).context(|| "cannot start the server".to_owned())
}

#[cfg(not(unix))]
fn become_process(mut command: Command) -> Result<()> {
    crate::workspace::run(&mut command)
}
