//! The MIDI clock of a DAW that follows, block by block: for hosts that take a clock from a plugin's note port.
//!
//! ```text
//! link --ClockGuide--> Endpoint --> events at frames of this block --> the export shim --> the DAW
//!                         ^                                                                |
//!                         '---------------- the transport of the next block <--------------'
//! ```
//!
//! The link's thread has a clock of its own for ports of the operating system. This one is for the DAW whose audio
//! thread it runs on: an event lies at the frame at which the grid reaches it, and the loop sees the transport without
//! waiting for a ring. Each corrects what it drives, so a DAW must listen to one of the two.

use lockstep_shared::clock::Segment;
use lockstep_shared::midi::{ClockOffset, EVENTS_MAX, Endpoint, Observation, Realtime};
use lockstep_shared::time::GridPosition;
use lockstep_shared::time::convert::{i64_round, usize_from_i64};
use lockstep_shared::timeline::author::Reading;

use crate::wiring::{ClockGuide, GuideState, Watch};

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
    endpoint: Endpoint,
    events: ClockEvents,
}

impl Clock {
    pub(super) fn new() -> Self {
        Self { guide: None, endpoint: Endpoint::new(), events: ClockEvents::none() }
    }

    /// Takes what the link says of the line.
    pub(super) const fn take(&mut self, guide: ClockGuide) {
        match guide.state {
            GuideState::Follow => self.endpoint.regained(),
            GuideState::Lost => self.endpoint.lost(),
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
    pub(super) fn follow(&mut self, block: &Segment, reading: &Reading, offset: ClockOffset) {
        self.events.count = 0;
        self.endpoint.set_offset(offset);
        let Some(guide) = self.guide.as_ref().filter(|guide| guide.state != GuideState::Off) else {
            return self.rest();
        };
        if guide.watch == Watch::Daw
            && let Some(seen) = Observation::of(reading)
        {
            self.endpoint.observe(seen, &guide.line);
        }
        let events = &mut self.events;
        let mut emit = |at, event| events.push(frame_of(block, at), event);
        self.endpoint.follow(&guide.line, block.first, block.end(), &mut emit);
    }

    /// Follows nothing.
    ///
    /// Real-time: yes. Bound: constant.
    pub(super) fn rest(&mut self) {
        self.events.count = 0;
        if let Some(event) = self.endpoint.rest() {
            self.events.push(0, event);
        }
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
