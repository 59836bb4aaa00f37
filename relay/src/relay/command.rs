//! What an admin may ask of a relay that runs.

use core::net::SocketAddr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A request, as it comes over the control socket: one JSON object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Tell of every room's MIDI participants.
    Status,
    /// Tell of every message that passes in a room, until the asker hangs up.
    Monitor {
        /// The room.
        room: String,
    },
    /// End everything that may still sound in a room.
    Panic {
        /// The room.
        room: String,
        /// Only what this participant plays.
        participant: Option<String>,
    },
    /// Invite a peer to a room, now and whenever it is lost.
    Call {
        /// The room.
        room: String,
        /// Its control port.
        address: SocketAddr,
    },
    /// Shift the clock of a participant, or of the sequencer's port, until the relay ends.
    ClockOffset {
        /// The room.
        room: String,
        /// Its name, or `sequencer`.
        participant: String,
        /// Later than the beat, or earlier below zero.
        milliseconds: f64,
    },
    /// Let in a participant that asks.
    Admit {
        /// The room.
        room: String,
        /// Its name, or its address.
        participant: String,
    },
    /// Send away a participant that asks, or is in.
    Refuse {
        /// The room.
        room: String,
        /// Its name, or its address.
        participant: String,
    },
}

/// What a relay answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// It is done.
    Done,
    /// The rooms' MIDI.
    Status(Vec<RoomStatus>),
    /// Lines of text to print.
    Text(String),
    /// It cannot be done.
    Refused(String),
}

/// Why a command is not done.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum CommandRefused {
    /// No such room.
    #[error("there is no room {room:?}; this relay has {rooms}")]
    NoRoom {
        /// As asked.
        room: String,
        /// Those that there are.
        rooms: String,
    },
    /// Out of range.
    #[error("an offset of {milliseconds} ms cannot be set; give -250 to 250")]
    Offset {
        /// As asked.
        milliseconds: f64,
    },
    /// Nobody of that name or address.
    #[error(
        "nobody in room {room:?} is called {participant:?} or has that address; `lockstep-relay status` lists all"
    )]
    NoParticipant {
        /// The room.
        room: String,
        /// As asked.
        participant: String,
    },
}

/// One room, as told to an admin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoomStatus {
    /// Its name.
    pub room: String,
    /// Members with the plugin.
    pub members: Vec<String>,
    /// Whether it has an RTP-MIDI session.
    pub has_session: bool,
    /// Its RTP-MIDI participants.
    pub participants: Vec<ParticipantStatus>,
    /// MIDI messages passed on.
    pub messages: u64,
    /// Messages beyond a source's rate, left out.
    pub limited: u64,
    /// Notes, pedals and wheels ended for sources that dropped.
    pub silenced: u64,
}

/// One RTP-MIDI participant, as told to an admin. Counters are since it joined.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ParticipantStatus {
    /// Its name.
    pub name: String,
    /// Its control address.
    pub address: String,
    /// asking, joined, quiet, away.
    pub state: String,
    /// Round trip, milliseconds: the last one.
    pub round_trip_ms: Option<f64>,
    /// Round trip, milliseconds: the 99th percentile.
    pub round_trip_p99_ms: Option<f64>,
    /// Its clock against ours, in millionths: how much faster it runs.
    pub skew_ppm: Option<f64>,
    /// How late its packets come after the earliest, median, milliseconds.
    pub jitter_p50_ms: Option<f64>,
    /// The same, 99th percentile.
    pub jitter_p99_ms: Option<f64>,
    /// How much later than its stamps it is played, the network's way included, milliseconds.
    pub playout_ms: Option<f64>,
    /// Packets received.
    pub received: u64,
    /// Packets that did not come.
    pub lost: u64,
    /// Packets that came too late to be played in order.
    pub late: u64,
    /// Packets that came twice.
    pub duplicate: u64,
    /// Messages that a journal repaired.
    pub repaired: u64,
    /// The same, by chapter.
    pub repaired_by_chapter: Vec<(String, u64)>,
    /// Notes, pedals and wheels ended for it.
    pub silenced: u64,
    /// Keys that it holds.
    pub notes_held: u32,
    /// Seconds since it last acknowledged what it hears.
    pub acknowledged_seconds_ago: Option<f64>,
}
