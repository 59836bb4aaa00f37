//! Exclusive messages out of segments.

use crate::midi::message::{Exclusive, Message};
use crate::rtpmidi::packet::{Beginning, End, Segment};
use crate::time::{LocalTime, Span};

/// The one exclusive message that a sender may have begun. Bound: [`Exclusive::MAX`].
#[derive(Clone, Debug, Default)]
pub(super) struct Assembly {
    open: Option<Open>,
}

#[derive(Clone, Debug)]
struct Open {
    content: Vec<u8>,
    until: LocalTime,
}

/// What a segment led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Joined {
    /// The message is whole.
    Whole(Message),
    /// More is to come, or the sender thought better of it.
    Nothing,
    /// A message is lost: its other parts did not come.
    Truncated,
    /// A message is lost: it is longer than is kept.
    Oversized,
}

/// After the last segment: a dump at the pace of a MIDI cable has segments of 80 ms.
const PATIENCE: Span = Span::from_millis(5_000);

impl Assembly {
    /// Adds a segment.
    pub(super) fn push(&mut self, now: LocalTime, segment: Segment<'_>) -> Joined {
        let (open, cut) = match (segment.beginning, self.open.take()) {
            (Beginning::First, old) => (Open { content: Vec::new(), until: now }, old.is_some()),
            (Beginning::Continued, Some(open)) => (open, false),
            // The rest of what was lost: counted with the part that could be seen to be missing.
            (Beginning::Continued, None) => return Joined::Nothing,
        };
        let joined = self.join(now, open, segment);
        if cut && joined == Joined::Nothing { Joined::Truncated } else { joined }
    }

    /// A packet was lost: whatever was begun has a hole. Gives whether something was.
    pub(super) fn cut(&mut self) -> bool {
        self.open.take().is_some()
    }

    /// Whether something was begun that has waited too long.
    pub(super) fn expire(&mut self, now: LocalTime) -> bool {
        self.timeout().is_some_and(|until| until <= now) && self.cut()
    }

    /// When patience ends.
    pub(super) fn timeout(&self) -> Option<LocalTime> {
        self.open.as_ref().map(|open| open.until)
    }

    /// Content that was put together so far.
    pub(super) fn open_bytes(&self) -> usize {
        self.open.as_ref().map_or(0, |open| open.content.len())
    }

    fn join(&mut self, now: LocalTime, mut open: Open, segment: Segment<'_>) -> Joined {
        if open.content.len() + segment.content.len() > Exclusive::MAX {
            return Joined::Oversized;
        }
        open.content.extend_from_slice(segment.content);
        match segment.end {
            End::Last | End::LastUnsaid => Exclusive::new(&open.content)
                .map_or(Joined::Oversized, |whole| Joined::Whole(Message::Exclusive(whole))),
            End::Continues => {
                open.until = now + PATIENCE;
                self.open = Some(open);
                Joined::Nothing
            }
            End::Cancelled => Joined::Nothing,
        }
    }
}
