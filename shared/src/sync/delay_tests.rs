//! Two simulated DAWs, and what the loop makes of them.

use super::delay::*;
use super::{GridUnit, SyncMode};
use crate::time::GridFrame;
use crate::time::convert::{f64_from_usize, i64_from_usize, usize_trunc};

const BLOCK: usize = 128;
const AT_120: f64 = 2.0 / 48_000.0;

/// Two DAWs on one room: where each is at a grid frame, and what the loop makes of it.
struct Rig {
    loop_: SyncDelay,
    mode: SyncMode,
    least: f64,
    room: Option<f64>,
    block: usize,
    moves: Vec<Steering>,
}

impl Rig {
    fn new(mode: SyncMode, least: f64) -> Self {
        Self { loop_: SyncDelay::default(), mode, least, room: None, block: 0, moves: Vec::new() }
    }

    /// Runs for so many seconds; `local` and `remote` are songs over grid frames.
    fn run(
        &mut self,
        seconds: f64,
        local: impl Fn(f64) -> Option<(f64, f64)>,
        remote: impl Fn(f64) -> Option<(f64, f64)>,
    ) -> f64 {
        let line = |song: Option<(f64, f64)>, at| {
            song.map(|(quarters, quarters_per_frame)| BeatLine { at, quarters, quarters_per_frame })
        };
        let end = self.block + usize_trunc(seconds * 375.0);
        while self.block < end {
            let frame = f64_from_usize(self.block * BLOCK);
            let at = GridFrame(i64_from_usize(self.block * BLOCK)).position();
            let in_force = self.delay();
            let steering = self.loop_.steer(&Sight {
                mode: self.mode,
                at,
                block_frames: f64_from_usize(BLOCK),
                local: line(local(frame), at),
                remote: line(remote(frame - in_force), at.plus_f64(-in_force)),
                bar_quarters: 4.0,
                least_frames: self.least,
                room_frames: self.room,
                longest_frames: 240_000.0,
            });
            self.moves.push(steering);
            self.block += 1;
        }
        self.delay()
    }

    fn delay(&self) -> f64 {
        self.moves.last().map_or(self.least, |steering| steering.delay_frames)
    }

    fn fades(&self) -> usize {
        self.moves.iter().filter(|steering| steering.at_once).count()
    }
}

/// A DAW at 120 that is `late` frames behind the room's line.
fn late(late: f64) -> impl Fn(f64) -> Option<(f64, f64)> {
    move |frame| Some((100.0 + (frame - late) * AT_120, AT_120))
}

#[test]
fn a_strip_is_a_whole_unit_late_whatever_the_other_daw_is_late_itself() {
    for (unit, least, expected) in [
        (GridUnit::Sixteenth, 1_000.0, 6_000.0),
        (GridUnit::Sixteenth, 7_000.0, 12_000.0),
        (GridUnit::Smallest, 7_000.0, 12_000.0),
        (GridUnit::Bar, 1_000.0, 96_000.0),
    ] {
        let mut rig = Rig::new(SyncMode::Grid(unit), least);
        let delay = rig.run(2.0, late(0.0), late(144.0));
        assert!((delay - (expected - 144.0)).abs() < 0.01, "{unit:?}: {delay}");
        assert_eq!(rig.loop_.state(), SyncState::Track);
        assert!((rig.loop_.right_frames().unwrap() - delay).abs() < 0.01);
    }
}

#[test]
fn it_is_there_within_two_seconds_of_both_transports_running_and_by_one_fade() {
    let mut rig = Rig::new(SyncMode::Grid(GridUnit::Eighth), 900.0);
    rig.run(3.0, |_| None, |_| None);
    assert_eq!((rig.delay(), rig.fades()), (900.0, 0));
    rig.run(2.0, late(10.0), late(-3_000.0));
    assert!((rig.delay() - (12_000.0 - 3_010.0 + 6_000.0) % 12_000.0).abs() > 0.0);
    assert!((rig.loop_.right_frames().unwrap() - rig.delay()).abs() < 0.01);
}

#[test]
fn daws_that_drift_apart_are_followed_without_lag() {
    let mut rig = Rig::new(SyncMode::Grid(GridUnit::Quarter), 2_000.0);
    let fast = |frame: f64| Some((50.0 + frame * AT_120 * 1.000_2, AT_120 * 1.000_2));
    rig.run(20.0, late(0.0), fast);
    for _ in 0..600 {
        let delay = rig.run(0.1, late(0.0), fast);
        let off = rig.loop_.right_frames().unwrap() - delay;
        assert!(off.abs() < 1.0, "{off}");
    }
    assert_eq!(rig.fades(), 1, "drift is glided after");
}

/// A DAW that starts 30 ms late and is brought in time at 5 % from `from` on.
fn brought_in_time(from: f64) -> impl Fn(f64) -> Option<(f64, f64)> {
    move |frame| late((1_440.0 - ((frame - from) * 0.05).max(0.0)).max(0.0))(frame)
}

#[test]
fn a_daw_that_is_still_being_brought_in_time_is_met_as_soon_as_it_is_there() {
    for mode in [SyncMode::Room, SyncMode::Grid(GridUnit::Sixteenth)] {
        let mut rig = Rig::new(mode, 700.0);
        rig.room = Some(1_900.0);
        rig.run(3.0, |_| None, |_| None);
        // From 3.2 s to 3.8 s it moves.
        rig.run(1.3, late(0.0), brought_in_time(3.2 * 48_000.0));
        let delay = rig.run(0.01, late(0.0), late(0.0));
        assert!((rig.loop_.right_frames().unwrap() - delay).abs() < 1.0, "{mode:?}: {delay}");
        assert_eq!(rig.fades(), 2, "{mode:?}: once to where it was first, and once to where it is");
    }
}

#[test]
fn in_a_room_everybody_hears_the_same_beat_at_the_same_moment() {
    let mut rig = Rig::new(SyncMode::Room, 700.0);
    rig.room = Some(1_900.0);
    let delay = rig.run(3.0, late(0.0), late(150.0));
    assert!((delay - (1_900.0 - 150.0)).abs() < 0.01, "{delay}");
    rig.room = Some(2_100.0);
    let delay = rig.run(3.0, late(0.0), late(150.0));
    assert!((delay - (2_100.0 - 150.0)).abs() < 0.5, "{delay}");
    let mut unrelated = Rig::new(SyncMode::Room, 700.0);
    unrelated.room = Some(1_900.0);
    assert_eq!(unrelated.run(3.0, late(0.0), late(9_000.0)), 1_900.0);
}

#[test]
fn a_network_that_asks_for_more_costs_a_unit_and_gives_it_back_later() {
    let mut rig = Rig::new(SyncMode::Grid(GridUnit::Sixteenth), 3_000.0);
    assert!((rig.run(3.0, late(0.0), late(0.0)) - 6_000.0).abs() < 0.01);
    rig.least = 6_500.0;
    assert!((rig.run(0.1, late(0.0), late(0.0)) - 12_000.0).abs() < 0.01);
    rig.least = 3_000.0;
    assert!((rig.run(3.0, late(0.0), late(0.0)) - 12_000.0).abs() < 0.01);
    assert!((rig.run(3.0, late(0.0), late(0.0)) - 6_000.0).abs() < 0.01);
}

#[test]
fn a_transport_that_stops_leaves_the_delay_where_it_is() {
    let mut rig = Rig::new(SyncMode::Grid(GridUnit::Sixteenth), 3_000.0);
    let held = rig.run(3.0, late(0.0), late(77.0));
    assert_eq!(rig.run(5.0, |_| None, late(77.0)), held);
    assert_eq!(rig.loop_.state(), SyncState::Hold);
    assert_eq!(rig.run(5.0, late(0.0), |_| None), held);
    assert!((rig.run(3.0, late(0.0), late(87.0)) - (held - 10.0)).abs() < 0.01);
}

#[test]
fn a_loop_of_whole_units_moves_nothing() {
    let mut rig = Rig::new(SyncMode::Grid(GridUnit::Quarter), 3_000.0);
    let looped = |frame: f64| Some(((frame * AT_120).rem_euclid(8.0), AT_120));
    rig.run(3.0, looped, looped);
    let fades = rig.fades();
    let delay = rig.run(30.0, looped, looped);
    assert!((delay - 24_000.0).abs() < 0.01, "{delay}");
    assert_eq!(rig.fades(), fades);
}

#[test]
fn tight_is_the_least_delay() {
    let mut rig = Rig::new(SyncMode::Tight, 512.0);
    assert_eq!(rig.run(1.0, late(0.0), late(5.0)), 512.0);
    assert_eq!(rig.loop_.state(), SyncState::Off);
}
