//! The models that the developer commands use: the list, the folder they are kept in, and how they get there.

mod assemble;
pub mod fetch;
mod folder;
mod lock;
mod package_client;

pub use assemble::remove;
pub use folder::{ModelsFolder, cache_folder};
