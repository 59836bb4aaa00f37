//! The Lockstep relay: rooms of members that hear each other on one grid.
//!
//! [`relay::Relay`] is the whole relay as one value with five verbs; [`grid`] is the clock that every room counts
//! by; [`room`] forwards stems and makes mixes; [`bridge`] passes MIDI on; `shell/` gives it all sockets, a clock and
//! threads; `config` reads what the admin wrote.

pub mod bridge;
pub mod cli;
pub mod config;
pub mod grid;
pub mod relay;
pub mod room;
pub mod shell;
