//! What one member's DAW plays as MIDI, in the DAW of another.

use lockstep_shared::midi::message::{Held, Message};
use lockstep_shared::time::convert::i64_from_usize;
use lockstep_shared::time::{DeviceFrame, LocalTime, Span};
use lockstep_shared::wire::Format;
use lockstep_tests::clock::Crystal;
use lockstep_tests::daw::{Daw, Punctuality};
use lockstep_tests::net::{Interval, Jitter, Loss, Order, PathPlan};
use lockstep_tests::oracle::Source;
use lockstep_tests::world::{MemberPlan, Nobody, World};

const SECOND: i64 = 48_000;
const SENDER: usize = 0;
const LISTENER: usize = 1;
/// The user's part of the delay: several repetitions of what was lost.
const SYNC_DELAY_MS: f32 = 300.0;

/// A sender with blocks of 96 frames and a listener with blocks of 64, over `path` each way.
fn world(seed: u64, paths: [PathPlan; 2], sync_delay_ms: f32) -> World {
    let mut world = World::new(seed, Crystal::PERFECT, 4);
    for (path, block) in paths.into_iter().zip([96, 64]) {
        let mut daw = Daw::perfect(Source::Noise { player: 3 }, block);
        daw.punctuality = Punctuality::Usual;
        daw.controls.sync_delay_ms = sync_delay_ms;
        world.add(MemberPlan {
            daw,
            crystal: Crystal::PERFECT,
            up: path.clone(),
            down: path,
            format: Format::Float32,
            starts: LocalTime::ZERO,
        });
    }
    world
}

/// 10 ms, 3 ms of jitter that reorders, and so much loss.
fn path(loss: f64) -> PathPlan {
    PathPlan {
        base: Span::from_millis(10),
        jitter: Jitter::Exponential(Span::from_millis(3)),
        order: Order::Free,
        loss: Loss { independent: loss, ..PathPlan::clean().loss },
        duplication: 0.05,
        ..PathPlan::clean()
    }
}

fn play(world: &mut World, at: i64, bytes: &[u8]) {
    world.members[SENDER].midi_to_play.push_back((DeviceFrame(at), bytes.to_vec()));
}

/// When a member's host was given each message that `matches`, in milliseconds after the sender's host played it.
fn travels(world: &mut World, played: &[(i64, Vec<u8>)]) -> Vec<f64> {
    let sender = &mut world.members[SENDER].audio;
    let played: Vec<LocalTime> = played.iter().map(|(at, _)| sender.truth(DeviceFrame(*at))).collect();
    let given = world.members[LISTENER].midi_given.iter();
    given.zip(played).map(|((given, _), played)| (*given - played).secs_f64() * 1_000.0).collect()
}

#[test]
fn over_a_bad_network_every_message_comes_once_in_order_and_at_its_time() {
    for seed in 1..4 {
        let mut world = world(seed, [path(0.1), path(0.1)], SYNC_DELAY_MS);
        let dump = [&[0xF0][..], &[7; 3_000], &[0xF7]].concat();
        let mut played = Vec::new();
        for number in 0..2_000_i64 {
            // When it is known what the network is like. A chord now and then, everything else at odd distances.
            let at = 30 * SECOND + number * 487 - (number % 5 / 4) * 487;
            let key = u8::try_from(number / 2 % 128).unwrap();
            let bytes = match number % 20 {
                18 => vec![0xB1, 7, key],
                19 => vec![0xE1, key, 64],
                13 if number % 500 == 13 => dump.clone(),
                even if even % 2 == 0 => vec![0x91, key, 100],
                _ => vec![0x81, key, 64],
            };
            played.push((at, bytes));
        }
        for (at, bytes) in &played {
            play(&mut world, *at, bytes);
        }
        // As long as the last takes: the delay goes on adapting to such a network.
        world.run(Span::from_millis(50_700), &mut Nobody);
        let given: Vec<_> =
            world.members[LISTENER].midi_given.iter().map(|(_, bytes)| bytes.clone()).collect();
        assert!(
            given.iter().eq(played.iter().map(|(_, bytes)| bytes)),
            "{} of {}",
            given.len(),
            played.len()
        );
        let travels = travels(&mut world, &played);
        let steps = travels.windows(2).map(|pair| (pair[1] - pair[0]).abs());
        let step = steps.fold(0.0, f64::max);
        let (first, last) = (travels[0], travels[travels.len() - 1]);
        let shown = world.members[LISTENER].link.played().next().unwrap().delay_ms;
        println!(
            "seed {seed}: {first:.3} to {last:.3} ms, never more than {step:.3} ms from one to the next; the strip at \
             {shown:.3} ms"
        );
        // The delay is the strip's, which may glide by a thousandth: 10 us from one message to the next, and a frame.
        assert!(step < 0.05, "{step} ms");
        assert!((last - shown).abs() < 0.1, "{last} {shown}");
    }
}

#[test]
fn on_a_clean_path_midi_needs_no_more_delay_than_the_sound() {
    let mut world = world(5, [PathPlan::wired(), PathPlan::wired()], 0.0);
    let played: Vec<(i64, Vec<u8>)> = (0..500_u16)
        .map(|number| (10 * SECOND + i64::from(number) * 731, vec![0x90, number.to_le_bytes()[0] & 0x7F, 1]))
        .collect();
    for (at, bytes) in &played {
        play(&mut world, *at, bytes);
    }
    world.run(Span::from_millis(20_000), &mut Nobody);
    assert_eq!(world.members[LISTENER].midi_given.len(), played.len());
    let travels = travels(&mut world, &played);
    let most = travels.iter().copied().fold(0.0, f64::max);
    let least = travels.iter().copied().fold(f64::MAX, f64::min);
    let status = &world.members[LISTENER].gauges.midi;
    println!("{least:.3} to {most:.3} ms, late {status:?}");
    assert!(most - least < 0.2, "{least} to {most}");
}

/// A pad that is held, with a pedal under it, and a note that is over.
fn hold(world: &mut World, at: i64) -> usize {
    let messages =
        [[0x90, 60, 9], [0x90, 64, 9], [0xB0, 64, 127], [0x90, 67, 9], [0x80, 64, 0], [0xE0, 1, 99]];
    for (number, bytes) in messages.iter().enumerate() {
        play(world, at + i64_from_usize(number) * 1_000, bytes);
    }
    messages.len()
}

const ENDINGS: [[u8; 3]; 4] = [[0x80, 60, 64], [0x80, 67, 64], [0xB0, 64, 0], [0xE0, 0, 64]];

#[test]
fn nothing_hangs_when_the_sender_vanishes() {
    let gone = Interval::new(LocalTime::ZERO + Span::from_millis(9_000), Span::from_millis(90_000));
    let mut world = world(2, [path(0.1).outage(gone), path(0.1)], SYNC_DELAY_MS);
    let count = hold(&mut world, 8 * SECOND);
    world.run(Span::from_millis(9_000), &mut Nobody);
    assert_eq!(world.members[LISTENER].midi_given.len(), count);
    world.run(Span::from_millis(8_000), &mut Nobody);
    let given = &world.members[LISTENER].midi_given;
    assert!(given[count..].iter().map(|(_, bytes)| bytes).eq(&ENDINGS), "{given:?}");
    println!("ended {:.0} ms after the sender vanished", (given[count].0 - gone.from).secs_f64() * 1e3);
}

#[test]
fn nothing_hangs_when_the_relay_vanishes() {
    let mut world = world(2, [path(0.0), path(0.0)], SYNC_DELAY_MS);
    let count = hold(&mut world, 8 * SECOND);
    world.run(Span::from_millis(9_000), &mut Nobody);
    assert_eq!(world.members[LISTENER].midi_given.len(), count);
    world.kill_relay();
    world.run(Span::from_millis(6_000), &mut Nobody);
    let given = &world.members[LISTENER].midi_given;
    assert!(given[count..].iter().map(|(_, bytes)| bytes).eq(&ENDINGS), "{given:?}");
}

#[test]
fn what_a_host_lets_go_while_it_is_out_of_reach_is_let_go_when_it_is_back() {
    let away = Interval::new(LocalTime::ZERO + Span::from_millis(9_000), Span::from_millis(2_500));
    let mut world = world(2, [path(0.0).outage(away), path(0.0)], SYNC_DELAY_MS);
    hold(&mut world, 8 * SECOND);
    for at in [9 * SECOND + 100, 11 * SECOND] {
        play(&mut world, at, &[0x80, 60, 0]);
        play(&mut world, at + 10, &[0x80, 67, 0]);
        play(&mut world, at + 20, &[0xB0, 64, 0]);
        play(&mut world, at + 30, &[0xE0, 0, 64]);
    }
    world.run(Span::from_millis(16_000), &mut Nobody);
    let mut held = Held::default();
    for (_, bytes) in &world.members[LISTENER].midi_given {
        held.note(&Message::from_short(bytes).unwrap());
    }
    assert!(held.is_empty(), "{:?}", world.members[LISTENER].midi_given);
}
