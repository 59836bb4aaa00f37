//! RTP-MIDI participants, and rooms of them on simulated paths.
//!
//! [`MidiPeer`] is what a musician's computer runs: one session, one stream each way. [`MidiWorld`] puts a room's
//! [`Bridge`](lockstep_relay::bridge::Bridge) and peers on paths, on virtual time.

mod peer;
mod world;

pub use peer::{Heard, MidiPeer};
pub use world::{Datagram, MidiWorld, Seat};
