//! Musical time between DAWs: who leads, who follows, and what is heard on which beat.

use lockstep_plugin::engine::{ClockOffset, Controls, GridUnit, HostTransport, Role, RoomMode, SyncMode};
use lockstep_plugin::link::{Cue, Standpoint};
use lockstep_shared::midi::Realtime;
use lockstep_shared::time::convert::f64_from_i64;
use lockstep_shared::time::{DeviceFrame, LocalTime, SampleRate, Span};
use lockstep_shared::timeline::Motion;
use lockstep_shared::wire::{Format, MemberId};
use lockstep_tests::alignment::{AlignmentEars, Look};
use lockstep_tests::clock::{AudioClock, Crystal};
use lockstep_tests::daw::{Blocks, Daw, Punctuality, open_controls};
use lockstep_tests::followers::Kind;
use lockstep_tests::net::{Interval, Loss, PathPlan};
use lockstep_tests::oracle::Source;
use lockstep_tests::rng::Rng;
use lockstep_tests::song::{Act, OwnSong, Song};
use lockstep_tests::world::{MemberPlan, Nobody, World};

const CYCLES: f64 = 997.0 / 48_000.0;
/// Quarter notes a frame at 120.
const PER_FRAME: f64 = 2.0 / 48_000.0;

fn seconds(seconds: i64) -> Span {
    Span::from_millis(seconds * 1_000)
}

const fn frame(seconds: i64) -> DeviceFrame {
    DeviceFrame(seconds * 48_000)
}

fn member(song: Song, mode: SyncMode, role: Role, ppm: f64, path: &PathPlan) -> MemberPlan {
    MemberPlan {
        daw: Daw {
            controls: Controls { sync_mode: mode, role, ..open_controls(RoomMode::Stems) },
            blocks: Blocks::Fixed(256),
            crystal: Crystal { ppm, ..Crystal::PERFECT },
            punctuality: Punctuality::Usual,
            song,
            ..Daw::perfect(Source::Tone { cycles: CYCLES }, 256)
        },
        crystal: Crystal::thermal(-ppm / 4.0),
        up: path.clone(),
        down: path.clone(),
        format: Format::Float32,
        starts: LocalTime::ZERO,
    }
}

fn led(seed: u64, song: OwnSong, follower: Song, mode: SyncMode, path: &PathPlan) -> World {
    let mut world = World::new(seed, Crystal::thermal(15.0), 8);
    world.add(member(Song::Own(song), mode, Role::Lead, 60.0, path));
    world.add(member(follower, mode, Role::Follow, -70.0, path));
    world
}

fn ears(ppm: [f64; 2]) -> AlignmentEars {
    let clock = |ppm| {
        let crystal = Crystal { ppm, ..Crystal::PERFECT };
        AudioClock::new(SampleRate::GRID, crystal, LocalTime::ZERO, Rng::new(0))
    };
    AlignmentEars::new(ppm.map(clock).into(), vec![CYCLES; 2], 17)
}

/// By how many quarter notes the listener's song is ahead of what it hears.
fn lag(look: &Look, songs: &[OwnSong; 2]) -> Option<f64> {
    let here = songs[look.listener].quarters(f64_from_i64(look.here.0), SampleRate::GRID)?;
    Some(here - songs[1 - look.listener].quarters(look.there, SampleRate::GRID)?)
}

fn standpoints(world: &World) -> Vec<Standpoint> {
    world.members.iter().map(|member| member.link.musical().standpoint()).collect()
}

#[test]
fn remote_beats_fall_on_local_beats_of_any_unit() {
    for (unit, quarters) in [(GridUnit::Sixteenth, 0.25), (GridUnit::Quarter, 1.0), (GridUnit::Bar, 4.0)] {
        let songs = [OwnSong::from(frame(1)), OwnSong::from(DeviceFrame(55_555))];
        let mut world = World::new(3, Crystal::thermal(15.0), 8);
        for (ppm, song) in [80.0, -80.0].into_iter().zip(&songs) {
            let plan =
                member(Song::Own(song.clone()), SyncMode::Grid(unit), Role::Off, ppm, &PathPlan::cable());
            world.add(plan);
        }
        let mut ears = ears([80.0, -80.0]);
        world.run(seconds(8), &mut ears);
        ears.errors.clear();
        world.run(seconds(15), &mut ears);
        let mut errors: Vec<f64> = ears
            .errors
            .iter()
            .filter_map(|look| lag(look, &songs))
            .map(|lag| (lag - (lag / quarters).round() * quarters).abs() / PER_FRAME)
            .collect();
        errors.sort_by(f64::total_cmp);
        let usual = errors[errors.len() * 9 / 10];
        assert!(usual < 2.0, "{unit:?}: {usual} frames");
    }
}

#[test]
fn in_a_room_the_same_beat_is_heard_at_the_same_moment_by_everybody() {
    let (near, far) = (PathPlan { base: Span::from_millis(4), ..PathPlan::wired() }, PathPlan::cable());
    let mut world = World::new(4, Crystal::thermal(15.0), 8);
    for (number, path) in [near.clone(), near, far].iter().enumerate() {
        let ppm = [50.0, -50.0, 20.0][number];
        world.add(member(Song::Constant(HostTransport::default()), SyncMode::Room, Role::Off, ppm, path));
    }
    world.run(seconds(12), &mut Nobody);
    let delays: Vec<f64> = world
        .members
        .iter()
        .flat_map(|member| member.link.played().map(|played| played.delay_ms).collect::<Vec<_>>())
        .collect();
    assert_eq!(delays.len(), 6);
    let spread = delays.iter().copied().fold(0.0, f64::max) - delays.iter().copied().fold(f64::MAX, f64::min);
    assert!(spread < 0.05, "{delays:?}");
    assert!(delays[0] > 18.0, "the near ones wait for the far one: {delays:?}");
}

#[test]
fn a_daw_that_follows_is_where_the_leader_is() {
    let mut world =
        led(5, OwnSong::from(frame(6)), Song::Follows(Kind::SlowInput), SyncMode::Tight, &PathPlan::cable());
    world.run(seconds(25), &mut Nobody);
    assert_eq!(standpoints(&world), [Standpoint::Leading, Standpoint::Following]);
    let mut worst = 0.0_f64;
    for _ in 0..50 {
        world.run(Span::from_millis(100), &mut Nobody);
        let follower = &world.members[1];
        let error = follower.link.musical().follower_error_ms().expect("the loop is closed");
        worst = worst.max(error.abs());
    }
    assert!(worst < 1.0, "{worst} ms");
    // Its clock would chase itself.
    assert_eq!(world.members[0].clock_events, [], "whoever leads is sent no clock");
}

#[test]
fn what_a_follower_hears_of_its_leader_is_on_its_grid() {
    let mode = SyncMode::Grid(GridUnit::Smallest);
    let mut world =
        led(6, OwnSong::from(frame(5)), Song::Follows(Kind::SmoothLoop), mode, &PathPlan::wired());
    world.run(seconds(20), &mut Nobody);
    for _ in 0..50 {
        world.run(Span::from_millis(100), &mut Nobody);
        for member in &world.members {
            let error = member.gauges.lanes[0].beat_error_ms.load(core::sync::atomic::Ordering::Relaxed);
            assert!(error.abs() < 0.5, "{error} ms");
            let delay = member.gauges.lanes[0].delay_ms.load(core::sync::atomic::Ordering::Relaxed);
            assert!((120.0..130.0).contains(&delay), "a sixteenth at 120: {delay} ms");
        }
    }
}

#[test]
fn the_clock_offset_moves_the_clock_and_neither_loses_nor_doubles_a_tick() {
    let no_transport = Song::Constant(HostTransport::default());
    let mut world = led(14, OwnSong::from(frame(3)), no_transport, SyncMode::Tight, &PathPlan::wired());
    world.run(seconds(12), &mut Nobody);
    world.members[1].plan.daw.controls.clock_offset = ClockOffset::from_millis(-40.0);
    world.run(seconds(8), &mut Nobody);
    let ticks: Vec<f64> = world.members[1]
        .clock_events
        .iter()
        .filter(|(at, event)| *event == Realtime::Clock && *at > LocalTime::ZERO + seconds(10))
        .map(|(at, _)| (*at - LocalTime::ZERO).millis_f64())
        .collect();
    let tick_ms = 1_000.0 / 48.0;
    for pair in ticks.windows(2) {
        assert!((pair[1] - pair[0] - tick_ms).abs() < 0.5, "{pair:?}");
    }
    let phase = |at: f64| at.rem_euclid(tick_ms);
    let moved = (phase(ticks[ticks.len() - 1]) - phase(ticks[0])).rem_euclid(tick_ms);
    let expected = (-40.0_f64).rem_euclid(tick_ms);
    // The leader's crystal is 60 ppm fast: 0.6 ms in ten seconds.
    assert!((moved - expected).abs() < 1.0, "{moved} ms for {expected} ms");
}

#[test]
fn a_cue_starts_every_daw_at_one_moment_and_stops_them_on_a_bar() {
    let loss = Loss { independent: 0.2, burst_begins: 0.0, burst_ends: 1.0 };
    let path = PathPlan { loss, ..PathPlan::wired() };
    let mut world = World::new(15, Crystal::thermal(15.0), 8);
    for ppm in [60.0, -70.0, 20.0] {
        let song = Song::Follows(Kind::SmoothLoop);
        world.add(member(song, SyncMode::Tight, Role::Follow, ppm, &path));
    }
    world.run(seconds(4), &mut Nobody);
    world.members[1].link.cue(Cue::Start);
    world.run(seconds(20), &mut Nobody);
    let begun: Vec<LocalTime> = world
        .members
        .iter()
        .map(|member| {
            let start = member.clock_events.iter().position(|(_, event)| *event == Realtime::Start);
            let begun = start.expect("a start from the beginning");
            member.clock_events[begun + 1].0
        })
        .collect();
    let apart = begun.iter().max().map(|last| (*last - *begun.iter().min().unwrap_or(last)).millis_f64());
    assert!(apart.is_some_and(|apart| apart < 0.2), "{begun:?}");
    let lines: Vec<_> = world.members.iter().map(|member| member.link.musical().line().copied()).collect();
    assert!(lines.iter().all(|line| line.is_some() && *line == lines[0]), "one line for all");
    for member in &world.members {
        let error = member.link.musical().follower_error_ms().expect("the loop is closed");
        assert!(error.abs() < 1.0, "{error} ms");
    }
    world.members[1].link.cue(Cue::Stop);
    world.run(seconds(4), &mut Nobody);
    let line = world.members[0].link.musical().line().expect("a line");
    let last = line.segments().last().expect("a segment");
    assert_eq!(last.motion, Motion::Stopped);
    assert_eq!(last.beats.micro() % 4_000_000, 0, "on a bar line");
    assert!(world.members.iter().all(|member| member.last_position.is_none()), "every DAW stands");
}

#[test]
fn a_cue_is_refused_while_somebody_s_daw_leads() {
    let follows = Song::Follows(Kind::SmoothLoop);
    let mut world = led(16, OwnSong::from(frame(2)), follows, SyncMode::Tight, &PathPlan::wired());
    world.run(seconds(8), &mut Nobody);
    let leader = world.members[1].link.musical().leader();
    world.members[1].link.cue(Cue::Stop);
    world.run(seconds(4), &mut Nobody);
    assert_eq!(world.members[0].link.musical().leader(), leader);
    assert!(world.members[1].last_position.is_some(), "it plays on");
}

#[test]
fn the_first_in_a_room_leads_by_itself_and_nobody_else_does() {
    let mut world = World::new(17, Crystal::PERFECT, 8);
    for number in 0..3 {
        let song = Song::Own(OwnSong::from(frame(1)));
        world.add(member(song, SyncMode::Tight, Role::Auto, 0.0, &PathPlan::wired()));
        world.run(seconds(2), &mut Nobody);
        let mut expected = vec![Standpoint::Off; number + 1];
        expected[0] = Standpoint::Leading;
        assert_eq!(standpoints(&world), expected);
    }
    world.kill_relay();
    world.run(Span::from_millis(500), &mut Nobody);
    world.start_relay();
    world.run(seconds(6), &mut Nobody);
    assert_eq!(standpoints(&world)[0], Standpoint::Leading, "it has the lead again");
    world.members[1].plan.daw.controls.role = Role::Lead;
    world.run(seconds(1), &mut Nobody);
    world.members[1].link.take_lead();
    world.run(seconds(2), &mut Nobody);
    assert_eq!(standpoints(&world)[1], Standpoint::Leading, "the lead is taken, even as the first wish");
    assert_eq!(standpoints(&world)[0], Standpoint::Off, "who has led by itself gives way");
}

#[test]
fn a_second_leader_is_refused_and_told_so_until_it_takes_the_lead() {
    let mut world = World::new(7, Crystal::PERFECT, 8);
    for _ in 0..2 {
        let song = Song::Own(OwnSong::from(frame(1)));
        world.add(member(song, SyncMode::Tight, Role::Lead, 0.0, &PathPlan::wired()));
        world.run(seconds(2), &mut Nobody);
    }
    assert_eq!(standpoints(&world), [Standpoint::Leading, Standpoint::Refused(MemberId(0))]);
    world.members[1].link.take_lead();
    world.run(seconds(2), &mut Nobody);
    assert_eq!(standpoints(&world), [Standpoint::Refused(MemberId(1)), Standpoint::Leading]);
    assert_eq!(world.members[0].link.musical().leader(), Some(MemberId(1)));
}

#[test]
fn a_follower_that_is_set_to_lead_is_refused_and_stopped() {
    let mut world =
        led(8, OwnSong::from(frame(3)), Song::Follows(Kind::SmoothLoop), SyncMode::Tight, &PathPlan::wired());
    world.run(seconds(10), &mut Nobody);
    world.members[1].plan.daw.controls.role = Role::Lead;
    world.run(seconds(2), &mut Nobody);
    let leader = world.members[1].link.musical().leader().expect("somebody leads");
    assert_eq!(standpoints(&world), [Standpoint::Leading, Standpoint::Refused(leader)]);
    let last = world.members[1].clock_events.last().map(|(_, event)| *event);
    assert_eq!(last, Some(Realtime::Stop), "nothing drives a DAW that does not follow");
}

#[test]
fn the_line_runs_on_when_the_leader_vanishes_in_mid_bar() {
    let gone = Interval::new(LocalTime::ZERO + Span::from_millis(9_300), seconds(60));
    let mut world = World::new(9, Crystal::thermal(15.0), 8);
    let away = PathPlan::wired().outage(gone);
    let song = Song::Own(OwnSong::from(frame(3)));
    world.add(member(song, SyncMode::Tight, Role::Lead, 60.0, &away));
    let follows = Song::Follows(Kind::SmoothLoop);
    world.add(member(follows, SyncMode::Tight, Role::Follow, -70.0, &PathPlan::wired()));
    world.run(seconds(30), &mut Nobody);
    let follower = &world.members[1];
    assert_eq!(follower.link.musical().leader(), None);
    let line = follower.link.musical().line().expect("a line");
    assert_eq!(line.segments().last().map(|segment| segment.motion), Some(Motion::Playing));
    let stops = follower.clock_events.iter().filter(|(_, event)| *event == Realtime::Stop).count();
    assert_eq!(stops, 0, "whoever follows plays on");
}

#[test]
fn a_follower_without_a_relay_is_stopped_once_and_comes_back_on_the_beat() {
    let gone = Interval::new(LocalTime::ZERO + seconds(10), seconds(6));
    let mut world = World::new(10, Crystal::thermal(15.0), 8);
    let song = Song::Own(OwnSong::from(frame(3)));
    world.add(member(song, SyncMode::Tight, Role::Lead, 60.0, &PathPlan::wired()));
    let away = PathPlan::wired().outage(gone);
    world.add(member(Song::Follows(Kind::SmoothLoop), SyncMode::Tight, Role::Follow, -70.0, &away));
    world.run(seconds(15), &mut Nobody);
    let stops = |world: &World| {
        world.members[1].clock_events.iter().filter(|(_, event)| *event == Realtime::Stop).count()
    };
    assert_eq!(stops(&world), 1);
    world.run(seconds(25), &mut Nobody);
    assert_eq!(stops(&world), 1);
    let error = world.members[1].link.musical().follower_error_ms().expect("the loop is closed again");
    assert!(error.abs() < 1.0, "{error} ms");
}

#[test]
fn the_lead_survives_a_restart_of_the_relay() {
    let mut world = led(
        11,
        OwnSong::from(frame(3)),
        Song::Follows(Kind::SmoothLoop),
        SyncMode::Tight,
        &PathPlan::wired(),
    );
    world.run(seconds(10), &mut Nobody);
    world.kill_relay();
    world.run(Span::from_millis(500), &mut Nobody);
    world.start_relay();
    world.run(seconds(15), &mut Nobody);
    assert_eq!(standpoints(&world), [Standpoint::Leading, Standpoint::Following]);
    let place = |number: usize| {
        let member = &world.members[number];
        let map = member.link.clock().map(member.link_time).expect("a clock");
        member.link.musical().place(map.grid(member.link_time)).expect("a line")
    };
    assert_eq!((place(0).motion, place(1).motion), (Motion::Playing, Motion::Playing));
}

#[test]
fn a_host_that_says_nonsense_of_its_transport_harms_nobody() {
    let nonsense = [
        (f64::NAN, Some(f64::NAN)),
        (0.0, Some(-1e12)),
        (999.0, Some(f64::INFINITY)),
        (-120.0, None),
        (1e300, Some(1e18)),
    ];
    for (tempo_bpm, position_quarters) in nonsense {
        let transport = HostTransport {
            playing: true,
            tempo_bpm: Some(tempo_bpm),
            position_quarters,
            time_signature: Some((0, 0)),
            loop_quarters: Some((f64::NAN, -4.0)),
            bar_start_quarters: Some(f64::NAN),
            ..HostTransport::default()
        };
        let mut world = World::new(12, Crystal::PERFECT, 8);
        let mode = SyncMode::Grid(GridUnit::Smallest);
        world.add(member(Song::Constant(transport), mode, Role::Lead, 0.0, &PathPlan::wired()));
        world.add(member(Song::Follows(Kind::Twitchy), mode, Role::Follow, 0.0, &PathPlan::wired()));
        let mut ears = ears([0.0, 0.0]);
        world.run(seconds(8), &mut ears);
        assert_eq!(world.relay.as_ref().map(|relay| relay.stats().documents_malformed), Some(0));
        assert!(ears.errors.len() > 100, "both are heard, {tempo_bpm} {position_quarters:?}");
    }
}

#[test]
fn loops_jumps_and_tempo_steps_of_the_leader_reach_the_follower_on_the_beat() {
    let song = OwnSong::from(frame(4))
        .then(frame(20), Act::Tempo { bpm: 140.0 })
        .then(frame(32), Act::Play { quarters: 8.0 })
        .then(frame(46), Act::Stop)
        .then(frame(49), Act::Play { quarters: 0.0 });
    let mut world = led(13, song, Song::Follows(Kind::SmoothLoop), SyncMode::Tight, &PathPlan::cable());
    for (until, is_playing) in [(18, true), (31, true), (45, true), (48, false), (65, true)] {
        let now = world.now();
        world.run(LocalTime::ZERO + seconds(until) - now, &mut Nobody);
        let follower = &world.members[1];
        let plays = follower.last_position.is_some();
        assert_eq!(plays, is_playing, "at {until} s");
        if is_playing {
            let error = follower.link.musical().follower_error_ms().expect("the loop is closed");
            assert!(error.abs() < 1.0, "{error} ms at {until} s");
        }
    }
}
