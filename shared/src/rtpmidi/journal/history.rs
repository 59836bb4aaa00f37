//! What a sender has said, and the journal that says it again.

use crate::midi::message::Message;

use super::Chapter;

/// How far back the journal reaches (RFC 6295, C.2.2.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Checkpoint {
    /// To what the receiver has acknowledged.
    #[default]
    ClosedLoop,
    /// Over this many packets, whatever the receiver says.
    OpenLoop {
        /// How many.
        packets: u16,
    },
    /// To the beginning.
    Anchor,
}

/// What became of an acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acknowledged {
    /// The journal begins later now.
    Moved,
    /// It says what was known, or something that cannot be.
    Ignored,
}

/// What was written into one packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// The journal's bytes; none if there is nothing to say and the packet carries no journal.
    pub bytes: usize,
    /// Chapters that had something to say and no room.
    pub left_out: u32,
    /// The least important of those that had room for none of it.
    pub least: Option<Chapter>,
}

/// What one sender has said in one session.
#[derive(Clone, Debug)]
pub struct History {
    policy: Checkpoint,
}

impl History {
    /// A sender that has said nothing.
    #[must_use]
    pub fn new(policy: Checkpoint) -> Self {
        Self { policy }
    }

    /// The packet with the extended sequence number `sequence` carries `message`. Numbers never fall; 1 more than the
    /// low 16 bits of one is what the next packet has.
    pub fn record(&mut self, _sequence: u64, _message: &Message) {}

    /// The receiver says that `highest` is the highest sequence number that it has received.
    pub fn acknowledge(&mut self, _highest: u16) -> Acknowledged {
        let _ = self.policy;
        Acknowledged::Ignored
    }

    /// Appends the journal of the packet `sequence`, at most `limit_bytes` long: what was recorded with lower numbers.
    /// Nothing is appended when there is nothing to say.
    pub fn write(&mut self, _sequence: u64, _limit_bytes: usize, _journal: &mut Vec<u8>) -> Written {
        Written::default()
    }
}
