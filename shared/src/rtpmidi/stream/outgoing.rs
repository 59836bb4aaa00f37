//! Exclusive messages on their way out, a segment at a time.

use std::collections::VecDeque;

use crate::midi::message::{Exclusive, Message};
use crate::rtpmidi::packet::{Beginning, End, Segment};
use crate::rtpmidi::time::Timestamp;
use crate::time::{LocalTime, Span};

/// Exclusive messages that wait, the first perhaps begun.
#[derive(Clone, Debug, Default)]
pub(super) struct Outgoing {
    waiting: VecDeque<(Timestamp, Exclusive)>,
    /// Of the first one, what was sent.
    sent: usize,
    bytes: usize,
    due: LocalTime,
}

/// Data octets in a segment: half of a packet, so that notes and a journal have the other half.
pub(super) const SEGMENT_BYTES: usize = 512;
/// From one segment to the next: half a megabyte a second, 160 times a MIDI cable, and no burst that fills queues.
const PACE: Span = Span::from_millis(1);
/// Four of the largest.
const WAITING_BYTES_MAX: usize = 4 * Exclusive::MAX;
/// Small ones count as this much, so that their number is bounded too.
const LEAST_BYTES: usize = 64;

impl Outgoing {
    /// Queues `exclusive`, if there is room.
    pub(super) fn push(&mut self, at: Timestamp, exclusive: &Exclusive) -> bool {
        let bytes = cost(exclusive);
        let fits = self.bytes + bytes <= WAITING_BYTES_MAX;
        if fits {
            self.bytes += bytes;
            self.waiting.push_back((at, exclusive.clone()));
        }
        fits
    }

    /// The next segment and its time, and whether one is to be sent at `now`.
    pub(super) fn segment(&self, now: LocalTime) -> Option<(Timestamp, Segment<'_>)> {
        if now < self.due {
            return None;
        }
        let (at, exclusive) = self.waiting.front()?;
        let rest = &exclusive.content()[self.sent..];
        let length = rest.len().min(SEGMENT_BYTES);
        let beginning = if self.sent == 0 { Beginning::First } else { Beginning::Continued };
        let end = if length == rest.len() { End::Last } else { End::Continues };
        // A later segment happens when it is sent, not when the message began.
        let now = Timestamp::at(now);
        let at = if self.sent > 0 && now.since(*at) > 0 { now } else { *at };
        Some((at, Segment { beginning, content: &rest[..length], end }))
    }

    /// The segment was sent. Gives the message if it was its last.
    pub(super) fn sent(&mut self, now: LocalTime) -> Option<Message> {
        self.due = now + PACE;
        let (_, exclusive) = self.waiting.front()?;
        self.sent += SEGMENT_BYTES.min(exclusive.content().len() - self.sent);
        if self.sent < exclusive.content().len() {
            return None;
        }
        self.sent = 0;
        let (_, exclusive) = self.waiting.pop_front()?;
        self.bytes -= cost(&exclusive);
        Some(Message::Exclusive(exclusive))
    }

    /// Whether a message has begun and not ended.
    pub(super) const fn is_open(&self) -> bool {
        self.sent > 0
    }

    /// When the next segment is due.
    pub(super) fn due(&self) -> Option<LocalTime> {
        (!self.waiting.is_empty()).then_some(self.due)
    }
}

fn cost(exclusive: &Exclusive) -> usize {
    exclusive.content().len().max(LEAST_BYTES)
}
