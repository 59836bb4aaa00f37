//! `lockstep-host`: hosts the plugin without a DAW, in real time or for a scan.

mod play;
mod scan;
mod shell;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Hosts the Lockstep plugin without a DAW.
#[derive(Debug, Parser)]
#[command(name = "lockstep-host", version)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Play(play::Arguments),
    Scan(scan::Arguments),
}

fn main() -> Result<()> {
    match CommandLine::parse().command {
        Command::Play(arguments) => play::run(&arguments),
        Command::Scan(arguments) => scan::run(&arguments),
    }
}
