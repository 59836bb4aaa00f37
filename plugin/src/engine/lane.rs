//! One remote strip on its way to the ear: what arrived of it, and where it is read.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use lockstep_shared::clock::{RoomMap, Segment};
use lockstep_shared::dsp::{Gain, Sinc};
use lockstep_shared::jitter::{
    ChunkWindow, Insertion, JitterPreset, JitterTarget, Move, ReadPointer, Urgency,
};
use lockstep_shared::sync::{Sight, StampRing, SyncDelay, SyncMode};
use lockstep_shared::time::GRID_RATE;
use lockstep_shared::time::convert::f64_from_usize;

use super::transport::Song;
use crate::wiring::{LaneGauges, Received, ReceivedChunk};

/// Chunks that are watched before the strip is played: 43 ms tell how late it comes.
const WATCH_CHUNKS: u32 = 32;
/// Beyond what is asked for, and rounded up to whole steps of a sixth of a millisecond: what changes by a frame now and
/// then does not move the delay. Long blocks meet the chunks in more ways, and a rare one may ask for a little more.
const MARGIN_FRAMES: f64 = 4.0;
const MARGIN_OF_BLOCK: f64 = 1.0 / 16.0;
const CHUNK: f64 = 64.0;
const SHORT_FRAMES: f64 = 16.0;
const STEP_FRAMES: f64 = 8.0;
/// Room in the window for what arrives before it is due: a quarter of a second.
const AHEAD_FRAMES: f64 = 12_000.0;
/// By the beats, what is still further away than this after so long is not glided but faded: a glide takes a second
/// for each millisecond, and a DAW that is just catching up with the room moves by several.
const BEATS_APART_FRAMES: f64 = 48.0;
const BEATS_APART_FOR: f64 = 24_000.0;
/// Output frames over which a lane fades in or out.
const FADE_OUTPUT_FRAMES: usize = 480;
/// Frames of a piece that is read at once.
pub(super) const PIECE_FRAMES: usize = 64;

/// A remote strip as the audio thread plays it. Built by the link thread, which also frees it.
#[derive(Debug)]
pub struct Lane {
    window: ChunkWindow,
    pointer: ReadPointer,
    /// Grid frames that a read looks ahead.
    after_frames: f64,
    network: JitterTarget,
    phase: LatestStart,
    fade: Gain,
    stage: Stage,
    urgency: Urgency,
    /// The delay that the network and the blocks ask for, with its margin: what it is now, held against small changes.
    least_frames: f64,
    stamps: StampRing,
    sync: SyncDelay,
    /// The delay last commanded: the automatic part and the user's, in grid frames.
    commanded: [f64; 2],
    /// For how many grid frames the beats have been apart.
    apart_frames: f64,
}

/// What the instance wants of every lane.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) mode: SyncMode,
    pub(super) jitter: JitterPreset,
    /// The user's part of the delay, in grid frames.
    pub(super) user_frames: f64,
    pub(super) song: Song,
    /// The delay of everybody in the Room mode, if the room has said it.
    pub(super) room_frames: Option<f64>,
}

/// A lane's delays, in grid frames.
#[derive(Clone, Copy, Debug)]
pub(super) struct Delays {
    /// From the sender's input to this output.
    pub(super) in_force_frames: f64,
    /// The least that the network and the blocks allow.
    pub(super) least_frames: f64,
    /// How late the beats that meet here are, where any are compared.
    pub(super) beat_error_frames: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing is played yet; so many chunks have been seen.
    Watching(u32),
    Playing,
    Closing,
}

impl Lane {
    /// A lane whose delay starts at what is seen first. Allocates 2 MiB and touches it, so that the audio thread
    /// does not.
    #[must_use]
    pub fn new(sinc: Arc<Sinc>) -> Self {
        Self {
            window: ChunkWindow::new(ChunkWindow::DEFAULT_CHUNKS),
            after_frames: f64_from_usize(sinc.after()),
            pointer: ReadPointer::new(sinc),
            network: JitterTarget::new(0.0),
            phase: LatestStart::default(),
            fade: Gain::new(0.0),
            stage: Stage::Watching(0),
            urgency: Urgency::default(),
            least_frames: 0.0,
            stamps: StampRing::new(),
            sync: SyncDelay::default(),
            commanded: [0.0; 2],
            apart_frames: 0.0,
        }
    }

    /// Takes a chunk that came, or what is foreseen for one that did not. `now` is the block about to be played: the
    /// earliest that can hear it.
    pub(super) fn insert(
        &mut self,
        chunk: &ReceivedChunk,
        room: &RoomMap,
        now: &Segment,
        gauges: &LaneGauges,
    ) {
        let index = chunk.index;
        let (frames, arrived, stamp) = match &chunk.content {
            Received::Arrived { frames, at, stamp } => (frames, room.grid(*at), *stamp),
            Received::Bridge(frames) => return self.window.foresee_bridge(index, frames),
            Received::Continuation(continuation) => return self.window.foresee(index, continuation),
        };
        if let Some(stamp) = stamp {
            self.stamps.insert(index, stamp);
        }
        if self.window.holds(index) {
            return;
        }
        let start = index.start().position();
        let lateness = arrived.frames_since(start) + self.after_frames;
        // What the network's price does not wait for (a copy that came too late, a stall) says nothing of how blocks meet
        // chunks.
        if lateness <= self.network.target_frames() {
            self.phase.observe(now.first.frames_since(start) + self.after_frames);
        }
        self.network.observe(lateness);
        let insertion = self.window.insert(index, frames);
        self.urgency.observe(insertion == Insertion::Late);
        match insertion {
            Insertion::Stored => {
                if let Stage::Watching(seen) = &mut self.stage {
                    *seen += 1;
                }
            }
            Insertion::Late => {
                gauges.late.fetch_add(1, Ordering::Relaxed);
            }
            Insertion::Duplicate | Insertion::TooEarly => {}
        }
    }

    /// The delay that the network and the blocks ask for, in grid frames.
    ///
    /// A chunk is in time if the block before did not need it. Whatever the blocks, that holds if it arrived before
    /// its delay was over: so much the network asks for. While the blocks keep step with the chunks (the device is
    /// held to the grid), the latest start that was ever seen of a block that could play a chunk says it exactly, and
    /// often less; it is believed unless a stall is in it.
    fn needed_frames(&self, block: &Segment) -> f64 {
        let network = self.network.target_frames();
        let latest_start = self.phase.frames();
        let is_held = (block.step - 1.0).abs() < f64::EPSILON;
        let is_believed = is_held
            && latest_start.is_finite()
            && latest_start <= network + block.frames.f64() * STALL_OF_BLOCK;
        if is_believed { latest_start } else { network }
    }

    /// Whether the lane plays.
    pub(super) fn plays(&self) -> bool {
        matches!(self.stage, Stage::Playing | Stage::Closing)
    }

    /// The delays as they are now.
    pub(super) fn delays(&self) -> Delays {
        let in_force_frames = self.pointer.delay_frames();
        let automatic_frames = in_force_frames - self.commanded[1];
        let beat_error_frames = self.sync.right_frames().map(|right| automatic_frames - right);
        Delays { in_force_frames, least_frames: self.least_frames, beat_error_frames }
    }

    /// Shows what the network asks for, what it costs not to wait longer, and why.
    ///
    /// Real-time: yes. Bound: constant.
    pub(super) fn show_network(&self, gauges: &LaneGauges) {
        let millis = self.network.target_frames() * 1_000.0 / f64::from(GRID_RATE);
        gauges.jitter_ms.store(millis, Ordering::Relaxed);
        gauges.late_share.store(self.network.late_share(), Ordering::Relaxed);
        gauges.set_reason(self.network.reason());
        let spare =
            self.network.earliest_frames().map_or(0.0, |earliest| self.pointer.delay_frames() - earliest);
        gauges.spare_frames.store(spare, Ordering::Relaxed);
        gauges.late_cost_frames.store(self.network.late_cost_frames(), Ordering::Relaxed);
    }

    /// Moves the delay to the automatic one and the user's part beyond it.
    ///
    /// Real-time: yes. Bound: constant.
    pub(super) fn steer(&mut self, block: &Segment, wanted: &Wanted) {
        self.network.set_preset(wanted.jitter);
        self.least_frames = self.least(block, wanted.jitter);
        let steering = self.sync.steer(&self.sight(block, wanted));
        let delays = [steering.delay_frames, wanted.user_frames.round()];
        match self.stage {
            Stage::Watching(seen) if seen >= WATCH_CHUNKS => {
                self.stage = Stage::Playing;
                self.fade.set(1.0, FADE_OUTPUT_FRAMES);
                self.pointer.command(delays[0] + delays[1], Move::Start);
                self.commanded = delays;
            }
            Stage::Playing => {
                let rise = delays[0] + delays[1] - self.pointer.delay_frames();
                // By the beats, what is far fades when it has come to rest.
                let is_urgent = self.urgency.is_urgent(match wanted.mode {
                    SyncMode::Tight => rise,
                    SyncMode::Room | SyncMode::Grid(_) => rise.min(BEATS_APART_FRAMES),
                });
                let is_apart = self.is_apart(block, wanted.mode, delays[0] + delays[1]);
                // What is automatic glides, and fades by itself if it is far.
                let is_users = delays[1] != self.commanded[1];
                let fades = is_users || steering.at_once || is_urgent || is_apart;
                if delays != self.commanded || is_urgent || is_apart {
                    let way = if fades { Move::Fade } else { Move::Glide };
                    self.pointer.command(delays[0] + delays[1], way);
                    self.commanded = delays;
                }
            }
            Stage::Watching(_) | Stage::Closing => {}
        }
    }

    /// Whether what is heard has been away from `wanted_frames`, which the beats ask for, for too long to glide there.
    fn is_apart(&mut self, block: &Segment, mode: SyncMode, wanted_frames: f64) -> bool {
        let by_beats = match mode {
            SyncMode::Tight => false,
            SyncMode::Room | SyncMode::Grid(_) => true,
        };
        let away = (wanted_frames - self.pointer.delay_frames()).abs();
        if !by_beats || away <= BEATS_APART_FRAMES {
            self.apart_frames = 0.0;
            return false;
        }
        self.apart_frames += block.frames.f64() * block.step;
        let is_apart = self.apart_frames >= BEATS_APART_FOR;
        if is_apart {
            self.apart_frames = 0.0;
        }
        is_apart
    }

    /// What the network and the blocks ask for, and a margin. Whole frames: while the clocks agree exactly, what is heard
    /// is what was sent, bit for bit.
    fn least(&self, block: &Segment, jitter: JitterPreset) -> f64 {
        if let JitterPreset::Fixed(_) = jitter {
            return self.network.target_frames().round();
        }
        let needed = self.needed_frames(block);
        let frames = block.frames.f64();
        // Of blocks shorter than a chunk one more may pass before a chunk is seen.
        let of_block = if frames < CHUNK { frames.min(SHORT_FRAMES) } else { frames * MARGIN_OF_BLOCK };
        let margin = MARGIN_FRAMES + of_block;
        let spare = self.least_frames - needed;
        if self.stage == Stage::Playing && (0.0..margin + WORTH_FRAMES).contains(&spare) {
            self.least_frames
        } else {
            ((needed + margin) / STEP_FRAMES).ceil() * STEP_FRAMES
        }
    }

    /// What is seen of the beats at the block's first frame.
    fn sight(&self, block: &Segment, wanted: &Wanted) -> Sight {
        let heard = block.first.plus_f64(-self.sync.delay_frames().unwrap_or(self.least_frames));
        let window_frames = CHUNK * f64_from_usize(self.window.capacity());
        Sight {
            mode: wanted.mode,
            at: block.first,
            block_frames: block.frames.f64() * block.step,
            local: wanted.song.line,
            remote: self.stamps.line_at(heard),
            bar_quarters: wanted.song.bar_quarters,
            least_frames: self.least_frames,
            room_frames: wanted.room_frames,
            // What has yet to be read, and what still arrives while it waits.
            longest_frames: (window_frames - AHEAD_FRAMES - wanted.user_frames).max(self.least_frames),
        }
    }

    /// Fades out from here on.
    pub(super) fn close(&mut self) {
        self.stage = Stage::Closing;
        self.fade.set(0.0, FADE_OUTPUT_FRAMES);
    }

    /// Whether it has faded out, or never sounded.
    pub(super) fn is_closed(&self) -> bool {
        self.stage == Stage::Closing && self.fade.holding() == Some(0.0)
    }

    /// Reads one piece of a block.
    ///
    /// Real-time: yes. Bound: one kernel read a frame, two during a fade.
    pub(super) fn read(&mut self, piece: &Segment, [left, right]: [&mut [f32]; 2], gauges: &LaneGauges) {
        let passed = self.pointer.read(&mut self.window, piece.first, piece.step, [&mut *left, &mut *right]);
        self.fade.apply([left, right]);
        gauges.present.fetch_add(passed.present as u64, Ordering::Relaxed);
        gauges.concealed.fetch_add(passed.concealed as u64, Ordering::Relaxed);
    }
}

/// A block that began later than the network explains, by more than this part of itself, was stalled.
const STALL_OF_BLOCK: f64 = 1.0 / 16.0;
/// More delay than is needed and its margin is kept unless it is so much more: 0.75 ms.
const WORTH_FRAMES: f64 = 36.0;
/// Chunks of half the memory for the latest start: a minute.
const LATEST_CHUNKS: u32 = 45_000;

/// The latest that a block began after a chunk it could play, over the last minute or two.
#[derive(Debug)]
struct LatestStart {
    current: f64,
    previous: f64,
    chunks: u32,
}

impl Default for LatestStart {
    fn default() -> Self {
        Self { current: f64::NEG_INFINITY, previous: f64::NEG_INFINITY, chunks: 0 }
    }
}

impl LatestStart {
    fn observe(&mut self, frames: f64) {
        self.chunks += 1;
        if self.chunks >= LATEST_CHUNKS {
            *self = Self { previous: self.current, ..Self::default() };
        }
        self.current = self.current.max(frames);
    }

    const fn frames(&self) -> f64 {
        self.current.max(self.previous)
    }
}
