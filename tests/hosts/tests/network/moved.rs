//! Hosts that let their transport be moved follow the room without a MIDI clock.

use std::path::Path;

use lockstep_hosts::block::{Automation, Block, Input, Output};
use lockstep_hosts::console::{self, Console, Offer};
use lockstep_hosts::vst3::Plugin;
use lockstep_hosts::{clock, reaper};
use lockstep_shared::time::convert::f64_from_u64;
use lockstep_shared::time::{LocalTime, Span};

use super::beats::Song;
use super::player::Plays;
use super::{Other, Pace, Relay, Studio, alone};
use crate::support::{Processes as _, STEREO_CLASS, connected, setup};

/// What every test here asks for on a machine that is busy; on an idle one the median is a fraction of a millisecond.
const APART_MS: f64 = 5.0;
/// The same for a host that can only jump: its main thread looks every 20 ms.
const APART_BY_JUMPS_MS: f64 = 25.0;
const BPM: f64 = 90.0;
/// Frames in a block, as the leader's: what a block's first frame is on the grid depends on its length.
const BLOCK: usize = 128;
const BLOCK_FRAMES: u32 = 128;
/// Blocks between two looks of the main thread: 32 ms, as in REAPER.
const BLOCKS_PER_TIMER: u64 = 12;

#[test]
fn a_host_with_reapers_functions_starts_with_the_leader_in_its_tempo() {
    alone("network::moved::a_host_with_reapers_functions_starts_with_the_leader_in_its_tempo", |folder| {
        let (leader, follower) = follow(folder, "reaper", "120");
        assert_eq!(follower.starts, 1, "started once");
        assert!(apart_ms(&leader, &follower) < APART_MS);
        assert!((follower.bpm / BPM - 1.0).abs() < 0.011, "the leader's tempo, not {}", follower.bpm);
    });
}

#[test]
fn a_host_with_transport_control_starts_with_the_leader() {
    alone("network::moved::a_host_with_transport_control_starts_with_the_leader", |folder| {
        let (leader, follower) = follow(folder, "transport-control", "90");
        assert_eq!(follower.starts, 1, "started once");
        assert!(apart_ms(&leader, &follower) < APART_BY_JUMPS_MS);
    });
}

#[test]
fn a_host_with_transport_control_and_another_tempo_waits_for_its_user() {
    alone("network::moved::a_host_with_transport_control_and_another_tempo_waits_for_its_user", |folder| {
        let (_, follower) = follow(folder, "transport-control", "120");
        assert_eq!(follower.starts, 0);
    });
}

#[test]
fn a_host_that_does_nothing_of_what_it_is_asked_is_left_alone() {
    alone("network::moved::a_host_that_does_nothing_of_what_it_is_asked_is_left_alone", |folder| {
        let (_, follower) = follow(folder, "deaf-reaper", "90");
        assert_eq!(follower.starts, 0);
    });
}

#[test]
fn a_moved_host_stops_once_when_the_link_is_lost_and_stays_stopped() {
    alone("network::moved::a_moved_host_stops_once_when_the_link_is_lost_and_stays_stopped", |folder| {
        let mut relay = Relay::start(folder, 8);
        let leader = lead(folder, &relay);
        let arguments = ["--transport", "reaper", "--tempo", "90"];
        let follower = Other::keep_time(folder, &relay.invite, "follower", &arguments);
        clock::sleep(Span::from_millis(5_000));
        relay.kill();
        clock::sleep(Span::from_millis(9_000));
        leader.leave(|| clock::sleep(Span::from_millis(20)));
        follower.leave(|| clock::sleep(Span::from_millis(20)));
        let (leader, follower) = (Song::read(&folder.join("leader")), Song::read(&folder.join("follower")));
        assert_eq!(follower.starts, 1, "started with the leader, and not again");
        let alone = leader.end_seconds() - follower.end_seconds();
        eprintln!("figure: stopped {:.1} s after the relay was gone", 9.0 - alone);
        assert!(alone > 2.0, "it runs on without the relay");
    });
}

#[test]
fn a_vst3_host_with_reapers_functions_is_moved_by_its_timer() {
    alone("network::moved::a_vst3_host_with_reapers_functions_is_moved_by_its_timer", |folder| {
        let relay = Relay::start(folder, 8);
        let _studio = Studio::with_invite(folder, &relay.invite);
        Console::get().set_offer(Offer::Reaper);
        let leader = lead(folder, &relay);
        let mut plugin = Studio::vst3(STEREO_CLASS, &relay.invite.place(), "moved");
        assert_eq!(reaper::timers(), 1);
        let role = plugin.parameter("Transport Role").unwrap().id;
        let value = plugin.text_to_value(role, "Follow").unwrap();
        plugin.set_up(setup(BLOCK_FRAMES)).unwrap();
        plugin.start().unwrap();
        let mut moved = MovedVst3 {
            plugin,
            inputs: vec![Input::Automation(Automation { offset: 0, parameter: role, value })],
            outputs: connected(1, BLOCK),
            daw: console::Song::new(48_000.0, 120.0),
            blocks: 0,
            earliest_seconds: f64::INFINITY,
            song: Song::default(),
        };
        let mut pace = Pace::new(48_000.0, BLOCK);
        pace.play(16.0, &mut [&mut moved]);
        leader.leave(|| pace.play(0.02, &mut [&mut moved]));
        let MovedVst3 { mut plugin, mut song, earliest_seconds, .. } = moved;
        for (seconds, _) in &mut song.played {
            *seconds += earliest_seconds;
        }
        assert_eq!(song.starts, 1, "started once");
        assert!(apart_ms(&Song::read(&folder.join("leader")), &song) < APART_MS);

        plugin.stop().unwrap();
        drop(plugin);
        assert_eq!(reaper::timers(), 0, "the timer goes with the last instance");
        assert!((Console::get().rate() - 1.0).abs() < 1e-12, "the play rate is the user's again");
    });
}

/// A leader plays for a while; a host follows whose transport is moved in this way, with this tempo at first.
fn follow(folder: &Path, way: &str, tempo: &str) -> (Song, Song) {
    let relay = Relay::start(folder, 8);
    let leader = lead(folder, &relay);
    let arguments = ["--transport", way, "--tempo", tempo];
    let follower = Other::keep_time(folder, &relay.invite, "follower", &arguments);
    clock::sleep(Span::from_millis(16_000));
    leader.leave(|| clock::sleep(Span::from_millis(20)));
    follower.leave(|| clock::sleep(Span::from_millis(20)));
    (Song::read(&folder.join("leader")), Song::read(&folder.join("follower")))
}

fn lead(folder: &Path, relay: &Relay) -> Other {
    Other::keep_time(folder, &relay.invite, "leader", &["--transport", "lead", "--tempo", "90"])
}

/// How far the follower's song is from the leader's over the last three seconds: the median.
fn apart_ms(leader: &Song, follower: &Song) -> f64 {
    let end = leader.end_seconds() - 0.5;
    let apart = |step: u32| {
        let seconds = end - f64::from(step) * 0.01;
        let [leads, follows] = [leader, follower].map(|song| song.quarters_at(seconds));
        (follows.expect("the follower plays") - leads.unwrap()).abs() * 60_000.0 / BPM
    };
    let mut all: Vec<f64> = (0..300).map(apart).collect();
    all.sort_by(f64::total_cmp);
    let (median, most) = (all[150], all[299]);
    eprintln!("figure: over 3 s {median:.2} ms away at the median, {most:.2} ms at most");
    median
}

/// An instance in a DAW with REAPER's functions, whose one thread is the audio's and the main one in turn.
struct MovedVst3 {
    plugin: Plugin,
    inputs: Vec<Input>,
    outputs: Vec<Output>,
    daw: console::Song,
    blocks: u64,
    /// When the first block was due: the thread wakes late, and never early.
    earliest_seconds: f64,
    /// By the seconds of this DAW.
    song: Song,
}

impl Plays for MovedVst3 {
    fn play_block(&mut self) {
        let now = clock::now();
        if self.blocks.is_multiple_of(BLOCKS_PER_TIMER) {
            reaper::run_timers();
        }
        let transport = self.daw.transport(self.blocks * u64::from(BLOCK_FRAMES));
        let seconds = f64_from_u64(self.blocks * u64::from(BLOCK_FRAMES)) / 48_000.0;
        self.earliest_seconds = self.earliest_seconds.min((now - LocalTime::ZERO).secs_f64() - seconds);
        self.song.note(seconds, transport.position_quarters, transport.tempo_bpm, transport.motion);
        let silence = [0.0; BLOCK];
        let mut block = Block::new([&silence, &silence], &mut self.outputs);
        block.inputs = &self.inputs;
        block.transport = Some(transport);
        self.plugin.process_block(&mut block);
        self.inputs.clear();
        self.blocks += 1;
    }

    /// Nothing is listened for.
    fn hears(&self) -> bool {
        false
    }
}
