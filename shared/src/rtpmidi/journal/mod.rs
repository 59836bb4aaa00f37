//! The recovery journal (RFC 6295, section 5 and appendices A and B), in both directions.

mod draw;
pub mod figures;
mod history;
mod recovery;
pub mod state;
pub mod wire;

use thiserror::Error;

use crate::midi::message::{Channel, Message};
use crate::wire::DecodeError;

pub use history::{Acknowledged, Checkpoint, History, Written};
pub use recovery::{Loss, Recovery, Repaired};

/// A part of the journal, the most important first: what there is no room for is the last of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Chapter {
    /// N: the keys.
    Notes,
    /// C: the controllers.
    Controllers,
    /// W: the wheel.
    Wheel,
    /// P: the program and its bank.
    Program,
    /// T: the pressure on the keys.
    Pressure,
    /// A: the pressure on each key.
    PolyPressure,
    /// E: how often keys were struck, and how fast released.
    NoteExtras,
    /// M: registered and other parameters.
    Parameters,
    /// Q: the sequencer's position and whether it runs.
    Sequencer,
    /// F: MIDI time code.
    TimeCode,
    /// D: reset, tune request, song select.
    Simple,
    /// V: active sensing.
    ActiveSensing,
    /// X: exclusive messages.
    Exclusive,
}

impl Chapter {
    /// All of them, the most important first.
    pub const ALL: [Self; 13] = [
        Self::Notes,
        Self::Controllers,
        Self::Wheel,
        Self::Program,
        Self::Pressure,
        Self::PolyPressure,
        Self::NoteExtras,
        Self::Parameters,
        Self::Sequencer,
        Self::TimeCode,
        Self::Simple,
        Self::ActiveSensing,
        Self::Exclusive,
    ];
    /// The first of them are of channels.
    const OF_CHANNELS: usize = 8;
    /// The rest are of the system.
    const OF_SYSTEM: usize = 5;

    /// Its letter in RFC 6295.
    #[must_use]
    pub const fn letter(self) -> char {
        match self {
            Self::Notes => 'N',
            Self::Controllers => 'C',
            Self::Wheel => 'W',
            Self::Program => 'P',
            Self::Pressure => 'T',
            Self::PolyPressure => 'A',
            Self::NoteExtras => 'E',
            Self::Parameters => 'M',
            Self::Sequencer => 'Q',
            Self::TimeCode => 'F',
            Self::Simple => 'D',
            Self::ActiveSensing => 'V',
            Self::Exclusive => 'X',
        }
    }

    /// Its place in [`ALL`](Self::ALL).
    const fn rank(self) -> usize {
        match self {
            Self::Notes => 0,
            Self::Controllers => 1,
            Self::Wheel => 2,
            Self::Program => 3,
            Self::Pressure => 4,
            Self::PolyPressure => 5,
            Self::NoteExtras => 6,
            Self::Parameters => 7,
            Self::Sequencer => 8,
            Self::TimeCode => 9,
            Self::Simple => 10,
            Self::ActiveSensing => 11,
            Self::Exclusive => 12,
        }
    }
}

/// A message that brings the receiver to the sender's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repair {
    /// What to play.
    pub message: Message,
    /// The chapter that told it.
    pub chapter: Chapter,
}

/// Why a journal, or a part of it, cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum JournalError {
    /// The journal's own header is not whole.
    #[error("a journal of {0} bytes has no header")]
    NoHeader(usize),
    /// The system journal's LENGTH is less than its header or more than what follows.
    #[error("a system journal of {0} bytes cannot be")]
    SystemLength(u16),
    /// A channel journal's LENGTH is less than its header or more than what follows.
    #[error("a channel journal of {0} bytes cannot be")]
    ChannelLength(u16),
    /// A chapter is not what its standard says.
    #[error("chapter {}: {reason}", .chapter.letter())]
    Unreadable {
        /// Which.
        chapter: Chapter,
        /// What is wrong.
        reason: DecodeError,
    },
    /// Two journals of one channel; the first counts.
    #[error("channel {} twice", .0.index() + 1)]
    Twice(Channel),
    /// Bytes follow where the journal should end.
    #[error("{0} bytes too many")]
    Trailing(usize),
    /// The journal asks for more messages than are played at once; the first are.
    #[error("a journal of too many messages")]
    Crowded,
}
