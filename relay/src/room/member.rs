//! One member of a room, as the relay keeps it.

use std::collections::BTreeMap;

use lockstep_shared::dsp::Gain;
use lockstep_shared::redundancy::{Asked, Protection, Sent};
use lockstep_shared::session::SessionId;
use lockstep_shared::time::CHUNK_FRAMES;
use lockstep_shared::wire::midi::Decoder;
use lockstep_shared::wire::{Channels, ChunksPerDatagram, Format, Gains, Lead, Profile, RoomDelay, StripId};

/// A gain moves to its new value over one chunk.
const GAIN_FRAMES: usize = CHUNK_FRAMES;

#[derive(Debug)]
pub(super) struct Member {
    pub(super) session: SessionId,
    pub(super) is_present: bool,
    pub(super) profile: Profile,
    /// What it last wanted of the room's musical time.
    pub(super) lead: Option<Lead>,
    /// The least delay at which it can play everybody's beats together.
    pub(super) delay: RoomDelay,
    /// What it plays, as far as it has come.
    pub(super) midi: Decoder,
    /// What it asks of what it is sent.
    pub(super) asked: Asked,
    /// What it was asked of what it sends.
    pub(super) told: Asked,
    /// The size of the element that it sent last.
    pub(super) chunks: ChunksPerDatagram,
    /// Its mix as it was sent lately, once it has asked for copies.
    pub(super) mix_sent: Option<Box<Sent>>,
    /// Where the member's mix differs from everybody else's.
    pub(super) gains: BTreeMap<StripId, Gain>,
}

impl Member {
    pub(super) fn new(session: SessionId) -> Self {
        Self {
            session,
            is_present: true,
            profile: Profile::default(),
            lead: None,
            delay: RoomDelay::default(),
            midi: Decoder::default(),
            asked: Asked::default(),
            told: Asked::default(),
            chunks: ChunksPerDatagram::One,
            mix_sent: None,
            gains: BTreeMap::new(),
        }
    }

    /// How many chunks one datagram of its mix carries, with the copies that it asks for.
    pub(super) fn mix_chunks(&self) -> ChunksPerDatagram {
        let Profile { mix_chunks, mix_format, .. } = self.profile;
        mix_chunks.fitting(mix_format, Channels::Stereo, self.asked.protection.copies.into())
    }

    /// How what it is sent is to be protected.
    pub(super) fn set_asked(&mut self, asked: Asked) {
        self.asked = asked;
        self.mix_sent =
            (asked.protection != Protection::NONE).then(|| self.mix_sent.take().unwrap_or_default());
    }

    /// Gains that are gone move back to one; [`Member::forget_unity`] drops them once they are there.
    pub(super) fn set_gains(&mut self, wanted: &Gains) {
        for gain in self.gains.values_mut() {
            gain.set(1.0, GAIN_FRAMES);
        }
        for &(strip, gain) in &wanted.gains {
            self.gains.entry(strip).or_insert_with(|| Gain::new(1.0)).set(gain, GAIN_FRAMES);
        }
    }

    pub(super) fn forget_unity(&mut self) {
        self.gains.retain(|_, gain| gain.holding() != Some(1.0));
    }

    pub(super) const fn mix_format(&self) -> Format {
        self.profile.mix_format
    }
}
