//! What goes wrong on networks and in hosts, and what is heard of it: a fade, and then the right thing again.

use core::f32::consts::TAU;

use lockstep_plugin::engine::RoomMode;
use lockstep_shared::time::{DeviceFrame, LocalTime, SampleRate, Span};
use lockstep_shared::wire::Format;
use lockstep_tests::alignment::AlignmentEars;
use lockstep_tests::clock::{AudioClock, Crystal};
use lockstep_tests::daw::{Blocks, Daw, Punctuality, open_controls};
use lockstep_tests::net::PathPlan;
use lockstep_tests::oracle::Source;
use lockstep_tests::rng::Rng;
use lockstep_tests::world::{MemberPlan, World};

const HZ: f64 = 440.0;
/// The steepest that the tone itself gets at 48 kHz, and a third more for fades on top of it.
const STEEPEST: f32 = 0.5 * TAU * 440.0 / 48_000.0 * 1.35;

/// Two members that play a tone to each other.
struct Pair {
    world: World,
    ears: AlignmentEars,
}

impl Pair {
    fn new(daws: [Daw; 2], path: &PathPlan) -> Self {
        // The relay's clock is the truth: a delay of seconds is counted by it.
        let mut world = World::new(11, Crystal::PERFECT, 4);
        let (mut audio, mut cycles) = (Vec::new(), Vec::new());
        for daw in daws {
            audio.push(AudioClock::new(daw.rate, daw.crystal, LocalTime::ZERO, Rng::new(0)));
            let Source::Tone { cycles: tone } = daw.source else { panic!("the pair plays tones") };
            cycles.push(tone);
            world.add(MemberPlan {
                daw,
                crystal: Crystal::PERFECT,
                up: path.clone(),
                down: path.clone(),
                format: Format::Float32,
                starts: LocalTime::ZERO,
            });
        }
        Self { world, ears: AlignmentEars::new(audio, cycles, 5) }
    }

    fn run(&mut self, millis: i64) {
        self.world.run(Span::from_millis(millis), &mut self.ears);
    }

    /// Looks at the alignment for two seconds from here on.
    fn worst_from_here(&mut self) -> f64 {
        self.ears.errors.clear();
        self.run(2_000);
        assert!(self.ears.errors.len() > 20, "nothing was heard");
        self.ears.worst()
    }

    #[track_caller]
    fn expect_no_click(&self) {
        assert!(
            self.ears.steepest < STEEPEST,
            "a step of {} where the tone has {STEEPEST}",
            self.ears.steepest
        );
    }
}

fn daw(rate: SampleRate, ppm: f64, block: usize) -> Daw {
    let cycles = HZ / rate.hz_f64();
    Daw {
        rate,
        crystal: Crystal { ppm, ..Crystal::PERFECT },
        punctuality: Punctuality::Usual,
        ..Daw::perfect(Source::Tone { cycles }, block)
    }
}

fn usual_pair() -> Pair {
    let daws = [daw(SampleRate::GRID, 40.0, 64), daw(SampleRate::GRID, -25.0, 128)];
    let mut pair = Pair::new(daws, &PathPlan::clean());
    pair.run(20_000);
    pair
}

#[test]
fn every_sample_rate_plays_with_every_other() {
    for (here, there) in [(44_100, 192_000), (48_000, 88_200), (96_000, 176_400), (44_100, 44_100)] {
        let [here, there] = [here, there].map(|hz| SampleRate::new(hz).unwrap());
        let mut pair = Pair::new([daw(here, 90.0, 333), daw(there, -90.0, 512)], &PathPlan::clean());
        pair.run(25_000);
        let worst = pair.worst_from_here();
        assert!(worst < 2.0 * there.hz_f64().max(here.hz_f64()) / 48_000.0, "{here:?} {there:?}: {worst}");
    }
}

#[test]
fn a_relay_that_restarts_has_its_members_back_within_two_seconds() {
    let mut pair = usual_pair();
    pair.world.kill_relay();
    pair.run(700);
    pair.world.start_relay();
    pair.run(2_000);
    for member in &pair.world.members {
        assert!(member.link.standing().0 == lockstep_plugin::link::Standing::Joined);
    }
    pair.run(20_000);
    assert!(pair.worst_from_here() < 1.0);
    pair.expect_no_click();
}

#[test]
fn an_address_that_changes_costs_a_fade_and_nothing_else() {
    let mut pair = usual_pair();
    pair.world.rebind(0);
    pair.run(3_000);
    assert!(pair.worst_from_here() < 1.0);
    pair.expect_no_click();
}

#[test]
fn a_host_that_stalls_and_catches_up_is_aligned_again() {
    let mut first = daw(SampleRate::GRID, 10.0, 64);
    first.stall = Some((DeviceFrame(48_000 * 21), Span::from_millis(120)));
    let mut pair = Pair::new([first, daw(SampleRate::GRID, -10.0, 64)], &PathPlan::clean());
    pair.run(20_000);
    pair.run(15_000);
    assert!(pair.worst_from_here() < 1.0);
    pair.expect_no_click();
}

#[test]
fn blocks_that_change_length_keep_the_alignment() {
    let mut first = daw(SampleRate::GRID, 10.0, 64);
    first.blocks = Blocks::Changing(vec![1, 16, 64, 100, 512, 2_048]);
    let mut pair = Pair::new([first, daw(SampleRate::GRID, -10.0, 64)], &PathPlan::clean());
    pair.run(40_000);
    assert!(pair.worst_from_here() < 1.0);
}

#[test]
fn garbage_and_replays_change_nothing() {
    let mut pair = usual_pair();
    let mut rng = Rng::new(3);
    for round in 0..5_000_usize {
        let mut bytes: Vec<u8> = (0..16).flat_map(|_| rng.next_u64().to_le_bytes()).collect();
        bytes[0] = [0x01, 0x10, 0x10, 0x7f][round % 4];
        bytes.truncate(1 + round % 128);
        pair.world.inject(([192, 0, 2, 1], 9).into(), bytes);
        if round % 100 == 0 {
            pair.run(10);
        }
    }
    assert!(pair.worst_from_here() < 1.0);
    pair.expect_no_click();
    let stats = pair.world.relay.as_ref().unwrap().stats();
    assert!(stats.sessions.malformed + stats.sessions.stray > 4_000);
    assert_eq!(stats.members_now, 2);
}

#[test]
fn the_sync_delay_moves_without_a_click_and_lands_where_it_was_commanded() {
    let mut pair = usual_pair();
    for delay_ms in [100.0, 30.0, 31.0, 5_000.0, 0.0] {
        pair.world.members[0].plan.daw.controls.sync_delay_ms = delay_ms;
        pair.run(6_000);
        assert!(pair.worst_from_here() < 1.0, "at {delay_ms} ms");
    }
    for step in 0..200_u8 {
        pair.world.members[0].plan.daw.controls.sync_delay_ms = f32::from(step);
        pair.run(10);
    }
    pair.expect_no_click();
}

#[test]
fn a_member_that_leaves_and_returns_is_heard_again_in_its_place() {
    let mut pair = usual_pair();
    pair.world.members[1].plan.daw.controls.mute_send = true;
    pair.run(1_000);
    pair.world.members[1].plan.daw.controls.mute_send = false;
    pair.run(1_000);
    assert!(pair.worst_from_here() < 1.0);
    pair.world.members[0].plan.daw.controls.room_mode = RoomMode::Mix;
    pair.run(2_000);
    pair.world.members[0].plan.daw.controls.room_mode = open_controls(RoomMode::Stems).room_mode;
    pair.run(8_000);
    assert!(pair.worst_from_here() < 1.0);
    pair.expect_no_click();
}
