//! A stretch of the grid with a strip's audio in it.
//!
//! A fixed ring of slots; a chunk's slot is its index modulo the capacity, so there is nothing to sort and
//! nothing to search. A duplicate is an index already there, a gap an index absent.
//!
//! **The cursor** is the first chunk that has not been read. Reads overlap: the interpolator looks at 32 frames
//! around each place, and a cross-fade reads at two places. All of them must see the same signal, or the seam
//! would click. So what was once read as absent stays absent: a chunk that arrives behind the cursor is refused
//! as late. Chunks are counted as present or concealed once, when the cursor passes them.
//!
//! **Concealment** is decided once, when the cursor passes an absent chunk: what was [foreseen](crate::conceal) for it
//! then takes its place for good, and where a continuation ends, the chunk after it is passed into within 1 ms. From then
//! on a read is a copy. Nothing foreseen touches a chunk that is there and follows one that is there, so what arrives
//! whole is heard bit for bit.
//!
//! Where nothing was foreseen (a stream that begins, a place that leapt, a gap of more than 10 ms), it is a pure function
//! of what the window holds: after the last frame the signal falls to zero in a straight line over 32 frames and stays
//! there; the first chunk after a gap rises over 32 frames. No step.

use crate::conceal::{Continuation, Run};
use crate::dsp::{ChunkFrames, SILENT_CHUNK};
use crate::time::convert::{f32_from_f64, f64_from_usize, i64_from_usize, usize_from_i64};
use crate::time::{CHUNK_FRAMES, ChunkIndex, Frames, GridFrame};

/// Frames over which audio falls into a gap and rises out of it.
const EDGE_FRAMES: usize = 32;

/// The chunks of one strip, as far as they have arrived, and what is foreseen for those that have not.
#[derive(Debug)]
pub struct ChunkWindow {
    /// Which chunk each slot is about.
    held: Box<[Option<ChunkIndex>]>,
    content: Box<[Content]>,
    /// A continuation that is being heard, and the chunk that comes next in it.
    run: Option<(ChunkIndex, Run)>,
    /// The first chunk not yet read; none before the first read.
    cursor: Option<ChunkIndex>,
}

/// What a slot holds of its chunk.
#[derive(Clone, Copy, Debug)]
enum Content {
    /// The chunk itself.
    Arrived(ChunkFrames),
    /// What is heard of it because it was not there in time.
    Concealed(ChunkFrames),
    /// What will be, should it not come: a bridge to what did.
    Bridge(ChunkFrames),
    /// How the signal goes on from the chunk before, should it not come.
    Continuation(Continuation),
}

/// What became of a chunk that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Insertion {
    /// It is in its place.
    Stored,
    /// The window holds this chunk already; nothing changed.
    Duplicate,
    /// It was read as absent before it came; refused.
    Late,
    /// It lies more than a window ahead of what is read; refused, or it would displace what is still to be read.
    TooEarly,
}

/// How many chunks were newly passed by a read, by what was found there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Presence {
    /// Chunks whose audio was there.
    pub present: usize,
    /// Chunks that were absent, and concealed.
    pub concealed: usize,
}

impl ChunkWindow {
    /// Chunks that cover the longest sync delay: 5.46 s, 2 MiB.
    pub const DEFAULT_CHUNKS: usize = 4_096;

    /// An empty window of `capacity` chunks, rounded up to a power of two. Allocates 532 bytes a chunk.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        let capacity = capacity.max(4).next_power_of_two();
        Self {
            held: vec![None; capacity].into_boxed_slice(),
            content: vec![Content::Arrived(SILENT_CHUNK); capacity].into_boxed_slice(),
            run: None,
            cursor: None,
        }
    }

    /// Chunks that the window can hold.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.held.len()
    }

    /// The first chunk that has not been read; none before the first read.
    #[must_use]
    pub const fn cursor(&self) -> Option<ChunkIndex> {
        self.cursor
    }

    /// True if the audio of this chunk is here.
    #[must_use]
    pub fn holds(&self, chunk: ChunkIndex) -> bool {
        matches!(self.content_of(chunk), Some(Content::Arrived(_)))
    }

    /// Puts a chunk in its place, if it is new and not late.
    ///
    /// Real-time: yes. Bound: a copy of 512 bytes.
    pub fn insert(&mut self, chunk: ChunkIndex, frames: &ChunkFrames) -> Insertion {
        let place = self.place_for(chunk);
        if place == Insertion::Stored {
            self.put(chunk, Content::Arrived(*frames));
        }
        place
    }

    /// Takes what to play in place of a chunk, should it not come: it lies between two that arrived. For one that has
    /// arrived, or is past, nothing changes.
    ///
    /// Real-time: yes. Bound: a copy of 512 bytes.
    pub fn foresee_bridge(&mut self, chunk: ChunkIndex, frames: &ChunkFrames) {
        if self.place_for(chunk) == Insertion::Stored {
            self.put(chunk, Content::Bridge(*frames));
        }
    }

    /// Takes how to go on from the chunk before this one, should it not come. For one that has arrived, has a bridge or
    /// is past, nothing changes.
    ///
    /// Real-time: yes. Bound: a copy of 272 bytes.
    pub fn foresee(&mut self, chunk: ChunkIndex, continuation: &Continuation) {
        let has_bridge = matches!(self.content_of(chunk), Some(Content::Bridge(_)));
        if !has_bridge && self.place_for(chunk) == Insertion::Stored {
            self.put(chunk, Content::Continuation(*continuation));
        }
    }

    /// Reads the frames from `from` on into `out` (left and right, of one length), concealing what is absent,
    /// and moves the cursor past the last chunk touched.
    ///
    /// The place may leap. Ahead: chunks that no read touched are counted as neither present nor concealed.
    /// Back by less than the capacity: history is read again, and nothing is counted. Back by more: the cursor
    /// follows, because the place that is read rules, not a past one that may have been wrong.
    ///
    /// Real-time: yes. Bound: a copy of `out`, one look at each chunk under it, and 4,096 multiplications for each that
    /// is absent.
    pub fn gather(&mut self, from: GridFrame, out: [&mut [f32]; 2]) -> Presence {
        let Some(last_offset) = out[0].len().checked_sub(1) else {
            return Presence::default();
        };
        let (first, last) = (from.chunk(), (from + Frames(i64_from_usize(last_offset))).chunk());
        let presence = self.pass(first, last);
        self.peek(from, out);
        presence
    }

    /// Reads as [`ChunkWindow::gather`] does but leaves the cursor alone: for a look that is not heard.
    ///
    /// Real-time: yes. Bound: a copy of `out`.
    pub fn peek(&self, from: GridFrame, [left, right]: [&mut [f32]; 2]) {
        debug_assert_eq!(left.len(), right.len(), "planar channels are of one length");
        let (mut frame, mut done) = (from, 0);
        while done < left.len() {
            let offset = frame.offset_in_chunk();
            let count = (CHUNK_FRAMES - offset).min(left.len() - done);
            let parts = [&mut left[done..done + count], &mut right[done..done + count]];
            self.render(frame.chunk(), offset, parts);
            done += count;
            frame += Frames(i64_from_usize(count));
        }
    }

    /// Forgets all audio and the cursor: for a grid that begins anew.
    ///
    /// Real-time: yes. Bound: 16 bytes written for each chunk of the capacity.
    pub fn reset(&mut self) {
        self.held.fill(None);
        self.run = None;
        self.cursor = None;
    }

    /// Moves the cursor past `last` and counts what it passes from `first` on.
    fn pass(&mut self, first: ChunkIndex, last: ChunkIndex) -> Presence {
        let mut presence = Presence::default();
        let cursor = match self.cursor {
            Some(cursor) if cursor.0.saturating_sub(last.0) <= i64_from_usize(self.capacity()) => cursor,
            Some(_) | None => first,
        };
        let mut chunk = cursor.max(first);
        while chunk <= last {
            if self.holds(chunk) {
                presence.present += 1;
            } else {
                presence.concealed += 1;
            }
            self.settle(chunk);
            chunk = chunk.plus(1);
        }
        self.cursor = Some(cursor.max(last.plus(1)));
        presence
    }

    /// Makes what is heard of a chunk final, as the cursor passes it.
    fn settle(&mut self, chunk: ChunkIndex) {
        let run = self.run.take().filter(|(next, _)| *next == chunk).map(|(_, run)| run);
        let slot = self.slot(chunk);
        match self.content_of(chunk).copied() {
            Some(Content::Arrived(_) | Content::Concealed(_)) => {
                if let (Some(run), Content::Arrived(frames)) = (run, &mut self.content[slot]) {
                    run.cross_into(frames);
                }
            }
            Some(Content::Bridge(mut frames)) => {
                if let Some(run) = run {
                    run.cross_into(&mut frames);
                }
                self.content[slot] = Content::Concealed(frames);
            }
            Some(Content::Continuation(continuation)) => {
                let before = self.audio_of(chunk.plus(-1));
                let run = run.or_else(|| before.map(|before| continuation.run(before)));
                self.conceal(chunk, run);
            }
            None => self.conceal(chunk, run),
        }
    }

    /// Puts the next chunk of a continuation where one is absent.
    fn conceal(&mut self, chunk: ChunkIndex, run: Option<Run>) {
        if let Some(mut run) = run.filter(|run| !run.is_silent()) {
            self.put(chunk, Content::Concealed(run.next_chunk()));
            self.run = Some((chunk.plus(1), run));
        }
    }

    /// What would become of a chunk that arrived now.
    fn place_for(&self, chunk: ChunkIndex) -> Insertion {
        if self.holds(chunk) {
            return Insertion::Duplicate;
        }
        if let Some(cursor) = self.cursor {
            if chunk < cursor {
                return Insertion::Late;
            }
            if chunk.0.saturating_sub(cursor.0) >= i64_from_usize(self.capacity()) {
                return Insertion::TooEarly;
            }
        }
        Insertion::Stored
    }

    fn put(&mut self, chunk: ChunkIndex, content: Content) {
        let slot = self.slot(chunk);
        self.held[slot] = Some(chunk);
        self.content[slot] = content;
    }

    fn content_of(&self, chunk: ChunkIndex) -> Option<&Content> {
        let slot = self.slot(chunk);
        (self.held[slot] == Some(chunk)).then(|| &self.content[slot])
    }

    /// Writes a part of one chunk, from `offset` on, as it is heard between its neighbours.
    fn render(&self, chunk: ChunkIndex, offset: usize, parts: [&mut [f32]; 2]) {
        let here = self.audio_of(chunk);
        let before = self.audio_of(chunk.plus(-1));
        for (channel, part) in parts.into_iter().enumerate() {
            match (here, before) {
                (Some(here), Some(_)) => part.copy_from_slice(&here[channel][offset..offset + part.len()]),
                (Some(here), None) => {
                    part.copy_from_slice(&here[channel][offset..offset + part.len()]);
                    for (sample, place) in part.iter_mut().zip(offset..EDGE_FRAMES) {
                        *sample *= edge(place + 1);
                    }
                }
                (None, Some(before)) => {
                    let last = before[channel][CHUNK_FRAMES - 1];
                    part.fill(0.0);
                    for (sample, place) in part.iter_mut().zip(offset..EDGE_FRAMES - 1) {
                        *sample = last * edge(EDGE_FRAMES - 1 - place);
                    }
                }
                (None, None) => part.fill(0.0),
            }
        }
    }

    fn audio_of(&self, chunk: ChunkIndex) -> Option<&ChunkFrames> {
        match self.content_of(chunk)? {
            Content::Arrived(frames) | Content::Concealed(frames) | Content::Bridge(frames) => Some(frames),
            Content::Continuation(_) => None,
        }
    }

    fn slot(&self, chunk: ChunkIndex) -> usize {
        usize_from_i64(chunk.0 & (i64_from_usize(self.capacity()) - 1))
    }
}

impl core::ops::AddAssign for Presence {
    fn add_assign(&mut self, more: Self) {
        self.present += more.present;
        self.concealed += more.concealed;
    }
}

/// The gain `place` frames up the edge.
fn edge(place: usize) -> f32 {
    f32_from_f64(f64_from_usize(place) / f64_from_usize(EDGE_FRAMES))
}

#[cfg(test)]
#[path = "window_tests.rs"]
mod tests;
