//! `cargo xtask NAME`: one file a task.
fn main() {}
