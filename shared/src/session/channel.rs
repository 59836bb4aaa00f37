//! Sealing and opening, with a window against replays.

use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use thiserror::Error;

use crate::redundancy::LossMeter;
use crate::wire::handshake::SEALED;
use crate::wire::{SEALED_HEADER_BYTES, SEALED_TAG_BYTES};

/// How far behind the newest counter a packet may come.
const WINDOW_PACKETS: u64 = 1_024;
const WINDOW_WORDS: usize = 16;

/// Why a sealed packet was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum OpenError {
    /// Shorter than a header and a tag.
    #[error("too short to be a packet")]
    Short,
    /// Its tag does not fit: damaged, forged, or of another session.
    #[error("not sealed by the other end")]
    Forged,
    /// Opened before.
    #[error("replayed")]
    Replayed,
    /// So far behind the newest that a replay could not be told.
    #[error("too old")]
    TooOld,
}

/// One direction pair of a session.
#[derive(Debug)]
pub(super) struct Channel {
    seal: LessSafeKey,
    open: LessSafeKey,
    /// The index by which the other end knows this session.
    peer_index: u32,
    next_counter: u64,
    replay: ReplayWindow,
    loss: LossMeter,
}

impl Channel {
    pub(super) fn new(seal_key: &[u8; 32], open_key: &[u8; 32], peer_index: u32) -> Self {
        Self {
            seal: key(seal_key),
            open: key(open_key),
            peer_index,
            next_counter: 0,
            replay: ReplayWindow::default(),
            loss: LossMeter::default(),
        }
    }

    /// Seals `out[8..8 + plain_length]` in place and returns the datagram's length.
    ///
    /// `out` holds at least 24 bytes more than the plain text.
    pub(super) fn seal(&mut self, out: &mut [u8], plain_length: usize) -> usize {
        let counter = self.next_counter;
        self.next_counter += 1;
        let end = SEALED_HEADER_BYTES + plain_length;
        let (header, rest) = out.split_at_mut(SEALED_HEADER_BYTES);
        header.copy_from_slice(&encode_header(self.peer_index, counter));
        let aad = Aad::from(&*header);
        let (plain, tag_place) = rest.split_at_mut(plain_length);
        let tag = self
            .seal
            .seal_in_place_separate_tag(nonce(counter), aad, plain)
            .expect("a datagram is shorter than the cipher's limit");
        tag_place[..SEALED_TAG_BYTES].copy_from_slice(tag.as_ref());
        end + SEALED_TAG_BYTES
    }

    /// What of the other end's datagrams does not arrive.
    pub(super) const fn loss(&self) -> &LossMeter {
        &self.loss
    }

    /// Opens a datagram in place. The replay window moves only for packets that are authentic.
    pub(super) fn open<'a>(&mut self, datagram: &'a mut [u8]) -> Result<Opened<'a>, OpenError> {
        if datagram.len() < SEALED_HEADER_BYTES + SEALED_TAG_BYTES {
            return Err(OpenError::Short);
        }
        let (header, sealed) = datagram.split_at_mut(SEALED_HEADER_BYTES);
        let low = u32::from_le_bytes([header[4], header[5], header[6], header[7]]);
        let counter = self.replay.widen(low);
        self.replay.check(counter)?;
        let plain = self
            .open
            .open_in_place(nonce(counter), Aad::from(&*header), sealed)
            .map_err(|_| OpenError::Forged)?;
        let is_newest = self.replay.mark(counter);
        self.loss.observe(counter);
        Ok(Opened { plain, is_newest })
    }
}

/// An opened packet.
#[derive(Debug)]
pub(super) struct Opened<'a> {
    pub(super) plain: &'a [u8],
    /// Whether no later packet has been opened before: only such a packet may move an address.
    pub(super) is_newest: bool,
}

/// The receiver index that a sealed packet names.
pub(super) fn receiver_index(datagram: &[u8]) -> Option<u32> {
    match datagram {
        [SEALED, a, b, c, ..] if datagram.len() >= SEALED_HEADER_BYTES + SEALED_TAG_BYTES => {
            Some(u32::from_le_bytes([*a, *b, *c, 0]))
        }
        _ => None,
    }
}

fn encode_header(index: u32, counter: u64) -> [u8; SEALED_HEADER_BYTES] {
    let [a, b, c, _] = index.to_le_bytes();
    let [e, f, g, h, ..] = counter.to_le_bytes();
    [SEALED, a, b, c, e, f, g, h]
}

fn key(bytes: &[u8; 32]) -> LessSafeKey {
    // Noise yields 32 bytes a direction; AES-128 takes the first 16.
    LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &bytes[..16]).expect("16 bytes are an AES-128 key"))
}

fn nonce(counter: u64) -> Nonce {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&counter.to_le_bytes());
    Nonce::assume_unique_for_key(nonce)
}

/// Which counters have been seen (RFC 6479's shape: a ring of words).
#[derive(Debug, Default)]
struct ReplayWindow {
    /// One more than the newest counter seen; zero while none was.
    next: u64,
    words: [u64; WINDOW_WORDS],
}

impl ReplayWindow {
    /// The counter nearest to the newest that has these low bits.
    fn widen(&self, low: u32) -> u64 {
        let near = self.next;
        let base = near & !0xffff_ffff;
        let candidate = base | u64::from(low);
        if candidate.saturating_sub(near) > 1 << 31 && base > 0 {
            candidate - (1 << 32)
        } else if near.saturating_sub(candidate) > 1 << 31 {
            candidate + (1 << 32)
        } else {
            candidate
        }
    }

    fn check(&self, counter: u64) -> Result<(), OpenError> {
        if counter >= self.next {
            return Ok(());
        }
        // A word is cleared as a whole when the window enters it, so the oldest word is not all there.
        if self.next - counter > WINDOW_PACKETS - 64 {
            return Err(OpenError::TooOld);
        }
        let (word, bit) = place(counter);
        if self.words[word] & bit == 0 { Ok(()) } else { Err(OpenError::Replayed) }
    }

    /// Notes the counter; true if it is the newest.
    fn mark(&mut self, counter: u64) -> bool {
        let is_newest = counter >= self.next;
        if is_newest {
            let first = self.next.div_ceil(64);
            let last = counter / 64;
            if last >= first {
                let count = (last - first + 1).min(16);
                for step in 0..count {
                    self.words[place((last - step) * 64).0] = 0;
                }
            }
            self.next = counter + 1;
        }
        let (word, bit) = place(counter);
        self.words[word] |= bit;
        is_newest
    }
}

fn place(counter: u64) -> (usize, u64) {
    let word = usize::try_from((counter / 64) % 16).unwrap_or(0);
    (word, 1 << (counter % 64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn pair() -> (Channel, Channel) {
        (Channel::new(&[1; 32], &[2; 32], 7), Channel::new(&[2; 32], &[1; 32], 8))
    }

    fn sealed(channel: &mut Channel, plain: &[u8]) -> Vec<u8> {
        let mut out = vec![0; plain.len() + 24];
        out[8..8 + plain.len()].copy_from_slice(plain);
        let length = channel.seal(&mut out, plain.len());
        assert_eq!(length, plain.len() + 24);
        out
    }

    #[test]
    fn what_one_end_seals_the_other_opens_once() {
        let (mut here, mut there) = pair();
        let datagram = sealed(&mut here, b"hello");
        assert_eq!(receiver_index(&datagram), Some(7));
        let mut first = datagram.clone();
        assert_eq!(there.open(&mut first).unwrap().plain, b"hello");
        assert_eq!(there.open(&mut datagram.clone()).unwrap_err(), OpenError::Replayed);
    }

    #[test]
    fn any_flipped_bit_is_a_forgery_and_does_not_move_the_window() {
        let (mut here, mut there) = pair();
        let datagram = sealed(&mut here, b"hello");
        for byte in 4..datagram.len() {
            let mut damaged = datagram.clone();
            damaged[byte] ^= 0x40;
            assert_eq!(there.open(&mut damaged).unwrap_err(), OpenError::Forged);
        }
        assert!(there.open(&mut datagram.clone()).is_ok());
    }

    #[test]
    fn counters_run_past_32_bits() {
        let (mut here, mut there) = pair();
        here.next_counter = (1 << 32) - 3;
        there.replay.next = (1 << 32) - 3;
        for _ in 0..6 {
            let mut datagram = sealed(&mut here, b"x");
            assert!(there.open(&mut datagram).is_ok());
        }
        assert_eq!(there.replay.next, (1 << 32) + 3);
    }

    proptest! {
        #[test]
        fn the_window_agrees_with_a_set(counters in prop::collection::vec(0_u64..6_000, 1..400)) {
            let mut window = ReplayWindow::default();
            let mut seen = BTreeSet::new();
            for counter in counters {
                match window.check(counter) {
                    Ok(()) => {
                        prop_assert!(seen.insert(counter));
                        window.mark(counter);
                    }
                    Err(OpenError::Replayed) => prop_assert!(seen.contains(&counter)),
                    Err(_) => prop_assert!(seen.last().is_some_and(|newest| newest - counter >= WINDOW_PACKETS - 65)),
                }
            }
        }
    }
}
