//! The aggregates through their public doors, on databases in temporary folders.

mod acts;
mod answers;
mod directory;
mod documents;
mod jobs;
mod models;
mod scopes;
mod trail;
mod world;
