//! The log: what happened, to standard error.
//!
//! Levels: *error* the relay cannot do its work; *warn* it can, and somebody should look; *info* members come and go;
//! *debug* and *trace* are for developers. Nothing is logged for each datagram.

use lockstep_shared::wire::LeaveReason;
use tracing::level_filters::LevelFilter;
use tracing::{debug, error, info, warn};
use tracing_subscriber::fmt::writer::BoxMakeWriter;

use super::media::Tally;
use crate::bridge::BridgeEvent;
use crate::config::{LogConfig, LogFormat, LogLevel};
use crate::relay::RelayEvent;

/// Logs to standard error from now on; a second call changes nothing.
pub fn start(config: LogConfig) {
    let level = match config.level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let builder = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(BoxMakeWriter::new(std::io::stderr))
        .with_target(false)
        // A log that cannot be written (a full disk, a closed pipe) must not end the relay.
        .log_internal_errors(false);
    let _ = match config.format {
        LogFormat::Text => builder.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
}

/// One line for one event of the core. Names come from members, so they are quoted and escaped.
pub fn event(event: &RelayEvent) {
    match event {
        RelayEvent::Joined { room, from } => info!(room, %from, "a member joined"),
        RelayEvent::Named { room, member } => info!(room, member, "a member told its name"),
        RelayEvent::Returned { room, member, from } => info!(room, member, %from, "a member returned"),
        RelayEvent::Moved { room, member, to } => info!(room, member, %to, "a member's address changed"),
        RelayEvent::Silent { room, member } => info!(room, member, "a member is silent; its place is kept"),
        RelayEvent::Left { room, member, reason } => {
            let why = match reason {
                Some(LeaveReason::Left) => "it left",
                Some(LeaveReason::RelayStops) => "the relay stops",
                Some(LeaveReason::RoomFailed) => "the room failed",
                Some(LeaveReason::Flooding) => "it sent more than a member may",
                None => "it was silent too long",
            };
            info!(room, member, why, "a member is gone");
        }
        RelayEvent::Midi { room, event } => midi(room, event),
        // The media thread hands it to those who asked.
        RelayEvent::Passed { .. } => {}
        RelayEvent::RoomFailed { room, failure } => {
            error!(room, failure, "a room failed and starts anew; its members were told; please report this");
        }
    }
}

/// One line for one event of a room's RTP-MIDI session.
fn midi(room: &str, event: &BridgeEvent) {
    match event {
        BridgeEvent::Asked { name, address } => warn!(
            room,
            name,
            %address,
            "an RTP-MIDI participant asks to come in; let it in with: lockstep-relay admit {room} {address}"
        ),
        BridgeEvent::Here { name, address, .. } => {
            info!(room, name, %address, "an RTP-MIDI participant is here")
        }
        BridgeEvent::Quiet { name } => {
            info!(room, name, "an RTP-MIDI participant does not answer; what it held was ended");
        }
        BridgeEvent::Gone { name, reason, .. } => {
            info!(room, name, reason, "an RTP-MIDI participant is gone")
        }
    }
}

/// Lines for what went wrong since the `previous` tally, one of a kind a second.
pub fn troubles(previous: &Tally, tally: &Tally) {
    let grown = |field: fn(&Tally) -> u64| field(tally).saturating_sub(field(previous));
    let renewals = grown(|tally| tally.renewals);
    if renewals > 0 {
        error!(
            renewals,
            "the core failed twice in a row and was started afresh; members come back by themselves"
        );
    }
    let failed = grown(|tally| tally.receive_failed);
    if failed > 0 {
        warn!(failed, "receiving failed");
    }
    let refused = grown(|tally| tally.send_refused);
    if refused > 0 {
        warn!(refused, "datagrams could not be sent: the network is down, or slower than the rooms need");
    }
    let lost = grown(|tally| tally.reports_lost);
    if lost > 0 {
        warn!(lost, "log lines were left out: more happened than could be written");
    }
    let late = grown(|tally| tally.deadlines_late);
    if late > 0 {
        let worst_ms = tally.deadline_late_max.millis_f64();
        debug!(late, worst_ms, "the machine woke the media thread late");
    }
}
