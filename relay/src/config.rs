//! What the admin asked for, from three places: command line (or environment), configuration file, defaults.
//!
//! Everything here is pure: [`FileConfig::parse`] takes the file's text, [`Config::resolve`] lays the command line
//! over it, and every mistake is one sentence that names the place, the key, and what to write instead.
//!
//! ```
//! use lockstep_relay::config::{Config, FileConfig, Overrides};
//!
//! let file = FileConfig::parse("relay.toml", "public_host = \"play.example.org\"\n[[room]]\nname = \"trio\"\n")?;
//! let config = Config::resolve(Some(file), Overrides::default())?;
//! assert_eq!(config.rooms[0].name, "trio");
//! assert_eq!(config.rooms[0].members_max, 50);
//! # Ok::<(), lockstep_relay::config::ConfigError>(())
//! ```

mod error;
mod file;
mod log;
pub mod midi;
mod value;

pub use error::{ConfigError, Place, Problem};
pub use file::{FileConfig, FileLog, FileRoom};
pub use log::{LogFormat, LogLevel, UnknownWord};
pub use midi::MidiConfig;

use core::net::SocketAddr;
use std::path::PathBuf;

use lockstep_shared::session::DEFAULT_PORT;
use midi::MIDI_PORT_DEFAULT;

/// The room that is opened when nobody names one.
pub const ROOM_DEFAULT: &str = "studio";
/// Members of a room for which nothing else is said.
pub const MEMBERS_MAX_DEFAULT: usize = 50;
/// The largest `members_max`: the roster of so many still fits into one document.
pub const MEMBERS_MAX_LIMIT: usize = 100;

/// All that the relay runs with, each value checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The folder of the key and the rooms' secrets; `None` lets the shell choose.
    pub state: Option<PathBuf>,
    /// Where to listen.
    pub listen: Listen,
    /// The host that invites name; `None` lets the shell choose. IPv6 without its brackets.
    pub public_host: Option<String>,
    /// The rooms, in the order they were named; never empty, no name twice.
    pub rooms: Vec<RoomConfig>,
    /// Whether there are ports at ALSA's sequencer, where there is one.
    pub sequencer: bool,
    /// The rules that connect its ports.
    pub rules: Option<PathBuf>,
    /// How to log.
    pub log: LogConfig,
    /// Where to write figures every second, if anywhere.
    pub stats_json: Option<PathBuf>,
}

/// One room.
#[derive(Clone, Debug, PartialEq)]
pub struct RoomConfig {
    /// Its name, as in its invite.
    pub name: String,
    /// Members at a time.
    pub members_max: usize,
    /// Its MIDI.
    pub midi: MidiConfig,
}

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// Every address of this machine, IPv6 and IPv4, whichever it has, on one UDP port.
    Everywhere {
        /// The port.
        port: u16,
    },
    /// These addresses; never empty.
    Only(Vec<SocketAddr>),
}

/// How to log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// In what form.
    pub format: LogFormat,
    /// What to leave out.
    pub level: LogLevel,
}

/// What the command line or the environment says; it overrides the file, value by value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--state`.
    pub state: Option<PathBuf>,
    /// `--listen`, instead of the file's list when not empty.
    pub listen: Vec<String>,
    /// `--room`: open these instead of the file's rooms; one that the file knows keeps what the file says of it.
    pub rooms: Vec<String>,
    /// `--members-max`, for every room.
    pub members_max: Option<usize>,
    /// `--midi-port`, of the first room; 0 for none.
    pub midi_port: Option<u16>,
    /// `--public-host`.
    pub public_host: Option<String>,
    /// `--log-format`.
    pub log_format: Option<LogFormat>,
    /// `--log`.
    pub log_level: Option<LogLevel>,
    /// `--stats-json`.
    pub stats_json: Option<PathBuf>,
}

impl Config {
    /// Lays `over` on `file` on the defaults, and checks every value.
    ///
    /// # Errors
    /// The first value that cannot be used.
    pub fn resolve(file: Option<FileConfig>, over: Overrides) -> Result<Self, ConfigError> {
        let file = file.unwrap_or_default();
        Ok(Self {
            state: over.state.or_else(|| file.state.clone()),
            listen: resolve_listen(&file, &over.listen)?,
            public_host: resolve_host(&file, over.public_host)?,
            rooms: resolve_midi(resolve_rooms(&file, &over.rooms, over.members_max)?, &file, over.midi_port)?,
            sequencer: file.midi.sequencer.unwrap_or(true),
            rules: file.midi.rules.clone(),
            log: LogConfig {
                format: over.log_format.or(file.log.format).unwrap_or_default(),
                level: over.log_level.or(file.log.level).unwrap_or_default(),
            },
            stats_json: over.stats_json.or(file.stats_json),
        })
    }
}

fn resolve_listen(file: &FileConfig, over: &[String]) -> Result<Listen, ConfigError> {
    let (place, texts) = if over.is_empty() {
        let Some(texts) = &file.listen else {
            return Ok(Listen::Everywhere { port: DEFAULT_PORT });
        };
        (file.place(), texts.as_slice())
    } else {
        (Place::CommandLine, over)
    };
    let addresses = texts
        .iter()
        .map(|text| value::listen_address(text))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|problem| place.error(problem))?;
    if addresses.is_empty() { Err(place.error(Problem::ListenEmpty)) } else { Ok(Listen::Only(addresses)) }
}

fn resolve_host(file: &FileConfig, over: Option<String>) -> Result<Option<String>, ConfigError> {
    let (place, host) = match (over, &file.public_host) {
        (Some(host), _) => (Place::CommandLine, host),
        (None, Some(host)) => (file.place(), host.clone()),
        (None, None) => return Ok(None),
    };
    value::host(&host).map(Some).map_err(|problem| place.error(problem))
}

fn resolve_rooms(
    file: &FileConfig,
    over: &[String],
    members_max: Option<usize>,
) -> Result<Vec<RoomConfig>, ConfigError> {
    let mut rooms = Vec::new();
    let place = file.place();
    for room in &file.rooms {
        value::room_name(&room.name, &rooms).map_err(|problem| place.error(problem))?;
        let members_max = room.members_max.or(file.members_max).unwrap_or(MEMBERS_MAX_DEFAULT);
        rooms.push(RoomConfig::new(&room.name, members_max));
    }
    let members_max_file = file.members_max.unwrap_or(MEMBERS_MAX_DEFAULT);
    for members_max in rooms.iter().map(|room| room.members_max).chain([members_max_file]) {
        value::members_max(members_max).map_err(|problem| place.error(problem))?;
    }
    if !over.is_empty() {
        let known = core::mem::take(&mut rooms);
        for name in over {
            value::room_name(name, &rooms).map_err(|problem| Place::CommandLine.error(problem))?;
            let in_file = known.iter().find(|room| room.name == *name);
            let members_max = in_file.map_or(members_max_file, |room| room.members_max);
            rooms.push(RoomConfig::new(name, members_max));
        }
    }
    if rooms.is_empty() {
        rooms.push(RoomConfig::new(ROOM_DEFAULT, members_max_file));
    }
    if let Some(members_max) = members_max {
        value::members_max(members_max).map_err(|problem| Place::CommandLine.error(problem))?;
        for room in &mut rooms {
            room.members_max = members_max;
        }
    }
    Ok(rooms)
}

/// Gives each room its MIDI: its turn among the ports, and what the file says of it.
fn resolve_midi(
    rooms: Vec<RoomConfig>,
    file: &FileConfig,
    over: Option<u16>,
) -> Result<Vec<RoomConfig>, ConfigError> {
    let (place, first) = match over {
        Some(port) => (Place::CommandLine, port),
        None => (file.place(), file.midi.port.unwrap_or(MIDI_PORT_DEFAULT)),
    };
    let first = midi::session_port(first).map_err(|problem| place.error(problem))?;
    let mut resolved: Vec<RoomConfig> = Vec::new();
    for (number, room) in (0..).zip(rooms) {
        let turn = first.and_then(|first| first.checked_add(2 * number)).filter(|port| *port < u16::MAX);
        let usual = MidiConfig::usual(&room.name, turn);
        let in_file = file.rooms.iter().find(|known| known.name == room.name);
        let mut midi = match in_file {
            Some(known) => usual.resolve(&known.midi, &file.place())?,
            None => usual,
        };
        if over == Some(0) {
            midi.port = None;
        }
        let is_near = |other: &&RoomConfig| match (other.midi.port, midi.port) {
            (Some(other), Some(port)) => other.abs_diff(port) < 2,
            (None, _) | (_, None) => false,
        };
        if let Some(other) = resolved.iter().find(is_near) {
            return Err(place.error(Problem::MidiPortTwice(other.name.clone(), room.name)));
        }
        resolved.push(RoomConfig { midi, ..room });
    }
    Ok(resolved)
}

impl RoomConfig {
    fn new(name: &str, members_max: usize) -> Self {
        Self { name: name.to_owned(), members_max, midi: MidiConfig::usual(name, None) }
    }
}

#[cfg(test)]
mod tests;
