//! Leading, following by a MIDI clock, and being moved.

use lockstep_shared::time::Beats;
use lockstep_shared::time::GridFrame;
use lockstep_shared::timeline::{Intent, Motion};
use lockstep_shared::transport::Ability;

use super::*;

/// Between two looks of the link's thread: 10 ms.
const STEP: i64 = 480;
const LEADER: MemberId = MemberId(7);

fn playing() -> RoomTimeline {
    let start = Intent::Start { beats: Beats::from_quarters(0.0), at: GridFrame(STEP).position() };
    RoomTimeline {
        leader: Some(LEADER),
        timeline: Timeline::default().with_intent(AuthorId(LEADER.0), &start),
    }
}

/// What leaves until `end`, a frame of the grid, as the link's thread asks: every 10 ms.
fn run(time: &mut MusicalTime, from: i64, end: i64) -> Vec<Realtime> {
    let map = RoomMap::new(LocalTime::ZERO, GridFrame(0).position(), 0.0);
    let mut left = Vec::new();
    for frame in (from..end).step_by(usize::try_from(STEP).unwrap()) {
        time.advance(GridFrame(frame).position());
        while let Some(event) = time.poll_clock(map.local(GridFrame(frame + STEP).position()), &map) {
            left.push(event);
        }
    }
    left
}

fn follower() -> MusicalTime {
    let mut time = MusicalTime::new();
    time.set_role(Role::Follow);
    time.take_room(playing());
    time
}

fn count(events: &[Realtime], wanted: Realtime) -> usize {
    events.iter().filter(|event| **event == wanted).count()
}

#[test]
fn a_daw_that_follows_no_more_is_stopped_once() {
    let mut time = follower();
    let begun = run(&mut time, 0, 48_000);
    assert_eq!((count(&begun, Realtime::Start), count(&begun, Realtime::Stop)), (1, 0));
    assert!(count(&begun, Realtime::Clock) >= 47);
    time.set_role(Role::Off);
    assert_eq!(run(&mut time, 48_000, 96_000), [Realtime::Stop]);
}

#[test]
fn a_lost_link_stops_the_daw_once_and_its_clock_goes_on() {
    let mut time = follower();
    run(&mut time, 0, 48_000);
    time.lost();
    let after = run(&mut time, 48_000, 96_000);
    assert_eq!(count(&after, Realtime::Stop), 1);
    assert!(count(&after, Realtime::Clock) >= 47);
    assert_eq!(count(&after, Realtime::Continue) + count(&after, Realtime::Start), 0);
}

#[test]
fn a_clock_that_nobody_heard_begins_again() {
    let mut time = follower();
    time.repeat_clock();
    assert_eq!(count(&run(&mut time, 0, 48_000), Realtime::Start), 1, "nothing was missed yet");
    time.repeat_clock();
    let after = run(&mut time, 48_000, 4 * 48_000);
    assert_eq!((count(&after, Realtime::Stop), count(&after, Realtime::Continue)), (1, 1));
}

fn reading(frame: i64, quarters: f64) -> Reading {
    Reading {
        start: GridFrame(frame).position(),
        frames: 480.0,
        quarters: Some(quarters),
        bpm: 120.0,
        motion: Motion::Playing,
        signature: None,
        bar_start: None,
        cycle: None,
    }
}

#[test]
fn a_daw_that_is_moved_is_no_matter_of_the_midi_clock() {
    let all = [Ability::Start, Ability::Jump, Ability::Stop, Ability::Tempo];
    for (abilities, watch) in [(Abilities::of(&all), Watch::Nobody), (Abilities::NONE, Watch::Daw)] {
        let mut time = follower();
        time.set_abilities(abilities);
        // 2 ms late, by what the DAW shows.
        for frame in (0..6 * 48_000).step_by(480) {
            time.observe(&reading(frame, f64::from(i32::try_from(frame).unwrap()) / 24_000.0 - 0.024), None);
            run(&mut time, frame, frame + 480);
        }
        assert_eq!(time.guide().watch, watch);
        let moves = std::iter::from_fn(|| time.poll_move()).count();
        assert_eq!(time.endpoint.error_ms().is_some(), watch == Watch::Daw, "the clock's loop is closed");
        assert_eq!(moves > 0, watch == Watch::Nobody, "{moves} commands");
    }
}

#[test]
fn a_host_that_does_nothing_gives_the_clock_its_loop_back() {
    let mut time = follower();
    time.set_abilities(Abilities::of(&[Ability::Start, Ability::Jump, Ability::Stop, Ability::Tempo]));
    run(&mut time, 0, 20 * 48_000);
    assert_eq!(time.mover_state(), Some(MoverState::Lost));
    assert_eq!(time.guide().watch, Watch::Daw);
    time.observe(&reading(20 * 48_000, 39.0), None);
    assert!(time.endpoint.error_ms().is_some() && time.follower_error_ms().is_some());
}

#[test]
fn an_instance_that_goes_takes_its_nudge_back() {
    let mut time = follower();
    let all = [Ability::Start, Ability::Jump, Ability::Stop, Ability::Tempo, Ability::Nudge];
    time.set_abilities(Abilities::of(&all));
    for frame in (0..6 * 48_000).step_by(480) {
        // Always 5 ms late, whatever it is asked.
        time.observe(&reading(frame, f64::from(i32::try_from(frame).unwrap()) / 24_000.0 - 0.03), None);
        run(&mut time, frame, frame + 480);
    }
    assert_eq!(time.let_go(), Some(Command::Nudge(Nudge::NONE)));
    assert_eq!((time.let_go(), time.mover_state()), (None, None));
}

#[test]
fn the_lead_is_taken_only_by_who_is_to_lead() {
    let mut time = follower();
    time.take_lead();
    assert_eq!(time.standpoint(), Standpoint::Following);
    time.set_role(Role::Lead);
    time.settle(MemberId(1));
    assert_eq!(time.standpoint(), Standpoint::Refused(LEADER));
    time.take_lead();
    assert_eq!(time.standpoint(), Standpoint::Asking);
}
