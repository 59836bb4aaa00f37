//! Chapters N and E: keys that were struck or released.

use crate::midi::message::{Channel, U7, Voice};

use super::super::Chapter;
use super::super::wire::{Extra, NoteExtras, NoteLog, Notes, Rendering};
use super::player::{Player, Strikes};

/// What chapter E tells of one key.
#[derive(Clone, Copy, Default)]
struct Known {
    count: Option<u8>,
    release: Option<U7>,
}

/// How hard a key is struck that is released at once.
const SOFTEST: U7 = U7::low_bits(1);

impl Player<'_> {
    /// Releases first: a key may be freed for another.
    pub(super) fn repair_notes(&mut self, channel: Channel, notes: &Notes, extras: Option<&NoteExtras>) {
        let mut known = [Known::default(); 128];
        for log in extras.into_iter().flat_map(|extras| &extras.logs) {
            let known = &mut known[log.note.index()];
            match log.extra {
                Extra::Count(count) => known.count = Some(count.get()),
                Extra::Release(velocity) => known.release = Some(velocity),
            }
        }
        for note in (0..128).filter(|note| notes.released >> note & 1 == 1).map(U7::low_bits) {
            self.repair_released(channel, note, known[note.index()]);
        }
        for log in notes.logs.iter().filter(|log| log.velocity != U7::ZERO) {
            self.repair_struck(channel, *log, known[log.note.index()].count);
        }
    }

    /// The latest command was a release. Without a count nothing of the key is left.
    fn repair_released(&mut self, channel: Channel, note: U7, known: Known) {
        let target = known.count.unwrap_or(0);
        let state = self.channel(channel).notes[note.index()];
        let chapter = teller(known.count);
        let release = known.release.unwrap_or(U7::MIDDLE);
        if state.count > target {
            self.release(chapter, channel, note, state.count - target, release);
        } else if self.strikes == Strikes::Played && (state.count < target || state.velocity != U7::ZERO) {
            // As many strikes and one more, for the release.
            self.strike(chapter, channel, note, target - state.count + 1, SOFTEST);
            self.release(chapter, channel, note, 1, release);
        }
    }

    /// The latest command was a strike. Without a count there is at least one: not every sender counts.
    fn repair_struck(&mut self, channel: Channel, log: NoteLog, count: Option<u8>) {
        let state = self.channel(channel).notes[log.note.index()];
        let chapter = teller(count);
        let target = count.unwrap_or_else(|| state.count.max(1)).max(1);
        let fresh = log.rendering == Rendering::Play && self.strikes == Strikes::Played;
        if (state.count, state.velocity) == (target, log.velocity) {
            return;
        }
        if !fresh {
            self.release(chapter, channel, log.note, state.count.saturating_sub(target), U7::MIDDLE);
            return;
        }
        // One less than there should be, and the latest strike.
        self.release(chapter, channel, log.note, (state.count + 1).saturating_sub(target), U7::MIDDLE);
        let missing = target.saturating_sub(state.count).max(1);
        self.strike(chapter, channel, log.note, missing, log.velocity);
    }

    fn release(&mut self, chapter: Chapter, channel: Channel, note: U7, times: u8, velocity: U7) {
        for _ in 0..times {
            self.voice(chapter, channel, Voice::NoteOff { note, velocity });
        }
    }

    fn strike(&mut self, chapter: Chapter, channel: Channel, note: U7, times: u8, velocity: U7) {
        for _ in 0..times {
            self.voice(chapter, channel, Voice::NoteOn { note, velocity });
        }
    }
}

/// The chapter that told how often a key is down.
const fn teller(count: Option<u8>) -> Chapter {
    match count {
        Some(_) => Chapter::NoteExtras,
        None => Chapter::Notes,
    }
}
