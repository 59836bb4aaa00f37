//! X: exclusive messages.

use crate::wire::{DecodeError, Reader};

use super::{Freshness, decode_marked, encode_marked};

/// X: exclusive messages (B.5), oldest first, without a header: it ends where the system journal ends. The coded S bit
/// of the first log is the chapter's; see [`Exclusives::freshness_of`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exclusives {
    /// At least one.
    pub logs: Vec<ExclusiveLog>,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExclusiveLog {
    /// S as it is coded.
    pub freshness: Freshness,
    /// T: how many messages of this type were said, modulo 256.
    pub type_count: Option<u8>,
    /// C: how many exclusive messages were said, modulo 256.
    pub count: Option<u8>,
    /// F: how many data bytes of the message come before `data`; at most 28 bits.
    pub first: Option<u32>,
    /// D: data bytes, without F0 and F7. Never empty: a message without data has none.
    pub data: Option<Vec<u8>>,
    /// L.
    pub listing: Listing,
    /// STA.
    pub status: ExclusiveStatus,
}

/// Which messages of a type have logs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Listing {
    /// L = 0: the latest alone.
    #[default]
    Latest,
    /// L = 1: all.
    All,
}

/// How far a message has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExclusiveStatus {
    /// 0: more is to follow.
    Unfinished,
    /// 1: it was called off.
    Cancelled,
    /// 2: it is whole; its source left the F7 out.
    WithoutEnd,
    /// 3: it is whole.
    Finished,
}

const TYPE_COUNT: u8 = 0x40;
const COUNT: u8 = 0x20;
const FIRST: u8 = 0x10;
const DATA: u8 = 0x08;
const ALL: u8 = 0x04;
/// Bytes of the largest FIRST.
const FIRST_BYTES_MAX: usize = 4;

impl Exclusives {
    /// Whether the log at `place` tells news: for the first, whose S bit is the chapter's, only if the second does too
    /// (B.5.1).
    #[must_use]
    pub fn freshness_of(&self, place: usize) -> Freshness {
        let coded = |place: usize| self.logs.get(place).map(|log| log.freshness);
        match (place, coded(0), coded(1)) {
            (0, Some(Freshness::News), None | Some(Freshness::News)) => Freshness::News,
            (0, _, _) => Freshness::Known,
            _ => coded(place).unwrap_or_default(),
        }
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut logs = vec![ExclusiveLog::decode(reader)?];
        while !reader.rest().is_empty() {
            logs.push(ExclusiveLog::decode(reader)?);
        }
        Ok(Self { logs })
    }

    pub(super) fn encode(&self, bytes: &mut Vec<u8>) {
        for log in &self.logs {
            log.encode(bytes);
        }
    }
}

impl ExclusiveLog {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let header = reader.u8()?;
        let has = |mask: u8| header & mask != 0;
        let type_count = has(TYPE_COUNT).then(|| reader.u8()).transpose()?;
        let count = has(COUNT).then(|| reader.u8()).transpose()?;
        let first = has(FIRST).then(|| decode_first(reader)).transpose()?;
        let data = has(DATA).then(|| decode_marked(reader)).transpose()?;
        let status = match header & 0x03 {
            0 => ExclusiveStatus::Unfinished,
            1 => ExclusiveStatus::Cancelled,
            2 => ExclusiveStatus::WithoutEnd,
            _ => ExclusiveStatus::Finished,
        };
        let listing = if has(ALL) { Listing::All } else { Listing::Latest };
        Ok(Self { freshness: Freshness::of(header), type_count, count, first, data, listing, status })
    }

    fn encode(&self, bytes: &mut Vec<u8>) {
        let data = self.data.as_deref().filter(|data| !data.is_empty());
        let mut header = self.freshness.bit();
        for (here, mask) in [
            (self.type_count.is_some(), TYPE_COUNT),
            (self.count.is_some(), COUNT),
            (self.first.is_some(), FIRST),
            (data.is_some(), DATA),
            (self.listing == Listing::All, ALL),
        ] {
            header |= if here { mask } else { 0 };
        }
        header |= match self.status {
            ExclusiveStatus::Unfinished => 0,
            ExclusiveStatus::Cancelled => 1,
            ExclusiveStatus::WithoutEnd => 2,
            ExclusiveStatus::Finished => 3,
        };
        bytes.push(header);
        bytes.extend(self.type_count);
        bytes.extend(self.count);
        if let Some(first) = self.first {
            encode_first(first, bytes);
        }
        if let Some(data) = data {
            encode_marked(data, bytes);
        }
    }
}

/// Seven bits a byte from the highest; the top bit says that more follow.
fn decode_first(reader: &mut Reader<'_>) -> Result<u32, DecodeError> {
    let mut first = 0;
    for _ in 0..FIRST_BYTES_MAX {
        let byte = reader.u8()?;
        first = first << 7 | u32::from(byte & 0x7F);
        if byte & 0x80 == 0 {
            return Ok(first);
        }
    }
    Err(DecodeError::Range { field: "first byte of an exclusive message", value: first.into() })
}

fn encode_first(first: u32, bytes: &mut Vec<u8>) {
    let septets = [first >> 21, first >> 14, first >> 7, first].map(|bits| bits.to_le_bytes()[0] & 0x7F);
    let begin = septets.iter().position(|septet| *septet != 0).unwrap_or(3);
    for (place, septet) in septets.iter().enumerate().skip(begin) {
        bytes.push(if place == 3 { *septet } else { 0x80 | septet });
    }
}
