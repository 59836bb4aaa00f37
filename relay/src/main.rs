//! `lockstep-relay`: does what the command line says and returns the exit code.

use std::io::Write as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    match lockstep_relay::cli::main() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The log may not be running: standard error is where an admin looks.
            let _ = writeln!(std::io::stderr(), "lockstep-relay: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}
