//! What a relay tells its shell.

use core::net::SocketAddr;

use lockstep_shared::wire::LeaveReason;

use crate::bridge::BridgeEvent;

/// Something the shell logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RelayEvent {
    /// A member came in.
    Joined {
        /// The room's name.
        room: String,
        /// Its address.
        from: SocketAddr,
    },
    /// A member told who it is and what it wants.
    Named {
        /// The room's name.
        room: String,
        /// The member's name.
        member: String,
    },
    /// A member came back with a new session.
    Returned {
        /// The room's name.
        room: String,
        /// The member's name.
        member: String,
        /// Its address.
        from: SocketAddr,
    },
    /// A member's address changed.
    Moved {
        /// The room's name.
        room: String,
        /// The member's name.
        member: String,
        /// Its address.
        to: SocketAddr,
    },
    /// A member has been silent; its place is kept for a while.
    Silent {
        /// The room's name.
        room: String,
        /// The member's name.
        member: String,
    },
    /// A member's place is free.
    Left {
        /// The room's name.
        room: String,
        /// The member's name.
        member: String,
        /// Why; none when it was just silent too long.
        reason: Option<LeaveReason>,
    },
    /// MIDI has passed in a room, while somebody monitors.
    Passed {
        /// The room's name.
        room: String,
        /// From whom, and what: for people.
        line: String,
    },
    /// Something about a room's RTP-MIDI participants.
    Midi {
        /// The room's name.
        room: String,
        /// What.
        event: BridgeEvent,
    },
    /// A room failed and was started anew; its members were told.
    RoomFailed {
        /// The room's name.
        room: String,
        /// What the failure said.
        failure: String,
    },
}
