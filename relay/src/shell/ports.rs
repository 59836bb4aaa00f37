//! The rooms' ports at the sequencer: one a room, one a participant.
//!
//! | port | gives | takes |
//! |---|---|---|
//! | the room's | all that is played in the room, and its clock | messages for the room |
//! | a participant's | what that participant plays | messages for the room, the participant included |
//!
//! A port is called as the room or the participant is, with nothing added unless two would be the same, and stays as
//! long as the relay runs: whoever comes back finds its connections as they were.

use std::collections::{BTreeMap, VecDeque};
use std::sync::mpsc::Receiver;

use lockstep_shared::midi::message::{Held, Message};
use lockstep_shared::rtpmidi::session::ParticipantId;
use lockstep_shared::time::LocalTime;

use super::clock;
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
    /// What each sender has left sounding at a port; nobody who holds nothing.
    held: BTreeMap<(PortId, Address), Held>,
    inward: VecDeque<Inward>,
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

/// A message that came from a port, or ends what its sender has left sounding there: the sender has gone or is no longer
/// connected, or messages were lost, so that what anybody holds is unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inward {
    /// For which room.
    pub room: usize,
    /// From which port.
    pub from: Source,
    /// When it was read.
    pub at: LocalTime,
    /// What.
    pub message: Message,
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
            held: BTreeMap::new(),
            inward: VecDeque::new(),
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
        while self.inward.is_empty() {
            let event = self.events.try_recv().ok()?;
            self.take(event);
            self.obey();
        }
        self.inward.pop_front()
    }

    /// Calls that the sequencer's thread had no room for, and messages that it dropped.
    #[must_use]
    pub fn lost(&self) -> u64 {
        let tally = self.sequencer.tally();
        self.busy + tally.dropped + tally.unread
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Received { port, from, at, message } => {
                let held = self.held.entry((port, from)).or_default();
                held.note(&message);
                if held.is_empty() {
                    self.held.remove(&(port, from));
                }
                self.give(port, at, message);
            }
            Event::Overrun => self.release(|_, _| true),
            Event::Opened { port, address } => {
                self.addresses.insert(address, port);
            }
            Event::Failed { port, .. } => {
                self.owners.remove(&port);
            }
            Event::Appeared { address, mut port } => {
                let owner = self.addresses.get(&address).and_then(|port| self.owners.get(port));
                if let Some(owner) = owner {
                    port.room = self.rooms.get(owner.room).map(|room| room.name.clone());
                }
                self.patch.appeared(address, port);
            }
            Event::Vanished { address } => {
                self.patch.vanished(address);
                self.release(|_, sender| sender == address);
            }
            Event::Subscribed(connection) => {
                if self.patch.ports().contains_key(&connection.from) {
                    self.patch.subscribed(connection);
                }
            }
            Event::Unsubscribed(connection) => {
                self.patch.unsubscribed(connection);
                if let Some(port) = self.addresses.get(&connection.to).copied() {
                    self.release(|at, sender| at == port && sender == connection.from);
                }
            }
            Event::Made(connection) => self.patch.made(connection),
            Event::Refused(connection) => self.patch.refused(connection),
        }
    }

    /// Ends what senders hold at ports.
    fn release(&mut self, is_meant: impl Fn(PortId, Address) -> bool) {
        let now = clock::now();
        let meant: Vec<_> =
            self.held.keys().filter(|(port, sender)| is_meant(*port, *sender)).copied().collect();
        for key in meant {
            let endings = self.held.remove(&key).map(|mut held| held.release()).unwrap_or_default();
            endings.into_iter().for_each(|ending| self.give(key.0, now, ending));
        }
    }

    fn give(&mut self, port: PortId, at: LocalTime, message: Message) {
        if let Some((room, from)) = self.source(port) {
            self.inward.push_back(Inward { room, from, at, message });
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
