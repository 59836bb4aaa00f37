//! `lockstep-rtsan`: the plugin's audio callback under the RealtimeSanitizer.
//!
//! The plugin is linked into this process, so that the sanitizer sees all of its calls into the C library: memory,
//! locks that wait, files, sockets, sleeping. rustc ships the sanitizer's runtime; to build and run it:
//!
//! ```sh
//! export RTSAN_ENABLE=1
//! export RTSAN_LIB_PATH=$(rustc --print sysroot)/lib/rustlib/x86_64-unknown-linux-gnu/lib/librustc-stable_rt.rtsan.a
//! cargo run -p lockstep-hosts --features rtsan --bin lockstep-rtsan -- --blocks 10000
//! ```
//!
//! The run is made in a child process whose reports are read and counted. Before it, a child that allocates on
//! purpose must be caught, or the sanitizer is not there and the run proves nothing. With `LOCKSTEP_INVITE` set, the
//! plugin joins that room and the blocks come in real time, so that members can join and leave meanwhile.
//!
//! Exits with 0 if there was no report after the first block, and prints `rtsan reports: 0`.

mod drive;

use std::io::{self, Write};
use std::process::{Command, ExitCode, Output};

use anyhow::{Context, Result, ensure};
use clap::{Parser, ValueEnum};

/// Runs the plugin's audio callback under the RealtimeSanitizer.
#[derive(Debug, Parser)]
#[command(name = "lockstep-rtsan", version)]
struct Arguments {
    /// Blocks to process
    #[arg(long, default_value_t = 10_000)]
    blocks: u32,
    /// What this process is: the one that counts, or one of its children
    #[arg(long, value_enum, default_value = "count", hide = true)]
    role: Role,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Role {
    /// Starts the children and counts what they report.
    Count,
    /// Drives the plugin.
    Drive,
    /// Allocates where it must not.
    Offend,
}

/// What every report begins with.
const REPORT_MARK: &str = "ERROR: RealtimeSanitizer";

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    match arguments.role {
        Role::Count => count(arguments.blocks),
        Role::Drive => drive::drive(arguments.blocks).map(|()| ExitCode::SUCCESS),
        Role::Offend => {
            drive::offend();
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn count(blocks: u32) -> Result<ExitCode> {
    let offender = child(Role::Offend, blocks)?;
    ensure!(
        reports(&offender) > 0,
        "the sanitizer did not see an allocation made on purpose: build with RTSAN_ENABLE=1 and RTSAN_LIB_PATH set"
    );
    let driver = child(Role::Drive, blocks)?;
    io::stderr().write_all(&driver.stderr)?;
    io::stdout().write_all(&driver.stdout)?;
    let reports = reports(&driver);
    writeln!(io::stdout(), "rtsan reports: {reports}")?;
    let clean = reports == 0 && driver.status.success();
    if !driver.status.success() {
        writeln!(io::stderr(), "the run ended with {}", driver.status)?;
    }
    Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs this program again in another role, with the sanitizer told to go on after a report.
fn child(role: Role, blocks: u32) -> Result<Output> {
    let role = role.to_possible_value().context("every role has a name")?;
    Command::new(std::env::current_exe()?)
        .args(["--role", role.get_name(), "--blocks", &blocks.to_string()])
        .env("RTSAN_OPTIONS", "halt_on_error=false")
        .output()
        .context("cannot start this program again")
}

fn reports(output: &Output) -> usize {
    String::from_utf8_lossy(&output.stderr).matches(REPORT_MARK).count()
}
