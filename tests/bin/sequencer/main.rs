//! `lockstep-sequencer`: the relay and the plugin against a kernel's ALSA sequencer, as ALSA's own programs hear them.
//!
//! | subcommand | what is tried |
//! |---|---|
//! | `follower` | the MIDI clock that a following plugin makes |
//! | `ports` | the ports of a room and of its RTP-MIDI participants, which [`outside`] plays on another machine |
//! | `clock` | when the room's clock leaves its port |
//! | `missing` | a relay where there is no sequencer |
//! | `outside` | nothing: it is the participants for `ports` |
//!
//! `cargo xtask test --only sequencer` runs all but the figures of `clock`. It exits with 3 where there is no sequencer to
//! try it with. Needs `aconnect`, `aplaymidi` and `aseqdump` (alsa-utils), and `lockstep-relay` beside itself.

#[cfg(target_os = "linux")]
mod clock;
mod follower;
#[cfg(target_os = "linux")]
mod keyboard;
mod missing;
mod outside;
#[cfg(target_os = "linux")]
mod ports;
mod programs;

use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use lockstep_shared::time::Span;
use lockstep_tests::shell::clock as time;

const NO_SEQUENCER: u8 = 3;

/// Tries the relay and the plugin with ALSA's sequencer.
#[derive(Debug, Parser)]
#[command(name = "lockstep-sequencer")]
enum Cli {
    /// A room in which one member leads and one follows, and what is heard of the follower's MIDI clock
    Follower,
    /// A room's ports, with participants outside
    Ports {
        /// Where `outside` is asked
        #[arg(long, value_name = "ADDR:PORT")]
        outside: SocketAddr,
        /// The control port of the room's RTP-MIDI session
        #[arg(long, value_name = "PORT", default_value_t = 5_004)]
        midi_port: u16,
    },
    /// RTP-MIDI participants that do as they are told over a connection to the address that it prints
    Outside {
        /// The control port of the room
        #[arg(long, value_name = "ADDR:PORT")]
        room: SocketAddr,
    },
    /// The jitter of the clock at a room's port
    Clock {
        /// How long it is listened to
        #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(5..=3_600))]
        seconds: u32,
    },
    /// A relay where there is no sequencer
    Missing,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let has_sequencer = std::path::Path::new("/dev/snd/seq").exists();
    if !has_sequencer && !matches!(cli, Cli::Outside { .. } | Cli::Missing) {
        print("not tried: this machine has no ALSA sequencer (/dev/snd/seq)");
        return ExitCode::from(NO_SEQUENCER);
    }
    match run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print(&format!("lockstep-sequencer: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

#[cfg(target_os = "linux")]
fn run(cli: &Cli) -> Result<()> {
    match cli {
        Cli::Follower => follower::run(),
        Cli::Ports { outside, midi_port } => ports::run(*outside, *midi_port),
        Cli::Outside { room } => outside::serve(*room),
        Cli::Clock { seconds } => clock::run(*seconds),
        Cli::Missing => missing::run(),
    }
}

#[cfg(not(target_os = "linux"))]
fn run(cli: &Cli) -> Result<()> {
    match cli {
        Cli::Outside { room } => outside::serve(*room),
        Cli::Missing => missing::run(),
        Cli::Follower => follower::run(),
        Cli::Ports { .. } | Cli::Clock { .. } => anyhow::bail!("only Linux has ALSA's sequencer"),
    }
}

fn wait(span: Span) {
    time::sleep_until(time::now() + span);
}

#[expect(clippy::print_stdout, reason = "what was heard is what this program is for")]
fn print(line: &str) {
    println!("{line}");
}
