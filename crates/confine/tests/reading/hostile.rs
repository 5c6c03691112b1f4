//! A reader that does what the file's name says, as one would that a file has taken over. Other files it reads.

use confine::{Documents, Order, Outlet, PagePicture, Progress, Reader, RenderError};
use domain::{Block, BlockKind, Location};
use extract::{Child, ExtractError, Extracted, Format, Limits};
use std::fmt::Display;
use std::hint::black_box;
use std::io::Write;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::{Command, abort, exit};
use std::{fs, io, thread};

pub struct Hostile;

type Answer = Result<(Format, Extracted), ExtractError>;

impl Reader for Hostile {
    fn read(&mut self, name: &str, bytes: Vec<u8>, limits: &Limits, outlet: &mut Outlet<'_>) -> Answer {
        match name {
            "process" => says(std::process::id()),
            "environment" => says(std::env::vars().map(|(name, _)| name).collect::<Vec<_>>().join(" ")),
            "threads" => says(sum_in_threads()),
            "children" => children(outlet, 3, 10),
            "too many children" => children(outlet, limits.entries + 1, 1),
            "too large children" => children(outlet, 2, limits.unpacked_bytes),
            "much text" => Ok((Format::Text, blocks(20_000, "Words that fill a block of text."))),
            "too much text" => Ok((Format::Text, blocks(400_000, "a"))),
            "keep memory" => {
                std::mem::forget(black_box(vec![1_u8; bytes.len().max(300 << 20)]));
                says("kept")
            }
            "print" => {
                let _ = writeln!(io::stdout(), "what a library prints");
                says("printed")
            }
            "loop" => spin(),
            "sleep" => loop {
                thread::park();
            },
            "process, then loop" => {
                outlet.child(Child { name: std::process::id().to_string(), bytes: vec![1] })?;
                outlet.progress(Progress { pictures: 1 });
                spin()
            }
            "abort" => abort(),
            "exit" => exit(0),
            "panic" => panic!("a reader gave up"),
            "allocate" => says(black_box(vec![1_u8; 10 << 30]).len()),
            "allocate bit by bit" => {
                let mut kept = Vec::new();
                loop {
                    kept.push(black_box(vec![1_u8; 100_000]));
                }
            }
            "recurse" => says(recurse(1)),
            "complain" => {
                let line = "x".repeat(10_000);
                (0..10_000).for_each(|_| drop(writeln!(io::stderr(), "{line}")));
                abort()
            }
            "open" => tried(fs::read_to_string("/etc/passwd")),
            "list" => tried(fs::read_dir("/proc/self/fd").map(|entries| entries.count())),
            "write" => tried(fs::write("/tmp/written-by-a-hostile-file", "x").map(|()| "written")),
            "remove" => tried(fs::remove_file("/tmp/none").map(|()| "removed")),
            "connect" => tried(TcpStream::connect("127.0.0.1:9").map(|_| "connected")),
            "listen" => tried(TcpListener::bind("127.0.0.1:0").map(|_| "bound")),
            "send" => tried(UdpSocket::bind("127.0.0.1:0").map(|_| "bound")),
            "fork" => tried(Command::new("/bin/true").spawn().map(|_| "forked")),
            "kill" => tried(
                rustix::process::kill_process(rustix::process::Pid::INIT, rustix::process::Signal::CONT)
                    .map(|()| "killed"),
            ),
            "take more memory" => tried(
                rustix::process::setrlimit(
                    rustix::process::Resource::Core,
                    rustix::process::Rlimit { current: Some(0), maximum: Some(0) },
                )
                .map(|()| "limits set"),
            ),
            _ => Documents::without_recognition().read(name, bytes, limits, outlet),
        }
    }

    fn draw(&mut self, name: &str, bytes: Vec<u8>, order: &Order) -> Result<PagePicture, RenderError> {
        let claimed = |width, height, png| Ok(PagePicture { width, height, png });
        match name {
            "a picture wider than ordered" => claimed(order.width + 1, 10, png_head(order.width + 1, 10)),
            "no picture" => claimed(5, 5, b"<svg onload='alert(1)'/>".to_vec()),
            "a picture of another size" => claimed(5, 5, png_head(50_000, 50_000)),
            _ => Documents::without_recognition().draw(name, bytes, order),
        }
    }
}

fn png_head(width: u32, height: u32) -> Vec<u8> {
    [b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".as_slice(), &width.to_be_bytes(), &height.to_be_bytes()].concat()
}

fn says(what: impl Display) -> Answer {
    Ok((Format::Text, blocks(1, &what.to_string())))
}

/// What was possible is said as text; what was not is the file's fault.
fn tried<T: Display, E: Display>(tried: Result<T, E>) -> Answer {
    match tried {
        Ok(what) => says(what),
        Err(error) => Err(ExtractError::Damaged { reason: format!("not possible: {error}") }),
    }
}

fn blocks(count: usize, text: &str) -> Extracted {
    let block = Block { kind: BlockKind::Paragraph, text: text.to_owned(), location: Location::on_page(Some(1)) };
    Extracted { blocks: vec![block; count], ..Extracted::default() }
}

fn children(outlet: &mut Outlet<'_>, count: usize, size: u64) -> Answer {
    for number in 0..count {
        let bytes = vec![number as u8; usize::try_from(size).unwrap()];
        outlet.child(Child { name: format!("folder/{number}"), bytes })?;
        outlet.progress(Progress { pictures: number as u32 + 1 });
    }
    Ok((Format::Text, Extracted::default()))
}

fn sum_in_threads() -> u64 {
    let most = thread::available_parallelism().map_or(4, |most| most.get() as u64);
    let threads: Vec<_> = (0..most.max(4)).map(|number| thread::spawn(move || black_box(number))).collect();
    threads.into_iter().map(|thread| thread.join().unwrap()).sum::<u64>().min(6)
}

fn spin() -> ! {
    let mut turns = 0_u64;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

fn recurse(depth: u64) -> u64 {
    let place = black_box([depth; 64]);
    if depth == u64::MAX { 0 } else { recurse(depth + 1) + black_box(place)[3] }
}
