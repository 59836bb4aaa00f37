//! One member of a room, as the relay keeps it.

use std::collections::BTreeMap;

use lockstep_shared::dsp::Gain;
use lockstep_shared::session::SessionId;
use lockstep_shared::time::CHUNK_FRAMES;
use lockstep_shared::wire::midi::Decoder;
use lockstep_shared::wire::{Channels, Format, Gains, Lead, Profile, RoomDelay, StripId};

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
            gains: BTreeMap::new(),
        }
    }

    pub(super) fn set_profile(&mut self, profile: Profile) {
        let mix_chunks = profile.mix_chunks.fitting(profile.mix_format, Channels::Stereo);
        self.profile = Profile { mix_chunks, ..profile };
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
