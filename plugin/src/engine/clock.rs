//! The MIDI clock of a DAW that follows, block by block: for hosts that take a clock from a plugin's note port.
//!
//! ```text
//! link --ClockGuide--> Ticker --> events at frames of this block --> the export shim --> the DAW
//!                        ^                                                                |
//!                        '------ ClosedLoop <------ the transport of the next block <-----'
//! ```
//!
//! The link's thread has a clock of its own for ports of the operating system. This one is for the DAW whose audio
//! thread it runs on: an event lies at the frame at which the grid reaches it, and the loop sees the transport without
//! waiting for a ring. Each corrects what it drives, so a DAW must listen to one of the two.

use lockstep_shared::clock::Segment;
use lockstep_shared::midi::{
    ClockOffset, ClosedLoop, EVENTS_MAX, Observation, Part, Realtime, Settings, Ticker, Window,
};
use lockstep_shared::time::GridPosition;
use lockstep_shared::time::convert::{i64_round, usize_from_i64};
use lockstep_shared::timeline::Motion;

use super::HostTransport;
use crate::wiring::{ClockGuide, GuideState};

/// An event of the clock and the frame of its block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockEvent {
    /// Frames after the block's first, within the block.
    pub frame: usize,
    /// What to send.
    pub event: Realtime,
}

/// The events of one block, in order.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClockEvents {
    events: [ClockEvent; EVENTS_MAX],
    count: usize,
}

/// The clock of the DAW that this engine runs in.
#[derive(Debug)]
pub(super) struct Clock {
    guide: Option<ClockGuide>,
    ticker: Ticker,
    closed_loop: ClosedLoop,
    /// Up to where events have been worked out; none while the DAW follows nothing.
    polled: Option<GridPosition>,
    events: ClockEvents,
}

impl Clock {
    pub(super) fn new() -> Self {
        Self {
            guide: None,
            ticker: Ticker::new(Settings::default()),
            closed_loop: ClosedLoop::new(Part::Follows),
            polled: None,
            events: ClockEvents::none(),
        }
    }

    /// Takes what the link says of the line.
    pub(super) const fn take(&mut self, guide: ClockGuide) {
        match guide.state {
            GuideState::Follow => self.ticker.regained(),
            GuideState::Lost => self.ticker.lost(),
            GuideState::Off => {}
        }
        self.guide = Some(guide);
    }

    /// The events of the last block.
    pub(super) fn events(&self) -> &[ClockEvent] {
        &self.events.events[..self.events.count]
    }

    /// Works out the events of a block, which lies on the grid where `block` says.
    ///
    /// Real-time: yes. Bound: [`EVENTS_MAX`] events, each a few searches of the timeline.
    pub(super) fn follow(&mut self, block: &Segment, transport: &HostTransport, offset: ClockOffset) {
        self.events.count = 0;
        if offset != self.ticker.offset() {
            self.ticker.set_offset(offset);
        }
        let Some(guide) = self.guide.as_ref().filter(|guide| guide.state != GuideState::Off) else {
            return self.rest();
        };
        let line = &guide.line;
        if let Some(quarters) = transport.position_quarters.filter(|quarters| quarters.is_finite()) {
            let motion = if transport.playing { Motion::Playing } else { Motion::Stopped };
            let seen = Observation { at: block.first, quarters, motion };
            self.closed_loop.observe(seen, line, &self.ticker);
        }
        self.closed_loop.advance(block.first);
        self.closed_loop.steer(&mut self.ticker);
        let window = Window { from: self.polled.unwrap_or(block.first), to: block.end() };
        if window.to <= window.from {
            return;
        }
        let events = &mut self.events;
        self.ticker.poll(Some(line), window, &mut |at, event| events.push(frame_of(block, at), event));
        self.polled = Some(window.to);
    }

    /// Follows nothing: a DAW that runs is stopped, once, and begins from nothing when it follows again.
    ///
    /// Real-time: yes. Bound: constant.
    pub(super) fn rest(&mut self) {
        self.events.count = 0;
        if self.polled.take().is_none() {
            return;
        }
        if self.ticker.is_running() {
            self.events.push(0, Realtime::Stop);
        }
        self.ticker = Ticker::new(*self.ticker.settings());
        self.closed_loop = ClosedLoop::new(Part::Follows);
    }
}

/// The frame of the block that is nearest to `at`. What the block before has left out is due at once.
fn frame_of(block: &Segment, at: GridPosition) -> usize {
    let last = (block.frames.0 - 1).max(0);
    usize_from_i64(i64_round(block.device_frames(at)).clamp(0, last))
}

impl ClockEvents {
    const fn none() -> Self {
        Self { events: [ClockEvent { frame: 0, event: Realtime::Clock }; EVENTS_MAX], count: 0 }
    }

    /// A poll emits no more than there is room for.
    fn push(&mut self, frame: usize, event: Realtime) {
        if let Some(place) = self.events.get_mut(self.count) {
            *place = ClockEvent { frame, event };
            self.count += 1;
        }
    }
}
