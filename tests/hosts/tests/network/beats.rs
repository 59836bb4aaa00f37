//! Hosts of one room share its musical time.

use std::fs;
use std::path::Path;

use lockstep_hosts::clock;
use lockstep_shared::time::Span;
use serde_json::Value;

use super::{Other, Relay, alone};

/// How far apart the songs may be on a machine that is busy: 20 ms. What a host that follows is late without its
/// plugin's correction, and a transport that merely started at about the same time, are further off.
const APART_SECONDS: f64 = 0.020;
const BPM: f64 = 90.0;

#[test]
fn a_host_that_follows_plays_what_the_leader_plays() {
    alone("network::beats::a_host_that_follows_plays_what_the_leader_plays", |folder| {
        let relay = Relay::start(folder, 8);
        let leader =
            Other::keep_time(folder, &relay.invite, "leader", &["--transport", "lead", "--tempo", "90"]);
        let slow = ["--transport", "follow", "--follower", "slow-input"];
        let follower = Other::keep_time(folder, &relay.invite, "follower", &slow);
        clock::sleep(Span::from_millis(9_000));
        leader.leave(|| clock::sleep(Span::from_millis(20)));
        follower.leave(|| clock::sleep(Span::from_millis(20)));

        let (leader, follower) = (Song::read(&folder.join("leader")), Song::read(&folder.join("follower")));
        // Before the leader left, and seconds after the follower was set going.
        let seconds = leader.end_seconds() - 0.5;
        let [leads, follows] = [&leader, &follower].map(|song| song.quarters_at(seconds));
        let apart = (follows.expect("the follower plays") - leads.unwrap()) * 60.0 / BPM;
        eprintln!("figure: the follower is {:.2} ms ahead", apart * 1e3);
        assert!(apart.abs() < APART_SECONDS, "{apart}");
    });
}

#[test]
fn a_host_with_reapers_functions_is_moved_without_a_midi_clock() {
    alone("network::beats::a_host_with_reapers_functions_is_moved_without_a_midi_clock", |folder| {
        let follower = moved(folder, "reaper", "120");
        let starts = follower.starts;
        assert_eq!(starts, 1, "started once");
        assert!(follower.apart.abs() < APART_SECONDS, "{follower:?}");
        assert!((follower.bpm / BPM - 1.0).abs() < 0.011, "it has the leader's tempo: {follower:?}");
    });
}

#[test]
fn a_host_with_transport_control_is_moved_once_its_tempo_is_right() {
    alone("network::beats::a_host_with_transport_control_is_moved_once_its_tempo_is_right", |folder| {
        let follower = moved(folder, "transport-control", "90");
        assert_eq!(follower.starts, 1, "started once");
        assert!(follower.apart.abs() < 2.0 * APART_SECONDS, "{follower:?}");
    });
}

#[test]
fn a_host_that_does_nothing_of_what_it_is_asked_is_left_alone() {
    alone("network::beats::a_host_that_does_nothing_of_what_it_is_asked_is_left_alone", |folder| {
        let relay = Relay::start(folder, 8);
        let lead = ["--transport", "lead", "--tempo", "90"];
        let leader = Other::keep_time(folder, &relay.invite, "leader", &lead);
        let follower = Other::keep_time(
            folder,
            &relay.invite,
            "follower",
            &["--transport", "deaf-reaper", "--tempo", "90"],
        );
        clock::sleep(Span::from_millis(6_000));
        follower.leave(|| clock::sleep(Span::from_millis(20)));
        leader.leave(|| clock::sleep(Span::from_millis(20)));
        assert!(Song::read(&folder.join("follower")).played.is_empty());
    });
}

/// What became of a host that was moved.
#[derive(Debug)]
struct Moved {
    /// At the end of the leader, in seconds; positive is a host that is ahead.
    apart: f64,
    starts: usize,
    bpm: f64,
}

/// A leader plays; a host joins that offers its plugins to be moved in this way, and has this tempo.
fn moved(folder: &Path, way: &str, tempo: &str) -> Moved {
    let relay = Relay::start(folder, 8);
    let leader = Other::keep_time(folder, &relay.invite, "leader", &["--transport", "lead", "--tempo", "90"]);
    let follower =
        Other::keep_time(folder, &relay.invite, "follower", &["--transport", way, "--tempo", tempo]);
    clock::sleep(Span::from_millis(16_000));
    leader.leave(|| clock::sleep(Span::from_millis(20)));
    follower.leave(|| clock::sleep(Span::from_millis(20)));

    let (leader, follower) = (Song::read(&folder.join("leader")), Song::read(&folder.join("follower")));
    let end = leader.end_seconds() - 0.5;
    let apart = |seconds| {
        let [leads, follows] = [&leader, &follower].map(|song| song.quarters_at(seconds));
        (follows.expect("the follower plays") - leads.unwrap()) * 60.0 / BPM
    };
    let mut last: Vec<f64> = (0..300_u32).map(|step| apart(end - f64::from(step) * 0.01).abs()).collect();
    last.sort_by(f64::total_cmp);
    eprintln!(
        "figure: over 3 s, {way} is {:.2} ms away at the median, {:.2} ms at most",
        last[150] * 1e3,
        last[299] * 1e3
    );
    Moved { apart: apart(end), starts: follower.starts, bpm: follower.bpm }
}

/// Where a host's song was, by the machine's clock.
struct Song {
    /// Seconds and quarters, while it played.
    played: Vec<(f64, f64)>,
    /// How often it began to play.
    starts: usize,
    /// Its tempo while it played, in the end.
    bpm: f64,
}

impl Song {
    fn read(folder: &Path) -> Self {
        let report: Value = serde_json::from_slice(&fs::read(folder.join("report.json")).unwrap()).unwrap();
        let anchor = report["anchor_monotonic_ns"].as_f64().unwrap() * 1e-9;
        let rate_hz = report["device_rate_hz"].as_f64().unwrap();
        let text = fs::read_to_string(folder.join("beats.csv")).unwrap();
        let mut song = Self { played: Vec::new(), starts: 0, bpm: f64::NAN };
        let mut played = "0";
        for line in text.lines() {
            let fields: Vec<&str> = line.split(',').collect();
            let [frame, "transport", quarters, bpm, plays] = fields[..] else { continue };
            song.starts += usize::from(played == "0" && plays == "1");
            played = plays;
            if plays == "1" {
                let seconds = anchor + frame.parse::<f64>().unwrap() / rate_hz;
                song.played.push((seconds, quarters.parse().unwrap()));
                song.bpm = bpm.parse().unwrap();
            }
        }
        song
    }

    fn end_seconds(&self) -> f64 {
        self.played.last().expect("the host played").0
    }

    /// Between the blocks around it.
    fn quarters_at(&self, seconds: f64) -> Option<f64> {
        let after = self.played.partition_point(|(at, _)| *at <= seconds);
        let ((from, before), (to, next)) =
            (*self.played.get(after.checked_sub(1)?)?, *self.played.get(after)?);
        Some(before + (seconds - from) / (to - from) * (next - before))
    }
}
