//! What a receiver has heard, and what it must play to hear the same as everybody.

use crate::midi::message::Message;
use crate::time::Span;

use super::{JournalError, Repair};

/// What did not come before the packet that brings the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The packet just before.
    One,
    /// This many packets, or as many as nobody knows.
    Many(u32),
}

/// What one receiver has heard of one sender.
#[derive(Clone, Debug, Default)]
pub struct Recovery {}

impl Recovery {
    /// `message` came in order and is played.
    pub fn note(&mut self, _message: &Message) {}

    /// Appends to `repairs` what must be played before the packet that brought `journal`, in this order. `age` is how
    /// old a lost message may be at most: strikes that are too late are not played, releases always. What was
    /// appended counts as noted.
    ///
    /// # Errors
    /// The first part of the journal that cannot be read. What can be read is repaired all the same.
    pub fn repair(
        &mut self,
        _loss: Loss,
        _age: Span,
        _journal: &[u8],
        _repairs: &mut Vec<Repair>,
    ) -> Result<(), JournalError> {
        Ok(())
    }
}
