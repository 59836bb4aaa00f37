//! The Lockstep relay: rooms of members that hear each other on one grid.
//!
//! [`relay::Relay`] is the whole relay as one value with five verbs; [`shell`] gives it sockets, a clock and
//! threads; [`config`] reads what the admin wrote.

pub mod config;
pub mod relay;
pub mod shell;
