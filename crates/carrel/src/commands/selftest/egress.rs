//! Tries to get out, and says whether anything did. This is the one place beside `inference::remote` that opens
//! connections, and it is reached by nothing but the command.
//!
//! # What proves that nothing left
//! An attempt is stopped here if the system call itself is refused (no route, not permitted), or if no interface but
//! the loopback sent a packet while it went on. Whether anybody answered proves nothing: so the addresses are those
//! reserved for documentation (RFC 5737, RFC 3849), where nobody is disturbed. On a machine that is in use, other
//! packets may be sent meanwhile: then the attempt is repeated, and if it never is quiet, that is said.

use operations::doctor::{Finding, State};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::time::Duration;

const OUTSIDE: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1))];

/// How long an answer is waited for, and packets that a queue of the kernel still holds.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often an attempt is repeated when others send at the same time.
const ATTEMPTS: u32 = 3;

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Attempt {
    /// The system refused it.
    Refused(String),
    /// It went on its way, and this came of it.
    Sent(String),
    /// It got an answer.
    Answered(String),
    /// It could not be made, such as for lack of rights.
    Impossible(String),
}

/// Tries every way to every address.
pub(super) fn findings(more: &[IpAddr]) -> Vec<Finding> {
    let mut ways: Vec<(String, Box<dyn Fn() -> Attempt>)> =
        vec![("name look-up".to_owned(), Box::new(|| look_up("carrel-seal.example.com")))];
    for address in OUTSIDE.iter().chain(more).copied() {
        for port in [443, 80, 53] {
            ways.push((format!("TCP {address} port {port}"), Box::new(move || tcp(SocketAddr::new(address, port)))));
        }
        ways.push((format!("DNS {address} by UDP"), Box::new(move || udp(SocketAddr::new(address, 53), DNS_QUESTION))));
        ways.push((
            format!("NTP {address} by UDP"),
            Box::new(move || udp(SocketAddr::new(address, 123), &NTP_QUESTION)),
        ));
        ways.push((format!("ICMP {address}"), Box::new(move || icmp(address))));
    }
    // A resolver has a patience of its own, and nobody else looks names up at the same time.
    let attempts = |name: &str| if name.starts_with("name") { 1 } else { ATTEMPTS };
    ways.iter().map(|(name, way)| judge(name, attempts(name), way, packets_sent)).collect()
}

/// A finding under the name of the way that was tried.
fn found(name: &str, state: State, detail: String) -> Finding {
    const CODE: &str = "egress";
    const WHY: &str = "whoever gets in could carry documents out";
    let finding = match state {
        State::Ok => Finding::ok(CODE, detail),
        State::Warning => {
            Finding::warning(CODE, detail, "it was not shown that this way is closed", "try it again as root")
        }
        State::Failed => {
            Finding::failed(CODE, detail, WHY, "close this way: in the firewall, or by taking the route away")
        }
    };
    finding.named(name)
}

/// Tries one way, up to `attempts` times. `sent` counts the packets that left by any interface but the loopback.
fn judge(name: &str, attempts: u32, way: &dyn Fn() -> Attempt, sent: impl Fn() -> Option<u64>) -> Finding {
    let mut said = String::new();
    for _ in 0..attempts {
        let before = sent();
        let attempt = way();
        said = match attempt {
            Attempt::Answered(by) => return found(name, State::Failed, format!("reached the outside: {by}")),
            Attempt::Refused(how) => return found(name, State::Ok, format!("stopped: {how}")),
            Attempt::Impossible(why) => return found(name, State::Warning, format!("not tried: {why}")),
            Attempt::Sent(said) => said,
        };
        match before.zip(sent()) {
            Some((before, after)) if before == after => {
                return found(name, State::Ok, format!("stopped: no interface sent anything ({said})"));
            }
            Some(_) => {}
            None => break,
        }
    }
    found(name, State::Failed, format!("packets left this machine ({said}); if it is in use, try again when it is not"))
}

/// Packets sent by all interfaces but the loopback (proc_pid_net(5), `/proc/net/dev`); `None` if that cannot be read.
fn packets_sent() -> Option<u64> {
    sum_of_sent(&std::fs::read_to_string("/proc/net/dev").ok()?)
}

fn sum_of_sent(table: &str) -> Option<u64> {
    let rows = table.lines().skip(2).filter_map(|line| line.split_once(':'));
    let others = rows.filter(|(name, _)| name.trim() != "lo");
    // Eight columns of what came in, then bytes and packets of what went out.
    others.map(|(_, row)| row.split_whitespace().nth(9)?.parse::<u64>().ok()).sum()
}

/// Whether the kernel refused it before anything was sent.
fn refused_here(error: &io::Error) -> bool {
    use ErrorKind::{AddrNotAvailable, NetworkUnreachable, PermissionDenied, Unsupported};
    // EPERM is what a firewall that drops answers; EAFNOSUPPORT, that there is no IPv6.
    matches!(error.kind(), PermissionDenied | NetworkUnreachable | AddrNotAvailable | Unsupported)
        || error.raw_os_error() == Some(AF_NOT_SUPPORTED)
}

/// `EAFNOSUPPORT` of Linux.
const AF_NOT_SUPPORTED: i32 = 97;

fn tcp(address: SocketAddr) -> Attempt {
    match TcpStream::connect_timeout(&address, PATIENCE) {
        Ok(_) => Attempt::Answered("a connection was accepted".to_owned()),
        Err(error) if refused_here(&error) => Attempt::Refused(error.to_string()),
        // A refusal comes from the other side, unless the firewall forges it: the packets tell.
        Err(error) => Attempt::Sent(error.to_string()),
    }
}

/// A question for the address of example.com (RFC 1035).
const DNS_QUESTION: &[u8] = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03com\x00\x00\x01\x00\x01";

/// A client's question for the time (RFC 5905).
const NTP_QUESTION: [u8; 48] = {
    let mut packet = [0; 48];
    packet[0] = 0x23;
    packet
};

fn udp(address: SocketAddr, question: &[u8]) -> Attempt {
    let exchange = || -> io::Result<usize> {
        let any: IpAddr = if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let socket = UdpSocket::bind((any, 0))?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.connect(address)?;
        socket.send(question)?;
        socket.recv(&mut [0; 512])
    };
    outcome(exchange())
}

fn icmp(address: IpAddr) -> Attempt {
    let (domain, protocol, request) = match address {
        IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4, 8),
        IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6, 128),
    };
    // Most systems let people send an echo without privileges (icmp(7)); root may in any case.
    let opened = Socket::new(domain, Type::DGRAM, Some(protocol));
    let socket = match opened.or_else(|_| Socket::new(domain, Type::RAW, Some(protocol))) {
        Ok(socket) => socket,
        Err(error) if error.raw_os_error() == Some(AF_NOT_SUPPORTED) => return Attempt::Refused(error.to_string()),
        Err(error) => return Attempt::Impossible(error.to_string()),
    };
    let exchange = || -> io::Result<usize> {
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.connect(&SockAddr::from(SocketAddr::new(address, 0)))?;
        // Type, code, checksum (the kernel's for IPv6 and for unprivileged sockets), identifier, sequence.
        let mut packet = [request, 0, 0, 0, 0, 0, 0, 1];
        packet[2..4].copy_from_slice(&(!(u16::from(request) << 8).wrapping_add(1)).to_be_bytes());
        socket.send(&packet)?;
        io::Read::read(&mut &socket, &mut [0; 512])
    };
    outcome(exchange())
}

fn outcome(exchange: io::Result<usize>) -> Attempt {
    match exchange {
        Ok(bytes) => Attempt::Answered(format!("an answer of {bytes} bytes came")),
        Err(error) if refused_here(&error) => Attempt::Refused(error.to_string()),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            Attempt::Sent("nobody answered".to_owned())
        }
        Err(error) => Attempt::Sent(error.to_string()),
    }
}

/// Asks the system's own resolver, which may answer from a file or pass the question on.
fn look_up(name: &str) -> Attempt {
    match (name, 443).to_socket_addrs() {
        Ok(mut addresses) => match addresses.next() {
            Some(address) => Attempt::Answered(format!("{name} is {}", address.ip())),
            None => Attempt::Sent("it has no address".to_owned()),
        },
        Err(error) => Attempt::Sent(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    const TABLE: &str = "Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:  1000      10    0    0    0     0          0         0     1000      10    0    0    0     0       0          0
  eth0:  5000      50    0    0    0     0          0         0     7000      70    0    0    0     0       0          0
 wlan0:     0       0    0    0    0     0          0         0        0       3    0    0    0     0       0          0
";

    #[test]
    fn packets_of_all_interfaces_but_the_loopback_are_counted() {
        assert_eq!(sum_of_sent(TABLE), Some(73));
        assert_eq!(sum_of_sent("a\nb\n  lo: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n"), Some(0));
        assert_eq!(sum_of_sent("a\nb\n eth0: 1 1\n"), None);
    }

    #[test]
    fn an_attempt_is_believed_only_with_proof() {
        let silent = || Attempt::Sent("timed out".to_owned());
        assert_eq!(judge("x", 3, &silent, || Some(7)).state, State::Ok, "nothing was sent");
        let count = Cell::new(0);
        let leaking = || Some(count.replace(count.get() + 1));
        assert_eq!(judge("x", 3, &silent, leaking).state, State::Failed, "something was sent each time");
        assert_eq!(judge("x", 3, &silent, || None).state, State::Failed, "nobody can tell");
        assert_eq!(judge("x", 3, &|| Attempt::Answered("a".to_owned()), || Some(7)).state, State::Failed);
        assert_eq!(judge("x", 3, &|| Attempt::Refused("r".to_owned()), || None).state, State::Ok);
        assert_eq!(judge("x", 3, &|| Attempt::Impossible("i".to_owned()), || Some(7)).state, State::Warning);
    }

    #[test]
    fn one_disturbance_is_not_a_hole() {
        let calls = Cell::new(0);
        // Another packet during the first attempt only.
        let once = || {
            calls.set(calls.get() + 1);
            Some(if calls.get() == 1 { 7 } else { 8 })
        };
        assert_eq!(judge("x", 3, &|| Attempt::Sent(String::new()), once).state, State::Ok);
    }

    #[test]
    fn a_listener_that_answers_is_found() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(matches!(tcp(listener.local_addr().unwrap()), Attempt::Answered(_)));
        let echo = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = echo.local_addr().unwrap();
        let answering = std::thread::spawn(move || {
            let (_, from) = echo.recv_from(&mut [0; 512]).unwrap();
            echo.send_to(b"x", from).unwrap();
        });
        assert!(matches!(udp(address, DNS_QUESTION), Attempt::Answered(_)));
        answering.join().unwrap();
    }
}
