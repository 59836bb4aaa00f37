//! The handle where there is no ALSA: it cannot exist.

use core::convert::Infallible;
use std::sync::mpsc::Receiver;

use lockstep_shared::midi::message::Message;
use lockstep_shared::time::LocalTime;

use super::{Busy, Event, PortId, Tally, Unavailable};
use crate::bridge::patch::Command;

/// The way to ALSA's sequencer, which this system has not.
#[derive(Debug)]
pub struct Sequencer(Infallible);

impl Sequencer {
    /// Never here.
    ///
    /// # Errors
    /// Always: there is no ALSA.
    pub fn open() -> Result<(Self, Receiver<Event>), Unavailable> {
        Err(Unavailable::other_system())
    }

    /// Opens a port.
    ///
    /// # Errors
    /// Never called.
    pub fn open_port(&mut self, _name: &str) -> Result<PortId, Busy> {
        match self.0 {}
    }

    /// Closes a port.
    ///
    /// # Errors
    /// Never called.
    pub fn close_port(&self, _port: PortId) -> Result<(), Busy> {
        match self.0 {}
    }

    /// Sends a message.
    ///
    /// # Errors
    /// Never called.
    pub fn send(&self, _port: PortId, _at: LocalTime, _message: &Message) -> Result<(), Busy> {
        match self.0 {}
    }

    /// Connects or disconnects.
    ///
    /// # Errors
    /// Never called.
    pub fn patch(&self, _command: Command) -> Result<(), Busy> {
        match self.0 {}
    }

    /// What happened so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        match self.0 {}
    }
}
