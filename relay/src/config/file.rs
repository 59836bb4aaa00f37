//! The configuration file: TOML, every key optional, unknown keys refused.

use std::path::PathBuf;

use serde::Deserialize;

use super::midi::{FileMidi, FileRoomMidi};
use super::{ConfigError, LogFormat, LogLevel, Place, Problem};

/// What the file says.
///
/// ```toml
/// state = "/var/lib/lockstep"         # the key and the rooms' secrets
/// listen = ["[::]:48064"]             # default: every address, port 48064
/// public_host = "play.example.org"    # the host in invites
/// members_max = 50                    # of a room that names no number of its own
/// stats_json = "/run/lockstep/stats.json"
///
/// [log]
/// level = "info"                      # error, warn, info, debug, trace
/// format = "text"                     # text, json
///
/// [midi]                              # more in `config/midi.rs`
/// port = 5004
///
/// [[room]]
/// name = "studio"
/// members_max = 8
/// ```
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileConfig {
    /// The state folder.
    pub state: Option<PathBuf>,
    /// Where to listen, each ADDRESS:PORT.
    pub listen: Option<Vec<String>>,
    /// The host in invites.
    pub public_host: Option<String>,
    /// Members of a room that names no number of its own.
    pub members_max: Option<usize>,
    /// Where to write figures every second.
    pub stats_json: Option<PathBuf>,
    /// MIDI of all rooms.
    #[serde(default)]
    pub midi: FileMidi,
    /// How to log.
    #[serde(default)]
    pub log: FileLog,
    /// The rooms.
    #[serde(default, rename = "room")]
    pub rooms: Vec<FileRoom>,
    /// The file's name, for errors.
    #[serde(skip)]
    name: String,
}

/// The file's `[log]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileLog {
    /// In what form.
    pub format: Option<LogFormat>,
    /// What to leave out.
    pub level: Option<LogLevel>,
}

/// One `[[room]]` of the file.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileRoom {
    /// Its name.
    pub name: String,
    /// Members at a time.
    pub members_max: Option<usize>,
    /// Its MIDI.
    #[serde(default)]
    pub midi: FileRoomMidi,
}

impl FileConfig {
    /// Reads the text of the file called `name`.
    ///
    /// # Errors
    /// Text that is not TOML, an unknown key, or a value of the wrong kind.
    pub fn parse(name: &str, text: &str) -> Result<Self, ConfigError> {
        match toml::from_str::<Self>(text) {
            Ok(file) => Ok(Self { name: name.to_owned(), ..file }),
            Err(error) => {
                let start = error.span().map_or(0, |span| span.start).min(text.len());
                let before = text.get(..start).unwrap_or_default();
                let line = before.matches('\n').count();
                let problem = Problem::Syntax {
                    line: line + 1,
                    text: text.lines().nth(line).unwrap_or_default().trim().to_owned(),
                    message: error.message().trim().replace('\n', ", "),
                };
                Err(Place::Document(name.to_owned()).error(problem))
            }
        }
    }

    /// The error of a file called `name` that cannot be read, for `reason`.
    #[must_use]
    pub fn unreadable(name: &str, reason: &str) -> ConfigError {
        Place::Document(name.to_owned()).error(Problem::Unreadable(reason.to_owned()))
    }

    /// Where the values of this file stand.
    pub(super) fn place(&self) -> Place {
        Place::Document(self.name.clone())
    }
}
