//! The value that keeps to the rules while ports come and go.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{Address, Connection, Port, Ports, Rules};

/// What is connected and who made it, and what has to be done about it.
///
/// It connects when a rule asks for it, and disconnects when no rule does any more: because a port has another name, the
/// rules are others, or what a mirror copied is gone. It never disconnects what others connected. What others *dis*connect
/// stays so until one of the two ports comes anew or the rules are others.
///
/// After every call, take [`Self::poll_command`] until it is empty.
#[derive(Debug, Default)]
pub struct Patch {
    rules: Rules,
    ports: Ports,
    live: BTreeMap<Connection, Maker>,
    /// Connections that were asked for and are neither made nor refused yet.
    asked: BTreeSet<Connection>,
    /// Connections that were given up and are still there.
    leaving: BTreeSet<Connection>,
    /// Connections that others took away, or that the sequencer refused.
    spared: BTreeSet<Connection>,
    commands: VecDeque<Command>,
    refused: u64,
}

/// What the sequencer has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Command {
    /// Connect these. To be answered with [`Patch::made`] or [`Patch::refused`].
    Connect(Connection),
    /// Disconnect these. To be answered with [`Patch::refused`] if that fails.
    Disconnect(Connection),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Maker {
    Rules,
    Others,
}

impl Patch {
    /// No port yet.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self { rules, ..Self::default() }
    }

    /// Other rules from now on.
    pub fn set_rules(&mut self, rules: Rules) {
        self.rules = rules;
        self.spared.clear();
        self.follow();
    }

    /// A port is there: a new one, or one that was there and is now called so.
    pub fn appeared(&mut self, address: Address, port: Port) {
        if self.ports.get(&address) == Some(&port) {
            return;
        }
        self.spared.retain(|connection| !connection.touches(address));
        self.ports.insert(address, port);
        self.follow();
    }

    /// A port is gone, and all its connections with it.
    pub fn vanished(&mut self, address: Address) {
        self.ports.remove(&address);
        self.spared.retain(|connection| !connection.touches(address));
        self.asked.retain(|connection| !connection.touches(address));
        self.leaving.retain(|connection| !connection.touches(address));
        self.live.retain(|connection, _| !connection.touches(address));
        self.follow();
    }

    /// Two ports are connected, whoever did it.
    pub fn subscribed(&mut self, connection: Connection) {
        let maker = if self.asked.contains(&connection) { Maker::Rules } else { Maker::Others };
        self.live.entry(connection).or_insert(maker);
        self.follow();
    }

    /// Two ports are no longer connected.
    pub fn unsubscribed(&mut self, connection: Connection) {
        let was_given_up = self.leaving.remove(&connection);
        if self.live.remove(&connection).is_some() && !was_given_up {
            self.spared.insert(connection);
        }
        self.follow();
    }

    /// The sequencer did connect these.
    pub fn made(&mut self, connection: Connection) {
        if self.asked.remove(&connection) {
            self.live.insert(connection, Maker::Rules);
        }
        self.follow();
    }

    /// The sequencer did not do with these what was commanded: one is gone, or somebody else was faster.
    pub fn refused(&mut self, connection: Connection) {
        self.refused += 1;
        if self.asked.remove(&connection) || self.leaving.remove(&connection) {
            if let Some(maker) = self.live.get_mut(&connection) {
                *maker = Maker::Others;
            }
            self.spared.insert(connection);
        }
        self.follow();
    }

    /// What to do next.
    pub fn poll_command(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    /// The ports that are there.
    #[must_use]
    pub const fn ports(&self) -> &Ports {
        &self.ports
    }

    /// The connections that are there.
    pub fn connections(&self) -> impl Iterator<Item = Connection> + '_ {
        self.live.keys().copied()
    }

    /// How many connections were refused.
    #[must_use]
    pub const fn refusals(&self) -> u64 {
        self.refused
    }

    /// The connections that are there as rules that would make them, each pair of names once. Printed, they are a text
    /// that [`Rules::parse`] reads.
    #[must_use]
    pub fn dump(&self) -> Rules {
        let name = |address| self.ports.get(&address).map(|port| port.name.as_str());
        let pairs: BTreeSet<(&str, &str)> =
            self.live.keys().filter_map(|there| Some((name(there.from)?, name(there.to)?))).collect();
        Rules::exactly(pairs)
    }

    /// Commands what makes the connections those that the rules want.
    fn follow(&mut self) {
        let by =
            |maker: Maker| self.live.iter().filter(move |(_, by)| **by == maker).map(|(there, _)| *there);
        let others: BTreeSet<Connection> = by(Maker::Others).collect();
        let ours: BTreeSet<Connection> = by(Maker::Rules).collect();
        let wanted = self.rules.wanted(&self.ports, &others);
        for connection in &wanted {
            let is_there = self.live.contains_key(connection) || self.asked.contains(connection);
            if !is_there && !self.spared.contains(connection) {
                self.asked.insert(*connection);
                self.commands.push_back(Command::Connect(*connection));
            }
        }
        // What is asked for is waited for: whether it was made, the sequencer says.
        for connection in ours.difference(&wanted).filter(|there| !self.asked.contains(there)) {
            if self.leaving.insert(*connection) {
                self.commands.push_back(Command::Disconnect(*connection));
            }
        }
    }
}
