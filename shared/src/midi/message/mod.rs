//! MIDI 1.0 messages as values, as bytes and back.
//!
//! Running status, segments and timing belong to the transports (`rtpmidi`, the sequencer's and the plugin's ports); a
//! [`Message`] is whole. [`Parser`] makes messages of a stream of bytes that may be split anywhere, [`Message::encode`]
//! the bytes of one.
//!
//! Reading order: [`Message`] and what it is made of; [`Parser`]; [`Held`], what still sounds and how to end it.

mod bytes;
mod held;
mod parser;
mod text;

use std::sync::Arc;

use super::Realtime;

pub use bytes::Bytes;
pub use held::Held;
pub use parser::{Parser, Passed};

/// One message. MIDI 2.0's packets would be further variants.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Message {
    /// To one of the sixteen channels.
    Voice(Channel, Voice),
    /// The clock and the transport.
    Realtime(Realtime),
    /// To everybody.
    System(System),
    /// A manufacturer's own, of any length.
    Exclusive(Exclusive),
}

/// One of the sixteen channels, counted from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Channel(u8);

/// Seven bits: what a data byte holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct U7(u8);

/// Fourteen bits: what two data bytes hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct U14(u16);

/// What is said to a channel (MIDI 1.0, "Channel Voice" and "Channel Mode").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Voice {
    /// 8n: a key is released.
    NoteOff {
        /// The key.
        note: U7,
        /// How fast.
        velocity: U7,
    },
    /// 9n: a key is struck. With velocity 0 it is a release, and [`Voice::is_release`] says so.
    NoteOn {
        /// The key.
        note: U7,
        /// How hard.
        velocity: U7,
    },
    /// An: the pressure on one key.
    PolyPressure {
        /// The key.
        note: U7,
        /// How much.
        pressure: U7,
    },
    /// Bn: a controller moves. Numbers from 120 are the channel modes.
    Control {
        /// Which.
        number: U7,
        /// Where to.
        value: U7,
    },
    /// Cn: another program.
    Program(U7),
    /// Dn: the pressure on the keys.
    Pressure(U7),
    /// En: the wheel; [`U14::CENTRE`] at rest.
    Bend(U14),
}

/// What is said to everybody beside the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum System {
    /// F1: a quarter frame of MIDI time code.
    QuarterFrame(U7),
    /// F3: choose a song.
    SongSelect(U7),
    /// F6: tune.
    TuneRequest,
    /// FE: I am still here.
    ActiveSensing,
    /// FF: begin afresh.
    Reset,
}

/// The content of an exclusive message, without F0 and F7: data bytes only, at most [`Exclusive::MAX`]. Shared, so
/// that a room can hand one to all.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Exclusive(Arc<[u8]>);

impl Channel {
    /// How many there are.
    pub const COUNT: usize = 16;

    /// The channel of the low four bits of a status byte.
    #[must_use]
    pub const fn of_status(status: u8) -> Self {
        Self(status & 0x0F)
    }

    /// 0 to 15.
    #[must_use]
    pub const fn index(self) -> u8 {
        self.0
    }

    /// All sixteen.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..16).map(Self)
    }
}

impl U7 {
    /// 0.
    pub const ZERO: Self = Self(0);
    /// 64: what a release velocity is when nobody measured it.
    pub const MIDDLE: Self = Self(64);
    /// 127.
    pub const MAX: Self = Self(127);

    /// `value` if seven bits hold it.
    #[must_use]
    pub const fn new(value: u8) -> Option<Self> {
        if value > 127 { None } else { Some(Self(value)) }
    }

    /// The low seven bits of `byte`.
    #[must_use]
    pub const fn low_bits(byte: u8) -> Self {
        Self(byte & 0x7F)
    }

    /// The value.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }

    /// The value as a place in a table of 128.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl U14 {
    /// 8,192: a wheel at rest.
    pub const CENTRE: Self = Self(0x2000);

    /// `value` if fourteen bits hold it.
    #[must_use]
    pub const fn new(value: u16) -> Option<Self> {
        if value > 0x3FFF { None } else { Some(Self(value)) }
    }

    /// From its halves.
    #[must_use]
    pub const fn from_halves(low: U7, high: U7) -> Self {
        Self((high.0 as u16) << 7 | low.0 as u16)
    }

    /// The value.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// The low and the high seven bits, in the order of the wire.
    #[must_use]
    pub const fn halves(self) -> (U7, U7) {
        let [low, _] = (self.0 & 0x7F).to_le_bytes();
        let [high, _] = (self.0 >> 7).to_le_bytes();
        (U7(low), U7(high))
    }
}

impl Voice {
    /// Whether this ends a note: a release, or a strike with velocity 0.
    #[must_use]
    pub fn is_release(self) -> bool {
        matches!(self, Self::NoteOff { .. } | Self::NoteOn { velocity: U7::ZERO, .. })
    }

    /// Whether this ends what may be held: a release, a pedal up, a wheel at rest, a channel mode.
    ///
    /// Real-time: yes. Bound: constant.
    #[must_use]
    pub fn ends(self) -> bool {
        match self {
            Self::Control { number, value } => {
                number.get() >= held::MODES_FIRST || held::PEDALS.contains(&number.get()) && value.get() < 64
            }
            Self::Bend(bend) => bend == U14::CENTRE,
            Self::Pressure(pressure) => pressure == U7::ZERO,
            Self::NoteOff { .. } | Self::NoteOn { .. } => self.is_release(),
            Self::PolyPressure { .. } | Self::Program(_) => false,
        }
    }
}

impl Exclusive {
    /// The most bytes that one may have: whole dumps of synthesizers fit, an attacker's memory does not.
    pub const MAX: usize = 65_536;

    /// `content` without F0 and F7; nothing if it is too long or holds a status byte.
    #[must_use]
    pub fn new(content: &[u8]) -> Option<Self> {
        (content.len() <= Self::MAX && content.iter().all(|byte| *byte < 0x80)).then(|| Self(content.into()))
    }

    /// The content, without F0 and F7.
    #[must_use]
    pub fn content(&self) -> &[u8] {
        &self.0
    }
}
