//! One strip of a room: what arrived of it lately, for the mix.

use lockstep_shared::dsp::{ChunkFrames, SILENT_CHUNK};
use lockstep_shared::jitter::{ChunkWindow, Insertion, JitterTarget};
use lockstep_shared::redundancy::{Seen, Sent};
use lockstep_shared::time::{ChunkIndex, Frames, GridPosition};
use lockstep_shared::wire::{Audio, Channels, MemberId, ProfileStrip};

/// Chunks kept of a strip: 341 ms, more than a mix ever waits.
pub(super) const ROOM_WINDOW_CHUNKS: i64 = 256;
/// Chunks whose mixed audio is kept: the most that one datagram carries.
pub(super) const MIXED_CHUNKS: usize = 4;
/// How late a strip's chunks are assumed to come until they have been seen: 5 ms.
const LATENESS_START_FRAMES: f64 = 240.0;
/// How long after its last chunk a strip counts as playing: 250 ms.
const PLAYS_FOR: Frames = Frames(12_000);

#[derive(Debug)]
pub(super) struct Strip {
    pub(super) member: MemberId,
    /// The member's own number for it.
    pub(super) number: u16,
    pub(super) channels: Channels,
    pub(super) name: String,
    window: ChunkWindow,
    lateness: JitterTarget,
    last_arrival: Option<GridPosition>,
    /// Which chunks were handed on already.
    pub(super) seen: Seen,
    /// What was handed on lately, for copies.
    pub(super) sent: Sent,
    /// What of this strip went into the total, by chunk modulo [`MIXED_CHUNKS`]; a listener takes out or turns
    /// down exactly this.
    mixed: [ChunkFrames; MIXED_CHUNKS],
}

impl Strip {
    pub(super) fn new(member: MemberId, profile: &ProfileStrip) -> Self {
        Self {
            member,
            number: profile.number,
            channels: profile.channels,
            name: profile.name.clone(),
            window: ChunkWindow::new(usize::try_from(ROOM_WINDOW_CHUNKS).unwrap_or(usize::MAX)),
            lateness: JitterTarget::new(LATENESS_START_FRAMES),
            last_arrival: None,
            seen: Seen::default(),
            sent: Sent::default(),
            mixed: [SILENT_CHUNK; MIXED_CHUNKS],
        }
    }

    /// Takes the chunks of an audio element; returns how many came too late for the mix, and how many are no code of what
    /// they should be.
    pub(super) fn take(&mut self, grid: GridPosition, first: ChunkIndex, audio: &Audio<'_>) -> [u64; 2] {
        let (mut late, mut undecodable) = (0, 0);
        let mut frames = SILENT_CHUNK;
        for (number, index) in (0..audio.head.chunks.count()).zip(first.0..) {
            let index = ChunkIndex(index);
            if self.window.holds(index) {
                continue;
            }
            if audio.chunk_into(number, &mut frames).is_err() {
                undecodable += 1;
                continue;
            }
            self.lateness.observe(grid.frames_since(index.end().position()));
            match self.window.insert(index, &frames) {
                Insertion::Stored => self.last_arrival = Some(grid),
                Insertion::Late => {
                    self.last_arrival = Some(grid);
                    late += 1;
                }
                Insertion::Duplicate | Insertion::TooEarly => {}
            }
        }
        [late, undecodable]
    }

    pub(super) fn plays(&self, grid: GridPosition) -> bool {
        self.last_arrival.is_some_and(|last| grid.frames_since(last) < PLAYS_FOR.f64())
    }

    pub(super) fn holds(&self, chunk: ChunkIndex) -> bool {
        self.window.holds(chunk)
    }

    /// How long after a chunk's end the mix should wait for this strip.
    pub(super) const fn lateness_frames(&self) -> f64 {
        self.lateness.target_frames()
    }

    /// Reads the chunk for the mix, concealed if it is absent, and keeps what was read. True if it was there.
    pub(super) fn mix(&mut self, chunk: ChunkIndex) -> bool {
        let [left, right] = &mut self.mixed[slot(chunk)];
        self.window.gather(chunk.start(), [left, right]).concealed == 0
    }

    /// What of this strip went into the total.
    pub(super) fn mixed(&self, chunk: ChunkIndex) -> &ChunkFrames {
        &self.mixed[slot(chunk)]
    }
}

pub(super) fn slot(chunk: ChunkIndex) -> usize {
    // The lowest two bits lie in 0..4.
    usize::try_from(chunk.0 & 3).unwrap_or(0)
}
