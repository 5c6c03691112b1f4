//! The socket that is listened on: handed over by systemd, or bound here.

use listenfd::ListenFd;
use std::io;
use std::net::SocketAddr;
use tokio::net::TcpListener;

/// The first socket of `LISTEN_FDS` if there is one (sd_listen_fds(3)), so that the service itself may be without any
/// right to open one; or else a socket bound to `address`.
///
/// # Errors
/// The address is taken or not this machine's.
pub async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    if let Some(handed) = ListenFd::from_env().take_tcp_listener(0)? {
        handed.set_nonblocking(true)?;
        return TcpListener::from_std(handed);
    }
    TcpListener::bind(address).await
}
