//! The rooms' ports at the sequencer: one a room, one a participant.
//!
//! | port | gives | takes |
//! |---|---|---|
//! | the room's | all that is played in the room, and its clock | messages for the room |
//! | a participant's | what that participant plays | messages for the room, the participant included |
//!
//! A port is called as the room or the participant is, with nothing added unless two would be the same, and stays as
//! long as the relay runs: whoever comes back finds its connections as they were.

use std::collections::BTreeMap;
use std::sync::mpsc::Receiver;

use lockstep_shared::midi::message::Message;
use lockstep_shared::rtpmidi::session::ParticipantId;
use lockstep_shared::time::LocalTime;

use super::sequencer::{Event, PortId, Sequencer, Unavailable};
use super::wake::Waker;
use crate::bridge::patch::{Address, Patch, Rules};
use crate::bridge::{BridgeEvent, Source};

/// See the module's page.
#[derive(Debug)]
pub struct Ports {
    sequencer: Sequencer,
    events: Receiver<Event>,
    patch: Patch,
    rooms: Vec<Room>,
    owners: BTreeMap<PortId, Owner>,
    addresses: BTreeMap<Address, PortId>,
    /// Calls for which the sequencer's thread had no room.
    busy: u64,
}

#[derive(Debug)]
struct Room {
    name: String,
    port: Option<PortId>,
    participants: BTreeMap<ParticipantId, PortId>,
}

#[derive(Debug)]
struct Owner {
    room: usize,
    participant: Option<ParticipantId>,
    name: String,
}

/// Something that came from a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inward {
    /// A message.
    Received {
        /// For which room.
        room: usize,
        /// From which port.
        from: Source,
        /// When it was read.
        at: LocalTime,
        /// What.
        message: Message,
    },
    /// Nobody is connected to this port any more, or messages for it were lost: what was held is unknown.
    Dropped {
        /// Of which room.
        room: usize,
        /// Which port.
        from: Source,
    },
}

impl Ports {
    /// A port for each of `rooms`, wired by `rules`.
    ///
    /// # Errors
    /// Why there is no sequencer.
    pub fn open(rooms: &[String], rules: Rules, waker: Waker) -> Result<Self, Unavailable> {
        let (sequencer, events) = Sequencer::open(Some(waker))?;
        let mut ports = Self {
            sequencer,
            events,
            patch: Patch::new(rules),
            rooms: Vec::new(),
            owners: BTreeMap::new(),
            addresses: BTreeMap::new(),
            busy: 0,
        };
        for (number, room) in rooms.iter().enumerate() {
            ports.rooms.push(Room { name: room.clone(), port: None, participants: BTreeMap::new() });
            let port = ports.open_port(number, None, room);
            ports.rooms[number].port = port;
        }
        Ok(ports)
    }

    /// What the relay says of a room's participants: whoever is here has a port.
    pub fn note(&mut self, room: usize, event: &BridgeEvent) {
        if let BridgeEvent::Here { id, name, .. } = event
            && self.rooms.get(room).is_some_and(|room| !room.participants.contains_key(id))
            && let Some(port) = self.open_port(room, Some(*id), name)
        {
            self.rooms[room].participants.insert(*id, port);
        }
    }

    /// Hands a message that passes in a room to the ports that give it.
    pub fn pass(&mut self, room: usize, from: Option<Source>, at: LocalTime, message: &Message) {
        let Some(room) = self.rooms.get(room) else { return };
        let participant = match from {
            Some(Source::Peer(id)) => room.participants.get(&id).copied(),
            None | Some(Source::Member(_) | Source::RoomPort | Source::PeerPort(_) | Source::Multicast) => {
                None
            }
        };
        let whole = room.port.filter(|_| from != Some(Source::RoomPort));
        for port in whole.into_iter().chain(participant) {
            self.busy += u64::from(self.sequencer.send(port, at, message).is_err());
        }
    }

    /// Hands an event of a room's clock to its port.
    pub fn pass_clock(&mut self, room: usize, at: LocalTime, message: &Message) {
        if let Some(port) = self.rooms.get(room).and_then(|room| room.port) {
            self.busy += u64::from(self.sequencer.send(port, at, message).is_err());
        }
    }

    /// Other rules from now on.
    pub fn set_rules(&mut self, rules: Rules) {
        self.patch.set_rules(rules);
        self.obey();
    }

    /// The live connections, as rules.
    #[must_use]
    pub fn dump(&self) -> String {
        self.patch.dump().to_string()
    }

    /// The next thing that came.
    pub fn poll(&mut self) -> Option<Inward> {
        loop {
            let event = self.events.try_recv().ok()?;
            let inward = self.take(event);
            self.obey();
            if inward.is_some() {
                return inward;
            }
        }
    }

    /// Calls that the sequencer's thread had no room for, and messages that it dropped.
    #[must_use]
    pub fn lost(&self) -> u64 {
        let tally = self.sequencer.tally();
        self.busy + tally.dropped + tally.unread
    }

    fn take(&mut self, event: Event) -> Option<Inward> {
        match event {
            Event::Received { port, at, message, .. } => {
                let (room, from) = self.source(port)?;
                Some(Inward::Received { room, from, at, message })
            }
            // Whose messages were lost is not known. Every port's may be; the first room's is told for all.
            Event::Overrun => {
                let (room, from) = self.rooms.iter().find_map(|room| self.source(room.port?))?;
                Some(Inward::Dropped { room, from })
            }
            Event::Opened { port, address } => {
                self.addresses.insert(address, port);
                None
            }
            Event::Failed { port, .. } => {
                self.owners.remove(&port);
                None
            }
            Event::Appeared { address, mut port } => {
                let owner = self.addresses.get(&address).and_then(|port| self.owners.get(port));
                if let Some(owner) = owner {
                    port.room = self.rooms.get(owner.room).map(|room| room.name.clone());
                }
                self.patch.appeared(address, port);
                None
            }
            Event::Vanished { address } => {
                self.patch.vanished(address);
                None
            }
            Event::Subscribed(connection) => {
                self.patch.subscribed(connection);
                None
            }
            Event::Unsubscribed(connection) => {
                self.patch.unsubscribed(connection);
                // What it held through this port is over, unless others are connected to it too.
                let is_last = !self.patch.connections().any(|other| other.to == connection.to);
                let port = self.addresses.get(&connection.to).filter(|_| is_last)?;
                let (room, from) = self.source(*port)?;
                Some(Inward::Dropped { room, from })
            }
            Event::Made(connection) => {
                self.patch.made(connection);
                None
            }
            Event::Refused(connection) => {
                self.patch.refused(connection);
                None
            }
        }
    }

    fn obey(&mut self) {
        while let Some(command) = self.patch.poll_command() {
            self.busy += u64::from(self.sequencer.patch(command).is_err());
        }
    }

    fn source(&self, port: PortId) -> Option<(usize, Source)> {
        let owner = self.owners.get(&port)?;
        Some((owner.room, owner.participant.map_or(Source::RoomPort, Source::PeerPort)))
    }

    fn open_port(&mut self, room: usize, participant: Option<ParticipantId>, wanted: &str) -> Option<PortId> {
        let room_name = self.rooms.get(room).map_or("", |room| &room.name);
        let name = self.free_name(wanted, room_name);
        let Ok(port) = self.sequencer.open_port(&name) else {
            self.busy += 1;
            return None;
        };
        self.owners.insert(port, Owner { room, participant, name });
        Some(port)
    }

    /// `wanted` if no port has it, else with the room's name, else with marks.
    fn free_name(&self, wanted: &str, room: &str) -> String {
        let wanted = if wanted.is_empty() { "participant" } else { wanted };
        let mut name = wanted.to_owned();
        if self.is_taken(&name) {
            name = format!("{wanted} in {room}");
        }
        while self.is_taken(&name) {
            name.push('\'');
        }
        name
    }

    fn is_taken(&self, name: &str) -> bool {
        self.owners.values().any(|owner| owner.name == name)
    }
}
