//! The journal as it crosses the network: every field a value, decoded and encoded.
//!
//! ```text
//! header  S Y A H TOTCHAN(4) | checkpoint(16)
//! Y: system journal     S D V Q F X LENGTH(10) | chapters in this order
//! A: TOTCHAN + 1 times  S CHAN(4) H LENGTH(10) | P C M W N E T A | chapters in this order
//! ```
//!
//! A chapter that cannot be read hides those behind it in the same system or channel journal; LENGTH leads to the next.
//! What decodes again from what was encoded is equal; reserved bits are not kept.

mod controllers;
mod exclusive;
mod frame;
mod keys;
mod notes;
mod parameters;
mod sequencer;
mod simple;
#[cfg(test)]
mod tests;
mod time_code;

use crate::midi::message::Exclusive;
use crate::wire::{DecodeError, Reader};

pub use controllers::{ControllerLog, Controllers, Tool};
pub use exclusive::{ExclusiveLog, ExclusiveStatus, Exclusives, Listing};
pub use frame::{ChannelJournal, Decoded, Encoding, Journal, SystemJournal};
pub(super) use frame::{HEADER_BYTES, LENGTH_MAX, SYSTEM_HEADER_BYTES};
pub use keys::{Extra, ExtraLog, NoteExtras, PolyPressures, PressureLog};
pub use notes::{NoteLog, Notes, Rendering};
pub use parameters::{Button, Entry, ParameterLog, ParameterLogs, Transaction};
pub use sequencer::{ActiveSensing, Sequencing, Undefined, UndefinedRealtime};
pub use simple::{Bank, Pressing, Program, Simple, Wheel};
pub use time_code::{Direction, Frame, Partial, TimeCode};

/// The S bit: whether a receiver that lost one packet alone needs this.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Freshness {
    /// S = 0: something here was first said in the packet just before.
    News,
    /// S = 1: nothing here was.
    #[default]
    Known,
}

/// The X bit: on which side of the latest Reset All Controllers something was said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Side {
    /// X = 0: none came since.
    #[default]
    Since,
    /// X = 1: one came since, and may have undone this.
    Before,
}

/// Which of the two families of parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// RPN: controllers 101 and 100 choose it.
    #[default]
    Registered,
    /// NRPN: controllers 99 and 98 choose it.
    NonRegistered,
}

const HIGH_BIT: u8 = 0x80;

impl Freshness {
    /// Of what is made of this and `other`.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Known, Self::Known) => Self::Known,
            (Self::News, _) | (_, Self::News) => Self::News,
        }
    }

    const fn bit(self) -> u8 {
        match self {
            Self::News => 0,
            Self::Known => HIGH_BIT,
        }
    }

    const fn of(byte: u8) -> Self {
        if byte & HIGH_BIT == 0 { Self::News } else { Self::Known }
    }
}

impl Side {
    const fn bit(self) -> u8 {
        match self {
            Self::Since => 0,
            Self::Before => HIGH_BIT,
        }
    }

    const fn of(byte: u8) -> Self {
        if byte & HIGH_BIT == 0 { Self::Since } else { Self::Before }
    }
}

impl Family {
    const fn bit(self) -> u8 {
        match self {
            Self::Registered => 0,
            Self::NonRegistered => HIGH_BIT,
        }
    }

    const fn of(byte: u8) -> Self {
        if byte & HIGH_BIT == 0 { Self::Registered } else { Self::NonRegistered }
    }
}

/// `mask` if there is a `field`: how a table of contents says so.
const fn present<T>(field: Option<&T>, mask: u8) -> u8 {
    if field.is_some() { mask } else { 0 }
}

/// The count of a list of 1 to 128, less one, as seven bits.
fn length_less_one(count: usize) -> u8 {
    u8::try_from(count.clamp(1, 128) - 1).unwrap_or(127)
}

/// Two bytes, the high one first, which is not the order of our own wire.
fn big_endian(reader: &mut Reader<'_>) -> Result<u16, DecodeError> {
    reader.array().map(u16::from_be_bytes)
}

/// Data bytes of which the last has its top bit set.
fn decode_marked(reader: &mut Reader<'_>) -> Result<Vec<u8>, DecodeError> {
    let Some(last) = reader.rest().iter().take(Exclusive::MAX).position(|byte| byte & HIGH_BIT != 0) else {
        return Err(DecodeError::Short { missing: 1 });
    };
    let data = reader.bytes(last + 1)?;
    Ok(data.iter().map(|byte| byte & 0x7F).collect())
}

fn encode_marked(data: &[u8], bytes: &mut Vec<u8>) {
    if let Some((last, rest)) = data.split_last() {
        bytes.extend(rest.iter().map(|byte| byte & 0x7F));
        bytes.push(HIGH_BIT | last);
    }
}
