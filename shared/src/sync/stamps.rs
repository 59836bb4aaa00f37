//! The beats that a strip's datagrams said.

use super::BeatLine;
use crate::time::convert::{i64_from_usize, usize_from_i64};
use crate::time::{ChunkIndex, GRID_RATE, GridPosition, MusicalStamp};

/// Chunks remembered: as many as the longest window holds.
const CHUNKS: usize = 4_096;
/// A stamp tells of this many chunks from its own on: four of a datagram, and what may be lost meanwhile.
const REACH_CHUNKS: i64 = 16;

/// The beats of one strip, by chunk.
#[derive(Debug)]
pub struct StampRing {
    stamps: Box<[Option<(ChunkIndex, MusicalStamp)>]>,
}

impl StampRing {
    /// Without a stamp. Allocates 128 kB.
    #[must_use]
    pub fn new() -> Self {
        Self { stamps: vec![None; CHUNKS].into_boxed_slice() }
    }

    /// Notes where the sender's song was at the first frame of a chunk.
    ///
    /// Real-time: yes. Bound: constant.
    pub fn insert(&mut self, chunk: ChunkIndex, stamp: MusicalStamp) {
        let slot = Self::slot(chunk);
        self.stamps[slot] = Some((chunk, stamp));
    }

    /// The sender's song at a place of the grid; none where it stood, or too much was lost.
    ///
    /// Real-time: yes. Bound: [`REACH_CHUNKS`] looks.
    #[must_use]
    pub fn line_at(&self, at: GridPosition) -> Option<BeatLine> {
        let here = at.floor().chunk();
        (0..REACH_CHUNKS).find_map(|back| {
            let chunk = here.plus(-back);
            let (_, stamp) = self.stamps[Self::slot(chunk)].filter(|(stamped, _)| *stamped == chunk)?;
            let frames_per_minute = 60.0 * f64::from(GRID_RATE);
            Some(BeatLine {
                at: chunk.start().position(),
                quarters: stamp.beats.quarters(),
                quarters_per_frame: stamp.tempo.bpm() / frames_per_minute,
            })
        })
    }

    fn slot(chunk: ChunkIndex) -> usize {
        usize_from_i64(chunk.0.rem_euclid(i64_from_usize(CHUNKS)))
    }
}

impl Default for StampRing {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{Beats, Tempo};

    #[test]
    fn a_stamp_tells_of_its_chunk_and_the_next_few() {
        let mut ring = StampRing::new();
        let stamp = MusicalStamp {
            beats: Beats::from_quarters(8.0),
            tempo: Tempo::from_bpm(120.0).expect("a tempo"),
        };
        ring.insert(ChunkIndex(-5), stamp);
        let at = |chunk: i64| ring.line_at(ChunkIndex(chunk).start().position().plus_f64(32.0));
        assert!(at(-6).is_none());
        let line = at(-3).expect("two chunks later");
        let there = ChunkIndex(-3).start().position();
        assert!((line.quarters_at(there) - (8.0 + 128.0 / 24_000.0)).abs() < 1e-9);
        assert!(at(-5 + REACH_CHUNKS).is_none());
        assert!(at(-5 + i64_from_usize(CHUNKS)).is_none());
    }
}
