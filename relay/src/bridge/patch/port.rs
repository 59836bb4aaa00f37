//! Ports and connections, as values.

use core::fmt;
use std::collections::BTreeMap;

/// Where a port is: numbers that the sequencer gave it, and gives to another one after it has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// The client.
    pub client: u8,
    /// The port of this client.
    pub port: u8,
}

/// From an output to an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Connection {
    /// The port that sends.
    pub from: Address,
    /// The port that receives.
    pub to: Address,
}

/// A port that others may connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// `Client:Port`: what patterns are matched with.
    pub name: String,
    /// What can be connected to it.
    pub directions: Directions,
    /// Inside of which the suffix rule connects: a client's name, or a room. None keeps it out.
    pub room: Option<String>,
}

/// What can be connected to a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Directions {
    /// It sends.
    Output,
    /// It receives.
    Input,
    /// It does both.
    Both,
}

/// The ports that are there.
pub type Ports = BTreeMap<Address, Port>;

impl Port {
    /// Whether it sends.
    #[must_use]
    pub const fn is_output(&self) -> bool {
        matches!(self.directions, Directions::Output | Directions::Both)
    }

    /// Whether it receives.
    #[must_use]
    pub const fn is_input(&self) -> bool {
        matches!(self.directions, Directions::Input | Directions::Both)
    }
}

impl Connection {
    /// Whether `address` is one of its ends.
    #[must_use]
    pub fn touches(self, address: Address) -> bool {
        self.from == address || self.to == address
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.client, self.port)
    }
}

impl fmt::Display for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}", self.from, self.to)
    }
}
