//! The root machine: sessions and rooms behind five verbs.

use core::net::SocketAddr;

use lockstep_shared::time::LocalTime;

/// What one room allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomSettings {
    /// The room's name, as in its invite.
    pub name: String,
    /// The room's secret, as in its invite.
    pub secret: [u8; 16],
    /// Members at a time.
    pub members_max: usize,
}

/// What a relay starts with.
#[derive(Clone, Debug)]
pub struct RelaySettings {
    /// The relay's static X25519 private key.
    pub private_key: [u8; 32],
    /// The rooms.
    pub rooms: Vec<RoomSettings>,
    /// Fresh entropy: cookies, session indices and ephemeral keys come from it.
    pub seed: [u8; 32],
}

/// Counters since the start; all only grow, except those named `_now`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RelayStats {
    /// Datagrams handed in.
    pub datagrams_in: u64,
    /// Datagrams handed out.
    pub datagrams_out: u64,
    /// Members in all rooms.
    pub members_now: u64,
}

/// Something the shell logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RelayEvent {
    /// A member came in, or came back.
    Joined {
        /// The room's name.
        room: String,
        /// The member's name, if it has told it.
        member: String,
        /// Its address.
        from: SocketAddr,
    },
}

/// The relay as one value. After every `handle_*` or command, drain `poll_transmit` and `poll_event` before the
/// next; `poll_timeout` says when `handle_timeout` is due.
#[derive(Debug)]
pub struct Relay {
    stats: RelayStats,
}

impl Relay {
    /// A relay with its rooms open and nobody in them.
    #[must_use]
    pub fn new(settings: RelaySettings, now: LocalTime) -> Self {
        let _ = (settings, now);
        Self { stats: RelayStats::default() }
    }

    /// Takes a datagram; `bytes` is decrypted in place.
    pub fn handle_datagram(&mut self, now: LocalTime, from: SocketAddr, bytes: &mut [u8]) {
        let _ = (now, from, bytes);
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, now: LocalTime) {
        let _ = now;
    }

    /// Writes the next datagram to send into `out` and says where it goes.
    pub fn poll_transmit(&mut self, now: LocalTime, out: &mut [u8]) -> Option<(SocketAddr, usize)> {
        let _ = (now, out);
        None
    }

    /// When `handle_timeout` is due.
    #[must_use]
    pub fn poll_timeout(&self) -> LocalTime {
        LocalTime::NEVER
    }

    /// What the shell should log.
    pub fn poll_event(&mut self) -> Option<RelayEvent> {
        None
    }

    /// Tells every member that the relay stops; drain `poll_transmit` afterwards.
    pub fn stop(&mut self, now: LocalTime) {
        let _ = now;
    }

    /// Counters.
    #[must_use]
    pub const fn stats(&self) -> &RelayStats {
        &self.stats
    }
}
