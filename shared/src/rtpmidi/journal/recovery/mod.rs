//! What a receiver has heard, and what it must play to hear the same as everybody.
//!
//! The receiver keeps the same [`State`] as the sender. A repair is the difference: whatever of the journal differs from
//! the state is played, in the order that a MIDI receiver needs, and goes through the state as if it had come. So a
//! journal can be applied as often as it comes, and S bits, which say what need not be read, need not be trusted.
//!
//! What the journal tells as a count (resets, mode changes, exclusive messages) is played when the counts differ, once
//! and not as often as it was said, but exclusive messages each. Notes are struck only while they are fresh: by the
//! sender's word (Y) and by their age here; releases are always played.

mod channel;
mod controllers;
mod keys;
mod parameters;
mod player;
mod sequencer;
mod system;
#[cfg(test)]
mod tests;

use crate::midi::message::Message;
use crate::time::Span;

use super::state::State;
use super::wire::Journal;
use super::{Chapter, JournalError, Repair};
use player::{ControlCounts, Player};

/// What did not come before the packet that brings the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The packet just before.
    One,
    /// This many packets, or as many as nobody knows.
    Many(u32),
}

/// What one receiver has heard of one sender. Bound: the [`State`] and 2 KiB of counts.
#[derive(Clone, Debug, Default)]
pub struct Recovery {
    state: State,
    counts: ControlCounts,
    repaired: Repaired,
}

/// How many messages each chapter has told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Repaired([u64; Chapter::ALL.len()]);

/// The oldest strike that is played late.
const STRIKE_AGE_MAX: Span = Span::from_nanos(500_000_000);

impl Recovery {
    /// `message` came in order and is played.
    pub fn note(&mut self, message: &Message) {
        self.counts.note(message);
        self.state.apply(message);
    }

    /// Appends to `repairs` what must be played before the packet that brought `journal`, in this order. `age` is how
    /// old a lost message may be at most: strikes older than half a second are not played, releases always. What is
    /// appended counts as noted.
    ///
    /// # Errors
    /// The first part of the journal that cannot be read. What can be read is repaired all the same.
    pub fn repair(
        &mut self,
        loss: Loss,
        age: Span,
        journal: &[u8],
        repairs: &mut Vec<Repair>,
    ) -> Result<(), JournalError> {
        let decoded = Journal::decode(journal)?;
        let mut player = Player {
            state: &mut self.state,
            counts: &mut self.counts,
            repaired: &mut self.repaired,
            repairs,
            left: player::REPAIRS_MAX,
            loss,
            strikes: if age <= STRIKE_AGE_MAX { player::Strikes::Played } else { player::Strikes::TooLate },
        };
        if let Some(system) = &decoded.journal.system {
            player.repair_system(system);
        }
        for channel in &decoded.journal.channels {
            player.repair_channel(channel);
        }
        if player.left == 0 {
            return Err(JournalError::Crowded);
        }
        decoded.fault.map_or(Ok(()), Err)
    }

    /// What was heard has led to this.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// How many messages each chapter has told.
    #[must_use]
    pub const fn repaired(&self) -> Repaired {
        self.repaired
    }
}

impl Repaired {
    /// By `chapter`.
    #[must_use]
    pub const fn by(&self, chapter: Chapter) -> u64 {
        self.0[chapter.rank()]
    }

    /// By all of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}
