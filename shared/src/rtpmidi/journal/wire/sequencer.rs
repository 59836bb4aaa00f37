//! V active sensing, Q the sequencer, and D's undefined commands.

use crate::midi::message::U7;
use crate::wire::{DecodeError, Reader};

use super::{Freshness, big_endian, decode_marked, encode_marked};

/// V: how often active sensing was said, modulo 128 (B.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActiveSensing {
    /// S.
    pub freshness: Freshness,
    /// How often.
    pub count: U7,
}

/// Q: the state of the sequencer (B.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sequencing {
    /// S.
    pub freshness: Freshness,
    /// N.
    pub running: bool,
    /// D: whether `position` has been played, so that the next clock is the one after it.
    pub played: bool,
    /// The song position in clocks, 19 bits; 0 is said without C.
    pub position: u32,
    /// T: milliseconds, for sequencers that do not count clocks; 24 bits.
    pub time: Option<u32>,
}

/// One of the undefined F4 and F5 in chapter D. What its data mean nobody knows; they are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undefined {
    /// S.
    pub freshness: Freshness,
    /// C: how often.
    pub count: Option<u8>,
    /// DSZ: the data bytes of the latest command, 3 for three and more.
    pub size: u8,
    /// V: the data of the latest command. Never empty.
    pub value: Option<Vec<u8>>,
    /// L: what a later standard may put there.
    pub legal: Option<Vec<u8>>,
}

/// One of the undefined F9 and FD in chapter D.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UndefinedRealtime {
    /// S.
    pub freshness: Freshness,
    /// C: how often.
    pub count: Option<u8>,
    /// L: what a later standard may put there.
    pub legal: Option<Vec<u8>>,
}

const RUNNING: u8 = 0x40;
const PLAYED: u8 = 0x20;
const CLOCK: u8 = 0x10;
const TIME: u8 = 0x08;

impl ActiveSensing {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let byte = reader.u8()?;
        Ok(Self { freshness: Freshness::of(byte), count: U7::low_bits(byte) })
    }

    pub(super) fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.push(self.freshness.bit() | self.count.get());
    }
}

impl Sequencing {
    /// Clocks after which positions begin again.
    pub const POSITIONS: u32 = 1 << 19;

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let header = reader.u8()?;
        let position = if header & CLOCK == 0 {
            0
        } else {
            u32::from(header & 0x07) << 16 | u32::from(big_endian(reader)?)
        };
        let time = if header & TIME == 0 {
            None
        } else {
            let [a, b, c] = reader.array()?;
            Some(u32::from_be_bytes([0, a, b, c]))
        };
        let (running, played) = (header & RUNNING != 0, header & PLAYED != 0);
        Ok(Self { freshness: Freshness::of(header), running, played, position, time })
    }

    pub(super) fn encode(&self, bytes: &mut Vec<u8>) {
        let [_, top, high, low] = (self.position % Self::POSITIONS).to_be_bytes();
        let mut header = self.freshness.bit() | top;
        for (flag, mask) in [
            (self.running, RUNNING),
            (self.played, PLAYED),
            (self.position != 0, CLOCK),
            (self.time.is_some(), TIME),
        ] {
            header |= if flag { mask } else { 0 };
        }
        bytes.push(header);
        if self.position != 0 {
            bytes.extend([high, low]);
        }
        if let Some(time) = self.time {
            let [_, a, b, c] = time.to_be_bytes();
            bytes.extend([a, b, c]);
        }
    }
}

impl Undefined {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let header = big_endian(reader)?;
        let mut rest = remainder(reader, header & 0x3FF, 2)?;
        let has = |mask: u16| header & mask != 0;
        let count = if has(0x4000) { Some(rest.u8()?) } else { None };
        let value = has(0x2000).then(|| decode_marked(&mut rest)).transpose()?;
        let size = (header >> 10).to_le_bytes()[0] & 3;
        let legal = has(0x1000).then(|| rest.rest().to_vec());
        let freshness = if has(0x8000) { Freshness::Known } else { Freshness::News };
        Ok(Self { freshness, count, size, value, legal })
    }

    pub(super) fn encode(&self, bytes: &mut Vec<u8>) {
        let start = bytes.len();
        bytes.extend([0, 0]);
        bytes.extend(self.count);
        let mut header = u16::from(self.freshness.bit()) << 8;
        header |= if self.count.is_some() { 0x4000 } else { 0 };
        header |= u16::from(self.size & 3) << 10;
        if let Some(value) = self.value.as_deref().filter(|value| !value.is_empty()) {
            encode_marked(value, bytes);
            header |= 0x2000;
        }
        if let Some(legal) = &self.legal {
            bytes.extend(legal);
            header |= 0x1000;
        }
        header |= u16::try_from(bytes.len() - start).unwrap_or(0x3FF) & 0x3FF;
        bytes[start..start + 2].copy_from_slice(&header.to_be_bytes());
    }
}

impl UndefinedRealtime {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let header = reader.u8()?;
        let mut rest = remainder(reader, u16::from(header & 0x1F), 1)?;
        let count = if header & 0x40 == 0 { None } else { Some(rest.u8()?) };
        let legal = (header & 0x20 != 0).then(|| rest.rest().to_vec());
        Ok(Self { freshness: Freshness::of(header), count, legal })
    }

    pub(super) fn encode(&self, bytes: &mut Vec<u8>) {
        let start = bytes.len();
        let mut header = self.freshness.bit();
        header |= if self.count.is_some() { 0x40 } else { 0 };
        header |= if self.legal.is_some() { 0x20 } else { 0 };
        bytes.push(header);
        bytes.extend(self.count);
        bytes.extend(self.legal.iter().flatten());
        bytes[start] |= u8::try_from(bytes.len() - start).unwrap_or(0x1F) & 0x1F;
    }
}

/// What follows `header_bytes` in something of `length` bytes, both counted.
fn remainder<'a>(reader: &mut Reader<'a>, length: u16, header_bytes: u16) -> Result<Reader<'a>, DecodeError> {
    let Some(rest) = length.checked_sub(header_bytes) else {
        return Err(DecodeError::Range { field: "length of an undefined command", value: length.into() });
    };
    reader.bytes(rest.into()).map(Reader::new)
}
