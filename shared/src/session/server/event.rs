//! What a server tells, and counts.

use core::net::SocketAddr;

use crate::session::OpenError;
use crate::wire::{LeaveReason, Slot};

/// A session, as the relay's other parts name it. Never used twice within one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub(super) u64);

/// What happened to a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerEvent {
    /// A member came in.
    Joined {
        /// Its session.
        session: SessionId,
        /// The room's place in the list given to [`Server::new`].
        room: usize,
        /// Where it is.
        from: SocketAddr,
    },
    /// A member that was in the room, or awaited back, has a new session.
    Returned {
        /// Its session until now.
        old: SessionId,
        /// Its session from now on.
        new: SessionId,
        /// Where it is.
        from: SocketAddr,
    },
    /// A retained document of a member, whole and new.
    Document {
        /// Whose.
        session: SessionId,
        /// Which.
        slot: Slot,
        /// Its content.
        bytes: Vec<u8>,
    },
    /// The next entry of a member's flow.
    Entry {
        /// Whose.
        session: SessionId,
        /// Its content.
        bytes: Vec<u8>,
    },
    /// The member's address changed and was proven.
    Moved {
        /// Whose.
        session: SessionId,
        /// Where it is now.
        to: SocketAddr,
    },
    /// No word for [`STALE_AFTER`]; the place is kept for [`KEEP_PLACE`].
    Stale {
        /// Whose.
        session: SessionId,
    },
    /// A stale member was heard again.
    Heard {
        /// Whose.
        session: SessionId,
    },
    /// The session is over and its place free.
    Ended {
        /// Whose it was.
        session: SessionId,
        /// Why; none when the member was just silent too long.
        reason: Option<LeaveReason>,
    },
}

/// Datagrams by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServerCounters {
    /// Could not be read.
    pub malformed: u64,
    /// Of no session here.
    pub stray: u64,
    /// Not sealed by the member they name.
    pub forged: u64,
    /// Replayed, or too old to tell.
    pub replayed: u64,
    /// Beyond a member's rate.
    pub flooded: u64,
    /// Parts of documents beyond a member's rate.
    pub documents_limited: u64,
    /// Hellos answered with a cookie.
    pub cookies: u64,
    /// Hellos refused.
    pub refused: u64,
    /// Answers dropped because too many waited.
    pub answers_dropped: u64,
}

impl ServerCounters {
    pub(super) const fn count(&mut self, error: OpenError) {
        match error {
            OpenError::Short => self.malformed += 1,
            OpenError::Forged => self.forged += 1,
            OpenError::Replayed | OpenError::TooOld => self.replayed += 1,
        }
    }
}
