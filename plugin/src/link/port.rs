//! The link's side of one instance: its rings, and which strip each of its lanes plays.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use lockstep_shared::clock::RoomMap;
use lockstep_shared::conceal::{Foreseen, Foresight};
use lockstep_shared::dsp::{ChunkFrames, SILENT_CHUNK, Sinc};
use lockstep_shared::midi::message::{Held, Message};
use lockstep_shared::redundancy::Sent;
use lockstep_shared::time::{ChunkIndex, GridPosition, LocalTime, MusicalStamp, SampleRate};
use lockstep_shared::transport::Abilities;
use lockstep_shared::wire::{ChunksPerDatagram, StripId};

use super::musical::GuideNumber;
use crate::engine::Lane;
use crate::wiring::{
    ClockGuide, FORESEEN_LEAVES, LANES, LaneNumber, LinkEnd, Order, Received, ReceivedChunk, Remote,
    STRIP_LANES,
};

/// An instance, as the link's thread sees it.
#[derive(Debug)]
pub struct Port {
    pub(super) end: LinkEnd,
    pub(super) strip_name: String,
    /// The way to its host's transport.
    pub(super) remote: Arc<Remote>,
    sinc: Arc<Sinc>,
    lanes: [LaneState; LANES],
    /// What each lane that plays will need for chunks that do not come.
    foresights: [Option<Foresight>; LANES],
    /// The lane that is foreseen for next.
    foresees: usize,
    resync: Resync,
    /// The guide that the engine was given last.
    guided: GuideNumber,
    run: [ChunkFrames; 4],
    /// What of its strip was sent lately, for copies.
    pub(super) sent: Sent,
    /// What the engine has yet to be told.
    room_delay: Option<f64>,
    owes_midi_end: bool,
    /// What of this instance's MIDI the room believes to be held.
    pub(super) midi_told: Held,
}

/// What a lane does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LaneState {
    Free,
    Plays(StripId),
    /// Fading out; free once the engine hands it back.
    Closing,
}

/// A new grid: the lanes that play by the old one fade out first, then the engine forgets the old clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resync {
    /// The engine knows the grid, or none yet.
    Done,
    /// Lanes are fading out.
    Fading,
}

/// Consecutive chunks for one datagram.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) first: ChunkIndex,
    pub(super) chunks: ChunksPerDatagram,
    pub(super) stamp: Option<MusicalStamp>,
}

impl Port {
    /// The link's side of an instance whose host runs at `rate`.
    #[must_use]
    pub fn new(end: LinkEnd, strip_name: String, rate: SampleRate) -> Self {
        let from_grid = Sinc::for_ratio(SampleRate::GRID.hz_f64() / rate.hz_f64());
        Self {
            end,
            strip_name,
            remote: Arc::default(),
            sinc: Arc::new(from_grid),
            lanes: [LaneState::Free; LANES],
            foresights: [const { None }; LANES],
            foresees: 0,
            resync: Resync::Done,
            guided: GuideNumber::UNTOLD,
            run: [SILENT_CHUNK; 4],
            sent: Sent::default(),
            room_delay: None,
            owes_midi_end: false,
            midi_told: Held::default(),
        }
    }

    /// The same, with a way to the host's transport.
    #[must_use]
    pub fn reaching(self, remote: Arc<Remote>) -> Self {
        Self { remote, ..self }
    }

    /// What its host's transport can be asked.
    pub(super) fn abilities(&self) -> Abilities {
        self.remote.abilities()
    }

    /// Changes the name that the others see.
    pub(crate) fn rename(&mut self, strip_name: String) {
        self.strip_name = strip_name;
    }

    /// Tells the engine the room's clock. A map that finds the ring full is soon replaced by the next.
    pub(super) fn set_clock(&mut self, map: Option<RoomMap>) {
        if let Some(map) = map.filter(|_| self.resync == Resync::Done) {
            let _ = self.end.orders.push(Order::Clock(map));
        }
    }

    /// The delay of the Room mode, for the engine.
    pub(super) fn set_room_delay(&mut self, frames: f64) {
        self.room_delay = Some(frames);
        self.tell_room_delay();
    }

    /// Tells the engine what found the ring full before.
    pub(super) fn tell_room_delay(&mut self) {
        if let Some(frames) = self.room_delay
            && self.end.orders.push(Order::RoomDelay(frames)).is_ok()
        {
            self.room_delay = None;
        }
    }

    /// Has the engine end the MIDI that sounds.
    pub(super) fn end_midi(&mut self) {
        self.owes_midi_end = true;
        self.tell_midi_end();
    }

    /// Tells the engine so, if it found the ring full before.
    pub(super) fn tell_midi_end(&mut self) {
        if self.owes_midi_end && self.end.orders.push(Order::EndMidi).is_ok() {
            self.owes_midi_end = false;
        }
    }

    /// Hands a message of the room to the engine. One that finds no room is dropped; if it could have ended something,
    /// everything ends.
    pub(super) fn push_midi(&mut self, at: GridPosition, message: &Message) {
        let pushed = if let Message::Exclusive(exclusive) = message {
            self.end.midi_heard.push_exclusive(at, exclusive.content())
        } else {
            self.end.midi_heard.push(at, message)
        };
        if pushed.is_err() {
            self.end.gauges.midi.dropped.fetch_add(1, Ordering::Relaxed);
            if matches!(message, Message::Voice(_, voice) if voice.ends()) {
                self.end_midi();
            }
        }
    }

    /// Gives the engine's MIDI clock the guide of this number, unless it has it. One that finds the ring full is given
    /// at the next call.
    pub(super) fn guide(&mut self, number: GuideNumber, guide: impl FnOnce() -> ClockGuide) {
        if number != self.guided && self.end.guides.push(guide()).is_ok() {
            self.guided = number;
        }
    }

    /// The grid is a new one.
    pub(super) fn resync(&mut self) {
        self.resync = Resync::Fading;
        for number in 0..LANES {
            self.close(LaneNumber(number));
        }
    }

    /// Where the change to a new grid stands. `map` is the new clock, once it is known.
    pub(super) fn resync_state(&mut self, map: Option<RoomMap>) -> Resync {
        if self.resync == Resync::Fading
            && self.lanes.iter().all(|lane| *lane == LaneState::Free)
            && self.end.orders.push(Order::NoClock).is_ok()
        {
            self.resync = Resync::Done;
            self.set_clock(map);
        }
        self.resync
    }

    /// Takes back lanes that have faded out, and frees them; true if there were any.
    pub(super) fn collect_retired(&mut self) -> bool {
        let mut any = false;
        while let Ok((number, lane)) = self.end.retired.pop() {
            drop(lane);
            if let Some(state @ LaneState::Closing) = self.lanes.get_mut(number.0) {
                *state = LaneState::Free;
                any = true;
            }
        }
        any
    }

    /// Gives each of these strips a lane, the lowest that plays nothing, and keeps those that have one; closes the
    /// others. A strip waits while that lane fades out: a member that leaves and is back at once, as a DAW makes it by
    /// any change of its audio settings, shall come out where it did.
    pub(super) fn assign(&mut self, strips: &[StripId]) {
        for number in 0..STRIP_LANES {
            if let LaneState::Plays(strip) = self.lanes[number]
                && !strips.contains(&strip)
            {
                self.close(LaneNumber(number));
            }
        }
        for &strip in strips {
            if self.lane_of(strip).is_some() {
                continue;
            }
            let mut lanes = self.lanes[..STRIP_LANES].iter().enumerate();
            match lanes.find(|(_, lane)| !matches!(lane, LaneState::Plays(_))) {
                Some((number, LaneState::Free)) => self.open(LaneNumber(number), strip),
                Some(_) | None => break,
            }
        }
    }

    /// Opens or closes the lane of the mix.
    pub(super) fn set_mix(&mut self, wanted: Option<StripId>, number: LaneNumber) {
        match (wanted, self.lanes[number.0]) {
            (Some(strip), LaneState::Free) => self.open(number, strip),
            (None, LaneState::Plays(_)) => self.close(number),
            (Some(_), LaneState::Plays(_) | LaneState::Closing)
            | (None, LaneState::Free | LaneState::Closing) => {}
        }
    }

    fn open(&mut self, number: LaneNumber, strip: StripId) {
        if self.end.orders.push(Order::Open(number, Box::new(Lane::new(Arc::clone(&self.sinc))))).is_ok() {
            self.lanes[number.0] = LaneState::Plays(strip);
            self.foresights[number.0] = Some(Foresight::new());
            let gauges = &self.end.gauges.lanes[number.0];
            gauges.present.store(0, Ordering::Relaxed);
            gauges.concealed.store(0, Ordering::Relaxed);
            gauges.late.store(0, Ordering::Relaxed);
        }
    }

    fn close(&mut self, number: LaneNumber) {
        if matches!(self.lanes[number.0], LaneState::Plays(_))
            && self.end.orders.push(Order::Close(number)).is_ok()
        {
            self.lanes[number.0] = LaneState::Closing;
            self.foresights[number.0] = None;
        }
    }

    /// The lane that plays this strip.
    pub(super) fn lane_of(&self, strip: StripId) -> Option<LaneNumber> {
        self.lanes.iter().position(|lane| *lane == LaneState::Plays(strip)).map(LaneNumber)
    }

    /// Hands a chunk to the engine.
    pub(super) fn push(
        &mut self,
        lane: LaneNumber,
        index: ChunkIndex,
        frames: &ChunkFrames,
        arrived: LocalTime,
        stamp: Option<MusicalStamp>,
    ) {
        let content = Received::Arrived { frames: *frames, at: arrived, stamp };
        if self.end.received.push(ReceivedChunk { lane, index, content }).is_err() {
            self.end.gauges.received_dropped.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(foresight) = &mut self.foresights[lane.0] {
            foresight.insert(index, frames);
        }
    }

    /// Whether there is something to foresee.
    pub(super) fn has_to_foresee(&self) -> bool {
        self.foresights.iter().flatten().any(Foresight::has_work)
    }

    /// Works out what one lane will play where a chunk is missing, and hands it to the engine; the lanes take turns. What
    /// finds the ring filling up is left out: the chunks themselves come first.
    pub(super) fn foresee(&mut self) {
        let Self { end, foresights, foresees, .. } = self;
        for number in (*foresees..LANES).chain(0..*foresees) {
            let Some(foresight) = foresights[number].as_mut().filter(|foresight| foresight.has_work()) else {
                continue;
            };
            *foresees = (number + 1) % LANES;
            let mut push = |index, content| {
                if end.received.slots() > FORESEEN_LEAVES {
                    let lane = LaneNumber(number);
                    let _ = end.received.push(ReceivedChunk { lane, index, content });
                }
            };
            match foresight.work() {
                Some(Foreseen::Continuation(first, continuation)) => {
                    push(first, Received::Continuation(*continuation));
                }
                Some(Foreseen::Bridge(first, chunks)) => {
                    for (index, frames) in (first.0..).zip(chunks) {
                        push(ChunkIndex(index), Received::Bridge(*frames));
                    }
                }
                None => {}
            }
            return;
        }
    }

    /// The next consecutive chunks that were captured: as many as are there, up to `largest`, never waiting for
    /// more.
    pub(super) fn captured_run(
        &mut self,
        largest: ChunksPerDatagram,
    ) -> Option<(Run, &[ChunkFrames], &mut Sent)> {
        let ready = self.end.captured.slots().min(largest.count());
        let read = self.end.captured.read_chunk(ready).ok()?;
        let (front, back) = read.as_slices();
        let first = front.first().or_else(|| back.first()).copied()?;
        let consecutive =
            (0..).zip(front.iter().chain(back)).take_while(|(n, chunk)| chunk.index - first.index == *n);
        let chunks = match consecutive.count() {
            4.. => ChunksPerDatagram::Four,
            2 | 3 => ChunksPerDatagram::Two,
            _ => ChunksPerDatagram::One,
        };
        for (kept, chunk) in self.run[..chunks.count()].iter_mut().zip(front.iter().chain(back)) {
            *kept = chunk.frames;
        }
        read.commit(chunks.count());
        let run = Run { first: first.index, chunks, stamp: first.stamp };
        Some((run, &self.run[..chunks.count()], &mut self.sent))
    }

    /// Throws away what was captured: there is nobody to send it to.
    pub(super) fn discard_captured(&mut self) {
        while self.end.captured.pop().is_ok() {}
    }

    /// The host's block, in grid frames.
    pub(super) fn block_grid_frames(&self) -> u32 {
        self.end.gauges.block_grid_frames.load(Ordering::Relaxed)
    }

    /// Which strip each lane plays.
    pub(super) fn playing(&self) -> impl Iterator<Item = (LaneNumber, StripId)> + '_ {
        self.lanes.iter().enumerate().filter_map(|(number, lane)| match lane {
            LaneState::Plays(strip) => Some((LaneNumber(number), *strip)),
            LaneState::Free | LaneState::Closing => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wiring::wire;

    #[test]
    fn a_strip_that_comes_as_another_leaves_waits_for_its_lane() {
        let (mut audio, link) = wire();
        let mut port = Port::new(link, String::new(), SampleRate::GRID);
        let [leaves, stays, comes] = [1, 2, 3].map(StripId);
        port.assign(&[leaves, stays]);
        let Ok(Order::Open(number, lane)) = audio.orders.pop() else { panic!("no lane was opened") };
        port.assign(&[stays, comes]);
        assert_eq!(port.lane_of(comes), None, "the lane fades out");

        audio.retired.push((number, lane)).unwrap();
        assert!(port.collect_retired());
        port.assign(&[stays, comes]);
        assert_eq!(port.lane_of(comes), Some(LaneNumber(0)));
        assert_eq!(port.lane_of(stays), Some(LaneNumber(1)));
    }
}
