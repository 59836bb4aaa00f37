//! The host's input, lifted onto the grid and cut into chunks.
//!
//! Each grid frame is read out of the input at the device position that the block's segment gives for it. The
//! kernel looks ahead of that position, so the newest few frames wait for the next block.

use std::sync::atomic::Ordering;

use lockstep_shared::clock::{AlignmentEvent, Segment};
use lockstep_shared::dsp::{ChunkFrames, Gain, SILENT_CHUNK, Sinc};
use lockstep_shared::time::convert::{f64_from_i64, i64_floor, usize_from_i64};
use lockstep_shared::time::{Beats, DeviceFrame, Frames, GridFrame, MusicalStamp, SampleRate, Tempo};
use rtrb::Producer;

use super::{BLOCK_FRAMES_MAX, HostTransport, peak_of};
use crate::wiring::{CapturedChunk, Gauges};

/// Input kept from block to block: the longest kernel, and room to spare.
const HISTORY_FRAMES: usize = 2 * Sinc::MAX_TAPS;

/// What cuts the input into chunks.
#[derive(Debug)]
pub(super) struct Capture {
    sinc: Sinc,
    rate: SampleRate,
    /// The newest input, oldest first: history, then the block.
    input: [Box<[f32]>; 2],
    /// The device frame after the newest input.
    end: DeviceFrame,
    /// The segments that the newest input lies in: the last block's, and the one before.
    segment: Option<Segment>,
    before: Option<Segment>,
    /// The next grid frame to be read; none until the clock is known.
    next: Option<GridFrame>,
    open: ChunkFrames,
    /// The stamp of the open chunk's first frame.
    stamp: Option<MusicalStamp>,
    transport: HostTransport,
}

impl Capture {
    pub(super) fn new(rate: SampleRate, sinc: Sinc) -> Self {
        let frames = HISTORY_FRAMES + BLOCK_FRAMES_MAX;
        Self {
            sinc,
            rate,
            input: core::array::from_fn(|_| vec![0.0; frames].into_boxed_slice()),
            end: DeviceFrame(0),
            segment: None,
            before: None,
            next: None,
            open: SILENT_CHUNK,
            stamp: None,
            transport: HostTransport::default(),
        }
    }

    /// Forgets what was begun: the grid is another, or unknown.
    pub(super) const fn stop(&mut self) {
        self.next = None;
        self.segment = None;
        self.before = None;
    }

    /// Takes a block of input, whether the clock is known or not: its end is the next block's history.
    ///
    /// Real-time: yes. Bound: a copy of the block and of the history.
    pub(super) fn take(
        &mut self,
        start: DeviceFrame,
        channels: [&[f32]; 2],
        gain: &mut Gain,
        gauges: &Gauges,
    ) {
        let frames = channels[0].len();
        let kept_frames = self.input[0].len() - frames;
        for (kept, channel) in self.input.iter_mut().zip(channels) {
            kept.copy_within(frames.., 0);
            for (kept, sample) in kept[kept_frames..].iter_mut().zip(channel) {
                *kept = if sample.is_finite() { *sample } else { 0.0 };
            }
        }
        let [left, right] = &mut self.input;
        gain.apply([&mut left[kept_frames..], &mut right[kept_frames..]]);
        for (channel, peak) in self.input.iter().zip(&gauges.send_peak) {
            peak.fetch_max(peak_of(&channel[kept_frames..]), Ordering::Relaxed);
        }
        self.end = start + Frames(i64::try_from(frames).unwrap_or(0));
    }

    /// Places the newest block on the grid and hands out the chunks that became whole.
    ///
    /// Real-time: yes. Bound: one kernel read for each grid frame of the block.
    pub(super) fn place(
        &mut self,
        segment: Segment,
        transport: &HostTransport,
        out: &mut Producer<CapturedChunk>,
        gauges: &Gauges,
    ) {
        let is_continuous = matches!(segment.event, AlignmentEvent::Continue) && self.segment.is_some();
        self.before = if is_continuous { self.segment } else { None };
        self.segment = Some(segment);
        if !is_continuous {
            // Chunks begin whole: what comes before the first boundary is left out.
            self.next = Some(segment.first.floor().chunk().plus(1).start());
        }
        self.transport = *transport;
        let Some(mut next) = self.next else { return };
        while let Some(sample) = self.sample(next, &segment) {
            let offset = next.offset_in_chunk();
            if offset == 0 {
                self.stamp = self.stamp_at(next, &segment);
            }
            self.open[0][offset] = sample[0];
            self.open[1][offset] = sample[1];
            next += Frames(1);
            if next.offset_in_chunk() == 0 {
                let chunk =
                    CapturedChunk { index: next.chunk().plus(-1), frames: self.open, stamp: self.stamp };
                if out.push(chunk).is_err() {
                    gauges.captured_dropped.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        self.next = Some(next);
    }

    /// The input at a grid frame; none if the kernel would need input that is not there yet.
    fn sample(&self, frame: GridFrame, segment: &Segment) -> Option<[f32; 2]> {
        let place = frame.position();
        let segment = match &self.before {
            Some(before) if place < segment.first => before,
            Some(_) | None => segment,
        };
        // Device frames from the end of the input to the place: negative while there is input.
        let behind = f64_from_i64((segment.start - self.end).0) + segment.device_frames(place);
        let whole = i64_floor(behind);
        let fraction = behind - f64_from_i64(whole);
        let length = i64::try_from(self.input[0].len()).unwrap_or(i64::MAX);
        let first = length + whole - i64::try_from(self.sinc.before()).unwrap_or(0);
        let taps = self.sinc.taps();
        if first < 0 {
            // Behind the history: the host skipped frames. Silence keeps the grid's count.
            return Some([0.0; 2]);
        }
        let first = usize_from_i64(first);
        let left = self.input[0].get(first..first + taps)?;
        let right = self.input[1].get(first..first + taps)?;
        Some(self.sinc.read(left, right, fraction))
    }

    /// Where the host's song was at a grid frame, while its transport runs.
    fn stamp_at(&self, frame: GridFrame, segment: &Segment) -> Option<MusicalStamp> {
        if !self.transport.playing {
            return None;
        }
        let bpm = self.transport.tempo_bpm?;
        let seconds = segment.device_frames(frame.position()) / self.rate.hz_f64();
        let quarters = self.transport.position_quarters? + seconds * bpm / 60.0;
        Some(MusicalStamp { beats: Beats::from_quarters(quarters), tempo: Tempo::from_bpm(bpm)? })
    }
}
