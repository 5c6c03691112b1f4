//! The models that the developer commands use: the list, the folder they are kept in, and how they get there.

mod assemble;
mod e5s1;
pub mod fetch;
mod folder;
mod half;
mod lock;
mod package_client;

pub use assemble::remove;
pub use folder::{ModelsFolder, cache_folder};
