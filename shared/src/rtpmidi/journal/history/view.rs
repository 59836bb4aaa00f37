//! What the journal of one packet is to tell.

use crate::midi::message::Channel;

use super::super::Chapter;
use super::super::wire::{Freshness, Rendering};
use super::coverage::{Coverage, Stamp};

/// What the journal of one packet is to tell.
pub(super) struct View<'a> {
    /// The packet that the journal is for.
    pub(super) sequence: u64,
    /// By [`unit`].
    pub(super) coverage: &'a [Coverage; UNITS],
}

/// Each chapter of each channel and of the system: what is told whole or not.
pub(super) const UNITS: usize = Channel::COUNT * Chapter::OF_CHANNELS + Chapter::OF_SYSTEM;

/// A strike this many packets old is not to be played by a receiver that missed it. The receiver judges by time as
/// well.
const FRESH_PACKETS: u64 = 32;

impl View<'_> {
    /// The first packet of which `chapter` of `channel` is told.
    pub(super) fn first(&self, channel: Channel, chapter: Chapter) -> u64 {
        self.coverage[unit(channel, chapter)].first()
    }

    /// Whether the packet just before said it.
    pub(super) const fn freshness(&self, stamp: Stamp) -> Freshness {
        match stamp.packet() {
            Some(packet) if packet + 1 >= self.sequence => Freshness::News,
            _ => Freshness::Known,
        }
    }

    pub(super) const fn rendering(&self, stamp: Stamp) -> Rendering {
        if stamp.since(self.sequence.saturating_sub(FRESH_PACKETS)) {
            Rendering::Play
        } else {
            Rendering::Skip
        }
    }
}

/// The place of a chapter of a channel, or of one of the system, where the channel says nothing.
pub(super) fn unit(channel: Channel, chapter: Chapter) -> usize {
    match chapter.rank().checked_sub(Chapter::OF_CHANNELS) {
        None => usize::from(channel.index()) * Chapter::OF_CHANNELS + chapter.rank(),
        Some(rank) => Channel::COUNT * Chapter::OF_CHANNELS + rank,
    }
}

/// Of what is made of `parts`.
pub(super) fn freshness_of(parts: impl IntoIterator<Item = Freshness>) -> Freshness {
    parts.into_iter().fold(Freshness::Known, Freshness::and)
}
