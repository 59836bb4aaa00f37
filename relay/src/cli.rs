//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::Overrides;

/// Mixes and forwards rooms of players that hear each other through the Lockstep plugin.
///
/// Without any argument it opens the room "studio" on UDP port 48064 and prints the invite to paste into the plugin.
/// Exit codes: 0 stopped as asked, 1 could not run, 2 the command line is wrong.
#[derive(Clone, Debug, Parser)]
#[command(name = "lockstep-relay", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// What to do; without it, run.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// How to run.
    #[command(flatten)]
    pub run: RunArgs,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Run the relay (the default).
    Run(RunArgs),
    /// Print a room's invite and exit; makes the key and the room's secret if they are not there yet.
    Invite {
        /// The room's name.
        room: String,
        /// Where and how, as for run.
        #[command(flatten)]
        place: PlaceArgs,
    },
    /// Say what a configuration file would run, or what is wrong with it.
    Check {
        /// The TOML file.
        config: PathBuf,
    },
}

/// Where the relay is and where it keeps its key.
#[derive(Clone, Debug, Default, Args)]
pub struct PlaceArgs {
    /// Folder of the key and the rooms' secrets [default: $STATE_DIRECTORY, $XDG_STATE_HOME/lockstep or
    /// ~/.local/state/lockstep].
    #[arg(long, value_name = "FOLDER")]
    pub state: Option<PathBuf>,
    /// Configuration file (TOML).
    #[arg(long, value_name = "FILE", env = "LOCKSTEP_RELAY_CONFIG")]
    pub config: Option<PathBuf>,
    /// Address and UDP port to listen on; once for IPv4 and once for IPv6 at most [default: all, port 48064].
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Vec<SocketAddr>,
    /// Name or address of this machine as the players reach it; invites carry it [default: this
    /// machine's outward address].
    #[arg(long, value_name = "HOST")]
    pub public_host: Option<String>,
}

/// How to run.
#[derive(Clone, Debug, Default, Args)]
pub struct RunArgs {
    /// Where.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// A room to open, instead of the file's; may be given several times [default: studio].
    #[arg(long, value_name = "NAME")]
    pub room: Vec<String>,
    /// Members at a time, in each room, 1 to 100 [default: 50].
    #[arg(long, value_name = "N")]
    pub members_max: Option<usize>,
    /// How much to log: error, warn, info, debug or trace.
    #[arg(long, value_name = "LEVEL", default_value = "info", env = "LOCKSTEP_RELAY_LOG")]
    pub log: String,
    /// How to write the log, which goes to standard error.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub log_format: LogFormat,
    /// Write counters to this file as JSON, every second and at the end.
    #[arg(long, value_name = "FILE")]
    pub stats_json: Option<PathBuf>,
}

/// How to write the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For programs: one JSON object a line.
    Json,
}

impl RunArgs {
    /// What comes before the configuration file.
    #[must_use]
    pub fn overrides(&self) -> Overrides {
        Overrides {
            listen: self.place.listen.clone(),
            public_host: self.place.public_host.clone(),
            state: self.place.state.clone(),
            rooms: self.room.clone(),
            members_max: self.members_max,
        }
    }
}
