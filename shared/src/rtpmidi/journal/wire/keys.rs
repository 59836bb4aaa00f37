//! E note extras and A pressure on each key: lists of two bytes an entry.

use crate::midi::message::U7;
use crate::wire::{DecodeError, Reader};

use super::{Freshness, Side, length_less_one};

/// E: what notes are beside on and off (A.7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteExtras {
    /// S.
    pub freshness: Freshness,
    /// 1 to 128, oldest first.
    pub logs: Vec<ExtraLog>,
}

/// One entry of chapter E.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtraLog {
    /// S.
    pub freshness: Freshness,
    /// The key.
    pub note: U7,
    /// V and what it announces.
    pub extra: Extra,
}

/// What an entry of chapter E says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extra {
    /// How many strikes of the key await their release.
    Count(U7),
    /// How fast the key was released last.
    Release(U7),
}

/// A: the pressure on each key (A.9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolyPressures {
    /// S.
    pub freshness: Freshness,
    /// 1 to 128, oldest first.
    pub logs: Vec<PressureLog>,
}

/// One entry of chapter A.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PressureLog {
    /// S.
    pub freshness: Freshness,
    /// The key.
    pub note: U7,
    /// X.
    pub side: Side,
    /// How much.
    pub pressure: U7,
}

impl NoteExtras {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (freshness, pairs) = pairs(reader)?;
        let logs = pairs.map(|[note, extra]| {
            let value = U7::low_bits(extra);
            let extra = if extra & 0x80 == 0 { Extra::Count(value) } else { Extra::Release(value) };
            ExtraLog { freshness: Freshness::of(note), note: U7::low_bits(note), extra }
        });
        Ok(Self { freshness, logs: logs.collect() })
    }

    pub(super) fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.push(self.freshness.bit() | length_less_one(self.logs.len()));
        for log in &self.logs {
            let extra = match log.extra {
                Extra::Count(count) => count.get(),
                Extra::Release(velocity) => 0x80 | velocity.get(),
            };
            bytes.extend([log.freshness.bit() | log.note.get(), extra]);
        }
    }
}

impl PolyPressures {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (freshness, pairs) = pairs(reader)?;
        let logs = pairs.map(|[note, pressure]| PressureLog {
            freshness: Freshness::of(note),
            note: U7::low_bits(note),
            side: Side::of(pressure),
            pressure: U7::low_bits(pressure),
        });
        Ok(Self { freshness, logs: logs.collect() })
    }

    pub(super) fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.push(self.freshness.bit() | length_less_one(self.logs.len()));
        for log in &self.logs {
            bytes.extend([log.freshness.bit() | log.note.get(), log.side.bit() | log.pressure.get()]);
        }
    }
}

/// A byte of S and LEN, then LEN + 1 entries of two bytes.
pub(super) fn pairs<'a>(
    reader: &mut Reader<'a>,
) -> Result<(Freshness, impl Iterator<Item = [u8; 2]> + use<'a>), DecodeError> {
    let header = reader.u8()?;
    let bytes = reader.bytes(2 * (usize::from(header & 0x7F) + 1))?;
    let (pairs, _) = bytes.as_chunks::<2>();
    Ok((Freshness::of(header), pairs.iter().copied()))
}
