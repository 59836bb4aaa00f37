//! What crosses from the link to the engine of a remote strip's audio.

use lockstep_shared::conceal::Continuation;
use lockstep_shared::dsp::ChunkFrames;
use lockstep_shared::time::{ChunkIndex, LocalTime, MusicalStamp};

use super::LaneNumber;

/// A chunk of a remote strip, or what to play in its place.
#[derive(Clone, Copy, Debug)]
pub struct ReceivedChunk {
    /// The lane that plays the strip.
    pub lane: LaneNumber,
    /// Where it is.
    pub index: ChunkIndex,
    /// What is known of it.
    pub content: Received,
}

/// What the link knows of a chunk.
#[derive(Clone, Copy, Debug)]
pub enum Received {
    /// It came.
    Arrived {
        /// What it holds.
        frames: ChunkFrames,
        /// When its datagram came.
        at: LocalTime,
        /// Where its sender's song was at its first frame, if the datagram says so of this chunk.
        stamp: Option<MusicalStamp>,
    },
    /// It is missing between two that came: this is to be played, should it not come in time.
    Bridge(ChunkFrames),
    /// It has not come yet, the one before has: so the signal goes on, should it not come in time.
    Continuation(Continuation),
}
