//! Messages that wait for their time.

use std::collections::BTreeMap;

use crate::midi::message::Message;
use crate::rtpmidi::journal::Chapter;
use crate::time::LocalTime;

/// A message to be played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Played {
    /// When. Past or present: at once.
    pub at: LocalTime,
    /// What.
    pub message: Message,
    /// Where it comes from.
    pub origin: Origin,
}

/// Where a played message comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The peer sent it, and it came.
    Sent,
    /// It did not come, and a chapter of the journal told it.
    Repaired(Chapter),
    /// The peer is gone and left this sounding.
    Released,
}

/// Messages by time, those of the same time in the order in which they came.
#[derive(Clone, Debug, Default)]
pub(super) struct Playout {
    waiting: BTreeMap<(LocalTime, u64), (Message, Origin)>,
    pushed: u64,
    exclusive_bytes: usize,
}

/// With more than this the earliest are played before their time.
const WAITING_MAX: usize = 8_192;
/// And with more bytes of exclusive messages than four of the largest.
const EXCLUSIVE_BYTES_MAX: usize = 4 * 65_536;
/// Whoever does not take what is due gets no more than this.
const WAITING_EVER: usize = 32_768;

impl Playout {
    /// Adds a message, if there is room: false if nobody took what is due for long.
    pub(super) fn push(&mut self, played: Played) -> bool {
        let bytes = exclusive_bytes(&played.message);
        let fits =
            self.waiting.len() < WAITING_EVER && self.exclusive_bytes + bytes <= 2 * EXCLUSIVE_BYTES_MAX;
        if fits {
            self.exclusive_bytes += bytes;
            self.waiting.insert((played.at, self.pushed), (played.message, played.origin));
            self.pushed += 1;
        }
        fits
    }

    /// The earliest message, if its time is not after `until`.
    pub(super) fn pop(&mut self, until: LocalTime) -> Option<Played> {
        if self.next().is_none_or(|at| at > until) {
            return None;
        }
        let ((at, _), (message, origin)) = self.waiting.pop_first()?;
        self.exclusive_bytes -= exclusive_bytes(&message);
        Some(Played { at, message, origin })
    }

    /// When the earliest is to be taken.
    pub(super) fn next(&self) -> Option<LocalTime> {
        let crowded = self.waiting.len() > WAITING_MAX || self.exclusive_bytes > EXCLUSIVE_BYTES_MAX;
        let at = self.waiting.first_key_value().map(|((at, _), _)| *at);
        if crowded { at.map(|at| at.min(LocalTime::ZERO)) } else { at }
    }

    /// How many messages wait, and the bytes of the exclusive ones.
    pub(super) fn waiting(&self) -> (usize, usize) {
        (self.waiting.len(), self.exclusive_bytes)
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        self.exclusive_bytes = 0;
    }
}

fn exclusive_bytes(message: &Message) -> usize {
    match message {
        Message::Exclusive(exclusive) => exclusive.content().len(),
        Message::Voice(..) | Message::Realtime(_) | Message::System(_) => 0,
    }
}
