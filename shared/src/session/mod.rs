//! Both halves of the session between a member and its relay.
//!
//! ```text
//! member                                   relay
//!   Hello, no cookie           ------->      keeps nothing
//!                              <-------      Retry (a cookie over the address)
//!   Hello, cookie, Noise 1     ------->      checks the cookie, then does the first key agreement
//!                              <-------      Welcome, Noise 2
//!   sealed packets             <------>      the first one that opens confirms the session
//! ```
//!
//! The handshake is Noise NKpsk0: the member knows the relay's static key and the room's secret from its invite,
//! the relay proves its key, and nobody without the secret gets past the first message. The transport keys seal
//! every packet with AES-128-GCM (8 + 16 bytes beyond the content). A session is known by the index in its packets,
//! so the member's address may change; the new address is proven before anything larger goes there. A member that
//! returns within ten seconds is the same member: its key is drawn once a process.
//!
//! Both halves are values with five verbs and no clock inside: `handle_datagram`, `handle_timeout`,
//! `poll_transmit`, `poll_timeout`, `poll_event`. After any of the first two, drain the polls.

mod channel;
mod client;
mod cookie;
mod entropy;
mod flow;
mod invite;
mod keys;
mod limit;
mod mailbox;
mod noise;
mod server;

pub use channel::OpenError;
pub use client::{Client, ClientCounters, ClientEvent, ClientSettings};
pub use entropy::Entropy;
pub use flow::FlowFull;
pub use invite::{DEFAULT_PORT, Invite, InviteError};
pub use keys::{MemberKey, RelayKey, RelayPublicKey, RoomSecret};
pub use limit::Bucket;
pub use server::{RoomAccess, Server, ServerCounters, ServerEvent, SessionId};

#[cfg(test)]
mod tests;

use crate::time::Span;

/// Silence after which the other end counts as absent.
pub const STALE_AFTER: Span = Span::from_millis(1_500);
/// Silence after which a member's place is given up.
pub const KEEP_PLACE: Span = Span::from_millis(10_000);
