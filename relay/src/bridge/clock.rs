//! The room's clock as one endpoint outside gets it: regenerated from the line, never passed on.

use std::collections::VecDeque;

use lockstep_shared::midi::{ClockOffset, Endpoint, Realtime};
use lockstep_shared::time::{GRID_RATE, GridPosition};
use lockstep_shared::timeline::Timeline;

/// How much before its time an event leaves: what is stamped with its time waits for it, at a peer that honours stamps
/// or in the sequencer's queue.
pub(super) const LEAD_FRAMES: f64 = 0.010 * GRID_RATE as f64;
/// How far beyond that events are worked out at a time: a change of the line takes this long to be heard.
pub(super) const STEP_FRAMES: f64 = 0.010 * GRID_RATE as f64;

/// The clock of one endpoint: a participant, or the sequencer's port of a room.
#[derive(Debug)]
pub(super) struct ClockOut {
    endpoint: Endpoint,
    /// Worked out and not yet left, in order.
    events: VecDeque<(GridPosition, Realtime)>,
}

impl ClockOut {
    pub(super) fn new(offset: ClockOffset) -> Self {
        let mut endpoint = Endpoint::new();
        endpoint.set_offset(offset);
        Self { endpoint, events: VecDeque::new() }
    }

    /// Glides to another offset.
    pub(super) fn set_offset(&mut self, offset: ClockOffset) {
        self.endpoint.set_offset(offset);
    }

    /// Works out what leaves within the next step.
    pub(super) fn advance(&mut self, line: Option<&Timeline>, now: GridPosition) {
        let events = &mut self.events;
        match line {
            Some(line) => {
                let to = now.plus_f64(LEAD_FRAMES + STEP_FRAMES);
                self.endpoint.follow(line, now, to, &mut |at, event| events.push_back((at, event)));
            }
            None => events.extend(self.endpoint.rest().map(|event| (now, event))),
        }
    }

    /// The next event whose time to leave has come, and when it counts.
    pub(super) fn pop(&mut self, now: GridPosition) -> Option<(GridPosition, Realtime)> {
        self.events.front().filter(|(at, _)| *at <= now.plus_f64(LEAD_FRAMES))?;
        self.events.pop_front()
    }

    /// When the next one leaves.
    pub(super) fn due(&self) -> Option<GridPosition> {
        self.events.front().map(|(at, _)| at.plus_f64(-LEAD_FRAMES))
    }
}

#[cfg(test)]
mod tests {
    use lockstep_shared::time::{Beats, GridFrame};
    use lockstep_shared::timeline::{AuthorId, Intent};

    use super::*;

    #[test]
    fn every_tick_leaves_once_ten_milliseconds_before_its_time() {
        let start = Intent::Start { beats: Beats::default(), at: GridFrame(48_000).position() };
        let line = Timeline::default().with_intent(AuthorId(1), &start);
        let mut clock = ClockOut::new(ClockOffset::NONE);
        let mut left = Vec::new();
        let mut now = GridFrame(0).position();
        let end = GridFrame(240_000).position();
        let mut step = now;
        while now < end {
            clock.advance(Some(&line), now);
            while let Some((at, event)) = clock.pop(now) {
                left.push((now, at, event));
            }
            step = if now >= step { step.plus_f64(STEP_FRAMES) } else { step };
            now = clock.due().map_or(step, |due| due.min(step));
        }
        let starts = left.iter().filter(|(.., event)| *event == Realtime::Start).count();
        assert_eq!(starts, 1);
        let after = left.iter().skip_while(|(.., event)| *event != Realtime::Start).skip(1);
        let ticks: Vec<_> = after.filter(|(.., event)| *event == Realtime::Clock).collect();
        for pair in ticks.windows(2) {
            // 120 BPM: 1,000 frames a tick.
            let period = pair[1].1.frames_since(pair[0].1);
            assert!((period - 1_000.0).abs() < 0.05, "{period} at {:?}", pair[0].1);
            assert!((pair[1].1.frames_since(pair[1].0) - LEAD_FRAMES).abs() < 1.0);
        }
        assert!(ticks.len() > 180, "{}", ticks.len());
        clock.advance(None, end);
        assert_eq!(clock.events.back().map(|(_, event)| *event), Some(Realtime::Stop));
    }
}
