//! What a session tells, and counts.

use core::net::SocketAddr;

use thiserror::Error;

use super::ParticipantId;
use crate::rtpmidi::control::{ControlError, Receipt};
use crate::rtpmidi::name::Name;

/// What happened to a participant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Somebody may come in if [`accept`](super::Session::accept) says so. Told once.
    Asked {
        /// Whom to accept or refuse.
        id: ParticipantId,
        /// As it calls itself.
        name: Name,
        /// Its control port.
        address: SocketAddr,
    },
    /// A participant is here for the first time.
    Joined {
        /// Who.
        id: ParticipantId,
        /// As it is called here.
        name: Name,
        /// Its data port.
        address: SocketAddr,
    },
    /// A participant that left, fell quiet, began anew or moved is here again: what it is owed wants repair.
    Returned {
        /// Who.
        id: ParticipantId,
        /// Its data port.
        address: SocketAddr,
        /// What it brought along.
        how: Return,
    },
    /// It has not answered for three rounds of the clock, nor sent anything else: its notes should not sound on.
    Quiet {
        /// Who.
        id: ParticipantId,
    },
    /// It is not here any more; or it asked, and does not any more. Its place and name are kept.
    Left {
        /// Who.
        id: ParticipantId,
        /// Why.
        reason: LeaveReason,
    },
    /// A participant's RTP packet, just as it came.
    Media {
        /// Whose.
        id: ParticipantId,
        /// The datagram.
        bytes: Vec<u8>,
    },
    /// A participant says what it has received of ours.
    Receipt {
        /// Who.
        id: ParticipantId,
        /// The highest sequence number.
        receipt: Receipt,
    },
    /// A participant asks to be sent no more than this.
    RateLimit {
        /// Who.
        id: ParticipantId,
        /// The limit.
        bits_per_second: u32,
    },
}

/// How a participant returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Return {
    /// It was quiet only, or moved: its sequence numbers and its clock go on.
    Same,
    /// By a new invitation: it may number its packets anew, and ours may number anew for it.
    Anew,
}

/// Why a participant is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaveReason {
    /// It said goodbye.
    Goodbye,
    /// It said nothing at all for a minute.
    Silence,
    /// We said goodbye.
    Disconnected,
    /// It asked to come in and asks no more.
    GaveUp,
}

/// What became of a datagram that was of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    /// Neither a session packet nor RTP on the data port.
    #[error("neither a session packet nor RTP")]
    Unreadable,
    /// A session packet that cannot be read.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// From nobody who is here.
    #[error("from nobody who is here")]
    Stranger,
    /// An invitation to another version of the protocol; answered with NO.
    #[error("version {0} of the protocol")]
    Version(u32),
    /// An invitation by somebody who may not connect, or whom somebody refused; answered with NO.
    #[error("may not connect")]
    NotAllowed,
    /// An invitation to a room that is full; answered with NO.
    #[error("the room is full")]
    Full,
    /// An invitation beyond the rate, or while too many others are half done; not answered.
    #[error("too many invitations")]
    Flood,
    /// An invitation to the data port without one to the control port; answered with NO.
    #[error("an invitation to the data port alone")]
    DataAlone,
    /// An invitation of our own; not answered.
    #[error("our own invitation")]
    Ourselves,
    /// An answer to what was not asked.
    #[error("an answer to no question")]
    Unasked,
}

/// Datagrams by what became of them, and what else is worth counting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// [`Refused::Unreadable`].
    pub unreadable: u64,
    /// [`Refused::Control`] but for unknown commands.
    pub malformed: u64,
    /// [`Refused::Control`] with an unknown command.
    pub unknown_commands: u64,
    /// [`Refused::Stranger`].
    pub strangers: u64,
    /// [`Refused::Version`].
    pub versions: u64,
    /// [`Refused::NotAllowed`].
    pub not_allowed: u64,
    /// [`Refused::Full`].
    pub full: u64,
    /// [`Refused::Flood`].
    pub floods: u64,
    /// [`Refused::DataAlone`].
    pub data_alone: u64,
    /// [`Refused::Ourselves`].
    pub ourselves: u64,
    /// [`Refused::Unasked`].
    pub unasked: u64,
    /// Answers dropped because too many waited to be sent.
    pub answers_dropped: u64,
    /// Invitations to the control port that were half accepted and never finished.
    pub half_open_expired: u64,
    /// Times that our SSRC was drawn anew because a peer has the same.
    pub collisions: u64,
}

impl Counters {
    pub(super) const fn count(&mut self, refused: Refused) {
        let counter = match refused {
            Refused::Unreadable => &mut self.unreadable,
            Refused::Control(ControlError::Command(_)) => &mut self.unknown_commands,
            Refused::Control(ControlError::Mark | ControlError::Short(_) | ControlError::Step(_)) => {
                &mut self.malformed
            }
            Refused::Stranger => &mut self.strangers,
            Refused::Version(_) => &mut self.versions,
            Refused::NotAllowed => &mut self.not_allowed,
            Refused::Full => &mut self.full,
            Refused::Flood => &mut self.floods,
            Refused::DataAlone => &mut self.data_alone,
            Refused::Ourselves => &mut self.ourselves,
            Refused::Unasked => &mut self.unasked,
        };
        *counter += 1;
    }
}
