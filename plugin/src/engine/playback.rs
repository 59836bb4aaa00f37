//! All remote strips, from what arrived to the outputs.

use std::sync::atomic::Ordering;

use lockstep_shared::clock::{RoomMap, Segment};
use lockstep_shared::dsp::Gain;
use lockstep_shared::time::convert::{f64_from_usize, i64_from_usize};
use lockstep_shared::time::{Frames, GRID_RATE};
use rtrb::Producer;

use super::lane::{Lane, PIECE_FRAMES, Wanted};
use super::transport::Song;
use super::{Block, Controls, GAIN_FRAMES, peak_of};
use crate::wiring::{AudioEnd, Gauges, LANES, LaneNumber};

#[derive(Debug)]
pub(super) struct Playback {
    lanes: [Option<Box<Lane>>; LANES],
    /// Lanes that fade out while another may already play in their place.
    closing: [Option<Box<Lane>>; LANES],
    receive_gain: Gain,
    /// The delay of everybody in the Room mode, in grid frames; none until the room has said it.
    room_delay_frames: Option<f64>,
}

impl Playback {
    pub(super) fn new() -> Self {
        Self {
            lanes: [const { None }; LANES],
            closing: [const { None }; LANES],
            receive_gain: Gain::new(1.0),
            room_delay_frames: None,
        }
    }

    pub(super) const fn set_room_delay(&mut self, frames: f64) {
        self.room_delay_frames = Some(frames);
    }

    pub(super) fn open(&mut self, number: LaneNumber, lane: Box<Lane>) {
        self.close(number);
        if let Some(place) = self.lanes.get_mut(number.0) {
            *place = Some(lane);
        }
    }

    /// Fades the lane out. The link opens another in its place only after it got an earlier one back, so one place
    /// to close in is enough.
    pub(super) fn close(&mut self, number: LaneNumber) {
        let Some(mut lane) = self.lanes.get_mut(number.0).and_then(Option::take) else { return };
        lane.close();
        debug_assert!(self.closing[number.0].is_none(), "the link waits for a closing lane");
        self.closing[number.0] = Some(lane);
    }

    /// Gives back lanes that have faded out; one that finds the ring full waits, silent.
    pub(super) fn retire(&mut self, retired: &mut Producer<(LaneNumber, Box<Lane>)>) {
        for (number, place) in self.closing.iter_mut().enumerate() {
            if let Some(lane) = place.take_if(|lane| lane.is_closed())
                && let Err(rtrb::PushError::Full((_, lane))) = retired.push((LaneNumber(number), lane))
            {
                *place = Some(lane);
            }
        }
    }

    /// Puts what arrived into its lane.
    ///
    /// Real-time: yes. Bound: what the ring holds.
    pub(super) fn take(&mut self, end: &mut AudioEnd, segment: Option<&Segment>, room: Option<&RoomMap>) {
        for _ in 0..end.received.slots() {
            let Ok(chunk) = end.received.pop() else { break };
            let (Some(segment), Some(room)) = (segment, room) else { continue };
            let lane = self.lanes.get_mut(chunk.lane.0).and_then(Option::as_deref_mut);
            if let (Some(lane), Some(gauges)) = (lane, end.gauges.lanes.get(chunk.lane.0)) {
                lane.insert(&chunk, room, segment, gauges);
            }
        }
    }

    /// The longest delay of what plays, in grid frames.
    ///
    /// Real-time: yes. Bound: constant.
    pub(super) fn longest_delay_frames(&self) -> Option<f64> {
        let playing = self.lanes.iter().flatten().filter(|lane| lane.plays());
        playing.map(|lane| lane.delays().in_force_frames).reduce(f64::max)
    }

    /// Adds every lane to the main output and to its own.
    ///
    /// Real-time: yes. Bound: the block's frames times the lanes.
    pub(super) fn play(
        &mut self,
        segment: &Segment,
        block: &mut Block<'_>,
        controls: &Controls,
        song: &Song,
        gauges: &Gauges,
    ) {
        let user_frames = controls.sync_delay_frames();
        let room_frames = self.room_delay_frames;
        let Controls { sync_mode: mode, jitter, .. } = *controls;
        let wanted = Wanted { mode, jitter, user_frames, song: *song, room_frames };
        for (lane, shown) in self.lanes.iter_mut().zip(&gauges.lanes) {
            let delays = lane.as_deref_mut().and_then(|lane| {
                lane.steer(segment, &wanted);
                lane.show_network(shown);
                lane.plays().then(|| lane.delays())
            });
            let ms = |frames: Option<f64>| frames.unwrap_or(f64::NAN) * 1_000.0 / f64::from(GRID_RATE);
            shown.delay_ms.store(ms(delays.map(|delays| delays.in_force_frames)), Ordering::Relaxed);
            shown.least_ms.store(ms(delays.map(|delays| delays.least_frames)), Ordering::Relaxed);
            shown
                .beat_error_ms
                .store(ms(delays.and_then(|delays| delays.beat_error_frames)), Ordering::Relaxed);
        }
        let gain = if controls.mute_receive { 0.0 } else { controls.receive_gain };
        self.receive_gain.set(gain, GAIN_FRAMES);
        let mut peaks = [0.0_f32; 2];
        let mut start = 0;
        while start < block.main[0].len() {
            let end = (start + PIECE_FRAMES).min(block.main[0].len());
            let piece = Segment {
                start: segment.start + Frames(i64_from_usize(start)),
                frames: Frames(i64_from_usize(end - start)),
                first: segment.position(f64_from_usize(start)),
                ..*segment
            };
            let mut ramp = [0.0; PIECE_FRAMES];
            for gain in &mut ramp[..end - start] {
                *gain = self.receive_gain.next_frame();
            }
            let mut sum = [[0.0; PIECE_FRAMES]; 2];
            let places = self.lanes.iter_mut().zip(&mut self.closing).zip(&gauges.lanes).enumerate();
            for (number, ((lane, closing), shown)) in places {
                for lane in [lane, closing].into_iter().flatten().filter(|lane| lane.plays()) {
                    let mut frames = [[0.0; PIECE_FRAMES]; 2];
                    let [left, right] = &mut frames;
                    lane.read(&piece, [&mut left[..end - start], &mut right[..end - start]], shown);
                    for (channel, sum) in frames.iter_mut().zip(&mut sum) {
                        for ((sample, gain), sum) in channel.iter_mut().zip(&ramp).zip(sum) {
                            *sample *= gain;
                            *sum += *sample;
                        }
                    }
                    shown.peak.fetch_max(peak_of(&frames[0]).max(peak_of(&frames[1])), Ordering::Relaxed);
                    if let Some(strip) = block.strips.get_mut(number).and_then(Option::as_mut) {
                        add(strip, start..end, &frames);
                    }
                }
            }
            add(&mut block.main, start..end, &sum);
            for (peak, channel) in peaks.iter_mut().zip(&sum) {
                *peak = peak.max(peak_of(channel));
            }
            start = end;
        }
        for (shown, peak) in gauges.receive_peak.iter().zip(peaks) {
            shown.fetch_max(peak, Ordering::Relaxed);
        }
    }
}

fn add(output: &mut [&mut [f32]; 2], range: core::ops::Range<usize>, frames: &[[f32; PIECE_FRAMES]; 2]) {
    for (output, frames) in output.iter_mut().zip(frames) {
        for (output, frame) in output[range.clone()].iter_mut().zip(frames) {
            *output += frame;
        }
    }
}
