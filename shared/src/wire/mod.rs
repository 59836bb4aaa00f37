//! The bytes that cross the network.
//!
//! A datagram is one of four handshake packets in the clear ([`handshake`]) or a sealed packet: an 8-byte header,
//! the ciphertext, a 16-byte tag. Opened, a sealed packet is a list of elements ([`Element`]), each a kind byte
//! and a body:
//!
//! ```text
//! sealed    kind 0x10 | receiver index u24 | counter u32 | ciphertext ... | tag 16
//! elements  ClockAsk     0x01 | sent i64
//!           ClockReply   0x02 | sent i64 | relay received i64 | relay sent i64
//!           Audio        0x03 | strip u16 | first chunk u32 | shape u8 [| beats i64 | tempo u32] | samples
//!           Document     0x04 | slot u8 | version u32 | offset u16 | total u16 | length u16 | bytes
//!           Acknowledge  0x05 | slot u8 | version u32
//!           Leave        0x06 | reason u8
//!           PathAsk      0x07 | token u64
//!           PathReply    0x08 | token u64
//!           Flow         0x09 | first u32 | length u16 | (entry length u16 | bytes)*
//!           FlowAck      0x0A | awaited u32
//! ```
//!
//! The shape of Audio: bits 0-2 the format, 3 stereo, 4-5 how many chunks (1, 2, 4), 6 stamped. Of a coded format each chunk
//! tells its own length.
//!
//! Integers are little-endian. Audio is named by its place on the grid alone: a copy of an earlier chunk is just
//! another Audio element with an earlier index. Retained state (who is in the room, what a member wants, the
//! room's musical time) is a document in a slot, versioned and repeated until acknowledged. What happens (MIDI) is an
//! entry of a flow, numbered, and repeated until acknowledged too; a peer that knows no flows reads what stands before
//! them, for they stand last.
//!
//! Decoding returns for every byte string; it never panics and never allocates except for documents, whose size
//! is capped.

mod audio;
mod cursor;
mod document;
mod element;
mod error;
mod flow;
mod format;
pub mod handshake;
pub mod midi;
mod musical;
pub mod pcm;

pub(crate) use audio::BESIDE_BYTES;
pub use audio::{Audio, AudioHead, Channels, ChunksPerDatagram, StripId, WireChunk};
pub use cursor::{Reader, Writer};
pub use document::{
    DOCUMENT_BYTES_MAX, Gains, MemberId, NAME_BYTES_MAX, PlayMode, Profile, ProfileStrip, Roster,
    RosterMember, RosterStrip, STRIPS_PER_MEMBER_MAX, Slot,
};
pub use element::{DocumentPart, Element, Elements, LeaveReason};
pub use error::{DecodeError, Full};
pub use flow::{FLOW_ENTRY_BYTES_MAX, FlowPart};
pub use format::Format;
pub use musical::{Lead, Role, RoomDelay, RoomTimeline};

/// The version of everything in this module; a relay refuses another with a reason.
pub const WIRE_VERSION: u16 = 1;

/// The longest datagram: an IPv6 minimum MTU of 1,280 less 40 for IPv6 and 8 for UDP, less 32 to spare for
/// tunnels.
pub const DATAGRAM_BYTES_MAX: usize = 1_200;
/// Kind, receiver index and counter of a sealed packet.
pub const SEALED_HEADER_BYTES: usize = 8;
/// The authentication tag of a sealed packet.
pub const SEALED_TAG_BYTES: usize = 16;
/// What a sealed packet can carry.
pub const PLAIN_BYTES_MAX: usize = DATAGRAM_BYTES_MAX - SEALED_HEADER_BYTES - SEALED_TAG_BYTES;
