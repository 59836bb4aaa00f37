//! What can be wrong with a configuration, in sentences for the person who wrote it.

use core::fmt;

use thiserror::Error;

use super::MEMBERS_MAX_LIMIT;

/// One mistake and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{place}: {problem}")]
pub struct ConfigError {
    /// Where it stands.
    pub place: Place,
    /// What it is and what to do.
    pub problem: Problem,
}

/// Where a value came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// A flag or its environment variable.
    #[default]
    CommandLine,
    /// The configuration file of this name.
    Document(String),
}

/// What is wrong with a value and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Problem {
    /// The file cannot be read.
    #[error("cannot read the configuration: {0}; give the path of a readable TOML file, or none at all")]
    Unreadable(String),
    /// The file is not TOML, has a key nobody knows, or a value of the wrong kind.
    #[error("line {line}, `{text}`: {message}")]
    Syntax {
        /// The line, from 1.
        line: usize,
        /// What stands there.
        text: String,
        /// What the parser says, with the keys it knows.
        message: String,
    },
    /// Not a room name.
    #[error("room name {0:?} cannot be used; write 1 to 32 of a-z, 0-9, - and _")]
    RoomName(String),
    /// A room twice.
    #[error("room {0:?} is named twice; keep one of them")]
    RoomTwice(String),
    /// Too few or too many members.
    #[error("members_max is {0}; write a number from 1 to {MEMBERS_MAX_LIMIT}")]
    MembersMax(usize),
    /// Not an address to listen on.
    #[error(
        "listen address {0:?} cannot be used; write ADDRESS:PORT with numbers, as in \"0.0.0.0:48064\" or \
         \"[::]:48064\""
    )]
    ListenAddress(String),
    /// A list of addresses with nothing in it.
    #[error("listen is empty; name at least one ADDRESS:PORT, or leave the key out to listen everywhere")]
    ListenEmpty,
    /// Not a session's name.
    #[error("session name {0:?} cannot be used; write 1 to 63 bytes without control characters")]
    SessionName(String),
    /// No room for the data port above it.
    #[error(
        "MIDI port {0} cannot be used, for data needs the one above; write 1 to 65534, or 0 for no RTP-MIDI"
    )]
    MidiPort(u16),
    /// Two rooms with one port.
    #[error(
        "rooms {0:?} and {1:?} have the same RTP-MIDI ports; each needs two of its own, control and the one above"
    )]
    MidiPortTwice(String, String),
    /// Too early or too late.
    #[error("a clock offset is {0} ms; write a number from -250 to 250")]
    ClockOffset(String),
    /// Neither address, network nor name.
    #[error("list entry {0:?} cannot be used; write an address, a network as in \"10.1.0.0/16\", or a name")]
    Listed(String),
    /// Not a peer.
    #[error("invite entry {0:?} cannot be used; write HOST:PORT, as in \"192.168.1.30:5004\"")]
    Invited(String),
    /// Not a group.
    #[error("multicast group {0} cannot be used; write an address from 224.0.0.0 to 239.255.255.255")]
    MulticastGroup(core::net::Ipv4Addr),
    /// Not a host.
    #[error(
        "public_host {0:?} cannot be used; write a host name or address alone, as in \"play.example.org\" (the \
         port comes from `listen`)"
    )]
    PublicHost(String),
}

impl Place {
    /// This problem, here.
    pub(super) fn error(&self, problem: Problem) -> ConfigError {
        ConfigError { place: self.clone(), problem }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CommandLine => f.write_str("command line or environment"),
            Self::Document(name) => f.write_str(name),
        }
    }
}
