//! Device frames on the grid: what the audio thread uses.
//!
//! The two measured maps, composed, say where the grid is at a device frame. They are corrected all the time, and audio
//! cannot follow every correction. So `Alignment` commits to a position and a step and moves on block by block:
//!
//! ```text
//!  Hold   step exactly 1, whole frames: nothing is resampled while the clocks agree within half a frame
//!  Track  step = measured rate x (1 + trim), smoothed; the trim closes the error with a time constant of a second
//!  Jump   the error is beyond 10 ms: a new position at once, reported, so that the engine can fade
//! ```
//!
//! Except at a jump, each segment starts exactly where the one before it ended.

use super::map::{DeviceMap, RoomMap};
use crate::time::convert::f64_from_i64;
use crate::time::{DeviceFrame, Frames, GRID_RATE, GridPosition, SampleRate};

/// A block placed on the grid: its first frame, and how far apart its frames are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Segment {
    /// The block's first device frame.
    pub start: DeviceFrame,
    /// How many device frames it has.
    pub frames: Frames,
    /// Where the first frame lies.
    pub first: GridPosition,
    /// Grid frames from one device frame to the next.
    pub step: f64,
    /// What happened at the first frame.
    pub event: AlignmentEvent,
}

/// How a segment joins the one before it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AlignmentEvent {
    /// The first segment.
    Start,
    /// It starts where the one before it ended.
    Continue,
    /// It starts somewhere else.
    Jump {
        /// How many grid frames later than the end of the one before it; negative when earlier.
        by: f64,
    },
}

/// What the alignment is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlignmentMode {
    /// One grid frame a device frame, exactly.
    Hold,
    /// Following the measured rate.
    Track,
}

impl Segment {
    /// The place `device_frames` after the first frame.
    ///
    /// Real-time: yes. Bound: constant.
    #[must_use]
    pub fn position(&self, device_frames: f64) -> GridPosition {
        self.first.plus_f64(self.step * device_frames)
    }

    /// Where the next segment starts.
    ///
    /// Real-time: yes. Bound: constant.
    #[must_use]
    pub fn end(&self) -> GridPosition {
        self.position(self.frames.f64())
    }

    /// How many device frames after the first the grid is at `position`; negative when before it.
    ///
    /// Real-time: yes. Bound: constant.
    #[must_use]
    pub fn device_frames(&self, position: GridPosition) -> f64 {
        position.frames_since(self.first) / self.step
    }
}

/// Places the device's blocks on the grid without a seam.
#[derive(Clone, Debug)]
pub struct Alignment {
    rate: SampleRate,
    committed: Option<Committed>,
}

/// Where the next block will start.
#[derive(Clone, Copy, Debug)]
struct Committed {
    next: DeviceFrame,
    position: GridPosition,
    step: f64,
    mode: AlignmentMode,
    placed_error: f64,
    error: f64,
}

/// The error is closed with this time constant.
const CLOSE_SECONDS: f64 = 1.0;
/// The step follows its aim with this one: a quarter of the above, which is critically damped.
const SMOOTH_SECONDS: f64 = CLOSE_SECONDS / 4.0;
/// The trim bends the pitch by at most 1.7 cents.
const TRIM_MAX: f64 = 1e-3;
/// Farther than this, gliding would take too long.
const JUMP_FRAMES: f64 = 0.010 * 48_000.0;
/// Hold ends when the error reaches this...
const HOLD_FRAMES: f64 = 0.5;
/// ...and has grown by this since the position was rounded to a whole frame.
const HOLD_GROWTH_FRAMES: f64 = 0.25;

impl Alignment {
    /// An alignment for a device that is said to run at `rate`.
    #[must_use]
    pub const fn new(rate: SampleRate) -> Self {
        Self { rate, committed: None }
    }

    /// Places the next block, `frames` long from `start`, given the maps as they are now.
    ///
    /// Real-time: yes. Bound: constant.
    pub fn advance(
        &mut self,
        start: DeviceFrame,
        frames: Frames,
        device: &DeviceMap,
        room: &RoomMap,
    ) -> Segment {
        let target = room.grid(device.local(start));
        let rate = device.seconds_per_frame() * room.frames_per_second();
        let (mut now, event) = self.join(start, target, rate);
        if now.mode == AlignmentMode::Track {
            let seconds = frames.f64() / self.rate.hz_f64();
            let trim = (now.error / (CLOSE_SECONDS * f64::from(GRID_RATE))).clamp(-TRIM_MAX, TRIM_MAX);
            now.step += (rate * (1.0 + trim) - now.step) * seconds / (seconds + SMOOTH_SECONDS);
        }
        let segment = Segment { start, frames, first: now.position, step: now.step, event };
        self.committed = Some(Committed { next: start + frames, position: segment.end(), ..now });
        segment
    }

    /// What the alignment is doing; `None` before the first block.
    #[must_use]
    pub fn mode(&self) -> Option<AlignmentMode> {
        self.committed.map(|committed| committed.mode)
    }

    /// How much later the maps had the last block than where it was placed, in grid frames.
    #[must_use]
    pub fn error_frames(&self) -> f64 {
        self.committed.map_or(0.0, |committed| committed.error)
    }

    /// The state at `start`, and how it joins the block before.
    fn join(&self, start: DeviceFrame, target: GridPosition, rate: f64) -> (Committed, AlignmentEvent) {
        let Some(mut now) = self.committed else {
            let mode = if self.rate == SampleRate::GRID { AlignmentMode::Hold } else { AlignmentMode::Track };
            return (place(start, target, rate, mode), AlignmentEvent::Start);
        };
        // Blocks that the host left out are passed over at the committed step.
        let skipped = f64_from_i64((start - now.next).0);
        now.position = now.position.plus_f64(skipped * now.step);
        now.next = start;
        now.error = target.frames_since(now.position);
        if now.error.abs() > JUMP_FRAMES {
            let placed = place(start, target, rate, now.mode);
            let by = placed.position.frames_since(now.position);
            return (placed, AlignmentEvent::Jump { by });
        }
        let has_grown = (now.error - now.placed_error).abs() >= HOLD_GROWTH_FRAMES;
        if now.mode == AlignmentMode::Hold && now.error.abs() >= HOLD_FRAMES && has_grown {
            now.mode = AlignmentMode::Track;
        }
        (now, AlignmentEvent::Continue)
    }
}

fn place(start: DeviceFrame, target: GridPosition, rate: f64, mode: AlignmentMode) -> Committed {
    let (position, step) = match mode {
        AlignmentMode::Hold => (target.round().position(), 1.0),
        AlignmentMode::Track => (target, rate),
    };
    let error = target.frames_since(position);
    Committed { next: start, position, step, mode, placed_error: error, error }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::time::{GridFrame, LocalTime, Span};

    fn maps(rate: SampleRate, slowness_ppm: f64, skew_ppm: f64, grid_start: f64) -> (DeviceMap, RoomMap) {
        let origin = GridFrame(0).position().plus_f64(grid_start);
        (
            DeviceMap::new(DeviceFrame(0), LocalTime::ZERO, rate, slowness_ppm),
            RoomMap::new(LocalTime::ZERO, origin, skew_ppm),
        )
    }

    #[test]
    fn equal_clocks_hold_a_whole_frame_for_ever() {
        let (device, room) = maps(SampleRate::GRID, 0.0, 0.0, 1_000.3);
        let mut alignment = Alignment::new(SampleRate::GRID);
        for block in 0..100_000 {
            let start = DeviceFrame(block * 64);
            let segment = alignment.advance(start, Frames(64), &device, &room);
            assert_eq!(segment.first, GridFrame(1_000 + start.0).position());
            assert_eq!(segment.end(), GridFrame(1_064 + start.0).position());
        }
        assert_eq!(alignment.mode(), Some(AlignmentMode::Hold));
    }

    #[test]
    fn a_drifting_clock_is_tracked_and_its_error_closed_without_a_jump_in_rate() {
        let (device, room) = maps(SampleRate::GRID, 60.0, 40.0, 0.0);
        let mut alignment = Alignment::new(SampleRate::GRID);
        let mut step = 1.0;
        for block in 0..10_000 {
            let segment = alignment.advance(DeviceFrame(block * 64), Frames(64), &device, &room);
            assert!((segment.step - step).abs() < 2e-6);
            step = segment.step;
        }
        assert!(alignment.error_frames().abs() < 0.01, "{}", alignment.error_frames());
        assert!((step - 1.000_1).abs() < 1e-8);
    }

    #[test]
    fn a_small_movement_glides_and_a_large_one_jumps() {
        let (device, room) = maps(SampleRate::GRID, 0.0, 0.0, 0.0);
        let mut alignment = Alignment::new(SampleRate::GRID);
        alignment.advance(DeviceFrame(0), Frames(64), &device, &room);
        let (_, near) = maps(SampleRate::GRID, 0.0, 0.0, 400.0);
        let mut at = 64;
        while at < 48_000 * 20 {
            let segment = alignment.advance(DeviceFrame(at), Frames(64), &device, &near);
            assert_eq!(segment.event, AlignmentEvent::Continue);
            assert!((segment.step - 1.0).abs() <= TRIM_MAX + 1e-9);
            at += 64;
        }
        assert!(alignment.error_frames().abs() < 0.01);
        let (_, far) = maps(SampleRate::GRID, 0.0, 0.0, 5_400.0);
        let segment = alignment.advance(DeviceFrame(at), Frames(64), &device, &far);
        let AlignmentEvent::Jump { by } = segment.event else { panic!("{:?}", segment.event) };
        assert!((by - 5_000.0).abs() < 0.01, "{by}");
    }

    proptest! {
        #[test]
        fn segments_meet_exactly_unless_they_jump(
            hz in 44_100_u32..=192_000,
            blocks in prop::collection::vec((16_i64..4_096, -300.0..300.0_f64, -300.0..300.0_f64), 2..60),
        ) {
            let rate = SampleRate::new(hz).unwrap();
            let mut alignment = Alignment::new(rate);
            let mut start = DeviceFrame(0);
            let mut end = None;
            for (frames, grid_start, skew) in blocks {
                let (device, room) = maps(rate, skew, -skew / 2.0, grid_start);
                let segment = alignment.advance(start, Frames(frames), &device, &room);
                match segment.event {
                    AlignmentEvent::Start => prop_assert!(end.is_none()),
                    AlignmentEvent::Continue => prop_assert_eq!(end, Some(segment.first)),
                    AlignmentEvent::Jump { by } => {
                        let measured = segment.first.frames_since(end.unwrap());
                        prop_assert!((measured - by).abs() < 1e-5);
                    }
                }
                start += segment.frames;
                end = Some(segment.end());
            }
        }

        #[test]
        fn a_segment_inverts(step in 0.2..1.2_f64, first in 0..(1_i64 << 50), ahead in -5_000.0..5_000.0_f64) {
            let segment = Segment {
                start: DeviceFrame(0),
                frames: Frames(64),
                first: GridPosition::from_raw(first),
                step,
                event: AlignmentEvent::Continue,
            };
            prop_assert!((segment.device_frames(segment.position(ahead)) - ahead).abs() < 1e-4);
        }

        #[test]
        fn the_first_segment_is_the_composition_of_the_maps(
            hz in 48_001_u32..=192_000,
            grid_start in -1e6..1e6_f64,
            skew in -200.0..200.0_f64,
            at in 0..1_000_000_000_i64,
        ) {
            let rate = SampleRate::new(hz).unwrap();
            let (device, room) = maps(rate, skew, skew / 3.0, grid_start);
            let start = DeviceFrame(at);
            let segment = Alignment::new(rate).advance(start, Frames(512), &device, &room);
            prop_assert_eq!(segment.first, room.grid(device.local(start)));
            let next = room.grid(device.local(start + Frames(512)));
            prop_assert!(next.frames_since(segment.end()).abs() < 1e-3);
            prop_assert!((device.local(start) - LocalTime::ZERO) >= Span::ZERO);
        }
    }
}
