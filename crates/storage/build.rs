//! Migrations are embedded by a macro, which cargo cannot see through: a new file must trigger a build.

fn main() {
    println!("cargo:rerun-if-changed=../../migrations/sqlite");
}
