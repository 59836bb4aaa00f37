//! The recovery journal (RFC 6295, section 5 and appendices A and B), in both directions.

mod draw;
mod history;
mod recovery;
pub mod wire;

use thiserror::Error;

use crate::midi::message::{Channel, Message};
use crate::wire::DecodeError;

pub use history::{Acknowledged, Checkpoint, History, Written};
pub use recovery::{Loss, Recovery};

/// A part of the journal.
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
    #[error("chapter {chapter:?}: {reason}")]
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
}
