//! The command line.

mod report;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};
use thiserror::Error;

use crate::config::{Config, ConfigError, Listen, LogFormat, LogLevel, Overrides, RoomConfig};
use crate::relay::command::{Answer, Command as Wish};
use crate::shell::control::{self, ControlError, PortsCommand, Request};
use crate::shell::host::invite_host;
use crate::shell::state::State;
use crate::shell::{self, ShellError};

const AFTER_HELP: &str = "\
Every flag may be given in the environment as LOCKSTEP_RELAY_NAME, as in LOCKSTEP_RELAY_PUBLIC_HOST. \
Flags come before the environment, the environment before the file, the file before the defaults.

The state folder is --state, else $STATE_DIRECTORY, else $XDG_STATE_HOME/lockstep, else ~/.local/state/lockstep. \
It holds the relay's key and the rooms' secrets; back it up, for the invites depend on it.

Exit codes: 0 stopped as asked; 1 failed while running; 2 wrong command line or configuration; \
3 unusable state folder; 4 cannot listen; 130 stopped at once by a second signal.

Examples:
  lockstep-relay                                     open the room `studio`
  lockstep-relay --public-host play.example.org --room trio --room duo
  lockstep-relay check relay.toml                    say what that configuration would run
  lockstep-relay --config relay.toml invite trio     print one invite again";

/// Mixes and forwards rooms of players. Prints one invite for each room on standard output and logs to standard
/// error. Stops on SIGINT and SIGTERM after telling the members.
#[derive(Debug, Parser)]
#[command(name = "lockstep-relay", version, after_help = AFTER_HELP)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    flags: Flags,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the relay (what happens without a command too)
    Run,
    /// Print the invite of one room
    Invite {
        /// The room's name
        room: String,
    },
    /// Tell who is in each room by RTP-MIDI, and how their links do
    Status {
        /// As JSON, for programs
        #[arg(long)]
        json: bool,
    },
    /// Show MIDI as it passes in a room, until interrupted
    Monitor {
        /// The room's name
        room: String,
    },
    /// Silence everything that may still sound in a room
    Panic {
        /// The room's name
        room: String,
        /// Only what this participant plays
        participant: Option<String>,
    },
    /// Shift the MIDI clock of one participant, until the relay ends
    ClockOffset {
        /// The room's name
        room: String,
        /// Its name, as `status` shows it, or `sequencer` for the port there
        participant: String,
        /// Milliseconds later than the beat; below zero earlier
        #[arg(allow_negative_numbers = true)]
        milliseconds: f64,
    },
    /// Let in an RTP-MIDI participant that asks
    Admit {
        /// The room's name
        room: String,
        /// Its name or address, as `status` shows it
        participant: String,
    },
    /// Send away an RTP-MIDI participant that asks, or is in
    Refuse {
        /// The room's name
        room: String,
        /// Its name or address, as `status` shows it
        participant: String,
    },
    /// Print the sequencer's live connections as rules
    Patch,
    /// Read the rules of the sequencer's ports anew (SIGHUP does too)
    Reload,
    /// Check a configuration file and say what it would run
    Check {
        /// The file to check
        #[arg(value_name = "CONFIG")]
        file: PathBuf,
    },
}

#[derive(Debug, Args)]
struct Flags {
    /// Folder of the relay's key and the rooms' secrets
    #[arg(long, global = true, value_name = "FOLDER", env = "LOCKSTEP_RELAY_STATE", hide_env = true)]
    state: Option<PathBuf>,
    /// Configuration file (TOML)
    #[arg(long, global = true, value_name = "FILE", env = "LOCKSTEP_RELAY_CONFIG", hide_env = true)]
    config: Option<PathBuf>,
    /// UDP address to listen on; may be repeated [default: every address, port 48064]
    #[arg(
        long,
        global = true,
        value_name = "ADDR:PORT",
        env = "LOCKSTEP_RELAY_LISTEN",
        hide_env = true,
        value_delimiter = ','
    )]
    listen: Vec<String>,
    /// Room to open, instead of those in the file; may be repeated [default: studio]
    #[arg(
        long = "room",
        global = true,
        value_name = "NAME",
        env = "LOCKSTEP_RELAY_ROOM",
        hide_env = true,
        value_delimiter = ','
    )]
    rooms: Vec<String>,
    /// Members at a time, of every room, 1 to 100 [default: 50]
    #[arg(long, global = true, value_name = "N", env = "LOCKSTEP_RELAY_MEMBERS_MAX", hide_env = true)]
    members_max: Option<usize>,
    /// UDP port of the first room's RTP-MIDI session; data is one more, the next room two more; 0 for none [default: 5004]
    #[arg(long, global = true, value_name = "PORT", env = "LOCKSTEP_RELAY_MIDI_PORT", hide_env = true)]
    midi_port: Option<u16>,
    /// Host name or address in invites [default: this machine's]
    #[arg(long, global = true, value_name = "HOST", env = "LOCKSTEP_RELAY_PUBLIC_HOST", hide_env = true)]
    public_host: Option<String>,
    /// Form of the log: text, json [default: text]
    #[arg(long, global = true, value_name = "FORMAT", env = "LOCKSTEP_RELAY_LOG_FORMAT", hide_env = true)]
    log_format: Option<LogFormat>,
    /// Least important lines to log: error, warn, info, debug, trace [default: info]
    #[arg(long = "log", global = true, value_name = "LEVEL", env = "LOCKSTEP_RELAY_LOG", hide_env = true)]
    log_level: Option<LogLevel>,
    /// File to write figures to, every second and at the end
    #[arg(long, global = true, value_name = "FILE", env = "LOCKSTEP_RELAY_STATS_JSON", hide_env = true)]
    stats_json: Option<PathBuf>,
}

/// Why the command failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CommandError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The start or the running.
    #[error(transparent)]
    Shell(#[from] ShellError),
    /// The running relay.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// Nobody reads what was asked for.
    #[error("cannot write to standard output: {0}")]
    Output(#[from] std::io::Error),
}

/// Does what the command line says; clap itself answers `--help` and refuses what it does not know with code 2.
///
/// # Errors
/// What to tell the admin, and which code to end with ([`CommandError::exit_code`]).
pub fn main() -> Result<(), CommandError> {
    let line = CommandLine::parse();
    match line.command {
        None | Some(Command::Run) => run(line.flags),
        Some(Command::Invite { room }) => invite(line.flags, &room),
        Some(Command::Status { json: false }) => ask(line.flags, &Request::Relay(Wish::Status)),
        Some(Command::Status { json: true }) => ask_json(line.flags, &Request::Relay(Wish::Status)),
        Some(Command::Monitor { room }) => ask(line.flags, &Request::Relay(Wish::Monitor { room })),
        Some(Command::Panic { room, participant }) => {
            ask(line.flags, &Request::Relay(Wish::Panic { room, participant }))
        }
        Some(Command::ClockOffset { room, participant, milliseconds }) => {
            ask(line.flags, &Request::Relay(Wish::ClockOffset { room, participant, milliseconds }))
        }
        Some(Command::Admit { room, participant }) => {
            ask(line.flags, &Request::Relay(Wish::Admit { room, participant }))
        }
        Some(Command::Refuse { room, participant }) => {
            ask(line.flags, &Request::Relay(Wish::Refuse { room, participant }))
        }
        Some(Command::Patch) => ask(line.flags, &Request::Ports(PortsCommand::Patch)),
        Some(Command::Reload) => ask(line.flags, &Request::Ports(PortsCommand::Reload)),
        Some(Command::Check { file }) => check(line.flags, file),
    }
}

impl CommandError {
    /// As documented in the help.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_)
            | Self::Shell(ShellError::NoRoom { .. } | ShellError::NoPort | ShellError::Rules(_)) => 2,
            Self::Shell(ShellError::State(_)) => 3,
            Self::Shell(ShellError::Listen(_)) => 4,
            Self::Shell(ShellError::System { .. } | ShellError::MediaThread)
            | Self::Control(_)
            | Self::Output(_) => 1,
        }
    }
}

fn run(flags: Flags) -> Result<(), CommandError> {
    let config = resolve(flags)?;
    Ok(shell::run(&config, &mut std::io::stdout())?)
}

fn invite(flags: Flags, room: &str) -> Result<(), CommandError> {
    let invite = shell::invite(&resolve(flags)?, room)?;
    Ok(writeln!(std::io::stdout(), "{invite}")?)
}

/// Asks the relay that runs with the same state folder, and prints what it says.
fn ask(flags: Flags, request: &Request) -> Result<(), CommandError> {
    let config = resolve(flags)?;
    let state = State::locate(config.state.as_deref()).map_err(ShellError::from)?;
    let mut output = std::io::stdout();
    Ok(control::ask(state.folder(), request, |answer| match answer {
        Answer::Done | Answer::Refused(_) => Ok(()),
        Answer::Text(text) => writeln!(output, "{text}"),
        Answer::Status(rooms) => output.write_all(report::text(&rooms).as_bytes()),
    })?)
}

/// The same, with the answer as it comes.
fn ask_json(flags: Flags, request: &Request) -> Result<(), CommandError> {
    let config = resolve(flags)?;
    let state = State::locate(config.state.as_deref()).map_err(ShellError::from)?;
    let mut output = std::io::stdout();
    Ok(control::ask(state.folder(), request, |answer| {
        serde_json::to_writer_pretty(&mut output, &answer)?;
        writeln!(output)
    })?)
}

fn check(flags: Flags, file: PathBuf) -> Result<(), CommandError> {
    let name = file.display().to_string();
    let config = resolve(Flags { config: Some(file), ..flags })?;
    let state = State::locate(config.state.as_deref()).map_err(ShellError::from)?;
    Ok(std::io::stdout().write_all(summary(&name, &config, &state).as_bytes())?)
}

fn summary(name: &str, config: &Config, state: &State) -> String {
    let listen = match &config.listen {
        Listen::Everywhere { port } => format!("UDP port {port} on every address, IPv6 and IPv4"),
        Listen::Only(addresses) => {
            let addresses: Vec<_> = addresses.iter().map(|address| format!("UDP {address}")).collect();
            addresses.join(", ")
        }
    };
    let room = |room: &RoomConfig| format!("{} (at most {} members)", room.name, room.members_max);
    let rooms: Vec<_> = config.rooms.iter().map(room).collect();
    let stats = config.stats_json.as_deref().map_or_else(|| "nowhere".into(), Path::to_string_lossy);
    format!(
        "{name} is good. The relay would run with\n  state folder  {}\n  listen        {listen}\n  \
         invites name  {}\n  rooms         {}\n  log           {}, {}\n  figures       {stats}\n",
        state.folder().display(),
        invite_host(config).host,
        rooms.join(", "),
        config.log.level,
        config.log.format,
    )
}

fn resolve(flags: Flags) -> Result<Config, ConfigError> {
    let file = flags.config.as_deref().map(shell::configuration::read).transpose()?;
    let over = Overrides {
        state: flags.state,
        listen: flags.listen,
        rooms: flags.rooms,
        members_max: flags.members_max,
        midi_port: flags.midi_port,
        public_host: flags.public_host,
        log_format: flags.log_format,
        log_level: flags.log_level,
        stats_json: flags.stats_json,
    };
    Config::resolve(file, over)
}
