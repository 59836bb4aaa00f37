//! What a hop loses comes again in time, and nobody pays for it where nothing is lost.

use core::sync::atomic::Ordering;

use lockstep_plugin::engine::{Controls, JitterPreset, RoomMode};
use lockstep_shared::time::convert::f64_from_u64;
use lockstep_shared::time::{LocalTime, Span};
use lockstep_shared::wire::Format;
use lockstep_tests::clock::Crystal;
use lockstep_tests::daw::{Daw, Punctuality, open_controls};
use lockstep_tests::net::{Interval, Jitter, Loss, PathPlan};
use lockstep_tests::oracle::Source;
use lockstep_tests::world::{MemberPlan, Nobody, World};

const CLEAN: Loss = Loss { independent: 0.0, burst_begins: 0.0, burst_ends: 1.0 };

fn losing(independent: f64) -> PathPlan {
    PathPlan {
        loss: Loss { independent, ..CLEAN },
        jitter: Jitter::Exponential(Span::from_micros(80)),
        ..PathPlan::clean()
    }
}

/// Member 0 sends over `up`, member 1 hears it over `down`.
fn world(up: PathPlan, down: PathPlan, mode: RoomMode, block: usize) -> World {
    let mut world = World::new(23, Crystal::PERFECT, 4);
    for (player, (up, down)) in [(up, PathPlan::clean()), (PathPlan::clean(), down)].into_iter().enumerate() {
        let controls = Controls { jitter: JitterPreset::Default, ..open_controls(mode) };
        world.add(MemberPlan {
            daw: Daw {
                controls,
                punctuality: Punctuality::Usual,
                ..Daw::perfect(Source::Noise { player: u64::try_from(player).unwrap() }, block)
            },
            crystal: Crystal::PERFECT,
            up,
            down,
            format: Format::Pcm16,
            starts: LocalTime::ZERO,
        });
    }
    world
}

/// The share of chunks that member 1 had to conceal in a minute, after half a minute in which loss was noticed.
fn concealed_share(world: &mut World) -> f64 {
    let counted = |world: &World| {
        world.members[1].gauges.lanes.iter().fold((0, 0), |(present, concealed), lane| {
            (
                present + lane.present.load(Ordering::Relaxed),
                concealed + lane.concealed.load(Ordering::Relaxed),
            )
        })
    };
    world.run(Span::from_millis(30_000), &mut Nobody);
    let before = counted(world);
    world.run(Span::from_millis(60_000), &mut Nobody);
    let (present, concealed) = counted(world);
    let (present, concealed) = (present - before.0, concealed - before.1);
    assert!(present > 40_000, "{present} chunks were played");
    f64_from_u64(concealed) / f64_from_u64(present + concealed)
}

#[test]
fn a_hop_that_loses_one_in_a_hundred_is_heard_whole() {
    for mode in [RoomMode::Stems, RoomMode::Mix] {
        let mut down = world(PathPlan::clean(), losing(0.01), mode, 64);
        let share = concealed_share(&mut down);
        assert!(share < 0.000_5, "{mode:?}, down: {share}");
        let mut up = world(losing(0.01), PathPlan::clean(), mode, 64);
        let share = concealed_share(&mut up);
        let rooms = up.relay.as_ref().unwrap().stats().rooms;
        match mode {
            RoomMode::Mix => {
                let absent = f64_from_u64(rooms.absent_from_mix) / 60_000.0;
                assert!(
                    absent < 0.004,
                    "{absent} of the mix's chunks lack a strip, the first seconds included"
                );
            }
            RoomMode::Stems | RoomMode::Auto => assert!(share < 0.000_5, "{mode:?}, up: {share}"),
        }
        assert!(rooms.copies_used > 300 && rooms.copies_spare > 40_000, "{rooms:?}");
    }
}

#[test]
fn one_in_twenty_takes_two_copies() {
    let mut world = world(losing(0.05), PathPlan::clean(), RoomMode::Stems, 64);
    let share = concealed_share(&mut world);
    assert!(share < 0.001, "{share}");
}

#[test]
fn losses_in_a_row_are_outlasted() {
    // Four datagrams in a row, five times a second.
    let mut bursts = losing(0.0);
    for n in 0..500 {
        let from = LocalTime::ZERO + Span::from_micros(n * 200_000 + n * n % 97_000);
        bursts.outages.push(Interval::new(from, Span::from_micros(5_333)));
    }
    let mut world = world(PathPlan::clean(), bursts, RoomMode::Stems, 64);
    let share = concealed_share(&mut world);
    assert!(share < 0.002_7, "{share} where 2.7 % is lost");
}

#[test]
fn longer_blocks_are_protected_too() {
    let mut world = world(losing(0.01), PathPlan::clean(), RoomMode::Stems, 256);
    let share = concealed_share(&mut world);
    assert!(share < 0.001, "{share}");
}

#[test]
fn what_a_relay_asked_for_is_forgotten_with_it() {
    // One datagram in a hundred, for twenty seconds.
    let mut early = losing(0.0);
    for n in 0..150 {
        let from = LocalTime::ZERO + Span::from_micros(n * 133_300);
        early.outages.push(Interval::new(from, Span::from_micros(1_333)));
    }
    let mut world = world(early, PathPlan::clean(), RoomMode::Stems, 64);
    world.run(Span::from_millis(20_000), &mut Nobody);
    let rooms = world.relay.as_ref().unwrap().stats().rooms;
    assert!(rooms.copies_spare > 1_000, "{rooms:?}");
    world.kill_relay();
    world.run(Span::from_millis(500), &mut Nobody);
    world.start_relay();
    world.run(Span::from_millis(20_000), &mut Nobody);
    let rooms = world.relay.as_ref().unwrap().stats().rooms;
    assert_eq!((rooms.copies_used, rooms.copies_spare), (0, 0));
}

#[test]
fn nothing_is_sent_twice_where_nothing_is_lost() {
    let mut world = world(PathPlan::clean(), PathPlan::clean(), RoomMode::Stems, 64);
    world.run(Span::from_millis(60_000), &mut Nobody);
    let rooms = world.relay.as_ref().unwrap().stats().rooms;
    assert_eq!((rooms.copies_used, rooms.copies_spare), (0, 0));
}
