//! The timeline itself.

use super::{BarBeat, Motion, Pace, Segment, TimeSignature};
use crate::time::{Beats, GridPosition, Tempo};

/// Segments of a timeline: one that runs, and what is scheduled.
pub const SEGMENTS_MAX: usize = 32;

/// Who wrote a revision: the room's number for a member, or any other that the room keeps apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AuthorId(pub u16);

/// The room's musical time: 1 to [`SEGMENTS_MAX`] segments, each later than the one before.
///
/// Before its first segment a line stands at that segment's first beat: nothing moves before somebody said so.
/// The last segment has no end: a line whose author has left runs on.
///
/// It is a plain value of about 2.5 kB, copied into an audio thread as it is.
#[derive(Clone, Copy, Debug)]
pub struct Timeline {
    revision: u32,
    author: AuthorId,
    count: usize,
    segments: [Segment; SEGMENTS_MAX],
}

/// What a timeline says of one grid position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The beat, rounded down to a micro-beat.
    pub beats: Beats,
    /// Whether beats run.
    pub motion: Motion,
    /// How fast they really run, or would.
    pub pace: Pace,
    /// What the leader's DAW displays.
    pub tempo: Tempo,
    /// How bars are counted.
    pub signature: TimeSignature,
    /// A bar line.
    pub bar_origin: Beats,
    /// Which continuous piece of the line this is.
    pub epoch: u32,
}

impl Place {
    /// The place as a player counts it.
    #[must_use]
    pub fn bar_and_beat(&self) -> BarBeat {
        self.signature.bar_and_beat(self.beats, self.bar_origin)
    }
}

impl Timeline {
    /// Revision 0, which every other supersedes: `segment` alone.
    #[must_use]
    pub const fn new(segment: Segment) -> Self {
        Self { revision: 0, author: AuthorId(0), count: 1, segments: [segment; SEGMENTS_MAX] }
    }

    /// A timeline of these segments; none when there are none, too many, or one that is not later than the one
    /// before.
    #[must_use]
    pub fn from_segments(revision: u32, author: AuthorId, segments: &[Segment]) -> Option<Self> {
        let (first, later) = segments.split_first()?;
        let mut timeline = Self::new(*first).stamped(revision, author);
        for segment in later {
            if segment.at <= timeline.last().at || timeline.count == SEGMENTS_MAX {
                return None;
            }
            timeline.push(*segment);
        }
        Some(timeline)
    }

    /// This line as another revision or author says it: what a relay does with a leader's proposal.
    #[must_use]
    pub const fn stamped(self, revision: u32, author: AuthorId) -> Self {
        Self { revision, author, ..self }
    }

    /// Which state of the line this is: later states have larger numbers.
    #[must_use]
    pub const fn revision(&self) -> u32 {
        self.revision
    }

    /// Who wrote it.
    #[must_use]
    pub const fn author(&self) -> AuthorId {
        self.author
    }

    /// The segments, at least one, by where they begin.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments[..self.count]
    }

    /// The segment that holds at grid position `at`: the first one before all of them.
    ///
    /// Real-time: yes. Bound: [`SEGMENTS_MAX`] comparisons.
    #[must_use]
    pub fn active(&self, at: GridPosition) -> &Segment {
        &self.segments[self.active_index(at)]
    }

    /// What this timeline says of grid position `at`, whichever.
    ///
    /// Real-time: yes. Bound: [`SEGMENTS_MAX`] comparisons and a few wide multiplications.
    #[must_use]
    pub fn place(&self, at: GridPosition) -> Place {
        let segment = self.active(at);
        let before = at < segment.at;
        Place {
            beats: segment.beats_at(at),
            motion: if before { Motion::Stopped } else { segment.motion },
            pace: segment.pace_at(at),
            tempo: segment.tempo_at(at),
            signature: segment.signature,
            bar_origin: segment.bar_origin,
            // Arriving at the first segment is news.
            epoch: if before { segment.epoch.wrapping_sub(1) } else { segment.epoch },
        }
    }

    /// The first position at or after `not_before` at which the playing line reaches `beats`, or passes it where
    /// two segments of one epoch meet; none when it never does, or only did before.
    ///
    /// It undoes [`Timeline::place`]: while the line plays, `place(when(b, ..)).beats == b`.
    ///
    /// Real-time: yes. Bound: [`SEGMENTS_MAX`] times [`Segment::reaches`].
    #[must_use]
    pub fn when(&self, beats: Beats, not_before: GridPosition) -> Option<GridPosition> {
        let first = self.active_index(not_before);
        (first..self.count).find_map(|index| {
            let segment = &self.segments[index];
            let reached =
                if self.passes_at_start(index, beats) { Some(segment.at) } else { segment.reaches(beats) };
            reached.filter(|at| *at >= not_before && self.holds(index, *at))
        })
    }

    /// The first position at or after `at` where the playing line reaches a bar line.
    ///
    /// Real-time: yes. Bound: [`SEGMENTS_MAX`] times [`Segment::reaches`].
    #[must_use]
    pub fn next_bar(&self, at: GridPosition) -> Option<GridPosition> {
        let first = self.active_index(at);
        (first..self.count).find_map(|index| {
            let segment = &self.segments[index];
            let from = at.max(segment.at);
            let mut line = segment.signature.bar_line_from(segment.beats_at(from), segment.bar_origin);
            let mut reached = segment.reaches(line)?;
            if reached < from {
                // The beat at `from` is a bar line that was reached within the micro-beat before.
                line = Beats::from_micro(line.micro().saturating_add(segment.signature.bar_beats().micro()));
                reached = segment.reaches(line)?;
            }
            self.holds(index, reached).then_some(reached)
        })
    }

    /// The later of two states: larger revision, then larger author. Commutative, associative and idempotent, so
    /// it does not matter in which order, or how often, states arrive.
    #[must_use]
    pub fn merge(&self, other: &Self) -> Self {
        if other.supersedes(self) { *other } else { *self }
    }

    /// Whether this state is to replace `other`.
    #[must_use]
    pub fn supersedes(&self, other: &Self) -> bool {
        // One author never writes two lines under one revision; were it to, everybody still keeps the same one.
        let key = |timeline: &Self| (timeline.revision, timeline.author);
        key(self).cmp(&key(other)).then_with(|| self.segments().cmp(other.segments())).is_gt()
    }

    /// Drops the segments that ended at or before `before`; the one that holds there stays.
    pub fn prune(&mut self, before: GridPosition) {
        let ended = self.active_index(before);
        self.segments.copy_within(ended..self.count, 0);
        self.count -= ended;
    }

    /// Drops what begins at or after `at`, but never the only segment.
    pub(super) fn truncate(&mut self, at: GridPosition) {
        while self.count > 1 && self.last().at >= at {
            self.count -= 1;
        }
    }

    /// Appends `segment`: in place of whatever began at or after it, and of the oldest when full.
    pub(super) fn push(&mut self, segment: Segment) {
        self.truncate(segment.at);
        if self.last().at >= segment.at {
            self.count = 0;
        } else if self.count == SEGMENTS_MAX {
            self.segments.copy_within(1.., 0);
            self.count -= 1;
        }
        self.segments[self.count] = segment;
        self.count += 1;
    }

    pub(super) fn last(&self) -> &Segment {
        &self.segments[self.count - 1]
    }

    fn active_index(&self, at: GridPosition) -> usize {
        self.segments().partition_point(|segment| segment.at <= at).saturating_sub(1)
    }

    /// Whether grid position `at` comes before the segment after the one at `index` begins.
    fn holds(&self, index: usize, at: GridPosition) -> bool {
        self.segments().get(index + 1).is_none_or(|next| at < next.at)
    }

    /// Whether a playing line jumps over `beats`, or onto it, where the segment at `index` begins.
    fn passes_at_start(&self, index: usize, beats: Beats) -> bool {
        let Some(previous) = index.checked_sub(1).map(|previous| &self.segments[previous]) else {
            return false;
        };
        let segment = &self.segments[index];
        let last = GridPosition::from_raw(segment.at.raw().saturating_sub(1));
        previous.epoch == segment.epoch
            && previous.motion == Motion::Playing
            && segment.motion == Motion::Playing
            && previous.beats_at(last) < beats
            && beats <= segment.beats
    }
}

impl Default for Timeline {
    /// What a room says before anybody has led: stopped at beat 0.
    fn default() -> Self {
        Self::new(Segment::stopped(GridPosition::from_raw(0)))
    }
}

impl PartialEq for Timeline {
    fn eq(&self, other: &Self) -> bool {
        self.revision == other.revision && self.author == other.author && self.segments() == other.segments()
    }
}

impl Eq for Timeline {}

#[cfg(test)]
#[path = "map_tests.rs"]
mod tests;
