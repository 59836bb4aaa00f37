//! What of the past the receiver must have.

/// When something was said: the packet, and the place in it. Later is larger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stamp(u64);

/// How far the receiver is known to have one part of the journal.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Coverage {
    /// The journal tells what was said in this packet and later.
    first: u64,
    /// A bit for each of the latest 64 packets, the latest lowest: whether it told all of that.
    whole: u64,
    /// Every packet from this one on told all of it.
    whole_since: u64,
}

/// Whether a packet tells all of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Whole,
    Partly,
}

const PLACE_BITS: u32 = 16;

impl Stamp {
    pub(super) const NEVER: Self = Self(0);

    pub(super) fn new(packet: u64, place: u16) -> Self {
        Self((packet + 1) << PLACE_BITS | u64::from(place))
    }

    /// Whether it was said in `packet` or later.
    pub(super) const fn since(self, packet: u64) -> bool {
        self.0 >= (packet + 1) << PLACE_BITS
    }

    /// The packet, if it was ever said.
    pub(super) const fn packet(self) -> Option<u64> {
        (self.0 >> PLACE_BITS).checked_sub(1)
    }
}

impl Coverage {
    pub(super) const fn first(&self) -> u64 {
        self.first
    }

    /// Nothing that was said before `packet` is told any more.
    pub(super) fn raise(&mut self, packet: u64) {
        self.first = self.first.max(packet);
    }

    /// The packet `sequence` is made, `gap` after the one before.
    pub(super) const fn told(&mut self, sequence: u64, gap: u64, told: Told) {
        if gap != 1 {
            // Packets without a journal told nothing.
            self.whole_since = sequence;
        }
        self.whole = if gap < 64 { self.whole << gap } else { 0 };
        match told {
            Told::Whole => self.whole |= 1,
            Told::Partly => self.whole_since = sequence + 1,
        }
    }

    /// Whether a receiver that has `highest` has this, if `latest` is the latest packet.
    pub(super) const fn holds(&self, highest: u64, latest: u64) -> bool {
        let back = latest.saturating_sub(highest);
        if back < 64 { self.whole >> back & 1 == 1 } else { highest >= self.whole_since }
    }
}
