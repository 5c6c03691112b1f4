//! What passes bytes on to a server inside ends each half of a connection by itself: whoever sends takes the other's end for
//! its word that everything was read.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

struct Relay(Child);

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A relay to `to`, and a connection to it.
fn relayed(to: &str) -> (Relay, TcpStream) {
    let door = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = door.local_addr().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_carrel"));
    command.args(["relay", "--to", to]).stdin(Stdio::from(OwnedFd::from(door)));
    let relay = Relay(command.spawn().unwrap());
    let stream = TcpStream::connect(near).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    (relay, stream)
}

#[test]
fn the_other_ends_half_is_its_own() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let (_relay, mut stream) = relayed(&server.local_addr().unwrap().to_string());
    stream.write_all(b"all of it").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();

    // Before the other side has read and ended, nobody says that it has.
    stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let early = stream.read(&mut [0; 8]);
    assert!(early.is_err(), "the end was told before it came: {early:?}");

    let (mut far, _) = server.accept().unwrap();
    let mut read = String::new();
    far.read_to_string(&mut read).unwrap();
    assert_eq!(read, "all of it");
    far.write_all(b"read").unwrap();
    drop(far);
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).unwrap();
    assert_eq!(said, "read");
}

#[test]
fn nobody_there_ends_the_connection() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (_relay, mut stream) = relayed(&free.to_string());
    assert_eq!(stream.read(&mut [0; 8]).unwrap_or_default(), 0);
}

#[test]
fn names_are_not_looked_up() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_carrel"));
    let said = command.args(["relay", "--to", "dc1.example.org:636"]).output().unwrap();
    assert_eq!(said.status.code(), Some(2), "{said:?}");
}
