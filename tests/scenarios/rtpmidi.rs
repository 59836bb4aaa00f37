//! Rooms of RTP-MIDI participants on bad networks.

use lockstep_relay::bridge::Proposal;
use lockstep_shared::midi::Realtime;
use lockstep_shared::midi::message::{Message, U7};
use lockstep_shared::time::{LocalTime, Span};
use lockstep_shared::timeline::{Motion, Timeline};
use lockstep_tests::midi::MidiWorld;
use lockstep_tests::net::{Interval, Jitter, Loss, Order, PathPlan};
use lockstep_tests::rng::Rng;

fn message(bytes: &[u8]) -> Message {
    Message::from_short(bytes).unwrap()
}

/// A tenth is lost, half of it in bursts, and what comes is out of order.
fn bad() -> PathPlan {
    PathPlan {
        jitter: Jitter::Exponential(Span::from_millis(6)),
        order: Order::Free,
        loss: Loss { independent: 0.05, burst_begins: 0.01, burst_ends: 0.2 },
        duplication: 0.02,
        ..PathPlan::clean()
    }
}

#[test]
fn whatever_is_lost_both_participants_and_the_room_end_in_the_same_state() {
    for seed in 1..6 {
        let mut world = MidiWorld::new(seed, &[bad(), PathPlan::wifi()]);
        world.pass(Span::from_millis(4_000));
        let mut rng = Rng::new(seed);
        let mut down = 0_u128;
        for _ in 0..2_000 {
            let key = u8::try_from(rng.next_u64() % 48).unwrap() + 36;
            let bit = 1 << key;
            let bytes = match rng.next_u64() % 8 {
                0 => [0xB0, 64, if rng.chance(0.5) { 127 } else { 0 }],
                1 => [0xE0, u8::try_from(rng.next_u64() % 128).unwrap(), 70],
                _ if down & bit == 0 => {
                    down |= bit;
                    [0x90, key, 90]
                }
                _ => {
                    down &= !bit;
                    [0x80, key, 64]
                }
            };
            assert!(world.play(0, &message(&bytes)), "seed {seed}: it is here");
            world.pass(Span::from_millis(i64::try_from(rng.next_u64() % 20).unwrap()));
        }
        // Guard packets follow the last note.
        world.pass(Span::from_millis(2_000));
        let mut held = 0_u128;
        for passed in &world.passed {
            match passed.message.short().unwrap().as_slice() {
                [0x90, key, velocity] if *velocity > 0 => held |= 1 << key,
                [0x80 | 0x90, key, _] => held &= !(1 << key),
                _ => {}
            }
        }
        assert_eq!(held, down, "seed {seed}: the room");
        let state = world.seats[1].peer.receiver().unwrap().state();
        assert_eq!(state.sounding(), down.count_ones(), "seed {seed}: the other participant");
    }
}

#[test]
fn what_the_room_said_during_an_outage_is_told_when_it_is_over() {
    for seed in 1..6 {
        let begins = LocalTime::from_nanos(10_000_000_000);
        let outage = Interval::new(begins, Span::from_millis(5_000));
        let mut world = MidiWorld::new(seed, &[PathPlan::cable().outage(outage)]);
        world.pass(begins - world.now);
        world.play_in_room(message(&[0xB0, 7, 10]));
        world.pass(Span::from_millis(4_000));
        // Nobody says anything after this.
        world.play_in_room(message(&[0xB0, 7, 99]));
        world.pass(Span::from_millis(3_000));
        let state = world.seats[0].peer.receiver().unwrap().state();
        assert_eq!(state.channels[0].controller(U7::low_bits(7)), Some(U7::low_bits(99)), "seed {seed}");
    }
}

#[test]
fn a_drum_machines_clock_leads_the_room_through_jitter_and_loss() {
    for seed in 1..17 {
        drum_machine(seed);
    }
}

fn drum_machine(seed: u64) {
    let plan = PathPlan {
        jitter: Jitter::Exponential(Span::from_millis(3)),
        order: Order::Free,
        loss: Loss { independent: 0.02, burst_begins: 0.0, burst_ends: 1.0 },
        ..PathPlan::clean()
    };
    let mut world = MidiWorld::led_by(seed, &[plan], Some("peer 1"));
    world.pass(Span::from_millis(4_000));
    let (mut line, mut revisions) = (Timeline::default(), 0);
    let mut follow = |world: &mut MidiWorld, line: &mut Timeline| {
        while let Some(proposal) = world.room.poll_proposal() {
            let Proposal::Line(proposed) = proposal else { panic!("it is there") };
            *line = *proposed;
            world.room.set_line(*line);
            revisions += 1;
        }
    };
    // 125 BPM: a tick every 20 ms.
    let tick = Span::from_millis(20);
    for _ in 0..100 {
        world.play(0, &Message::Realtime(Realtime::Clock));
        world.pass(tick);
        follow(&mut world, &mut line);
    }
    world.play(0, &Message::Realtime(Realtime::Start));
    world.pass(Span::from_millis(2));
    let downbeat = world.now;
    let mut late = Vec::new();
    for number in 0..1_500_i64 {
        world.play(0, &Message::Realtime(Realtime::Clock));
        world.pass(downbeat + Span::from_millis(20 * (number + 1)) - world.now);
        follow(&mut world, &mut line);
        if number > 240 {
            let place = line.place(world.grid.position(world.now));
            assert_eq!(place.motion, Motion::Playing);
            let expected = seconds(world.now, downbeat) * 125.0 / 60.0;
            let late_ms = (expected - place.beats.quarters()) * 60_000.0 / 125.0;
            late.push(late_ms);
        }
    }
    // Stamps are mapped by the rounds of the session's clock: neither the way nor the buffer counts.
    late.sort_by(f64::total_cmp);
    let (least, middle, most) = (late[0], late[late.len() / 2], late[late.len() - 1]);
    assert!(middle.abs() < 0.8 && most - least < 2.0, "seed {seed}: {least} {middle} {most}");
    assert!(revisions < 300, "{revisions}");
}

fn seconds(at: LocalTime, from: LocalTime) -> f64 {
    (at - from).secs_f64()
}
