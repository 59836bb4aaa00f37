//! `status`, for people.

use core::fmt::Write as _;

use crate::relay::command::{ParticipantStatus, RoomStatus};

/// The rooms, a paragraph each.
pub(super) fn text(rooms: &[RoomStatus]) -> String {
    let mut text = String::new();
    for room in rooms {
        let session = if room.has_session { "RTP-MIDI on" } else { "no RTP-MIDI" };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}: {} with the plugin, {session}", room.room, room.members.len());
        let _ = writeln!(
            text,
            "  {} messages passed, {} beyond a source's rate, {} notes and pedals ended for sources that dropped",
            room.messages, room.limited, room.silenced
        );
        for participant in &room.participants {
            text.push_str(&line(participant));
        }
    }
    text
}

fn line(of: &ParticipantStatus) -> String {
    let ms = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}"));
    let mut text = format!(
        "  {:<24} {:<8} {}\n    round trip {} ms (p99 {}), clock {} ppm, jitter {} ms (p99 {}), {} packets, {} lost, {} late, \
         {} twice, {} repaired, {} silenced, holds {} notes",
        format!("{:?}", of.name),
        of.state,
        of.address,
        ms(of.round_trip_ms),
        ms(of.round_trip_p99_ms),
        ms(of.skew_ppm),
        ms(of.jitter_p50_ms),
        ms(of.jitter_p99_ms),
        of.received,
        of.lost,
        of.late,
        of.duplicate,
        of.repaired,
        of.silenced,
        of.notes_held,
    );
    if let Some(seconds) = of.acknowledged_seconds_ago {
        let _ = write!(text, ", acknowledged {seconds:.1} s ago");
    }
    text.push('\n');
    text
}
