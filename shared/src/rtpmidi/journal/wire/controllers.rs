//! C: the controllers.

use crate::midi::message::U7;
use crate::wire::{DecodeError, Reader};

use super::keys::pairs;
use super::{Freshness, length_less_one};

/// C: the controllers (A.3), oldest command first. A command may have several logs: count, value, toggle, in this
/// order. With enhanced encoding (H) one controller may have several commands; the bytes are the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Controllers {
    /// S.
    pub freshness: Freshness,
    /// 1 to 128.
    pub logs: Vec<ControllerLog>,
}

/// One entry of chapter C.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControllerLog {
    /// S.
    pub freshness: Freshness,
    /// Which controller.
    pub number: U7,
    /// What is told of it.
    pub tool: Tool,
}

/// How a command is told (A.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// The value of the latest command.
    Value(U7),
    /// How often the controller went from off to on or back, modulo 64: for pedals. Off is below 64.
    Toggle(u8),
    /// How often the controller was commanded, modulo 64: for commands such as All Notes Off.
    Count(u8),
}

const ALTERNATIVE: u8 = 0x80;
const COUNT: u8 = 0x40;

impl Controllers {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (freshness, pairs) = pairs(reader)?;
        let logs = pairs.map(|[number, told]| ControllerLog {
            freshness: Freshness::of(number),
            number: U7::low_bits(number),
            tool: Tool::of(told),
        });
        Ok(Self { freshness, logs: logs.collect() })
    }

    pub(super) fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.push(self.freshness.bit() | length_less_one(self.logs.len()));
        for log in &self.logs {
            bytes.extend([log.freshness.bit() | log.number.get(), log.tool.byte()]);
        }
    }
}

impl Tool {
    const fn of(byte: u8) -> Self {
        match (byte & ALTERNATIVE, byte & COUNT) {
            (0, _) => Self::Value(U7::low_bits(byte)),
            (_, 0) => Self::Toggle(byte & 0x3F),
            _ => Self::Count(byte & 0x3F),
        }
    }

    const fn byte(self) -> u8 {
        match self {
            Self::Value(value) => value.get(),
            Self::Toggle(count) => ALTERNATIVE | count & 0x3F,
            Self::Count(count) => ALTERNATIVE | COUNT | count & 0x3F,
        }
    }
}
