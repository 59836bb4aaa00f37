//! Planar audio: one run of frames for each channel, left before right.

use crate::time::CHUNK_FRAMES;

/// The audio of one chunk: left, then right.
pub type ChunkFrames = [[f32; CHUNK_FRAMES]; 2];

/// A chunk of silence.
pub const SILENT_CHUNK: ChunkFrames = [[0.0; CHUNK_FRAMES]; 2];
