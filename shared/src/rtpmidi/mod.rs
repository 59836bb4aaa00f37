//! RTP-MIDI (RFC 6295) in `AppleMIDI` sessions: what macOS, Windows, iOS and much hardware speak.
//!
//! Nothing here knows a socket: datagrams and `now` are arguments.
//!
//! Reading order: [`time`] is the clock of the protocol; [`control`] the packets of a session, with the [`name`]s they
//! carry; [`session`] who is here, and how that is agreed on.

pub mod control;
pub mod name;
pub mod session;
pub mod time;
