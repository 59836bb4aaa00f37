//! What joins a room with MIDI outside of it.
//!
//! [`patch`] is the wiring of the sequencer on this machine: rules say which ports belong together.

pub mod patch;
