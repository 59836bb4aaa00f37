//! `lockstep-relay`: parse the command line, start the shell, return the exit code.
fn main() {}
