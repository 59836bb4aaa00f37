//! Who may enter which room.

use crate::session::RoomSecret;
use crate::wire::handshake::ROOM_TAG_BYTES;

/// Who may enter a room.
#[derive(Clone, Copy, Debug)]
pub struct RoomAccess {
    /// The room's secret.
    pub secret: RoomSecret,
    /// Members at a time; one that is awaited back keeps its place.
    pub members_max: usize,
}

/// A room's secret as the handshake wants it.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) psk: [u8; 32],
    pub(super) tag: [u8; ROOM_TAG_BYTES],
    pub(super) members_max: usize,
}

impl Room {
    pub(super) fn new(access: &RoomAccess) -> Self {
        Self { psk: access.secret.psk(), tag: access.secret.tag(), members_max: access.members_max }
    }
}
