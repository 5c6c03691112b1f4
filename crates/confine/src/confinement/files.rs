//! No files and no network, by Landlock (landlock(7)).

use super::Landlock;
use landlock::{ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr, RulesetError, RulesetStatus, Scope};
use std::fs;

/// The newest set of rights that we ask for: files, devices, TCP ports, signals and abstract sockets outside.
const NEWEST: ABI = ABI::V6;

/// Forbids this thread, and those it starts, every file and port. Threads that are there already are not
/// covered, so with them it is [`Landlock::Partial`] at best.
pub(super) fn forbid() -> Landlock {
    let alone = fs::read_dir("/proc/self/task").is_ok_and(|threads| threads.count() == 1);
    match restrict() {
        Ok(RulesetStatus::FullyEnforced) if alone => Landlock::Full,
        Ok(RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced) => Landlock::Partial,
        Ok(RulesetStatus::NotEnforced) | Err(_) => Landlock::None,
    }
}

/// A rule set without a single exception, as far as this kernel knows the rights.
fn restrict() -> Result<RulesetStatus, RulesetError> {
    let rules = Ruleset::default()
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?;
    Ok(rules.restrict_self()?.ruleset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind;
    use std::net::{TcpListener, TcpStream};

    /// It holds for one thread, so the other tests of this process are not concerned.
    #[test]
    fn a_thread_without_files_and_ports() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new");
        let tries = std::thread::spawn(move || {
            let held = forbid();
            let tries = [
                fs::File::open("/etc/passwd").map(drop),
                fs::read_dir("/").map(drop),
                fs::write(path, "x"),
                TcpStream::connect(address).map(drop),
                TcpListener::bind("127.0.0.1:0").map(drop),
            ];
            (held, tries.map(|tried| tried.map_err(|error| error.kind())))
        });
        let (held, tries) = tries.join().unwrap();
        // Where the kernel lacks it, seccomp alone has to hold, and its test says so.
        let denied = Err(ErrorKind::PermissionDenied);
        match held {
            Landlock::None => assert_eq!(tries, [Ok(()); 5]),
            Landlock::Partial | Landlock::Full => assert_eq!(tries[..3], [denied; 3]),
        }
        if held == Landlock::Full {
            assert_eq!(tries, [denied; 5]);
        }
        assert!(!folder.path().join("new").exists() || held == Landlock::None);
    }
}
