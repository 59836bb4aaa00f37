//! Packets that protect the last one of a burst.
//!
//! A loss is seen when the next packet comes. After the last one of a burst nothing comes, and a lost release would
//! sound on: so a few packets follow that have nothing but the journal (RFC 4696, section 4.2).

use crate::time::{LocalTime, Span};

/// When guard packets are due.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Guard {
    /// The burst's last packet, and how many guards followed it.
    burst: Option<(LocalTime, usize)>,
}

/// After the burst's end: soon enough for a hanging note to pass as a long one, late enough to outlast a stall.
const AFTER: [Span; 3] = [Span::from_millis(30), Span::from_millis(100), Span::from_millis(300)];

impl Guard {
    /// A packet with commands left at `now`.
    pub(super) const fn restart(&mut self, now: LocalTime) {
        self.burst = Some((now, 0));
    }

    /// A guard packet left.
    pub(super) fn sent(&mut self) {
        self.burst =
            self.burst.map(|(end, count)| (end, count + 1)).filter(|(_, count)| *count < AFTER.len());
    }

    /// The receiver has everything.
    pub(super) const fn stop(&mut self) {
        self.burst = None;
    }

    /// When the next one is due.
    pub(super) fn due(&self) -> Option<LocalTime> {
        self.burst.map(|(end, count)| end + AFTER[count])
    }
}
