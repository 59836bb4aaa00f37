//! `--stats-json FILE`: figures every second and at the end, replaced whole so that a reader never sees half of them.

use std::io;
use std::path::{Path, PathBuf};

use lockstep_shared::time::convert::{f64_from_i64, f64_from_u64};
use lockstep_shared::time::{LocalTime, Span};
use serde::Serialize;

use super::media::Tally;
use super::priority::Scheduling;

/// One reading; counters are since the start, rates over the time since the reading before.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// Since the start.
    pub seconds: f64,
    /// Received and handed to the core.
    pub datagrams_in: u64,
    /// Written by the core.
    pub datagrams_out: u64,
    /// Received, a second.
    pub datagrams_in_per_second: f64,
    /// Written, a second.
    pub datagrams_out_per_second: f64,
    /// Members in all rooms.
    pub members_now: u64,
    /// Processor time of the process; absent where the system does not tell.
    pub cpu_seconds: Option<f64>,
    /// Processor time, a second.
    pub cpu_seconds_per_second: Option<f64>,
    /// Memory that the process holds; absent where the system does not tell.
    pub resident_mib: Option<f64>,
    /// How the media thread is scheduled.
    pub media_thread: &'static str,
    /// Times the media thread woke up.
    pub wakes: u64,
    /// Deadlines served.
    pub deadlines: u64,
    /// Those served more than a third of a millisecond late.
    pub late_wakes: u64,
    /// The latest one since the reading before.
    pub late_wake_max_us: f64,
    /// Calls to receive that failed.
    pub receive_failed: u64,
    /// Datagrams that the system did not take.
    pub datagrams_unsent: u64,
    /// Panics of the core that were contained.
    pub panics_contained: u64,
    /// Times the core was replaced by a fresh one.
    pub core_renewals: u64,
    /// Log lines left out.
    pub reports_lost: u64,
    /// Rooms that failed and were started anew.
    pub room_failures: u64,
    /// Documents that could not be read.
    pub documents_malformed: u64,
    /// Datagrams that are no packet.
    pub malformed: u64,
    /// Sealed packets of no session.
    pub stray: u64,
    /// Sealed packets that did not open.
    pub forged: u64,
    /// Sealed packets that had been here before, or are too old to tell.
    pub replayed: u64,
    /// Packets beyond what a member may send.
    pub flooded: u64,
    /// Parts of documents beyond what a member may send.
    pub documents_limited: u64,
    /// Cookies given out.
    pub cookies: u64,
    /// Newcomers refused.
    pub refused: u64,
    /// Answers that were dropped because too many waited.
    pub answers_dropped: u64,
    /// Audio of a strip that its sender has not announced.
    pub unknown_strip: u64,
    /// Audio of a position far from now.
    pub off_grid: u64,
    /// Chunks that came after they had been mixed.
    pub late_for_mix: u64,
    /// Chunks that had not come when they were mixed.
    pub absent_from_mix: u64,
}

/// Turns tallies into figures.
#[derive(Debug)]
pub struct Meter {
    scheduling: Scheduling,
    previous_at: LocalTime,
    previous_cpu: Option<Span>,
    previous: Tally,
}

impl Meter {
    /// The start, from which the first rates are measured.
    #[must_use]
    pub fn new(now: LocalTime, scheduling: Scheduling) -> Self {
        Self { scheduling, previous_at: now, previous_cpu: process_cpu(), previous: Tally::default() }
    }

    /// Notes how the media thread is scheduled.
    pub const fn set_scheduling(&mut self, scheduling: Scheduling) {
        self.scheduling = scheduling;
    }

    /// The tally of the reading before.
    #[must_use]
    pub const fn previous(&self) -> &Tally {
        &self.previous
    }

    /// The figures of `tally`, read at `now`.
    pub fn read(&mut self, now: LocalTime, tally: &Tally) -> Figures {
        let cpu = process_cpu();
        let passed = (now - self.previous_at).secs_f64().max(1e-9);
        let rate = |count: u64, before: u64| f64_from_u64(count.saturating_sub(before)) / passed;
        let (sessions, rooms) = (tally.relay.sessions, tally.relay.rooms);
        let figures = Figures {
            seconds: (now - LocalTime::ZERO).secs_f64(),
            datagrams_in: tally.relay.datagrams_in,
            datagrams_out: tally.relay.datagrams_out,
            datagrams_in_per_second: rate(tally.relay.datagrams_in, self.previous.relay.datagrams_in),
            datagrams_out_per_second: rate(tally.relay.datagrams_out, self.previous.relay.datagrams_out),
            members_now: tally.relay.members_now,
            cpu_seconds: cpu.map(Span::secs_f64),
            cpu_seconds_per_second: cpu
                .zip(self.previous_cpu)
                .map(|(cpu, before)| (cpu - before).secs_f64() / passed),
            resident_mib: resident_mib(),
            media_thread: self.scheduling.word(),
            wakes: tally.wakes,
            deadlines: tally.deadlines,
            late_wakes: tally.deadlines_late,
            late_wake_max_us: f64_from_i64(tally.deadline_late_max.nanos()) * 1e-3,
            receive_failed: tally.receive_failed,
            datagrams_unsent: tally.send_refused,
            panics_contained: tally.panics,
            core_renewals: tally.renewals,
            reports_lost: tally.reports_lost,
            room_failures: tally.relay.room_failures,
            documents_malformed: tally.relay.documents_malformed,
            malformed: sessions.malformed,
            stray: sessions.stray,
            forged: sessions.forged,
            replayed: sessions.replayed,
            flooded: sessions.flooded,
            documents_limited: sessions.documents_limited,
            cookies: sessions.cookies,
            refused: sessions.refused,
            answers_dropped: sessions.answers_dropped,
            unknown_strip: rooms.unknown_strip,
            off_grid: rooms.off_grid,
            late_for_mix: rooms.late_for_mix,
            absent_from_mix: rooms.absent_from_mix,
        };
        self.previous_at = now;
        self.previous_cpu = cpu;
        self.previous = tally.clone();
        figures
    }
}

/// Replaces the file at `path` by `figures`.
///
/// # Errors
/// The folder or the file beside it cannot be written.
pub fn write(path: &Path, figures: &Figures) -> io::Result<()> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".draft");
    let draft = PathBuf::from(draft);
    let mut text = serde_json::to_string_pretty(figures).map_err(io::Error::other)?;
    text.push('\n');
    std::fs::write(&draft, text)?;
    std::fs::rename(&draft, path)
}

/// Processor time of all threads of this process, ended ones too.
#[cfg(unix)]
fn process_cpu() -> Option<Span> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Some(Span::from_nanos(time.tv_sec.checked_mul(1_000_000_000)?.checked_add(time.tv_nsec)?))
}

#[cfg(not(unix))]
const fn process_cpu() -> Option<Span> {
    None
}

/// `VmRSS` of proc_pid_status(5), which is in KiB.
fn resident_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(f64_from_u64(kib) / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_over_the_time_between_two_readings() {
        let at = |seconds: i64| LocalTime::ZERO + Span::from_millis(seconds * 1_000);
        let mut meter = Meter::new(at(0), Scheduling::Ordinary);
        let mut tally = Tally::default();
        tally.relay.datagrams_in = 100;
        assert!((meter.read(at(1), &tally).datagrams_in_per_second - 100.0).abs() < 1e-9);
        tally.relay.datagrams_in = 500;
        let figures = meter.read(at(3), &tally);
        assert!((figures.datagrams_in_per_second - 200.0).abs() < 1e-9);
        assert_eq!((figures.datagrams_in, figures.media_thread), (500, "ordinary"));
    }

    #[test]
    fn the_file_is_replaced_whole_and_nothing_else_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stats.json");
        let mut meter = Meter::new(LocalTime::ZERO, Scheduling::Fifo);
        for _ in 0..2 {
            write(&path, &meter.read(LocalTime::from_nanos(1_000), &Tally::default())).unwrap();
        }
        let read: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(read["media_thread"], "fifo");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(
            write(&folder.path().join("absent/x"), &meter.read(LocalTime::ZERO, &Tally::default())).is_err()
        );
    }
}
