//! Hosts of one room share its musical time.

use std::fs;
use std::path::Path;

use lockstep_hosts::block::Motion;
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

/// Where a host's song was, by the machine's clock.
#[derive(Debug, Default)]
pub(super) struct Song {
    /// Seconds and quarters, while it played.
    pub(super) played: Vec<(f64, f64)>,
    /// How often it began to play.
    pub(super) starts: usize,
    /// Its tempo while it played, in the end.
    pub(super) bpm: f64,
    plays: bool,
}

impl Song {
    pub(super) fn read(folder: &Path) -> Self {
        let report: Value = serde_json::from_slice(&fs::read(folder.join("report.json")).unwrap()).unwrap();
        let anchor = report["anchor_monotonic_ns"].as_f64().unwrap() * 1e-9;
        let rate_hz = report["device_rate_hz"].as_f64().unwrap();
        let text = fs::read_to_string(folder.join("beats.csv")).unwrap();
        let mut song = Self::default();
        for line in text.lines() {
            let fields: Vec<&str> = line.split(',').collect();
            let [frame, "transport", quarters, bpm, plays] = fields[..] else { continue };
            let seconds = anchor + frame.parse::<f64>().unwrap() / rate_hz;
            song.note(
                seconds,
                quarters.parse().unwrap(),
                bpm.parse().unwrap(),
                if plays == "1" { Motion::Playing } else { Motion::Stopped },
            );
        }
        song
    }

    /// What the transport says at `seconds`.
    pub(super) fn note(&mut self, seconds: f64, quarters: f64, bpm: f64, motion: Motion) {
        if motion == Motion::Stopped {
            self.plays = false;
            return;
        }
        self.starts += usize::from(!self.plays);
        self.plays = true;
        self.bpm = bpm;
        self.played.push((seconds, quarters));
    }

    pub(super) fn end_seconds(&self) -> f64 {
        self.played.last().expect("the host played").0
    }

    /// Between the blocks around it.
    pub(super) fn quarters_at(&self, seconds: f64) -> Option<f64> {
        let after = self.played.partition_point(|(at, _)| *at <= seconds);
        let ((from, before), (to, next)) =
            (*self.played.get(after.checked_sub(1)?)?, *self.played.get(after)?);
        Some(before + (seconds - from) / (to - from) * (next - before))
    }
}
