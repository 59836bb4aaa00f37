//! The ports and connections of the sequencer, as far as they were told.

use std::collections::{BTreeMap, BTreeSet};

use alsa::seq::{
    Addr, ClientIter, Connect, PortCap, PortInfo, PortIter, PortSubscribeIter, QuerySubsType, Seq,
};

use super::{Event, PortId};
use crate::bridge::patch::{Address, Connection, Directions, Port};

/// What the reader of the events knows.
#[derive(Debug)]
pub(super) struct Graph {
    /// Our own client.
    client: u8,
    ports: BTreeMap<Address, Port>,
    connections: BTreeSet<Connection>,
}

/// The client "System": its timer and its announcements are no MIDI ports.
const SYSTEM: i32 = 0;

impl Graph {
    pub(super) const fn new(client: u8) -> Self {
        Self { client, ports: BTreeMap::new(), connections: BTreeSet::new() }
    }

    /// Looks at everything: at first, and when announcements were lost.
    pub(super) fn scan(&mut self, sequencer: &Seq, events: &mut Vec<Event>) {
        let mut present = BTreeSet::new();
        for client in ClientIter::new(sequencer) {
            self.scan_client(sequencer, client.get_client(), &mut present, events);
        }
        let gone: Vec<Address> = self.ports.keys().filter(|at| !present.contains(*at)).copied().collect();
        for address in gone {
            self.vanish(address, events);
        }
        let connections = self.read_connections(sequencer);
        let gone: Vec<Connection> = self.connections.difference(&connections).copied().collect();
        gone.into_iter().for_each(|there| self.disconnect(there, events));
        connections.into_iter().for_each(|there| self.connect(there, events));
    }

    /// A port came, or has another name perhaps.
    pub(super) fn look_at(&mut self, sequencer: &Seq, at: Addr, events: &mut Vec<Event>) {
        if let Ok(info) = sequencer.get_any_port_info(at) {
            self.see(sequencer, &info, events);
        }
    }

    /// A client has another name perhaps.
    pub(super) fn look_at_client(&mut self, sequencer: &Seq, client: i32, events: &mut Vec<Event>) {
        self.scan_client(sequencer, client, &mut BTreeSet::new(), events);
    }

    pub(super) fn port_gone(&mut self, at: Addr, events: &mut Vec<Event>) {
        if let Some(address) = address(at) {
            self.vanish(address, events);
        }
    }

    pub(super) fn client_gone(&mut self, client: i32, events: &mut Vec<Event>) {
        let gone: Vec<Address> =
            self.ports.keys().filter(|at| i32::from(at.client) == client).copied().collect();
        for address in gone {
            self.vanish(address, events);
        }
    }

    pub(super) fn connected(&mut self, connect: Connect, events: &mut Vec<Event>) {
        if let Some(connection) = connection(connect.sender, connect.dest) {
            self.connect(connection, events);
        }
    }

    pub(super) fn disconnected(&mut self, connect: Connect, events: &mut Vec<Event>) {
        if let Some(connection) = connection(connect.sender, connect.dest) {
            self.disconnect(connection, events);
        }
    }

    fn scan_client(
        &mut self,
        sequencer: &Seq,
        client: i32,
        present: &mut BTreeSet<Address>,
        events: &mut Vec<Event>,
    ) {
        for info in PortIter::new(sequencer, client) {
            present.extend(address(info.addr()));
            self.see(sequencer, &info, events);
        }
    }

    fn see(&mut self, sequencer: &Seq, info: &PortInfo, events: &mut Vec<Event>) {
        let Some(address) = address(info.addr()) else { return };
        let Some(port) = self.describe(sequencer, info) else { return };
        if self.ports.get(&address) != Some(&port) {
            events.push(Event::Appeared { address, port: port.clone() });
            self.ports.insert(address, port);
        }
    }

    /// The port, if others may connect it.
    fn describe(&self, sequencer: &Seq, info: &PortInfo) -> Option<Port> {
        let capability = info.get_capability();
        if info.get_client() == SYSTEM || capability.contains(PortCap::NO_EXPORT) {
            return None;
        }
        let is_output = capability.contains(PortCap::READ | PortCap::SUBS_READ);
        let is_input = capability.contains(PortCap::WRITE | PortCap::SUBS_WRITE);
        let directions = match (is_output, is_input) {
            (true, true) => Directions::Both,
            (true, false) => Directions::Output,
            (false, true) => Directions::Input,
            (false, false) => return None,
        };
        // A name that is no text has no rule.
        let client_info = sequencer.get_any_client_info(info.get_client()).ok()?;
        let client = client_info.get_name().ok()?;
        let is_ours = info.get_client() == i32::from(self.client);
        Some(Port {
            name: format!("{client}:{}", info.get_name().ok()?),
            directions,
            room: (!is_ours).then(|| client.to_owned()),
        })
    }

    fn vanish(&mut self, address: Address, events: &mut Vec<Event>) {
        let gone: Vec<Connection> =
            self.connections.iter().filter(|there| there.touches(address)).copied().collect();
        gone.into_iter().for_each(|there| self.disconnect(there, events));
        self.ports.remove(&address);
        // It may have sent without being shown or connected.
        events.push(Event::Vanished { address });
    }

    /// A program that shows no port of its own may still have connected it to one of ours, as `aplaymidi` does: that it
    /// has gone must be told as well.
    fn connect(&mut self, connection: Connection, events: &mut Vec<Event>) {
        let is_known = self.ports.contains_key(&connection.to)
            && (connection.to.client == self.client || self.ports.contains_key(&connection.from));
        if is_known && self.connections.insert(connection) {
            events.push(Event::Subscribed(connection));
        }
    }

    fn disconnect(&mut self, connection: Connection, events: &mut Vec<Event>) {
        if self.connections.remove(&connection) {
            events.push(Event::Unsubscribed(connection));
        }
    }

    fn read_connections(&self, sequencer: &Seq) -> BTreeSet<Connection> {
        let mut connections = BTreeSet::new();
        for at in self.ports.iter().filter(|(_, port)| port.is_output()).map(|(at, _)| *at) {
            let subscribers = PortSubscribeIter::new(sequencer, addr(at), QuerySubsType::READ);
            connections
                .extend(subscribers.filter_map(|there| connection(there.get_sender(), there.get_dest())));
        }
        for at in self.ports.keys().filter(|at| at.client == self.client) {
            let senders = PortSubscribeIter::new(sequencer, addr(*at), QuerySubsType::WRITE);
            connections.extend(senders.filter_map(|there| connection(there.get_sender(), there.get_dest())));
        }
        connections
    }
}

/// The address as ALSA's library has it.
pub(super) fn addr(address: Address) -> Addr {
    Addr { client: address.client.into(), port: address.port.into() }
}

/// The address as we have it; always, as the kernel's numbers are bytes.
pub(super) fn address(addr: Addr) -> Option<Address> {
    Some(Address { client: u8::try_from(addr.client).ok()?, port: u8::try_from(addr.port).ok()? })
}

fn connection(from: Addr, to: Addr) -> Option<Connection> {
    Some(Connection { from: address(from)?, to: address(to)? })
}

/// Our ports by their numbers.
pub(super) type OwnPorts = BTreeMap<u8, PortId>;
