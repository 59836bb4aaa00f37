//! The sockets of the rooms' MIDI: two a room for RTP-MIDI, control and data, and one for the multicast gateway.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::io;
use std::net::{ToSocketAddrs as _, UdpSocket};
use std::sync::mpsc::sync_channel;

use lockstep_shared::rtpmidi::name::Name;
use lockstep_shared::rtpmidi::session::{Entry, Network, Policy, Port};
use socket2::{Domain, Protocol, Type};
use tracing::{info, warn};

use super::control::{Asked, Asker, Request};
use super::udp::{self, Udp};
use crate::bridge::BridgeSettings;
use crate::config::midi::{Invited, Listed, MidiConfig, Multicast, Who};
use crate::config::{Listen, RoomConfig};
use crate::relay::command::Command;

/// How long until a host that was not found is asked for again.
const ASK_AGAIN: core::time::Duration = core::time::Duration::from_secs(30);

/// The sockets of all rooms.
#[derive(Debug)]
pub struct MidiSockets {
    rooms: Vec<RoomSockets>,
}

#[derive(Debug, Default)]
struct RoomSockets {
    session: Option<[Udp; 2]>,
    gateway: Option<GatewaySocket>,
}

/// The socket of a multicast gateway.
#[derive(Debug)]
pub struct GatewaySocket {
    socket: UdpSocket,
    /// Sends, from a port of its own by which its datagrams are known again.
    speaker: UdpSocket,
    own: u16,
    group: SocketAddr,
}

impl MidiSockets {
    /// Opens what the rooms ask for. What cannot be opened is said, and missing: the rooms work without it.
    #[must_use]
    pub fn open(listen: &Listen, rooms: &[RoomConfig]) -> Self {
        let open_room = |room: &RoomConfig| RoomSockets {
            session: room.midi.port.and_then(|port| open_session(listen, &room.name, port)),
            gateway: room.midi.multicast.and_then(|multicast| open_gateway(&room.name, multicast)),
        };
        Self { rooms: rooms.iter().map(open_room).collect() }
    }

    /// How many rooms there are.
    #[must_use]
    pub const fn room_count(&self) -> usize {
        self.rooms.len()
    }

    /// Whether the room's session has its sockets.
    #[must_use]
    pub fn has_session(&self, room: usize) -> bool {
        self.rooms.get(room).is_some_and(|room| room.session.is_some())
    }

    /// The sockets of one port of a room's session.
    pub fn session(&mut self, room: usize, port: Port) -> Option<&mut Udp> {
        let pair = self.rooms.get_mut(room)?.session.as_mut()?;
        Some(&mut pair[place(port)])
    }

    /// The sockets of all sessions, to wait on.
    pub fn sessions(&self) -> impl Iterator<Item = &Udp> {
        self.rooms.iter().filter_map(|room| room.session.as_ref()).flatten()
    }

    /// The gateways' sockets by room.
    pub fn gateways(&self) -> impl Iterator<Item = (usize, &GatewaySocket)> {
        self.rooms.iter().enumerate().filter_map(|(number, room)| Some((number, room.gateway.as_ref()?)))
    }

    /// The gateway's socket of a room.
    #[must_use]
    pub fn gateway(&self, room: usize) -> Option<&GatewaySocket> {
        self.rooms.get(room)?.gateway.as_ref()
    }

    /// Sends one datagram of a room's session; false if the system does not take it.
    pub fn send(&mut self, room: usize, port: Port, to: SocketAddr, bytes: &[u8]) -> bool {
        self.session(room, port).is_some_and(|udp| udp.send_one(to, bytes))
    }
}

impl GatewaySocket {
    /// The next datagram of others that has arrived, without waiting.
    pub fn receive<'a>(&self, buffer: &'a mut [u8]) -> Option<(SocketAddr, &'a [u8])> {
        loop {
            let (length, from) = self.socket.recv_from(buffer).ok()?;
            // What we said comes back to us where several programs of a machine share the group.
            if from.port() != self.own {
                return buffer.get(..length).map(|bytes| (from, bytes));
            }
        }
    }

    /// Sends to the group; false if the system does not take it.
    pub fn send(&self, bytes: &[u8]) -> bool {
        self.speaker.send_to(bytes, self.group).is_ok()
    }

    /// Readable when something has arrived.
    #[must_use]
    pub const fn socket(&self) -> &UdpSocket {
        &self.socket
    }
}

/// What a room's bridge begins with; a session only where it has its sockets. Peers whose address must be asked for are
/// left to [`call`].
#[must_use]
pub fn bridge_settings(midi: &MidiConfig, has_session: bool, has_ports: bool) -> BridgeSettings {
    let entry = |listed: &Listed| match listed {
        Listed::Network(address, bits) => {
            Entry { name: None, network: Some(Network { address: *address, bits: *bits }) }
        }
        Listed::Name(name) => Entry { name: Some(Name::new(name)), network: None },
    };
    let list = midi.list.iter().map(entry).collect();
    let policy = match midi.who {
        Who::Nobody => Policy::nobody(),
        Who::List => Policy::listed(list),
        Who::Approval => Policy::listed_or_local(list),
        Who::Anyone => Policy::anyone(),
    };
    let numeric = midi.invite.iter().filter_map(|invited| {
        let address = invited.host.parse::<IpAddr>().ok()?;
        Some((SocketAddr::new(address, invited.port), Name::default()))
    });
    BridgeSettings {
        session: has_session.then(|| (Name::new(&midi.name), policy)),
        invite: numeric.collect(),
        clock_offset: midi.clock_offset,
        clock_offsets: midi.clock_offsets.clone(),
        clock_from: midi.clock_from.clone(),
        has_ports,
    }
}

/// Asks for the addresses of peers that the configuration names by host, in a thread of its own, until each has been
/// found once; the room then invites it.
pub fn call(rooms: &[RoomConfig], asker: Asker) {
    let is_name = |invited: &&Invited| invited.host.parse::<IpAddr>().is_err();
    let mut unknown: Vec<(String, Invited)> = rooms
        .iter()
        .flat_map(|room| {
            room.midi.invite.iter().filter(is_name).map(|invited| (room.name.clone(), invited.clone()))
        })
        .collect();
    if unknown.is_empty() {
        return;
    }
    let ask_all = move || {
        loop {
            unknown.retain(|(room, invited)| !ask_for(room, invited, &asker));
            if unknown.is_empty() {
                return;
            }
            std::thread::park_timeout(ASK_AGAIN);
        }
    };
    if let Err(reason) = std::thread::Builder::new().name("resolver".to_owned()).spawn(ask_all) {
        warn!(%reason, "peers named by host are not invited");
    }
}

/// Whether the address was found.
fn ask_for(room: &str, invited: &Invited, asker: &Asker) -> bool {
    let found = (invited.host.as_str(), invited.port).to_socket_addrs().ok().and_then(|mut all| all.next());
    match found {
        Some(address) => {
            let (answer, _unread) = sync_channel(1);
            let request = Request::Relay(Command::Call { room: room.to_owned(), address });
            asker.ask(Asked { request, rules: None, answer });
            true
        }
        None => {
            warn!(room, host = invited.host, "no address known for this peer; asking again");
            false
        }
    }
}

const fn place(port: Port) -> usize {
    match port {
        Port::Control => 0,
        Port::Data => 1,
    }
}

fn open_session(listen: &Listen, room: &str, port: u16) -> Option<[Udp; 2]> {
    let at = |port: u16| match listen {
        Listen::Everywhere { .. } => Listen::Everywhere { port },
        Listen::Only(addresses) => {
            let mut at: Vec<_> = addresses.iter().map(|one| SocketAddr::new(one.ip(), port)).collect();
            at.sort();
            at.dedup();
            Listen::Only(at)
        }
    };
    let pair = udp::open(&at(port)).and_then(|control| Ok([control, udp::open(&at(port + 1))?]));
    match pair {
        Ok(pair) => {
            info!(
                room,
                port, "RTP-MIDI is on; it knows no passwords: see who may connect in the configuration"
            );
            Some(pair)
        }
        Err(reason) => {
            warn!(room, port, %reason, "no RTP-MIDI for this room; choose other ports with --midi-port, or 0 for none");
            None
        }
    }
}

fn open_gateway(room: &str, multicast: Multicast) -> Option<GatewaySocket> {
    match GatewaySocket::open(multicast) {
        Ok(gateway) => {
            info!(room, group = %gateway.group, "the multicast gateway is on; whoever is in this network can play and listen");
            Some(gateway)
        }
        Err(reason) => {
            warn!(room, group = %multicast.group, port = multicast.port, %reason, "no multicast gateway");
            None
        }
    }
}

impl GatewaySocket {
    fn open(of: Multicast) -> io::Result<Self> {
        let interface = of.interface.unwrap_or(Ipv4Addr::UNSPECIFIED);
        let socket = socket2::Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        // Other programs of this machine have the same port.
        socket.set_reuse_address(true)?;
        socket.bind(&SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), of.port).into())?;
        socket.join_multicast_v4(&of.group, &interface)?;
        socket.set_nonblocking(true)?;
        let speaker = socket2::Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        speaker.bind(&SocketAddr::new(IpAddr::V4(interface), 0).into())?;
        speaker.set_multicast_if_v4(&interface)?;
        speaker.set_multicast_ttl_v4(of.ttl.into())?;
        speaker.set_multicast_loop_v4(true)?;
        speaker.set_nonblocking(true)?;
        let speaker = UdpSocket::from(speaker);
        let own = speaker.local_addr()?.port();
        Ok(Self {
            socket: socket.into(),
            group: SocketAddr::new(IpAddr::V4(of.group), of.port),
            speaker,
            own,
        })
    }
}
