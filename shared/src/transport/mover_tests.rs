//! The mover against hosts that take their time, round to their blocks, or do as they like.

use std::collections::VecDeque;

use super::{Abilities, Ability, Command, Mover, MoverState, Nudge};
use crate::time::{Beats, GridFrame, GridPosition, Tempo};
use crate::timeline::author::Reading;
use crate::timeline::{AuthorId, Intent, Motion, TimeSignature, Timeline};

/// A DAW whose transport is worked by commands that take effect late, at the beginning of a block.
struct Host {
    obeys: Obeys,
    block: i64,
    /// Frames from a command to its effect, and at most how many more.
    latency: (f64, f64),
    /// How much too fast its device runs.
    ppm: f64,
    queue: VecDeque<(f64, Command)>,
    motion: Motion,
    quarters: f64,
    bpm: f64,
    nudge: Nudge,
    random: u64,
    asked: Vec<Command>,
}

#[derive(Clone, Copy, PartialEq)]
enum Obeys {
    Always,
    Never,
    /// Sets its position to whole blocks of its own.
    InBlocks,
}

const ALL: [Ability; 5] = [Ability::Start, Ability::Jump, Ability::Stop, Ability::Tempo, Ability::Nudge];
/// How often the link looks.
const LOOK: i64 = 64;

impl Host {
    fn new(latency_ms: f64, jitter_ms: f64, block: i64) -> Self {
        Self {
            obeys: Obeys::Always,
            block,
            latency: (latency_ms * 48.0, jitter_ms * 48.0),
            ppm: 0.0,
            queue: VecDeque::new(),
            motion: Motion::Stopped,
            quarters: 0.0,
            bpm: 120.0,
            nudge: Nudge::NONE,
            random: 1,
            asked: Vec::new(),
        }
    }

    fn ask(&mut self, frame: i64, command: Command) {
        self.asked.push(command);
        // A linear congruence, between 0 and 1.
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let part = f64::from(u16::try_from(self.random >> 48).unwrap()) / 65_536.0;
        let (latency, jitter) = self.latency;
        // One main thread: nothing overtakes.
        let earliest = self.queue.back().map_or(0.0, |(due, _)| *due);
        let due = (GridFrame(frame).position().plus_f64(latency + jitter * part))
            .frames_since(GridFrame(0).position());
        self.queue.push_back((due.max(earliest), command));
    }

    /// The block that begins at `frame`.
    fn process(&mut self, frame: i64) -> Reading {
        let start = GridFrame(frame).position();
        let now = start.frames_since(GridFrame(0).position());
        while self.queue.front().is_some_and(|(due, _)| *due <= now) {
            let (_, command) = self.queue.pop_front().unwrap();
            if self.obeys != Obeys::Never {
                self.obey(command);
            }
        }
        let frames = f64::from(i32::try_from(self.block).unwrap());
        let reading = Reading {
            start,
            frames,
            quarters: Some(self.quarters),
            bpm: self.bpm * self.nudge.ratio(),
            motion: self.motion,
            signature: Some(TimeSignature::COMMON),
            bar_start: None,
            cycle: None,
        };
        if self.motion == Motion::Playing {
            self.quarters += frames * self.quarters_per_frame();
        }
        reading
    }

    fn quarters_per_frame(&self) -> f64 {
        self.bpm * self.nudge.ratio() * (1.0 + self.ppm * 1e-6) / 60.0 / 48_000.0
    }

    fn obey(&mut self, command: Command) {
        let locate = |host: &mut Self, beats: Beats| {
            let block = f64::from(i32::try_from(host.block).unwrap()) * host.quarters_per_frame();
            host.quarters = match host.obeys {
                Obeys::InBlocks => (beats.quarters() / block).floor() * block,
                Obeys::Always | Obeys::Never => beats.quarters(),
            };
        };
        match command {
            Command::Start(beats) => {
                locate(self, beats);
                self.motion = Motion::Playing;
            }
            Command::Jump(beats) => locate(self, beats),
            Command::Stop => self.motion = Motion::Stopped,
            Command::Tempo(tempo) => self.bpm = tempo.bpm(),
            Command::Nudge(nudge) => self.nudge = nudge,
        }
    }

    fn count(&self, wanted: impl Fn(&Command) -> bool) -> usize {
        self.asked.iter().filter(|command| wanted(command)).count()
    }
}

struct Room {
    line: Timeline,
    mover: Mover,
    host: Host,
    frame: i64,
}

/// The worst and the last error of some seconds, in milliseconds.
#[derive(Debug)]
struct Errors {
    worst: f64,
    last: f64,
}

fn at(frame: i64) -> GridPosition {
    GridFrame(frame).position()
}

fn is_start(command: &Command) -> bool {
    matches!(command, Command::Start(_))
}

fn is_jump(command: &Command) -> bool {
    matches!(command, Command::Jump(_))
}

impl Room {
    /// The line starts after two seconds, at beat 4.
    fn new(host: Host, abilities: &[Ability]) -> Self {
        let start = Intent::Start { beats: Beats::from_quarters(4.0), at: at(96_000) };
        Self {
            line: Timeline::default().with_intent(AuthorId(1), &start),
            mover: Mover::new(Abilities::of(abilities)),
            host,
            frame: 0,
        }
    }

    fn intend(&mut self, intent: &Intent) {
        self.line = self.line.with_intent(AuthorId(1), intent);
    }

    fn run(&mut self, seconds: f64) -> Errors {
        let mut errors = Errors { worst: 0.0, last: f64::NAN };
        let until = at(self.frame).plus_f64(seconds * 48_000.0).floor().0;
        while self.frame < until {
            let (frame, host) = (self.frame, &mut self.host);
            if frame % host.block == 0 {
                let reading = host.process(frame);
                self.mover.observe(&reading, &self.line);
                let place = self.line.place(reading.start);
                if place.motion == Motion::Playing && reading.motion == Motion::Playing {
                    let quarters = reading.quarters.unwrap() - place.beats.quarters();
                    errors.last = quarters / place.pace.quarters_per_frame() / 48.0;
                    errors.worst = errors.worst.max(errors.last.abs());
                }
            }
            self.mover.advance(&self.line, at(frame), &mut |command| host.ask(frame, command));
            self.frame += LOOK;
        }
        errors
    }
}

#[test]
fn a_host_is_on_the_line_within_a_third_of_a_millisecond_whatever_its_latency() {
    for latency in [0.0, 5.0, 30.0, 80.0, 300.0] {
        for (jitter, block) in [(0.0, 64), (5.0, 256), (33.0, 512)] {
            for ppm in [-200.0, 0.0, 200.0] {
                let mut host = Host::new(latency, jitter, block);
                host.ppm = ppm;
                let mut room = Room::new(host, &ALL);
                room.run(16.0);
                let errors = room.run(20.0);
                let case = format!("{latency} ms + {jitter} ms, blocks of {block}, {ppm} ppm: {errors:?}");
                assert!(errors.worst < 0.3, "{case}");
                assert_eq!(room.mover.state(), MoverState::Hold, "{case}");
                assert!(room.mover.error_ms().is_some_and(|ms| ms.abs() < 1.0), "{case}");
                assert_eq!(room.host.count(is_start), 1, "{case}");
                assert!(room.host.count(is_jump) <= 2, "{case}");
            }
        }
    }
}

#[test]
fn the_second_start_is_better_than_the_first() {
    let mut room = Room::new(Host::new(80.0, 0.0, 64), &ALL);
    let first = room.run(2.5);
    assert!(first.worst > 40.0, "a guess: {first:?}");
    room.run(8.0);
    room.intend(&Intent::Stop { at: at(room.frame + 24_000) });
    room.run(2.0);
    room.intend(&Intent::Start { beats: Beats::from_quarters(16.0), at: at(room.frame + 48_000) });
    room.run(1.0);
    let second = room.run(0.5);
    assert!(second.worst < 2.0, "learned: {second:?}");
}

#[test]
fn positions_in_whole_blocks_are_pulled_in() {
    let mut host = Host::new(30.0, 10.0, 1_024);
    host.obeys = Obeys::InBlocks;
    let mut room = Room::new(host, &ALL);
    room.run(16.0);
    let errors = room.run(10.0);
    assert!(errors.worst < 1.0, "{errors:?}");
}

#[test]
fn a_host_that_obeys_nothing_is_asked_three_times_and_left_alone() {
    let mut host = Host::new(5.0, 0.0, 64);
    host.obeys = Obeys::Never;
    let mut room = Room::new(host, &ALL);
    room.run(20.0);
    assert_eq!(room.mover.state(), MoverState::Lost);
    assert_eq!(room.host.count(is_start), 3);
    let asked = room.host.asked.len();
    room.run(20.0);
    assert_eq!(room.host.asked.len(), asked);
    assert_eq!(room.mover.error_ms(), None);
}

#[test]
fn a_host_that_starts_but_never_jumps_or_bends_is_left_alone_too() {
    let mut room = Room::new(Host::new(5.0, 0.0, 64), &ALL);
    room.run(4.0);
    room.host.obeys = Obeys::Never;
    // The user seeks, and the host does not let itself be brought back.
    room.host.quarters += 7.0;
    room.run(20.0);
    assert_eq!(room.mover.state(), MoverState::Lost);
    assert!(room.host.count(is_jump) <= 3);
}

#[test]
fn a_tempo_step_is_followed_on_its_beat() {
    let mut room = Room::new(Host::new(30.0, 5.0, 256), &ALL);
    room.run(10.0);
    let tempo = Tempo::from_bpm(93.5).unwrap();
    room.intend(&Intent::Tempo { tempo, at: at(room.frame + 24_000) });
    let errors = room.run(4.0);
    assert!(errors.worst < 4.0, "{errors:?}");
    room.run(4.0);
    let errors = room.run(4.0);
    assert!(errors.worst < 1.0, "{errors:?}");
    assert!((room.host.bpm - 93.5).abs() < 1e-9);
    assert_eq!(room.host.count(is_jump), 0);
}

#[test]
fn the_line_stops_the_host_once_and_takes_back_its_nudge() {
    let mut host = Host::new(30.0, 5.0, 256);
    host.ppm = 150.0;
    let mut room = Room::new(host, &ALL);
    room.run(10.0);
    assert_ne!(room.host.nudge, Nudge::NONE);
    room.intend(&Intent::Stop { at: at(room.frame + 24_000) });
    room.run(5.0);
    assert_eq!((room.host.motion, room.host.nudge), (Motion::Stopped, Nudge::NONE));
    assert_eq!(room.host.count(|command| *command == Command::Stop), 1);
    assert_eq!(room.mover.state(), MoverState::Idle);
    // Whoever plays on their own while the room stands is not stopped.
    room.host.motion = Motion::Playing;
    room.run(5.0);
    assert_eq!(room.host.motion, Motion::Playing);
}

#[test]
fn a_lost_link_stops_the_host_once_and_a_line_heard_afresh_takes_it_along_on_a_bar() {
    let mut room = Room::new(Host::new(30.0, 5.0, 256), &ALL);
    room.run(10.0);
    room.mover.lost();
    room.run(5.0);
    assert_eq!((room.host.motion, room.host.nudge), (Motion::Stopped, Nudge::NONE));
    assert_eq!(room.host.count(|command| *command == Command::Stop), 1);
    assert_eq!(room.host.count(is_start), 1, "nothing runs on by itself");
    room.mover.regained();
    room.run(3.0);
    assert_eq!(room.host.motion, Motion::Playing);
    let start = room.host.asked.iter().rev().find(|command| is_start(command));
    let Some(Command::Start(beats)) = start else { panic!("{start:?}") };
    assert!(beats.quarters().rem_euclid(4.0) < 0.1, "{beats:?}");
    room.run(10.0);
    let errors = room.run(4.0);
    assert!(errors.worst < 1.0, "{errors:?}");
}

#[test]
fn a_jump_and_a_loop_of_the_line_are_gone_along_with() {
    let mut room = Room::new(Host::new(30.0, 5.0, 256), &ALL);
    room.run(10.0);
    for beat in [64.0, 8.0, 8.0] {
        room.intend(&Intent::Locate { beats: Beats::from_quarters(beat), at: at(room.frame + 24_000) });
        room.run(1.0);
        let errors = room.run(7.0);
        assert!(errors.worst < 10.0, "{errors:?}");
        assert!(errors.last.abs() < 1.0, "{errors:?}");
    }
    assert_eq!(room.host.count(is_jump), 3);
}

#[test]
fn who_stops_by_hand_stays_stopped_until_they_play_again_or_the_line_starts_anew() {
    let mut room = Room::new(Host::new(30.0, 5.0, 256), &ALL);
    room.run(6.0);
    room.host.motion = Motion::Stopped;
    room.run(6.0);
    assert_eq!((room.mover.state(), room.host.motion), (MoverState::Released, Motion::Stopped));
    room.host.motion = Motion::Playing;
    room.run(12.0);
    assert!(room.run(2.0).worst < 1.0, "back on the line");
    room.host.motion = Motion::Stopped;
    room.run(1.0);
    room.intend(&Intent::Stop { at: at(room.frame + 4_800) });
    room.run(1.0);
    room.intend(&Intent::Start { beats: Beats::default(), at: at(room.frame + 48_000) });
    room.run(3.0);
    assert_eq!(room.host.motion, Motion::Playing);
}

#[test]
fn without_nudges_the_host_jumps_when_it_has_drifted_away() {
    let few = [Ability::Start, Ability::Jump, Ability::Stop];
    for (jitter, worst) in [(0.0, 8.0), (10.0, 13.0), (33.0, 30.0)] {
        let mut host = Host::new(30.0, jitter, 256);
        host.ppm = 200.0;
        let mut room = Room::new(host, &few);
        room.run(20.0);
        let errors = room.run(600.0);
        let jumps = room.host.count(is_jump);
        let case = format!("{jitter} ms: {errors:?}, {jumps} jumps");
        assert!(errors.worst < worst, "{case}");
        assert!((2..=40).contains(&jumps), "{case}");
        assert_ne!(room.mover.state(), MoverState::Lost, "{case}");
    }
}

#[test]
fn a_tempo_that_cannot_be_set_is_said_and_waited_for() {
    let few = [Ability::Start, Ability::Jump, Ability::Stop];
    let mut host = Host::new(30.0, 0.0, 256);
    host.bpm = 97.0;
    let mut room = Room::new(host, &few);
    room.run(10.0);
    assert_eq!(room.mover.state(), MoverState::WrongTempo);
    assert_eq!(room.host.asked, []);
    room.host.bpm = 120.0;
    room.run(4.0);
    assert_eq!(room.host.motion, Motion::Playing);

    // A line that is heard between two blocks.
    let line = room.line;
    let mut host = Host::new(30.0, 0.0, 256);
    host.bpm = 97.0;
    let mut room = Room::new(host, &few);
    room.line = Timeline::default();
    room.run(4.0);
    room.mover.advance(&line, at(room.frame), &mut |command| panic!("{command:?}"));
    assert_eq!(room.mover.state(), MoverState::WrongTempo);
}

#[test]
fn whoever_sets_another_tempo_again_and_again_is_let_go() {
    let mut room = Room::new(Host::new(30.0, 0.0, 256), &ALL);
    room.run(6.0);
    for _ in 0..800 {
        room.host.bpm = 90.0;
        room.run(0.01);
    }
    assert_eq!(room.mover.state(), MoverState::Lost);
    assert_eq!(room.host.nudge, Nudge::NONE);
}

#[test]
fn the_rest_stops_once_and_what_was_learned_stays() {
    let mut room = Room::new(Host::new(80.0, 0.0, 64), &ALL);
    room.run(6.0);
    let learned = room.mover.start_latency_frames();
    assert!((learned - 3_840.0).abs() < 96.0, "{learned}");
    let frame = room.frame;
    for _ in 0..3 {
        room.mover.rest(at(frame), &mut |command| room.host.ask(frame, command));
    }
    assert_eq!(room.host.count(|command| *command == Command::Stop), 1);
    assert_eq!(room.mover.state(), MoverState::Idle);
    assert!((room.mover.start_latency_frames() - learned).abs() < 1e-9);
}

#[test]
fn the_offset_of_the_user_is_kept() {
    let mut room = Room::new(Host::new(30.0, 0.0, 64), &ALL);
    room.mover.set_offset(crate::midi::ClockOffset::from_millis(20.0));
    room.run(12.0);
    let errors = room.run(2.0);
    assert!((errors.last + 20.0).abs() < 1.0, "{errors:?}");
}

#[test]
fn a_line_that_nobody_wrote_moves_nothing() {
    let mut room = Room::new(Host::new(5.0, 0.0, 64), &ALL);
    room.line = Timeline::default();
    room.run(5.0);
    assert_eq!(room.host.asked, []);
}
