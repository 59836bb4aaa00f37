//! The mix of a room: every strip summed once a chunk, and each listener's own left out.
//!
//! A chunk is mixed as soon as every strip that plays has it, and at the latest when the slowest of them usually
//! has it (its jitter target, at most [`WAIT_MAX`] after the chunk's end): a chunk that is later is left out
//! and faded over, so that one bad link costs its owner and not the room.

use std::collections::BTreeMap;

use lockstep_shared::dsp::{ChunkFrames, SILENT_CHUNK, Strip as Summand, Total};
use lockstep_shared::redundancy::{Protection, Sent};
use lockstep_shared::session::SessionId;
use lockstep_shared::time::{ChunkIndex, Frames, GridFrame, GridPosition, convert};
use lockstep_shared::wire::{
    AudioHead, Channels, ChunksPerDatagram, Element, Full, MemberId, PlayMode, StripId, WireChunk, Writer,
};

use super::RoomCounters;
use super::member::Member;
use super::strip::{MIXED_CHUNKS, Strip, slot};

/// The longest that a mix waits for a chunk after its end: 150 ms.
const WAIT_MAX: Frames = Frames(7_200);
/// Beyond what the slowest strip's target asks for: 0.5 ms.
const MARGIN_FRAMES: f64 = 24.0;

#[derive(Debug)]
pub(super) struct Mixer {
    /// The next chunk to mix; none before the first.
    next: Option<ChunkIndex>,
    /// How long after a chunk's end it is mixed at the latest.
    wait: Frames,
    totals: [Total; MIXED_CHUNKS],
    /// The chunk that was mixed last, and the first member that has not been looked at for it.
    sending: Option<(ChunkIndex, MemberId)>,
    chunks: [ChunkFrames; MIXED_CHUNKS],
}

/// One datagram of a listener's mix.
#[derive(Debug)]
pub struct Mix<'a> {
    head: AudioHead,
    chunks: &'a [ChunkFrames],
    /// Where it is kept for copies, and which of these go along.
    copies: Option<(&'a mut Sent, Protection)>,
}

impl Mix<'_> {
    /// Writes its elements.
    ///
    /// # Errors
    /// There is no room.
    pub fn encode(self, out: &mut Writer<'_>) -> Result<(), Full> {
        match self.copies {
            Some((sent, protection)) => sent.encode(&self.head, self.chunks, protection, out),
            None => Element::encode_audio(&self.head, self.chunks, out),
        }
    }
}

impl Mixer {
    pub(super) fn new() -> Self {
        Self {
            next: None,
            wait: Frames::ZERO,
            totals: core::array::from_fn(|_| Total::new()),
            sending: None,
            chunks: [SILENT_CHUNK; MIXED_CHUNKS],
        }
    }

    /// When the next chunk is mixed at the latest; none while no strip ever played.
    pub(super) fn due(&self) -> Option<GridFrame> {
        self.next.map(|chunk| chunk.end() + self.wait)
    }

    /// The next listener's datagram, mixing the next chunk when all have had theirs and it is time.
    pub(super) fn next_send<'a>(
        &'a mut self,
        grid: GridPosition,
        members: &'a mut BTreeMap<MemberId, Member>,
        strips: &mut BTreeMap<StripId, Strip>,
        counters: &mut RoomCounters,
    ) -> Option<(SessionId, Mix<'a>)> {
        loop {
            let Some((chunk, start)) = self.sending else {
                if !members.values().any(wants_mix) {
                    self.next = None;
                    return None;
                }
                self.mix(grid, strips, counters)?;
                continue;
            };
            let listener = members.range(start..).find(|(_, member)| {
                // A datagram of two chunks ends on an odd index, of four on every fourth.
                wants_mix(member) && (chunk.0 + 1) % member.mix_chunks().count_i64() == 0
            });
            let Some(id) = listener.map(|(id, _)| *id) else {
                self.sending = None;
                continue;
            };
            let member = members.get_mut(&id)?;
            self.sending = Some((chunk, MemberId(id.0.saturating_add(1))));
            let count = member.mix_chunks();
            self.fill(chunk, count, id, member, strips);
            let head = AudioHead {
                strip: StripId::MIX,
                first: WireChunk::new(chunk.plus(1 - count.count_i64())),
                format: member.mix_format(),
                channels: Channels::Stereo,
                chunks: count,
                stamp: None,
            };
            let session = member.session;
            let protection = member.asked.protection;
            let copies = member.mix_sent.as_deref_mut().map(|sent| (sent, protection));
            return Some((session, Mix { head, chunks: &self.chunks[..count.count()], copies }));
        }
    }

    /// Mixes the next chunk if it is complete or due. None if it is neither, or if nobody plays.
    fn mix(
        &mut self,
        grid: GridPosition,
        strips: &mut BTreeMap<StripId, Strip>,
        counters: &mut RoomCounters,
    ) -> Option<()> {
        let wait = wait(strips.values().filter(|strip| strip.plays(grid)));
        if !strips.values().any(|strip| strip.plays(grid)) {
            // Silence is not sent; the next sound starts afresh.
            self.next = None;
            return None;
        }
        self.wait = wait;
        let newest_due = (grid.floor() - wait).chunk();
        let chunk = match self.next {
            // Behind by more than the strips' windows: the relay stood still.
            Some(next) if newest_due - next <= 128 => next,
            Some(_) | None => newest_due,
        };
        self.next = Some(chunk);
        let is_complete = strips.values().filter(|strip| strip.plays(grid)).all(|strip| strip.holds(chunk));
        let is_due = grid >= (chunk.end() + wait).position();
        if !is_complete && !is_due {
            return None;
        }
        let total = &mut self.totals[slot(chunk)];
        *total = Total::new();
        for strip in strips.values_mut() {
            let plays = strip.plays(grid);
            let was_there = strip.mix(chunk);
            if plays && !was_there {
                counters.absent_from_mix += 1;
            }
            // A mono strip was spread to both channels as it was decoded.
            total.add(Summand::Stereo(strip.mixed(chunk)));
        }
        self.next = Some(chunk.plus(1));
        self.sending = Some((chunk, MemberId(0)));
        Some(())
    }

    /// Works out one listener's mix of the last `count` chunks.
    fn fill(
        &mut self,
        last: ChunkIndex,
        count: ChunksPerDatagram,
        id: MemberId,
        member: &mut Member,
        strips: &BTreeMap<StripId, Strip>,
    ) {
        let first = last.plus(1 - count.count_i64());
        for (out, index) in self.chunks[..count.count()].iter_mut().zip(first.0..) {
            let chunk = ChunkIndex(index);
            let mut mix = self.totals[slot(chunk)].listener();
            for strip in strips.values().filter(|strip| strip.member == id) {
                mix.remove(Summand::Stereo(strip.mixed(chunk)));
            }
            for (strip, gain) in &mut member.gains {
                match strips.get(strip) {
                    Some(strip) if strip.member != id => {
                        mix.deviate(Summand::Stereo(strip.mixed(chunk)), gain);
                    }
                    Some(_) | None => {}
                }
            }
            mix.write(out);
        }
        member.forget_unity();
    }
}

fn wants_mix(member: &Member) -> bool {
    member.is_present && member.profile.play == PlayMode::Mix
}

fn wait<'a>(strips: impl Iterator<Item = &'a Strip>) -> Frames {
    let frames = strips.map(Strip::lateness_frames).fold(0.0, f64::max) + MARGIN_FRAMES;
    Frames(convert::i64_round(frames.clamp(0.0, WAIT_MAX.f64())))
}
