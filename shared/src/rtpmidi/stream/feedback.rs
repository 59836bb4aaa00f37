//! When the sender is told what came (RS).
//!
//! The time of the next feedback is set once and no traffic moves it back: under a steady clock a timer that waits for
//! silence would never come.

use crate::time::{LocalTime, Span};

/// The feedback's timetable.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Feedback {
    due: Option<LocalTime>,
    given: Option<LocalTime>,
}

/// While packets come.
const EVERY: Span = Span::from_millis(1_000);
/// After a loss, so that the journal need not tell the same for long.
const AFTER_LOSS: Span = Span::from_millis(100);

impl Feedback {
    /// A packet came.
    pub(super) fn packet(&mut self, now: LocalTime) {
        self.due.get_or_insert(now + EVERY);
    }

    /// Packets did not come.
    pub(super) fn loss(&mut self, now: LocalTime) {
        let soon = self.given.map_or(now, |given| given + AFTER_LOSS).max(now);
        self.due = Some(self.due.map_or(soon, |due| due.min(soon)));
    }

    /// Whether it is time, and if so, that it is done.
    pub(super) fn take(&mut self, now: LocalTime) -> bool {
        let due = self.due.is_some_and(|due| due <= now);
        if due {
            *self = Self { due: None, given: Some(now) };
        }
        due
    }

    pub(super) const fn due(&self) -> Option<LocalTime> {
        self.due
    }
}
