//! What is forwarded: one datagram's audio, as it was written, with each listener's copies.

use std::collections::BTreeMap;

use lockstep_shared::redundancy::Protection;
use lockstep_shared::wire::{MemberId, PLAIN_BYTES_MAX, StripId, Writer};

use super::strip::Strip;

/// Audio elements of one datagram that are kept for copies; a plugin sends one strip and two copies at most.
pub(super) const FRESH_MAX: usize = 8;
/// One datagram's audio on its way to the members that asked for stems.
#[derive(Debug)]
pub(super) struct Forward {
    pub(super) bytes: Box<[u8; PLAIN_BYTES_MAX]>,
    pub(super) length: usize,
    /// The strips whose audio it is.
    pub(super) strips: [Option<StripId>; FRESH_MAX],
    /// The same with one listener's copies.
    pub(super) with_copies: Box<[u8; PLAIN_BYTES_MAX]>,
    pub(super) from: MemberId,
    /// The first member that has not been looked at; none when all have.
    pub(super) next: Option<MemberId>,
}

impl Forward {
    /// What one listener is sent: with the copies that it asks for.
    pub(super) fn protected(&mut self, strips: &BTreeMap<StripId, Strip>, protection: Protection) -> &[u8] {
        let plain = &self.bytes[..self.length];
        if protection == Protection::NONE {
            return plain;
        }
        let mut out = Writer::new(&mut *self.with_copies);
        // Both buffers are as long.
        let _ = out.bytes(plain);
        let mut before = None;
        for id in self.strips.iter().flatten() {
            if before.replace(id) != Some(id)
                && let Some(strip) = strips.get(id)
            {
                strip.sent.append(protection, &mut out);
            }
        }
        let length = out.length();
        &self.with_copies[..length]
    }
}
