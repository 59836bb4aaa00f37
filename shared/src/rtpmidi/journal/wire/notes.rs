//! N: the keys.

use crate::midi::message::U7;
use crate::wire::{DecodeError, Reader};

use super::Freshness;

/// N: the keys (A.6).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// B: the S bit of the releases. N has none of its own.
    pub freshness: Freshness,
    /// Keys whose latest command was a strike, oldest first; at most 128, and 128 only without releases.
    pub logs: Vec<NoteLog>,
    /// A bit for each key whose latest command was a release; key 0 is the lowest.
    pub released: u128,
}

/// One struck key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoteLog {
    /// S.
    pub freshness: Freshness,
    /// The key.
    pub note: U7,
    /// Y.
    pub rendering: Rendering,
    /// How hard; 0 has no meaning.
    pub velocity: U7,
}

/// What to do about a strike that was missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rendering {
    /// Y = 1: play it.
    Play,
    /// Y = 0: it is too old.
    Skip,
}

/// LOW and HIGH when there are no releases: LOW is above HIGH, and HIGH tells LEN 127 from 128 logs.
const NO_RELEASES: u8 = 0xF1;
const NO_RELEASES_128: u8 = 0xF0;

impl Notes {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let [header, span] = reader.array()?;
        let count = match (header & 0x7F, span) {
            (127, NO_RELEASES_128) => 128,
            (count, _) => usize::from(count),
        };
        let (pairs, _) = reader.bytes(2 * count)?.as_chunks::<2>();
        let logs = pairs.iter().map(|[note, velocity]| NoteLog {
            freshness: Freshness::of(*note),
            note: U7::low_bits(*note),
            rendering: if velocity & 0x80 == 0 { Rendering::Skip } else { Rendering::Play },
            velocity: U7::low_bits(*velocity),
        });
        let mut notes = Self { freshness: Freshness::of(header), logs: logs.collect(), released: 0 };
        let (low, high) = (usize::from(span >> 4), usize::from(span & 0x0F));
        if low <= high {
            let mut octets = [0; 16];
            let width = high - low + 1;
            octets[low..=high].copy_from_slice(reader.bytes(width)?);
            // The lowest key is an octet's highest bit.
            notes.released = u128::from_be_bytes(octets).reverse_bits();
        }
        Ok(notes)
    }

    pub(super) fn encode(&self, bytes: &mut Vec<u8>) {
        let octets = self.released.reverse_bits().to_be_bytes();
        let span =
            octets.iter().position(|octet| *octet != 0).zip(octets.iter().rposition(|octet| *octet != 0));
        let count = u8::try_from(self.logs.len().min(128)).unwrap_or(128);
        bytes.push(self.freshness.bit() | count.min(127));
        bytes.push(match span {
            Some((low, high)) => u8::try_from(low << 4 | high).unwrap_or(NO_RELEASES),
            None if count == 128 => NO_RELEASES_128,
            None => NO_RELEASES,
        });
        let room = if span.is_some() { 127 } else { 128 };
        for log in self.logs.iter().take(room) {
            let play = match log.rendering {
                Rendering::Play => 0x80,
                Rendering::Skip => 0,
            };
            bytes.extend([log.freshness.bit() | log.note.get(), play | log.velocity.get()]);
        }
        if let Some((low, high)) = span {
            bytes.extend(&octets[low..=high]);
        }
    }
}
