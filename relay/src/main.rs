//! `lockstep-relay`: parse the command line, start the shell, return the exit code.

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
