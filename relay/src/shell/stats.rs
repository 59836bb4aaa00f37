//! Counters as a JSON file, for people who watch and for tests.

use std::io;
use std::path::Path;
use std::sync::atomic::Ordering;

use serde_json::json;

use super::media::Shared;
use crate::relay::RelayStats;

/// Replaces the file: whoever reads it sees the old one or the new one whole.
pub(super) fn write(path: &Path, stats: &RelayStats, shared: &Shared, seconds: f64) -> io::Result<()> {
    let (sessions, rooms) = (&stats.sessions, &stats.rooms);
    let value = json!({
        "seconds": seconds,
        "cpu_seconds": cpu_seconds(),
        "resident_mib": resident_mib(),
        "datagrams_in": stats.datagrams_in,
        "datagrams_out": stats.datagrams_out,
        "datagrams_unsent": shared.unsent.load(Ordering::Relaxed),
        "members_now": stats.members_now,
        "room_failures": stats.room_failures,
        "documents_malformed": stats.documents_malformed,
        "late_wakes": shared.late_wakes.load(Ordering::Relaxed),
        "realtime_scheduling": shared.is_realtime.load(Ordering::Relaxed),
        "malformed": sessions.malformed,
        "stray": sessions.stray,
        "forged": sessions.forged,
        "replayed": sessions.replayed,
        "flooded": sessions.flooded,
        "cookies": sessions.cookies,
        "refused": sessions.refused,
        "answers_dropped": sessions.answers_dropped,
        "unknown_strip": rooms.unknown_strip,
        "off_grid": rooms.off_grid,
        "late_for_mix": rooms.late_for_mix,
        "absent_from_mix": rooms.absent_from_mix,
    });
    let beside = path.with_extension("new");
    std::fs::write(&beside, format!("{value:#}\n"))?;
    std::fs::rename(beside, path)
}

/// Seconds that all threads of this process have run, ended ones too; null where the system does not tell.
#[cfg(unix)]
fn cpu_seconds() -> Option<f64> {
    use lockstep_shared::time::Span;
    use rustix::time::{ClockId, clock_gettime};

    let spent = clock_gettime(ClockId::ProcessCPUTime);
    Some(Span::from_nanos(spent.tv_sec.checked_mul(1_000_000_000)?.checked_add(spent.tv_nsec)?).secs_f64())
}

#[cfg(not(unix))]
const fn cpu_seconds() -> Option<f64> {
    None
}

/// Memory that the process holds; null where the system does not tell.
fn resident_mib() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(lockstep_shared::time::convert::f64_from_u64(kib) / 1_024.0)
}
