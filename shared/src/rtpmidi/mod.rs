//! RTP-MIDI (RFC 6295) in `AppleMIDI` sessions: what macOS, Windows, iOS and much hardware speak.
//!
//! Nothing here knows a socket: datagrams and `now` are arguments.
//!
//! Reading order: [`time`] is the clock of the protocol; [`packet`] the bytes of media; [`journal`] is what makes loss
//! harmless; [`stream`] sends and receives in time with both.

pub mod journal;
pub mod packet;
pub mod stream;
pub mod time;
