//! RTP-MIDI (RFC 6295) in `AppleMIDI` sessions: what macOS, Windows, iOS and much hardware speak.
//!
//! Nothing here knows a socket: datagrams and `now` are arguments.
//!
//! Reading order: [`time`] is the clock of the protocol; [`control`] the packets of a session, with the [`name`]s they
//! carry; [`session`] who is here, and how that is agreed on; [`packet`] the bytes of media; [`journal`] is what makes
//! loss harmless; [`stream`] sends and receives in time with both.

pub mod control;
pub mod journal;
pub mod name;
pub mod packet;
pub mod session;
pub mod stream;
pub mod time;
