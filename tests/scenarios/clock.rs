//! The clocks reach their figures on every family of paths, and survive what happens to clocks.

use lockstep_shared::clock::{
    DeviceClock, Direction, Discontinuity, HostPace, RoomClock, RoomEvent, Segment,
};
use lockstep_shared::time::{Frames, GridFrame, GridPosition, LocalTime, SampleRate, Span};
use lockstep_tests::callbacks::{Blocks, Callbacks, Schedule};
use lockstep_tests::clock::{AudioClock, Crystal, Upset};
use lockstep_tests::figures::Length;
use lockstep_tests::figures::clock::{AlignmentRun, Family, Trace, clock_figures, true_grid};
use lockstep_tests::net::{Jitter, Order, PathPlan};
use lockstep_tests::rng::Rng;

#[test]
fn every_figure_of_the_clocks_holds() {
    let figures = clock_figures(Length::Quick);
    for figure in &figures {
        println!("{figure}");
    }
    let short: Vec<String> =
        figures.iter().filter(|figure| !figure.holds()).map(ToString::to_string).collect();
    assert!(short.is_empty(), "{}", short.join("\n"));
}

const SECOND: Span = Span::from_millis(1_000);

fn seconds(count: i64) -> Span {
    Span::from_millis(count * 1_000)
}

fn at(count: i64) -> LocalTime {
    LocalTime::ZERO + seconds(count)
}

/// What happened to a clock that was fed a trace.
struct Story {
    events: Vec<(LocalTime, RoomEvent)>,
    /// True time, error and the filter's own estimate of it, at each exchange with a map.
    errors_us: Vec<(LocalTime, f64, f64)>,
}

impl Story {
    fn of(trace: &Trace) -> Self {
        let mut clock = RoomClock::new(LocalTime::ZERO);
        let mut story = Self { events: Vec::new(), errors_us: Vec::new() };
        for sample in &trace.samples {
            story.events.extend(clock.observe(&sample.exchange).map(|event| (sample.truth, event)));
            if let Some(map) = clock.map(sample.exchange.received) {
                let error = Trace::error_us(map.grid(sample.exchange.received), sample);
                story.errors_us.push((sample.truth, error.abs(), clock.error_us()));
            }
        }
        story
    }

    fn worst_us(&self, from: LocalTime, until: LocalTime) -> f64 {
        let inside = self.errors_us.iter().filter(|(truth, ..)| (from..until).contains(truth));
        inside.map(|(_, error, _)| *error).fold(0.0, f64::max)
    }
}

#[test]
fn a_route_change_is_told_from_a_movement_of_the_clock() {
    for family in [Family::WiredRoutes, Family::CableRoutes, Family::WifiRoutes] {
        let story = Story::of(&Trace::run(family, 1, seconds(600)));
        let moves: Vec<(Direction, i64)> = story
            .events
            .iter()
            .filter_map(|(_, event)| match event {
                RoomEvent::PathMoved { direction, by } => {
                    Some((*direction, (by.nanos() + 500_000).div_euclid(1_000_000)))
                }
                RoomEvent::Locked => None,
                RoomEvent::ClockMoved { .. } | RoomEvent::Lost => panic!("{family:?}: {event:?}"),
            })
            .collect();
        let up = [3, -3, -3, 3].map(|by| (Direction::Up, by));
        let down = [3, -3].map(|by| (Direction::Down, by));
        assert_eq!(moves, [&up[..], &down[..]].concat(), "{family:?}");
    }
}

#[test]
fn a_stepped_or_suspended_clock_locks_again() {
    for upset in [
        Upset::Step(at(60), seconds(5)),
        Upset::Step(at(60), seconds(-5)),
        Upset::Step(at(60), Span::from_millis(40)),
        Upset::Suspend(at(60), seconds(30)),
    ] {
        let story = Story::of(&Trace::run_upset(Family::Cable, 2, seconds(150), vec![upset]));
        let [(_, first), (lost_at, lost), (locked_at, locked)] = story.events[..] else {
            panic!("{upset:?}: {:?}", story.events)
        };
        assert_eq!([first, lost, locked], [RoomEvent::Locked, RoomEvent::Lost, RoomEvent::Locked]);
        assert!(locked_at - lost_at < Span::from_millis(300), "{upset:?}");
        let resumed = if matches!(upset, Upset::Suspend(..)) { at(90) } else { at(60) };
        assert!(lost_at - resumed < Span::from_millis(200), "{upset:?}: {}", lost_at - resumed);
        assert!(story.worst_us(lost_at + SECOND, at(150)) < 50.0, "{upset:?}");
    }
}

#[test]
fn a_small_step_of_the_clock_is_followed() {
    let upset = Upset::Step(at(60), Span::from_millis(3));
    let story = Story::of(&Trace::run_upset(Family::Cable, 3, seconds(150), vec![upset]));
    let [_, (_, RoomEvent::ClockMoved { by })] = story.events[..] else { panic!("{:?}", story.events) };
    assert!((by + Span::from_millis(3)).abs() < Span::from_micros(100), "{by}");
    assert!(story.worst_us(at(64), at(150)) < 50.0);
}

#[test]
fn a_relay_that_begins_a_new_grid_is_noticed_at_once() {
    let mut trace = Trace::run(Family::Wired, 4, seconds(60));
    for sample in trace.samples.iter_mut().filter(|sample| sample.truth >= at(30)) {
        for position in [&mut sample.exchange.relay_received, &mut sample.exchange.relay_sent] {
            *position = GridPosition::from_raw(position.raw() - true_grid(at(30)).raw());
        }
    }
    let story = Story::of(&trace);
    let kinds: Vec<RoomEvent> = story.events.iter().map(|(_, event)| *event).collect();
    assert_eq!(kinds, [RoomEvent::Locked, RoomEvent::Lost, RoomEvent::Locked]);
    assert!(story.events[2].0 - at(30) < Span::from_millis(400));
}

#[test]
fn the_clock_knows_how_wrong_it_is() {
    for family in Family::STATIONARY.into_iter().chain(Family::EVENTFUL) {
        for seed in 1..=4 {
            let story = Story::of(&Trace::run(family, seed, seconds(600)));
            let wrong = story.errors_us.iter().filter(|(_, error, own)| *error > 4.0 * own + 2.0).count();
            assert!(wrong * 100 <= story.errors_us.len(), "{family:?} {seed}: {wrong}");
        }
    }
}

#[test]
fn a_path_without_a_steady_base_is_survived() {
    let jitter = Jitter::Exponential(Span::from_millis(6));
    let rough = PathPlan { jitter, order: Order::Free, ..PathPlan::wifi() };
    let story = Story::of(&Trace::over([rough.clone(), rough], 1, seconds(600)));
    assert!(story.worst_us(at(1), at(600)) < 600.0, "{}", story.worst_us(at(1), at(600)));
    assert!(story.worst_us(at(60), at(600)) < 150.0, "{}", story.worst_us(at(60), at(600)));
}

fn audio(rate: SampleRate, crystal: Crystal) -> AudioClock {
    AudioClock::new(rate, crystal, at(1), Rng::new(9))
}

#[test]
fn equal_clocks_without_lateness_are_held_to_the_frame() {
    let trace = Trace::run(Family::Clean, 1, seconds(600));
    for blocks in [16, 64, 441, 4_096].map(Blocks::Fixed).into_iter().chain([Blocks::Changing]) {
        let mut run =
            AlignmentRun::new(&trace, audio(SampleRate::GRID, Crystal::PERFECT), blocks, Schedule::Exact);
        let mut constant = None;
        while let Some((segment, _)) = run.next_segment() {
            let distance = segment.first.raw() - GridFrame(segment.start.0).position().raw();
            assert_eq!(*constant.get_or_insert(distance), distance, "{blocks:?}");
            assert!(segment.step.to_bits() == 1.0_f64.to_bits());
        }
        assert_eq!(constant.map(|distance| distance % GridFrame(1).position().raw()), Some(0));
    }
}

#[test]
fn the_rate_never_jumps_while_the_clocks_are_calm() {
    let trace = Trace::run(Family::Wifi, 2, seconds(300));
    for hz in [44_100, 48_000, 96_000] {
        let rate = SampleRate::new(hz).unwrap();
        let device = audio(rate, Crystal::thermal(60.0));
        let mut run = AlignmentRun::new(&trace, device, Blocks::Fixed(256), Schedule::Late);
        let mut previous: Option<Segment> = None;
        while let Some((segment, truth)) = run.next_segment() {
            if let Some(previous) = previous.replace(segment) {
                assert_eq!(previous.end(), segment.first, "{hz}");
                let change_ppm = (segment.step / previous.step - 1.0).abs() * 1e6;
                assert!(truth < at(10) || change_ppm < 1.0, "{hz}: {change_ppm} ppm at {truth:?}");
            }
        }
    }
}

/// Runs a device clock for two minutes; the device loses `lost` frames half way.
fn device_run(
    blocks: Blocks,
    schedule: Schedule,
    lost: Frames,
) -> (DeviceClock, Vec<(LocalTime, Discontinuity)>) {
    let mut callbacks =
        Callbacks::new(audio(SampleRate::GRID, Crystal::thermal(-70.0)), blocks, schedule, Rng::new(3));
    let mut clock = DeviceClock::new(SampleRate::GRID);
    let mut found = Vec::new();
    let mut to_lose = lost;
    while let Some(call) = callbacks.next().filter(|call| call.truth < at(120)) {
        if call.truth >= at(60) {
            callbacks.lose(to_lose);
            to_lose = Frames::ZERO;
        }
        found.extend(clock.observe(&call.callback(call.truth)).map(|found| (call.truth, found)));
    }
    (clock, found)
}

#[test]
fn stalls_are_no_discontinuity_at_any_block_size() {
    for blocks in [16, 64, 512, 4_096].map(Blocks::Fixed).into_iter().chain([Blocks::Changing]) {
        let (clock, found) = device_run(blocks, Schedule::Late, Frames::ZERO);
        assert!(found.is_empty(), "{blocks:?}: {found:?}");
        assert!((clock.skew_ppm() + 70.0).abs() < 1.0, "{blocks:?}: {}", clock.skew_ppm());
        assert_eq!(clock.pace(), HostPace::Steady);
    }
}

#[test]
fn lost_frames_are_found_and_measured() {
    for lost in [256, 4_096, 96_000] {
        let (clock, found) = device_run(Blocks::Fixed(128), Schedule::Late, Frames(lost));
        let [(when, found)] = found[..] else { panic!("{lost}: {found:?}") };
        assert!(when - at(60) < seconds(4), "{lost}: {}", when - at(60));
        assert!((found.by.millis_f64() - Frames(lost).grid_millis()).abs() < 0.5, "{lost}: {}", found.by);
        assert!((clock.skew_ppm() + 70.0).abs() < 1.0, "{lost}: {}", clock.skew_ppm());
    }
}

#[test]
fn a_host_that_computes_ahead_is_named_and_its_rate_still_measured() {
    for ahead in [100, 200, 400] {
        let schedule = Schedule::Ahead(Span::from_millis(ahead));
        let (clock, _) = device_run(Blocks::Fixed(256), schedule, Frames::ZERO);
        assert_eq!(clock.pace(), HostPace::AheadOfTime, "{ahead}");
        assert!((clock.skew_ppm() + 70.0).abs() < 40.0, "{ahead}: {}", clock.skew_ppm());
    }
}
