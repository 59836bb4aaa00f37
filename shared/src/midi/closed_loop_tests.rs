//! The loop against a host that is late by a constant and otherwise perfect.

use super::{ClockOffset, ClosedLoop, LoopState, Observation, Settings, Starts, Ticker, Window};
use crate::time::{Beats, GridFrame, GridPosition};
use crate::timeline::{AuthorId, Intent, Motion, Timeline};

struct Desk {
    ticker: Ticker,
    closed_loop: ClosedLoop,
    line: Timeline,
    now: i64,
    host: Host,
    starts: u32,
}

#[derive(Clone, Copy)]
enum Host {
    /// Follows, late by these frames.
    Late(f64),
    /// Plays, so many quarter notes away.
    Elsewhere(f64),
    Stopped,
    Suspended,
    /// Says what is no number.
    Mad,
}

const BLOCK: i64 = 480;

fn position(frame: i64) -> GridPosition {
    GridFrame(frame).position()
}

impl Desk {
    fn playing(beats: f64, host: Host) -> Self {
        let start = Intent::Start { beats: Beats::from_quarters(beats), at: position(48_000) };
        Self {
            ticker: Ticker::new(Settings::default()),
            closed_loop: ClosedLoop::new(),
            line: Timeline::default().with_intent(AuthorId(1), &start),
            now: 0,
            host,
            starts: 0,
        }
    }

    fn run(&mut self, seconds: i64) {
        self.run_to(self.now + seconds * 48_000);
    }

    fn run_to(&mut self, until: i64) {
        while self.now < until {
            let window = Window { from: position(self.now), to: position(self.now + BLOCK) };
            let starts = &mut self.starts;
            self.ticker.poll(Some(&self.line), window, &mut |_, event| {
                *starts += u32::from(matches!(event, super::Realtime::Start | super::Realtime::Continue));
            });
            if let Some(seen) = self.seen(window.from) {
                self.closed_loop.observe(seen, &self.line, &self.ticker);
            }
            self.closed_loop.advance(window.from);
            self.closed_loop.steer(&mut self.ticker);
            self.now += BLOCK;
        }
    }

    fn seen(&self, at: GridPosition) -> Option<Observation> {
        let late = |frames: f64| {
            let ticked = self.line.place(at.plus_f64(-self.ticker.shift_frames(at) - frames));
            ticked.beats.quarters() - self.ticker.follower_origin().unwrap_or_default().quarters()
        };
        let (quarters, motion) = match self.host {
            Host::Late(frames) => (late(frames), Motion::Playing),
            Host::Elsewhere(quarters) => (late(0.0) + quarters, Motion::Playing),
            Host::Stopped => (0.0, Motion::Stopped),
            Host::Mad => (f64::NAN, Motion::Playing),
            Host::Suspended => return None,
        };
        Some(Observation { at, quarters, motion })
    }
}

#[test]
fn a_late_host_is_corrected_by_its_latency_and_held() {
    for late in [0.0, 240.0, 1_440.0, 3_000.0] {
        let mut desk = Desk::playing(0.0, Host::Late(late));
        desk.run(15);
        assert_eq!(desk.closed_loop.state(), LoopState::Hold);
        assert!((desk.closed_loop.correction_frames() + late).abs() < 12.0, "{late}");
        assert!(desk.closed_loop.error_ms().unwrap().abs() < 0.25);
        assert_eq!(desk.starts, 1);
    }
}

#[test]
fn the_offset_of_the_user_is_no_error() {
    let mut desk = Desk::playing(0.0, Host::Late(480.0));
    desk.ticker.set_offset(ClockOffset::from_millis(35.0));
    desk.run(10);
    assert!((desk.closed_loop.correction_frames() + 480.0).abs() < 12.0);
}

#[test]
fn whole_beats_are_a_wrong_place_and_end_in_a_start_on_a_bar_line() {
    let mut desk = Desk::playing(8.0, Host::Elsewhere(-4.0));
    desk.run(4);
    assert!(desk.closed_loop.correction_frames().abs() < 1.0, "nothing is glided over a bar");
    desk.run(6);
    assert_eq!(desk.ticker.settings().starts, Starts::OnBarLine);
    assert!(desk.starts >= 3, "sent there again, then started: {}", desk.starts);
}

#[test]
fn a_host_that_does_not_move_is_started_on_a_bar_line_once() {
    let mut desk = Desk::playing(8.0, Host::Stopped);
    desk.run(20);
    assert_eq!(desk.ticker.settings().starts, Starts::OnBarLine);
    assert_eq!((desk.closed_loop.state(), desk.starts), (LoopState::Lost, 2));
}

#[test]
fn a_suspended_plugin_leaves_the_loop_open_with_what_it_has_learned() {
    let mut desk = Desk::playing(0.0, Host::Late(960.0));
    desk.run(10);
    let learned = desk.closed_loop.correction_frames();
    desk.host = Host::Suspended;
    desk.run(3);
    assert_eq!((desk.closed_loop.state(), desk.closed_loop.error_ms()), (LoopState::Lost, None));
    assert!((desk.closed_loop.correction_frames() - learned).abs() < 1e-9);
    assert_eq!(desk.starts, 1, "its clock goes on");
    desk.host = Host::Late(960.0);
    desk.run(5);
    assert_ne!(desk.closed_loop.state(), LoopState::Lost);
}

#[test]
fn nonsense_is_not_followed() {
    let mut desk = Desk::playing(0.0, Host::Mad);
    desk.run(10);
    assert!(desk.closed_loop.correction_frames().abs() < f64::EPSILON);
    assert!(desk.ticker.is_running());
}

/// The most that the clock moves in so many seconds, as a part of the time that passes.
fn fastest(desk: &mut Desk, seconds: i64) -> f64 {
    let mut fastest = 0.0_f64;
    let until = desk.now + seconds * 48_000;
    while desk.now < until {
        let before = desk.ticker.shift_frames(position(desk.now));
        desk.run_to(desk.now + BLOCK);
        fastest = fastest.max((desk.ticker.shift_frames(position(desk.now)) - before).abs() / 480.0);
    }
    fastest
}

#[test]
fn a_host_is_hurried_until_it_has_been_in_time_and_not_after() {
    let mut desk = Desk::playing(0.0, Host::Late(1_440.0));
    let hurried = fastest(&mut desk, 3);
    assert!((0.049..0.051).contains(&hurried), "{hurried}");
    assert!(desk.closed_loop.error_ms().unwrap().abs() < 0.5);
    // Its driver's latency changes, and then the user's mind.
    desk.host = Host::Late(2_400.0);
    let gentle = fastest(&mut desk, 6);
    assert!((0.009..0.010_1).contains(&gentle), "{gentle}");
    desk.ticker.set_offset(ClockOffset::from_millis(30.0));
    let gentle = fastest(&mut desk, 6);
    assert!((0.009..0.010_1).contains(&gentle), "{gentle}");
}
