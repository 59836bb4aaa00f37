//! Chapters N and E.

use crate::midi::message::U7;

use super::super::state::ChannelState;
use super::super::wire::{Extra, ExtraLog, NoteExtras, NoteLog, Notes};
use super::channel::{ChannelHistory, oldest_first};
use super::coverage::Told;
use super::view::{View, freshness_of};

/// What LEN of chapter E reaches.
const EXTRAS_MAX: usize = 128;

impl ChannelHistory {
    pub(super) fn notes(&self, first: u64, state: &ChannelState, view: &View<'_>) -> Option<Notes> {
        let mut notes = Notes::default();
        for (stamp, note) in oldest_first(&self.notes, first) {
            let velocity = state.notes[note.index()].velocity;
            let freshness = view.freshness(stamp);
            if velocity == U7::ZERO {
                notes.released |= 1 << note.get();
                notes.freshness = notes.freshness.and(freshness);
            } else {
                notes.logs.push(NoteLog { freshness, note, rendering: view.rendering(stamp), velocity });
            }
        }
        (notes.released != 0 || !notes.logs.is_empty()).then_some(notes)
    }

    /// How often keys are down when the keys alone do not tell, and releases that somebody measured.
    pub(super) fn extras(
        &self,
        first: u64,
        state: &ChannelState,
        view: &View<'_>,
    ) -> (Option<NoteExtras>, Told) {
        let mut logs = Vec::new();
        for (stamp, note) in oldest_first(&self.notes, first) {
            let place = note.index();
            let struck = state.notes[place].velocity != U7::ZERO;
            let freshness = view.freshness(stamp);
            if self.overlaps[place].since(first) || state.notes[place].count != u8::from(struck) {
                let count = U7::low_bits(state.notes[place].count);
                logs.push(ExtraLog { freshness, note, extra: Extra::Count(count) });
            }
            if !struck && self.releases[place] != U7::MIDDLE {
                logs.push(ExtraLog { freshness, note, extra: Extra::Release(self.releases[place]) });
            }
        }
        let told = if logs.len() > EXTRAS_MAX { Told::Partly } else { Told::Whole };
        logs.drain(..logs.len().saturating_sub(EXTRAS_MAX));
        let freshness = freshness_of(logs.iter().map(|log| log.freshness));
        ((!logs.is_empty()).then_some(NoteExtras { freshness, logs }), told)
    }
}
