//! The log: what happened, to standard error.
//!
//! Levels: *error* the relay cannot do its work; *warn* it can, and somebody should look; *info* members come and go;
//! *debug* and *trace* are for developers. Nothing is logged for each datagram.

use lockstep_shared::wire::LeaveReason;
use tracing_subscriber::EnvFilter;

use crate::cli::LogFormat;
use crate::relay::RelayEvent;

/// Starts the log. An error is a sentence for the admin.
pub fn start(level: &str, format: LogFormat) -> Result<(), String> {
    let filter = EnvFilter::try_new(level).map_err(|error| format!("--log {level:?}: {error}"))?;
    let log =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    match format {
        LogFormat::Text => log.try_init(),
        LogFormat::Json => log.json().try_init(),
    }
    .map_err(|error| error.to_string())
}

/// Writes one event.
pub(super) fn write(event: &RelayEvent) {
    match event {
        RelayEvent::Joined { room, from } => tracing::info!(%room, %from, "a member joined"),
        RelayEvent::Named { room, member } => tracing::info!(%room, %member, "a member told its name"),
        RelayEvent::Returned { room, member, from } => {
            tracing::info!(%room, %member, %from, "a member returned")
        }
        RelayEvent::Moved { room, member, to } => {
            tracing::info!(%room, %member, %to, "a member's address changed")
        }
        RelayEvent::Silent { room, member } => {
            tracing::info!(%room, %member, "a member is silent; its place is kept")
        }
        RelayEvent::Left { room, member, reason } => {
            let why = match reason {
                Some(LeaveReason::Left) => "it left",
                Some(LeaveReason::RelayStops) => "the relay stops",
                Some(LeaveReason::RoomFailed) => "the room failed",
                Some(LeaveReason::Flooding) => "it sent more than a member may",
                None => "it was silent too long",
            };
            tracing::info!(%room, %member, why, "a member is gone");
        }
        RelayEvent::RoomFailed { room, failure } => {
            tracing::error!(%room, failure, "a room failed and starts anew; its members were told; please report this");
        }
    }
}
