//! `carrel relay`: passes bytes on between whoever connects to the socket on standard input and one address. An appliance
//! runs it outside the service's network for each server inside that the service may reach (docs/adr/0032). It reads
//! nothing of what it passes on. Either side may end its half: whoever sends the audit log waits for the other's end.

use crate::Outcome;
use crate::door::stdin;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

/// Connections at once; more wait in the socket's queue.
const CONNECTIONS: usize = 64;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Address and port, such as 10.0.0.7:636 or [fd00::7]:636
    #[arg(long, value_name = "ADDRESS:PORT")]
    to: SocketAddr,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(relay(arguments.to))
}

async fn relay(to: SocketAddr) -> Outcome {
    let listener = stdin()?;
    let free = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let permit = Arc::clone(&free).acquire_owned().await?;
        let (mut near, _) = listener.accept().await?;
        tokio::spawn(async move {
            let _permit = permit;
            let passed = match TcpStream::connect(to).await {
                Ok(mut far) => copy_bidirectional(&mut near, &mut far).await.map(drop),
                Err(error) => Err(error),
            };
            if let Err(error) = passed {
                eprintln!("carrel: {to}: {error}");
            }
        });
    }
}
