//! A program of this machine that plays: one client with one port.

use std::ffi::CString;

use alsa::seq::{MidiEvent, PortCap, PortType, Seq};
use anyhow::{Context as _, Result};

/// See the module's page.
pub(crate) struct Keyboard {
    sequencer: Seq,
    port: i32,
}

impl Keyboard {
    /// A client `Keyboard` with the port `keys`, which plays and is played to.
    pub(crate) fn open() -> Result<Self> {
        let sequencer = Seq::open(None, None, true)?;
        sequencer.set_client_name(c"Keyboard")?;
        let capability = PortCap::READ | PortCap::SUBS_READ | PortCap::WRITE | PortCap::SUBS_WRITE;
        let port = sequencer.create_simple_port(&CString::new("keys")?, capability, PortType::APPLICATION)?;
        Ok(Self { sequencer, port })
    }

    /// Plays a message to all that are connected.
    pub(crate) fn play(&self, bytes: &[u8]) -> Result<()> {
        let mut encoder = MidiEvent::new(4_096)?;
        let (_, event) = encoder.encode(bytes)?;
        let mut event = event.context("no message")?;
        event.set_source(self.port);
        event.set_subs();
        event.set_direct();
        self.sequencer.event_output_direct(&mut event)?;
        Ok(())
    }
}
