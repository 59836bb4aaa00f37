//! A room's MIDI: `[midi]` for all rooms and `[room.midi]` for one.
//!
//! ```toml
//! [midi]
//! port = 5004                   # of the first room, control; data is one more; the next room two more. 0: no RTP-MIDI
//! sequencer = true              # ports at ALSA's sequencer, where there is one
//! rules = "/etc/lockstep/patch.rules"
//!
//! [[room]]
//! name = "studio"
//! [room.midi]
//! port = 5010                   # instead
//! name = "Studio"               # of the session, as others see it; default: the room's
//! who = "approval"              # nobody, list, approval (list, and local networks after approval), anyone
//! list = ["192.168.1.20", "10.1.0.0/16", "Keys"]
//! invite = ["192.168.1.30:5004", "piano.example.org:5004"]
//! clock_offset_ms = -2.5        # later than the beat, or earlier: of everybody's clock
//! clock_offsets_ms = { "Drum machine" = 4.0, "sequencer" = 0.0 } # of one participant's, or the sequencer port's, instead
//! clock_from = "Drum machine"   # this participant's MIDI clock leads the room; "sequencer": that of its sequencer port
//! multicast = true              # QmidiNet and ipMIDI on the local network
//! ```

use std::collections::BTreeMap;

use core::net::{IpAddr, Ipv4Addr};

use lockstep_shared::midi::ClockOffset;
use serde::Deserialize;

use super::{ConfigError, Place, Problem};

/// The control port of the first room: the protocol's usual one.
pub const MIDI_PORT_DEFAULT: u16 = 5_004;
/// The multicast group and the port of its first channel that QmidiNet and ipMIDI use.
pub const MULTICAST_GROUP_DEFAULT: Ipv4Addr = Ipv4Addr::new(225, 0, 0, 37);
/// Its UDP port; the second MIDI port is one more.
pub const MULTICAST_PORT_DEFAULT: u16 = 21_928;
/// The longest name that a session message carries.
const NAME_BYTES_MAX: usize = 63;

/// A room's MIDI, each value checked.
#[derive(Clone, Debug, PartialEq)]
pub struct MidiConfig {
    /// The control port; data is one more. None: no RTP-MIDI.
    pub port: Option<u16>,
    /// The session's name, as others see it.
    pub name: String,
    /// Who may connect.
    pub who: Who,
    /// Who is on the list.
    pub list: Vec<Listed>,
    /// Whom the room invites.
    pub invite: Vec<Invited>,
    /// How much later than the beat its clock leaves.
    pub clock_offset: ClockOffset,
    /// The same for participants of these names, and the sequencer's port.
    pub clock_offsets: BTreeMap<String, ClockOffset>,
    /// Whose clock leads the room.
    pub clock_from: Option<String>,
    /// The multicast gateway, if it is on.
    pub multicast: Option<Multicast>,
}

/// Who may connect by RTP-MIDI, which asks nobody for a password.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Who {
    /// Nobody.
    Nobody,
    /// Who is on the list.
    List,
    /// Who is on the list; who is on a local network after approval; nobody else.
    #[default]
    Approval,
    /// Anyone.
    Anyone,
}

/// An entry of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listed {
    /// Addresses that agree in so many first bits.
    Network(IpAddr, u8),
    /// A name, which anyone can claim.
    Name(String),
}

/// A peer to invite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invited {
    /// Its host name or address.
    pub host: String,
    /// Its control port.
    pub port: u16,
}

/// The multicast gateway of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Multicast {
    /// The group.
    pub group: Ipv4Addr,
    /// The UDP port.
    pub port: u16,
    /// The address of the interface; none lets the system choose.
    pub interface: Option<Ipv4Addr>,
    /// How many networks it may cross.
    pub ttl: u8,
}

/// The file's `[midi]`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileMidi {
    /// The control port of the first room; 0 for none.
    pub port: Option<u16>,
    /// Whether there are ports at ALSA's sequencer.
    pub sequencer: Option<bool>,
    /// The file of the rules that connect its ports.
    pub rules: Option<std::path::PathBuf>,
}

/// The file's `[room.midi]`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileRoomMidi {
    /// The control port; 0 for none.
    pub port: Option<u16>,
    /// The session's name.
    pub name: Option<String>,
    /// Who may connect.
    pub who: Option<Who>,
    /// Addresses, networks and names.
    #[serde(default)]
    pub list: Vec<String>,
    /// HOST:PORT of peers.
    #[serde(default)]
    pub invite: Vec<String>,
    /// Milliseconds.
    pub clock_offset_ms: Option<f64>,
    /// Milliseconds by name.
    #[serde(default)]
    pub clock_offsets_ms: BTreeMap<String, f64>,
    /// A participant's name.
    pub clock_from: Option<String>,
    /// The gateway.
    pub multicast: Option<FileMulticast>,
}

/// `multicast = true`, or a table.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum FileMulticast {
    /// On or off.
    Switch(bool),
    /// On, otherwise than usual.
    Table(FileMulticastTable),
}

/// `multicast = { ... }`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileMulticastTable {
    /// The group.
    pub group: Option<Ipv4Addr>,
    /// The UDP port.
    pub port: Option<u16>,
    /// The address of the interface.
    pub interface: Option<Ipv4Addr>,
    /// How many networks it may cross.
    pub ttl: Option<u8>,
}

impl MidiConfig {
    /// What room `name` does where the file says nothing of it; `port` is its turn.
    #[must_use]
    pub fn usual(name: &str, port: Option<u16>) -> Self {
        Self {
            port,
            name: name.to_owned(),
            who: Who::default(),
            list: Vec::new(),
            invite: Vec::new(),
            clock_offset: ClockOffset::default(),
            clock_offsets: BTreeMap::new(),
            clock_from: None,
            multicast: None,
        }
    }

    /// Lays what the file says of the room over that.
    pub(super) fn resolve(self, file: &FileRoomMidi, place: &Place) -> Result<Self, ConfigError> {
        let fail = |problem: Problem| place.error(problem);
        let name = file.name.clone().unwrap_or(self.name);
        if name.is_empty() || name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
            return Err(fail(Problem::SessionName(name)));
        }
        let port = match file.port {
            Some(port) => session_port(port).map_err(fail)?,
            None => self.port,
        };
        let offsets = file.clock_offsets_ms.iter().map(|(name, ms)| Ok((name.clone(), offset(*ms)?)));
        let clock_offsets = offsets.collect::<Result<_, Problem>>().map_err(fail)?;
        let parse = |texts: &[String]| texts.iter().map(|text| listed(text)).collect::<Result<Vec<_>, _>>();
        let invite = file.invite.iter().map(|text| invited(text)).collect::<Result<Vec<_>, _>>();
        Ok(Self {
            port,
            name,
            who: file.who.unwrap_or(self.who),
            list: parse(&file.list).map_err(fail)?,
            invite: invite.map_err(fail)?,
            clock_offset: offset(file.clock_offset_ms.unwrap_or(0.0)).map_err(fail)?,
            clock_offsets,
            clock_from: file.clock_from.clone(),
            multicast: file.multicast.as_ref().map_or(Ok(None), multicast).map_err(fail)?,
        })
    }
}

/// A control port has its data port one above; 0 is none.
pub(super) fn session_port(port: u16) -> Result<Option<u16>, Problem> {
    match port {
        0 => Ok(None),
        u16::MAX => Err(Problem::MidiPort(port)),
        port => Ok(Some(port)),
    }
}

/// An offset within its range.
pub(crate) fn offset(milliseconds: f64) -> Result<ClockOffset, Problem> {
    if (ClockOffset::MIN.millis()..=ClockOffset::MAX.millis()).contains(&milliseconds) {
        Ok(ClockOffset::from_millis(milliseconds))
    } else {
        Err(Problem::ClockOffset(milliseconds.to_string()))
    }
}

fn listed(text: &str) -> Result<Listed, Problem> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Problem::Listed(text.to_owned()));
    }
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(Listed::Network(address, if address.is_ipv4() { 32 } else { 128 }));
    }
    if let Some((address, bits)) = text.split_once('/')
        && let (Ok(address), Ok(bits)) = (address.parse::<IpAddr>(), bits.parse::<u8>())
    {
        let most = if address.is_ipv4() { 32 } else { 128 };
        return if bits <= most {
            Ok(Listed::Network(address, bits))
        } else {
            Err(Problem::Listed(text.to_owned()))
        };
    }
    Ok(Listed::Name(text.to_owned()))
}

fn invited(text: &str) -> Result<Invited, Problem> {
    let refused = || Problem::Invited(text.to_owned());
    let (host, port) = text.rsplit_once(':').ok_or_else(refused)?;
    let host = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    let port = port.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(refused)?;
    if host.is_empty() {
        return Err(refused());
    }
    Ok(Invited { host: host.to_owned(), port })
}

fn multicast(file: &FileMulticast) -> Result<Option<Multicast>, Problem> {
    let table = match file {
        FileMulticast::Switch(false) => return Ok(None),
        FileMulticast::Switch(true) => &FileMulticastTable::default(),
        FileMulticast::Table(table) => table,
    };
    let group = table.group.unwrap_or(MULTICAST_GROUP_DEFAULT);
    if !group.is_multicast() {
        return Err(Problem::MulticastGroup(group));
    }
    let port = table.port.unwrap_or(MULTICAST_PORT_DEFAULT);
    Ok(Some(Multicast { group, port, interface: table.interface, ttl: table.ttl.unwrap_or(1) }))
}
