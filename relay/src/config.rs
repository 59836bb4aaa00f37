//! What the admin wrote, and what holds where it is silent.
//!
//! Flags come before the file, the file before the defaults. Everything has a default: a relay without a file and
//! without flags listens on every address and has one room.

use std::net::{Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use lockstep_shared::session::{DEFAULT_PORT, Invite};
use serde::Deserialize;
use thiserror::Error;

/// The room of a relay that was told of none.
pub const DEFAULT_ROOM: &str = "studio";
/// Members of a room that was told of no limit.
pub const DEFAULT_MEMBERS_MAX: usize = 50;
/// The most that a room may be set to: its roster still fits into one document.
pub const MEMBERS_MAX: usize = 100;

/// The file, as it stands. Unknown keys are refused, for they are mistakes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigFile {
    /// Addresses to listen on: one for each of IPv4 and IPv6.
    pub listen: Option<Vec<SocketAddr>>,
    /// The name or address that invites carry.
    pub public_host: Option<String>,
    /// Where the key and the rooms' secrets are kept.
    pub state: Option<PathBuf>,
    /// The rooms.
    #[serde(default, rename = "room")]
    pub rooms: Vec<RoomConfig>,
}

/// One room.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoomConfig {
    /// 1 to 32 of a-z, 0-9, - and _.
    pub name: String,
    /// Members at a time.
    #[serde(default = "default_members_max")]
    pub members_max: usize,
}

const fn default_members_max() -> usize {
    DEFAULT_MEMBERS_MAX
}

/// Everything decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Addresses to listen on. Empty means: every address, by IPv6 with IPv4 where the machine has IPv6.
    pub listen: Vec<SocketAddr>,
    /// The name or address that invites carry, if set.
    pub public_host: Option<String>,
    /// Where the key and the rooms' secrets are kept, if set.
    pub state: Option<PathBuf>,
    /// At least one room.
    pub rooms: Vec<RoomConfig>,
}

/// What flags say; they come before the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// As in the file, if any is given.
    pub listen: Vec<SocketAddr>,
    /// As in the file.
    pub public_host: Option<String>,
    /// As in the file.
    pub state: Option<PathBuf>,
    /// Rooms by name, instead of the file's, if any is given.
    pub rooms: Vec<String>,
    /// Members of the rooms given by name.
    pub members_max: Option<usize>,
}

/// What is wrong with a configuration, in words for the admin.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file is not there or not readable.
    #[error("cannot read {path}: {error}")]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The file is no TOML, or has a key that is not known, or a value of the wrong kind.
    #[error("{path}: {error}")]
    Parse {
        /// Which.
        path: PathBuf,
        /// Where and what.
        error: toml::de::Error,
    },
    /// A room's name.
    #[error("room name {0:?} must be 1 to 32 of a-z, 0-9, - and _")]
    RoomName(String),
    /// Two rooms of one name.
    #[error("room {0:?} is named twice")]
    RoomTwice(String),
    /// A room's limit.
    #[error("room {room:?}: members_max is {members_max}, but must be from 1 to {MEMBERS_MAX}")]
    Members {
        /// Which room.
        room: String,
        /// What it says.
        members_max: usize,
    },
    /// Two addresses of one family.
    #[error("listen on one address of each kind at most, IPv4 and IPv6: {0} and {1} are of the same")]
    SameFamily(SocketAddr, SocketAddr),
}

impl Config {
    /// Decides, and checks.
    pub fn new(file: ConfigFile, overrides: Overrides) -> Result<Self, ConfigError> {
        let members_max = overrides.members_max.unwrap_or(DEFAULT_MEMBERS_MAX);
        let named = overrides.rooms.into_iter().map(|name| RoomConfig { name, members_max });
        let mut rooms: Vec<_> = named.collect();
        if rooms.is_empty() {
            rooms = file.rooms;
            if let Some(members_max) = overrides.members_max {
                rooms.iter_mut().for_each(|room| room.members_max = members_max);
            }
        }
        if rooms.is_empty() {
            rooms.push(RoomConfig { name: DEFAULT_ROOM.into(), members_max });
        }
        let listen =
            if overrides.listen.is_empty() { file.listen.unwrap_or_default() } else { overrides.listen };
        check_rooms(&rooms)?;
        check_listen(&listen)?;
        Ok(Self {
            listen,
            public_host: overrides.public_host.or(file.public_host),
            state: overrides.state.or(file.state),
            rooms,
        })
    }

    /// The addresses to try: the first that can be had of each list.
    #[must_use]
    pub fn listen_or_default(&self) -> Vec<SocketAddr> {
        if self.listen.is_empty() {
            return vec![(Ipv6Addr::UNSPECIFIED, DEFAULT_PORT).into()];
        }
        self.listen.clone()
    }
}

fn check_rooms(rooms: &[RoomConfig]) -> Result<(), ConfigError> {
    for (number, room) in rooms.iter().enumerate() {
        if !Invite::is_room_name(&room.name) {
            return Err(ConfigError::RoomName(room.name.clone()));
        }
        if rooms[..number].iter().any(|other| other.name == room.name) {
            return Err(ConfigError::RoomTwice(room.name.clone()));
        }
        if !(1..=MEMBERS_MAX).contains(&room.members_max) {
            return Err(ConfigError::Members { room: room.name.clone(), members_max: room.members_max });
        }
    }
    Ok(())
}

fn check_listen(listen: &[SocketAddr]) -> Result<(), ConfigError> {
    for (number, address) in listen.iter().enumerate() {
        if let Some(other) = listen[..number].iter().find(|other| other.is_ipv4() == address.is_ipv4()) {
            return Err(ConfigError::SameFamily(*other, *address));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<ConfigFile, toml::de::Error> {
        toml::from_str(text)
    }

    #[test]
    fn silence_means_one_room_on_every_address() {
        let config = Config::new(ConfigFile::default(), Overrides::default()).unwrap();
        assert_eq!(config.rooms, [RoomConfig { name: "studio".into(), members_max: DEFAULT_MEMBERS_MAX }]);
        assert_eq!(config.listen_or_default(), ["[::]:48064".parse().unwrap()]);
    }

    #[test]
    fn the_whole_file_is_read_and_flags_come_before_it() {
        let file = parse(
            "listen = ['0.0.0.0:5000', '[::1]:5000']\npublic_host = 'relay.example'\nstate = '/var/lib/lockstep'\n\
             [[room]]\nname = 'jazz'\nmembers_max = 8\n[[room]]\nname = 'rock'\n",
        )
        .unwrap();
        let config = Config::new(file.clone(), Overrides::default()).unwrap();
        assert_eq!(config.rooms.len(), 2);
        assert_eq!(config.public_host.as_deref(), Some("relay.example"));
        let overrides = Overrides {
            listen: vec!["127.0.0.1:9".parse().unwrap()],
            rooms: vec!["pop".into()],
            ..Overrides::default()
        };
        let config = Config::new(file, overrides).unwrap();
        assert_eq!(config.listen, ["127.0.0.1:9".parse().unwrap()]);
        assert_eq!(config.rooms[0].name, "pop");
    }

    #[test]
    fn each_mistake_is_named() {
        assert!(parse("port = 3").unwrap_err().to_string().contains("port"));
        assert!(
            parse("[[room]]\nname = 'a'\nmember_max = 3").unwrap_err().to_string().contains("member_max")
        );
        for (text, part) in [
            ("[[room]]\nname = 'No Spaces'", "No Spaces"),
            ("[[room]]\nname = 'a'\n[[room]]\nname = 'a'", "twice"),
            ("[[room]]\nname = 'a'\nmembers_max = 0", "members_max is 0"),
            ("[[room]]\nname = 'a'\nmembers_max = 101", "from 1 to 100"),
            ("listen = ['0.0.0.0:1', '127.0.0.1:2']", "of each kind"),
        ] {
            let error = Config::new(parse(text).unwrap(), Overrides::default()).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
