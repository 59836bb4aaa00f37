//! What a receiver has seen.

use crate::rtpmidi::journal::Chapter;
use crate::time::Span;

/// Counts since the receiver began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReceiverCounters {
    /// Media packets that could be read.
    pub received: u64,
    /// What could not be read as a media packet.
    pub malformed: u64,
    /// Packets that did not come in time.
    pub lost: u64,
    /// Of those, the ones that no journal made good when their absence was seen.
    pub unrepaired: u64,
    /// Packets that came after they counted as lost, or that fit nowhere.
    pub late: u64,
    /// Packets that came again.
    pub duplicate: u64,
    /// Packets that came after later ones, but in time.
    pub reordered: u64,
    /// Senders that began anew: another SSRC or numbering.
    pub restarts: u64,
    /// Journals that could not be read to the end.
    pub broken_journals: u64,
    /// Lists that could not be read to the end.
    pub broken_lists: u64,
    /// Commands that mean nothing.
    pub undefined: u64,
    /// Exclusive messages that lost a part, or never ended.
    pub truncated: u64,
    /// Exclusive messages longer than is kept.
    pub oversized: u64,
    /// Messages that were played.
    pub played: u64,
    /// Messages whose time was past when they came.
    pub overdue: u64,
    /// Messages whose stamp was more than 2 s away and which were played at once.
    pub clamped: u64,
    /// Messages for which there was no room because nobody took those that were due.
    pub overflowed: u64,
    /// Keys that were silenced because the sender dropped or began anew.
    pub silenced: u64,
    pub(super) repaired: [u64; Chapter::ALL.len()],
}

/// How unevenly packets come, above the earliest of late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Jitter {
    /// Half of them come with more.
    pub p50: Span,
    /// One in a hundred comes with more.
    pub p99: Span,
}

impl ReceiverCounters {
    /// Messages that `chapter` of the journal made good.
    #[must_use]
    pub fn repaired_by(&self, chapter: Chapter) -> u64 {
        let place = Chapter::ALL.iter().position(|other| *other == chapter);
        place.map_or(0, |place| self.repaired[place])
    }

    /// Messages that the journal made good.
    #[must_use]
    pub fn repaired(&self) -> u64 {
        self.repaired.iter().sum()
    }

    pub(super) fn repair(&mut self, chapter: Chapter) {
        for (count, other) in self.repaired.iter_mut().zip(Chapter::ALL) {
            *count += u64::from(other == chapter);
        }
    }
}
