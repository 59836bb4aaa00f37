//! What a server allows, and for how long.

use crate::time::Span;
use crate::wire::{SEALED_HEADER_BYTES, SEALED_TAG_BYTES};

/// A session that nobody confirmed with a sealed packet is forgotten after this long.
pub(super) const CONFIRM_WITHIN: Span = Span::from_millis(5_000);
/// Sessions that nobody confirmed yet, of all rooms together.
pub(super) const UNCONFIRMED_MAX: usize = 256;
/// A clock question waits this long for a packet that goes to its member anyway.
pub(super) const REPLY_WITHIN: Span = Span::from_millis(4);
/// A new address is asked for its proof at most this often, each time in answer to a packet from it.
pub(super) const PATH_ASK_EVERY: Span = Span::from_millis(100);
/// The length of that question; a shorter packet is not answered with it.
pub(super) const PATH_ASK_BYTES: usize = SEALED_HEADER_BYTES + 1 + 8 + SEALED_TAG_BYTES;
/// Answers in the clear that wait to be sent; more are dropped, for the asker asks again.
pub(super) const ANSWERS_MAX: usize = 256;
/// Sealed packets of one member a second, and at once: 16 strips of 64-frame datagrams and their session.
pub(super) const PACKETS_PER_SECOND: f64 = 13_000.0;
pub(super) const PACKETS_BURST: f64 = 6_500.0;
/// Parts of documents of one member a second, and at once: what everybody in the room is told of anew each time. What is
/// beyond is not acknowledged, so that it comes again.
pub(super) const DOCUMENT_PARTS_PER_SECOND: f64 = 50.0;
pub(super) const DOCUMENT_PARTS_BURST: f64 = 100.0;
/// A member that was over its rate this often in a row is sent away.
pub(super) const FLOOD_PACKETS: u32 = 20_000;
/// A goodbye is sent this often, for it is not acknowledged.
pub(super) const GOODBYES: u8 = 3;
