//! The clock of one DAW that follows: the ticker that drives it, and the loop that watches what it makes of that.
//!
//! An [`Endpoint`] is wherever events leave: a port of the operating system, or a plugin's own. It works from the line
//! while its DAW follows, and *rests* otherwise: then the DAW is stopped, once, and whatever was learned of it is
//! forgotten. A DAW that drives the line is never an endpoint's: its clock would chase itself.

use super::{ClockOffset, ClosedLoop, Observation, Realtime, Settings, Ticker, Window};
use crate::time::GridPosition;
use crate::timeline::Timeline;

/// See the module's page.
#[derive(Clone, Debug)]
pub struct Endpoint {
    ticker: Ticker,
    closed_loop: ClosedLoop,
    /// Up to where events have been worked out; none while it rests.
    polled: Option<GridPosition>,
}

impl Endpoint {
    /// A resting one.
    #[must_use]
    pub fn new() -> Self {
        Self { ticker: Ticker::new(Settings::default()), closed_loop: ClosedLoop::new(), polled: None }
    }

    /// How much later than the line the events leave.
    pub fn set_offset(&mut self, offset: ClockOffset) {
        if offset != self.ticker.offset() {
            self.ticker.set_offset(offset);
        }
    }

    /// The line is heard no more: a DAW that runs is stopped at the next [`Endpoint::follow`].
    pub const fn lost(&mut self) {
        self.ticker.lost();
    }

    /// The line has been heard afresh.
    pub const fn regained(&mut self) {
        self.ticker.regained();
    }

    /// Nobody has heard what was emitted so far: a DAW that should run begins again, as one that comes late.
    pub const fn repeat(&mut self) {
        if self.ticker.is_running() {
            self.ticker.relocate();
        }
    }

    /// Takes what the DAW's transport says.
    pub fn observe(&mut self, seen: Observation, line: &Timeline) {
        self.closed_loop.observe(seen, line, &self.ticker);
    }

    /// Emits what is due up to `to`; the first time, and after a rest, from `now` on.
    ///
    /// Real-time: yes. Bound: [`super::EVENTS_MAX`] events, each a few searches of the timeline.
    pub fn follow(
        &mut self,
        line: &Timeline,
        now: GridPosition,
        to: GridPosition,
        emit: &mut impl FnMut(GridPosition, Realtime),
    ) {
        self.closed_loop.advance(now);
        self.closed_loop.steer(&mut self.ticker);
        let from = self.polled.unwrap_or(now);
        if to > from {
            self.ticker.poll(Some(line), Window { from, to }, emit);
            self.polled = Some(to);
        }
    }

    /// Follows nothing from here on. Returns what the DAW has to be told, if it runs: the first time only.
    ///
    /// Real-time: yes. Bound: constant.
    pub fn rest(&mut self) -> Option<Realtime> {
        let stop = self.ticker.is_running().then_some(Realtime::Stop);
        if self.polled.take().is_none() && stop.is_none() {
            return None;
        }
        let offset = self.ticker.offset();
        self.ticker = Ticker::new(*self.ticker.settings());
        self.ticker.set_offset(offset);
        self.closed_loop = ClosedLoop::new();
        stop
    }

    /// Works on another grid from here on.
    pub const fn forget_grid(&mut self) {
        self.polled = None;
    }

    /// By how many milliseconds the DAW is ahead of where it is meant to be; none while the loop is open.
    #[must_use]
    pub fn error_ms(&self) -> Option<f64> {
        self.closed_loop.error_ms()
    }
}

impl Default for Endpoint {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{Beats, GridFrame};
    use crate::timeline::{AuthorId, Intent, Motion};

    const BLOCK: i64 = 480;

    /// Runs an endpoint for so many seconds from grid frame `from` on, its DAW 20 ms late; returns what it emitted.
    fn run(endpoint: &mut Endpoint, line: &Timeline, from: i64, seconds: i64) -> Vec<Realtime> {
        let mut emitted = Vec::new();
        for frame in (from..from + seconds * 48_000).step_by(480) {
            let [now, to] = [frame, frame + BLOCK].map(|frame| GridFrame(frame).position());
            let late = line.place(now.plus_f64(-960.0 - endpoint.ticker.shift_frames(now)));
            let seen = Observation { at: now, quarters: late.beats.quarters(), motion: late.motion };
            endpoint.observe(seen, line);
            endpoint.follow(line, now, to, &mut |_, event| emitted.push(event));
        }
        emitted
    }

    #[test]
    fn a_daw_that_follows_no_more_is_stopped_once_and_forgotten() {
        let start = Intent::Start { beats: Beats::default(), at: GridFrame(48_000).position() };
        let line = Timeline::default().with_intent(AuthorId(1), &start);
        assert_eq!(line.place(GridFrame(96_000).position()).motion, Motion::Playing);
        let mut endpoint = Endpoint::new();
        assert_eq!(endpoint.rest(), None, "nothing was said yet");
        let emitted = run(&mut endpoint, &line, 0, 12);
        assert_eq!(emitted.iter().filter(|event| **event == Realtime::Start).count(), 1);
        let end = GridFrame(12 * 48_000).position();
        assert!((endpoint.ticker.shift_frames(end) + 960.0).abs() < 48.0, "it was corrected by 20 ms");
        assert_eq!((endpoint.rest(), endpoint.rest()), (Some(Realtime::Stop), None));
        assert_eq!(endpoint.error_ms(), None);
        assert!(endpoint.ticker.shift_frames(end).abs() < f64::EPSILON, "and is no more");
    }
}
