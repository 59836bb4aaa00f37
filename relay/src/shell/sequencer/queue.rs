//! The kernel queue's clock against ours.
//!
//! The queue counts nominal ticks of a kernel timer and adds what has passed since the last one. When an interrupt comes
//! late, what it brought is counted short until the next one; the queue therefore reads too little at times, never too
//! much. Our own clock is read after it, so that whatever comes between the two makes the difference larger as well. The
//! smallest difference of several readings is therefore the true one, and it stands still: within 40 us over 10 s on an
//! emulated machine whose host was busy, where the single readings were up to 2 ms off.

use lockstep_shared::time::{LocalTime, Span};

/// How long the smallest difference counts, at least; and twice this at most.
const WINDOW: Span = Span::from_millis(2_000);
/// How old a reading may be.
const READ_EVERY: Span = Span::from_millis(100);

/// The difference between the two clocks, followed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct QueueClock {
    /// The smallest difference of this window and of the one before.
    present: Option<Span>,
    previous: Option<Span>,
    window_end: LocalTime,
    read_at: LocalTime,
}

impl QueueClock {
    /// Whether a reading is wanted.
    pub(super) fn is_stale(&self, now: LocalTime) -> bool {
        self.present.is_none() || now - self.read_at > READ_EVERY
    }

    /// The queue read `queue`, and right after it was `now`.
    pub(super) fn note(&mut self, now: LocalTime, queue: Span) {
        let difference = (now - LocalTime::ZERO) - queue;
        if now >= self.window_end {
            self.previous = self.present.take();
            self.window_end = now + WINDOW;
        }
        self.present = Some(self.present.map_or(difference, |least| least.min(difference)));
        self.read_at = now;
    }

    /// What the queue reads at `at`.
    pub(super) fn queue_at(&self, at: LocalTime) -> Span {
        let least = [self.present, self.previous].into_iter().flatten().min().unwrap_or_default();
        (at - LocalTime::ZERO - least).max(Span::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(millis: i64) -> LocalTime {
        LocalTime::ZERO + Span::from_millis(millis)
    }

    #[test]
    fn late_readings_do_not_move_it_and_a_step_does() {
        let mut clock = QueueClock::default();
        let lateness = |millis: i64| Span::from_micros(millis % 7 * 90);
        for at in (5_000..10_000).step_by(100) {
            clock.note(millis(at), Span::from_millis(at - 5_000) - lateness(at));
        }
        assert_eq!(clock.queue_at(millis(10_000)), Span::from_millis(5_000));
        // The queue stood still for a second.
        for at in (10_000..15_000).step_by(100) {
            clock.note(millis(at), Span::from_millis(at - 6_000) - lateness(at));
        }
        assert_eq!(clock.queue_at(millis(15_000)), Span::from_millis(9_000));
        assert!(clock.is_stale(millis(15_001)) && !clock.is_stale(millis(14_950)));
    }
}
