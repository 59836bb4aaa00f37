//! What will be played in place of a strip's missing chunks, worked out before anybody needs it.

use super::{BRIDGE_CHUNKS_MAX, Continuation, FUTURE_FRAMES, HISTORY_FRAMES, bridge};
use crate::dsp::{ChunkFrames, SILENT_CHUNK};
use crate::time::convert::{i64_from_usize, usize_from_i64};
use crate::time::{CHUNK_FRAMES, ChunkIndex};

/// Chunks that are kept: what a bridge is made of, and as much again that may have come since.
const KEPT_CHUNKS: usize = 32;
const HISTORY_CHUNKS: usize = HISTORY_FRAMES / CHUNK_FRAMES;
const FUTURE_CHUNKS: usize = FUTURE_FRAMES / CHUNK_FRAMES;
/// Gaps that may wait to be bridged; where networks tear more holes at once, the oldest stay unbridged.
const GAPS: usize = 4;

/// What lately arrived of a strip, and what is still to be made of it.
///
/// Whoever receives chunks gives them to [`Foresight::insert`] and calls [`Foresight::work`] when there is time, until
/// it returns nothing. It belongs to one thread, which is not the audio thread.
#[derive(Clone, Debug)]
pub struct Foresight {
    held: [Option<ChunkIndex>; KEPT_CHUNKS],
    audio: Box<[ChunkFrames]>,
    newest: Option<ChunkIndex>,
    owes_continuation: bool,
    gaps: [Option<Gap>; GAPS],
    /// The continuation and the bridge that are being handed out.
    continuation: Option<Continuation>,
    bridged: [ChunkFrames; BRIDGE_CHUNKS_MAX],
}

/// Chunks that are missing between two that are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Gap {
    first: ChunkIndex,
    chunks: usize,
}

/// What is to be played where chunks are missing, should they not come.
#[derive(Clone, Copy, Debug)]
pub enum Foreseen<'a> {
    /// From this chunk on, go on like this.
    Continuation(ChunkIndex, &'a Continuation),
    /// These chunks, from this one on, fill a gap whose other side has arrived.
    Bridge(ChunkIndex, &'a [ChunkFrames]),
}

impl Foresight {
    /// Nothing has arrived yet. Allocates 16 kB.
    #[must_use]
    pub fn new() -> Self {
        Self {
            held: [None; KEPT_CHUNKS],
            audio: vec![SILENT_CHUNK; KEPT_CHUNKS].into_boxed_slice(),
            newest: None,
            owes_continuation: false,
            gaps: [None; GAPS],
            continuation: None,
            bridged: [SILENT_CHUNK; BRIDGE_CHUNKS_MAX],
        }
    }

    /// Takes a chunk that arrived. One that is here already, or is older than what is kept, changes nothing.
    pub fn insert(&mut self, chunk: ChunkIndex, frames: &ChunkFrames) {
        let kept = i64_from_usize(KEPT_CHUNKS);
        let ahead = self.newest.map_or(1, |newest| chunk.0.saturating_sub(newest.0));
        if self.holds(chunk) || (-2 * kept..=-kept).contains(&ahead) {
            return;
        }
        if ahead > 0 || ahead < -2 * kept {
            // A place far behind the newest: that one was wrong, or the grid is another.
            self.newest = Some(chunk);
            self.owes_continuation = true;
        }
        let slot = slot(chunk);
        self.held[slot] = Some(chunk);
        self.audio[slot] = *frames;
        self.note_gap(chunk, -1);
        self.note_gap(chunk, 1);
    }

    /// Whether [`Foresight::work`] has something to do.
    #[must_use]
    pub fn has_work(&self) -> bool {
        self.owes_continuation || self.gaps.iter().any(Option::is_some)
    }

    /// Works out one thing that may be needed: a bridge, where a hole was seen, before the continuation of the newest
    /// chunk. None once all is done.
    ///
    /// Not for the audio thread: 10 to 100 us.
    pub fn work(&mut self) -> Option<Foreseen<'_>> {
        while let Some(gap) = self.gaps.iter_mut().find_map(Option::take) {
            if self.is_open(gap) && self.bridge(gap) {
                return Some(Foreseen::Bridge(gap.first, &self.bridged[..gap.chunks]));
            }
        }
        if core::mem::take(&mut self.owes_continuation) {
            let gap = beside(self.newest?, 1);
            let mut history = [[0.0; HISTORY_FRAMES]; 2];
            let frames = self.before(gap, &mut history);
            let history = history.each_ref().map(|channel| &channel[HISTORY_FRAMES - frames..]);
            self.continuation = Continuation::of(history);
            return self.continuation.as_ref().map(|continuation| Foreseen::Continuation(gap, continuation));
        }
        None
    }

    fn holds(&self, chunk: ChunkIndex) -> bool {
        self.held[slot(chunk)] == Some(chunk)
    }

    /// Notes the gap beside `chunk`, if there is one of a length that can be bridged.
    fn note_gap(&mut self, chunk: ChunkIndex, way: i64) {
        let missing =
            (1..).take_while(|n| !self.holds(beside(chunk, way * n))).take(BRIDGE_CHUNKS_MAX + 1).count();
        if !(1..=BRIDGE_CHUNKS_MAX).contains(&missing) {
            return;
        }
        let first = if way > 0 { beside(chunk, 1) } else { beside(chunk, -i64_from_usize(missing)) };
        self.gaps.rotate_right(1);
        self.gaps[0] = Some(Gap { first, chunks: missing });
    }

    /// Whether all of the gap is still missing, and nothing beside it.
    fn is_open(&self, gap: Gap) -> bool {
        let Gap { first, chunks } = gap;
        let after = beside(first, i64_from_usize(chunks));
        self.holds(beside(first, -1))
            && self.holds(after)
            && (first.0..after.0).all(|index| !self.holds(ChunkIndex(index)))
    }

    fn bridge(&mut self, gap: Gap) -> bool {
        let after = beside(gap.first, i64_from_usize(gap.chunks));
        let (mut history, mut future) = ([[0.0; HISTORY_FRAMES]; 2], [[0.0; FUTURE_FRAMES]; 2]);
        let history_frames = self.before(gap.first, &mut history);
        let mut future_frames = 0;
        for index in (after.0..).take(FUTURE_CHUNKS).take_while(|index| self.holds(ChunkIndex(*index))) {
            for (future, frames) in future.iter_mut().zip(&self.audio[slot(ChunkIndex(index))]) {
                future[future_frames..future_frames + CHUNK_FRAMES].copy_from_slice(frames);
            }
            future_frames += CHUNK_FRAMES;
        }
        bridge(
            history.each_ref().map(|channel| &channel[HISTORY_FRAMES - history_frames..]),
            future.each_ref().map(|channel| &channel[..future_frames]),
            &mut self.bridged[..gap.chunks],
        )
    }

    /// Lays what arrived without a hole before `chunk` against the end of `history`; returns how many frames.
    fn before(&self, chunk: ChunkIndex, history: &mut [[f32; HISTORY_FRAMES]; 2]) -> usize {
        let mut frames = 0;
        for n in 1..=i64_from_usize(HISTORY_CHUNKS) {
            let before = beside(chunk, -n);
            if !self.holds(before) {
                break;
            }
            let end = HISTORY_FRAMES - frames;
            for (history, audio) in history.iter_mut().zip(&self.audio[slot(before)]) {
                history[end - CHUNK_FRAMES..end].copy_from_slice(audio);
            }
            frames += CHUNK_FRAMES;
        }
        frames
    }
}

impl Default for Foresight {
    fn default() -> Self {
        Self::new()
    }
}

/// The chunk so many further, or the furthest there is: an index from a network may be anything.
const fn beside(chunk: ChunkIndex, chunks: i64) -> ChunkIndex {
    ChunkIndex(chunk.0.saturating_add(chunks))
}

fn slot(chunk: ChunkIndex) -> usize {
    usize_from_i64(chunk.0.rem_euclid(i64_from_usize(KEPT_CHUNKS)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::convert::{f32_from_f64, f64_from_i64};

    fn audio(chunk: i64) -> ChunkFrames {
        let sample = |n: usize| {
            f32_from_f64(
                0.3 * (0.01 * f64_from_i64(chunk.wrapping_mul(64).wrapping_add(i64_from_usize(n)))).sin(),
            )
        };
        [core::array::from_fn(sample); 2]
    }

    /// What is foreseen, as words: where it begins and how many chunks it fills.
    fn all(foresight: &mut Foresight) -> Vec<(&'static str, i64, usize)> {
        let mut found = Vec::new();
        while let Some(foreseen) = foresight.work() {
            found.push(match foreseen {
                Foreseen::Continuation(first, _) => ("continuation", first.0, 0),
                Foreseen::Bridge(first, chunks) => ("bridge", first.0, chunks.len()),
            });
        }
        assert!(!foresight.has_work());
        found
    }

    fn take(foresight: &mut Foresight, chunks: impl IntoIterator<Item = i64>) {
        for chunk in chunks {
            foresight.insert(ChunkIndex(chunk), &audio(chunk));
        }
    }

    #[test]
    fn the_newest_chunk_is_continued_once() {
        let mut foresight = Foresight::new();
        take(&mut foresight, -4..8);
        assert_eq!(all(&mut foresight), [("continuation", 8, 0)]);
        take(&mut foresight, [7, 3]);
        assert_eq!(all(&mut foresight), []);
    }

    #[test]
    fn a_hole_is_bridged_and_bridged_anew_when_a_part_of_it_comes() {
        let mut foresight = Foresight::new();
        take(&mut foresight, 0..8);
        take(&mut foresight, [11]);
        assert_eq!(all(&mut foresight), [("bridge", 8, 3), ("continuation", 12, 0)]);
        take(&mut foresight, [9]);
        let mut both = all(&mut foresight);
        both.sort_unstable();
        assert_eq!(both, [("bridge", 8, 1), ("bridge", 10, 1)]);
        take(&mut foresight, [8, 10]);
        assert_eq!(all(&mut foresight), []);
    }

    #[test]
    fn a_hole_that_is_too_wide_is_left() {
        let mut foresight = Foresight::new();
        take(&mut foresight, 0..8);
        take(&mut foresight, [13]);
        assert_eq!(all(&mut foresight), [("continuation", 14, 0)]);
    }

    #[test]
    fn a_hole_that_fills_before_there_is_time_is_not_bridged() {
        let mut foresight = Foresight::new();
        take(&mut foresight, [0, 1, 2, 4, 3]);
        assert_eq!(all(&mut foresight), [("continuation", 5, 0)]);
    }

    #[test]
    fn a_place_that_was_wrong_is_left_again() {
        let mut foresight = Foresight::new();
        take(&mut foresight, [i64::MAX - 1, 5, 6]);
        assert_eq!(all(&mut foresight), [("continuation", 7, 0)]);
        take(&mut foresight, [i64::MIN, i64::MAX, 7]);
        assert_eq!(all(&mut foresight), [("continuation", 8, 0)]);
    }

    #[test]
    fn silence_is_not_worked_on() {
        let mut foresight = Foresight::new();
        for chunk in 0..8 {
            foresight.insert(ChunkIndex(chunk), &SILENT_CHUNK);
        }
        assert_eq!(all(&mut foresight), []);
    }

    #[test]
    fn a_bridge_is_what_was_missing() {
        let mut foresight = Foresight::new();
        take(&mut foresight, (0..8).chain([9]));
        let Some(Foreseen::Bridge(ChunkIndex(8), [bridge])) = foresight.work() else { panic!("no bridge") };
        for (bridged, played) in bridge[1].iter().zip(&audio(8)[1]) {
            assert!((bridged - played).abs() < 0.01, "{bridged} {played}");
        }
    }
}
