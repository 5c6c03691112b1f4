//! Reading documents, and drawing their pages, in a process that can do nothing else.
//!
//! Files come from strangers, and the parsers of their formats are large. So they run in worker processes without
//! files, network, other processes or new code, within limits on memory, time and output. A crash, a loop or a bomb
//! costs one file, with a reason that a person understands, and the pool goes on.
//!
//! Both sides are here: [`serve_reader`] is what a worker process runs, [`Pool`] what the server asks. They speak the
//! protocol of `protocol.rs` over the worker's standard input and output. The server believes nothing that a
//! worker says: what goes beyond a limit or cannot be followed ends the worker.

mod confinement;
mod documents;
mod exchange;
mod failure;
mod picture;
mod pool;
mod process;
mod protocol;
mod receiver;
mod settings;
mod usage;
mod worker;

pub use confinement::{Confinement, Landlock};
pub use documents::Documents;
pub use failure::{ReadFailure, Refusal, RefusalKind};
pub use pool::{Pool, Reading, Source};
pub use protocol::Progress;
pub use receiver::{Dropped, Receiver, ReceiverError};
pub use render::{Order, PagePicture, RenderError};
pub use settings::{Allowance, Settings};
pub use worker::{Outlet, Reader, serve_reader};
