//! What a sender has said, and the journal that says it again.
//!
//! A table of stamps beside the [`State`](super::state::State): when each key, controller, parameter was last touched.
//! The journal of a packet is made of the state and of the stamps that the receiver is not known to have, so its size is
//! bounded by the state and not by time.
//!
//! Each chapter of each channel has its own [`Coverage`]: an acknowledged packet covers what *it told*, and it may not
//! have had room for all. When the limit is reached, in this order:
//!
//! 1. What has been told for 1,024, 256, 64, at last 24 packets is told no more, as if acknowledged.
//! 2. Chapters wait, the least important first: X V D F Q, then M E A T P W C N. Of equals, that which was told in the
//!    latest packet waits, so that all take turns. A chapter that waits is told later, as long as it is not older than
//!    step 1 allows.
//!
//! Deviations from RFC 6295, each a choice that it leaves to senders or that adds to what it asks: what a Reset All
//! Controllers undid is told by the reset alone; chapter M uses the value tool; chapter C tells pedals by value *and*
//! toggle, and modes by count and, if it is not 0, by value; a system exclusive that resets a synthesizer (GM On) is an
//! exclusive message like others and does not end what came before.

mod channel;
mod controllers;
mod coverage;
mod fit;
mod keys;
mod system;
#[cfg(test)]
mod tests;
mod view;

use crate::midi::message::{Channel, Message};

use super::Chapter;
use super::state::{State, TouchedState, TouchedSystem};
use super::wire::Journal;
use channel::ChannelHistory;
use coverage::{Coverage, Stamp};
use system::SystemHistory;
use view::{UNITS, View, freshness_of, unit};

/// How far back the journal reaches (RFC 6295, C.2.2.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Checkpoint {
    /// To what the receiver has acknowledged.
    #[default]
    ClosedLoop,
    /// Over this many packets, whatever the receiver says.
    OpenLoop {
        /// How many.
        packets: u16,
    },
    /// To the beginning.
    Anchor,
}

/// What became of an acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acknowledged {
    /// The journal begins later now.
    Moved,
    /// It says what was known, or something that cannot be.
    Ignored,
}

/// What was written into one packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// The journal's bytes; none if there is nothing to say and the packet carries no journal.
    pub bytes: usize,
    /// Chapters, of all channels, that had something to say and room for none or not all of it.
    pub left_out: u32,
    /// The most important of those.
    pub most_important: Option<Chapter>,
}

/// What one sender has said in one session. Bound: 16 channels of about 6 KiB of stamps, the
/// [`State`](super::state::State), and 16 exclusive messages of at most 512 bytes.
#[derive(Clone, Debug)]
pub struct History {
    policy: Checkpoint,
    state: State,
    channels: Vec<ChannelHistory>,
    system: SystemHistory,
    coverage: Box<[Coverage; UNITS]>,
    /// The first packet that is not known to have arrived; nothing before the first packet.
    checkpoint: Option<u64>,
    /// The latest packet that was written, and the latest that was spoken of.
    written: Option<u64>,
    latest: u64,
    /// Messages of the latest packet.
    place: u16,
}

/// Acknowledgements of packets further back than this are of another time.
const ACKNOWLEDGED_PACKETS_BACK_MAX: u64 = 8_192;

impl History {
    /// A sender that has said nothing.
    #[must_use]
    pub fn new(policy: Checkpoint) -> Self {
        Self {
            policy,
            state: State::default(),
            channels: vec![ChannelHistory::default(); Channel::COUNT],
            system: SystemHistory::default(),
            coverage: Box::new([Coverage::default(); UNITS]),
            checkpoint: None,
            written: None,
            latest: 0,
            place: 0,
        }
    }

    /// The packet with the extended sequence number `sequence` carries `message`. Numbers never fall. A packet's journal
    /// is [written](Self::write) *before* what it carries is recorded.
    pub fn record(&mut self, sequence: u64, message: &Message) {
        self.begin(sequence);
        self.place = self.place.saturating_add(1);
        let stamp = Stamp::new(sequence, self.place);
        match (self.state.touch(message), message) {
            (TouchedState::Channel(channel, touched), Message::Voice(_, voice)) => {
                let place = usize::from(channel.index());
                self.channels[place].record(*voice, touched, &self.state.channels[place], stamp);
            }
            (TouchedState::Channel(..), _) => {}
            (TouchedState::System(touched), _) => {
                if touched == TouchedSystem::Reset {
                    self.channels.fill(ChannelHistory::default());
                }
                self.system.record(message, touched, &self.state.system, stamp);
            }
        }
    }

    /// The receiver says that `highest` is the highest sequence number that it has received. Believed only if it lies
    /// between the checkpoint and the latest packet. 0 never is: peers send it who know nothing, and the next one will
    /// do.
    pub fn acknowledge(&mut self, highest: u16) -> Acknowledged {
        let (Some(checkpoint), Some(written), Checkpoint::ClosedLoop) =
            (self.checkpoint, self.written, self.policy)
        else {
            return Acknowledged::Ignored;
        };
        let [low, high, ..] = self.latest.to_le_bytes();
        let back = u64::from(u16::from_le_bytes([low, high]).wrapping_sub(highest));
        let Some(highest) = self.latest.checked_sub(back).filter(|_| highest != 0) else {
            return Acknowledged::Ignored;
        };
        if highest < checkpoint || highest > written || back > ACKNOWLEDGED_PACKETS_BACK_MAX {
            return Acknowledged::Ignored;
        }
        self.checkpoint = Some(highest + 1);
        // Resets undo what other chapters tell: those hold only together with the chapter of the resets.
        let holds = |coverage: &[Coverage; UNITS], unit: usize| coverage[unit].holds(highest, written);
        if !holds(&self.coverage, unit(Channel::default(), Chapter::Simple)) {
            return Acknowledged::Moved;
        }
        self.system.acknowledge(highest, written);
        for channel in Channel::all() {
            if holds(&self.coverage, unit(channel, Chapter::Controllers)) {
                for chapter in Chapter::ALL.into_iter().take(Chapter::OF_CHANNELS) {
                    let unit = unit(channel, chapter);
                    if holds(&self.coverage, unit) {
                        self.coverage[unit].raise(highest + 1);
                    }
                }
            }
        }
        for chapter in Chapter::ALL.into_iter().skip(Chapter::OF_CHANNELS) {
            let unit = unit(Channel::default(), chapter);
            if holds(&self.coverage, unit) {
                self.coverage[unit].raise(highest + 1);
            }
        }
        Acknowledged::Moved
    }

    /// Appends the journal of the packet `sequence`, at most `limit_bytes` long: what was recorded with lower numbers
    /// and the receiver is not known to have. Nothing is appended when there is nothing to say. To be called once for
    /// each packet, before what it carries is recorded.
    pub fn write(&mut self, sequence: u64, limit_bytes: usize, journal: &mut Vec<u8>) -> Written {
        self.begin(sequence);
        if let Checkpoint::OpenLoop { packets } = self.policy {
            self.raise(sequence.saturating_sub(packets.into()));
        }
        let written = self.fit(sequence, limit_bytes, journal);
        self.written = Some(sequence);
        written
    }

    /// What was said has led to this.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    fn begin(&mut self, sequence: u64) {
        self.checkpoint.get_or_insert(sequence);
        if sequence > self.latest {
            (self.latest, self.place) = (sequence, 0);
        }
    }

    /// Nothing from before `packet` is told any more.
    fn raise(&mut self, packet: u64) {
        for coverage in self.coverage.iter_mut() {
            coverage.raise(packet);
        }
        self.system.raise(packet);
        self.checkpoint = self.checkpoint.map(|checkpoint| checkpoint.max(packet));
    }

    /// Everything that the receiver is not known to have, and the chapters that had no room for all of it.
    fn draft(&mut self, sequence: u64, exclusive_bytes: usize) -> (Journal, Vec<(Channel, Chapter)>) {
        let view = View { sequence, coverage: &self.coverage };
        let mut partly = Vec::new();
        let mut channels = Vec::new();
        for (channel, (history, state)) in
            Channel::all().zip(self.channels.iter().zip(self.state.channels.iter()))
        {
            let mut chapters = Vec::new();
            channels.extend(history.journal(channel, state, &view, &mut chapters));
            partly.extend(chapters.into_iter().map(|chapter| (channel, chapter)));
        }
        let system = self.system.journal(&self.state.system, &view, exclusive_bytes);
        let [low, high, ..] = self.checkpoint.unwrap_or(sequence).to_le_bytes();
        let checkpoint = u16::from_le_bytes([low, high]);
        let journal = Journal { checkpoint, system, channels, ..Journal::default() };
        (journal, partly)
    }
}

/// Sets the S bits that follow from others: of the channels, the system and the whole.
fn seal(journal: &mut Journal) {
    for channel in &mut journal.channels {
        let notes = channel.notes.as_ref().map(|notes| {
            let logs = freshness_of(notes.logs.iter().map(|log| log.freshness));
            if notes.released == 0 { logs } else { logs.and(notes.freshness) }
        });
        let chapters = [
            channel.program.as_ref().map(|chapter| chapter.freshness),
            channel.controllers.as_ref().map(|chapter| chapter.freshness),
            channel.parameters.as_ref().map(|chapter| chapter.freshness),
            channel.wheel.as_ref().map(|chapter| chapter.freshness),
            notes,
            channel.extras.as_ref().map(|chapter| chapter.freshness),
            channel.pressing.as_ref().map(|chapter| chapter.freshness),
            channel.poly_pressures.as_ref().map(|chapter| chapter.freshness),
        ];
        channel.freshness = freshness_of(chapters.into_iter().flatten());
    }
    if let Some(system) = &mut journal.system {
        let chapters = [
            system.simple.as_ref().map(|chapter| chapter.freshness),
            system.active_sensing.as_ref().map(|chapter| chapter.freshness),
            system.sequencing.as_ref().map(|chapter| chapter.freshness),
            system.time_code.as_ref().map(|chapter| chapter.freshness),
            system.exclusives.as_ref().and_then(|chapter| chapter.logs.first()).map(|log| log.freshness),
        ];
        system.freshness = freshness_of(chapters.into_iter().flatten());
    }
    let system = journal.system.as_ref().map(|system| system.freshness);
    let channels = journal.channels.iter().map(|channel| channel.freshness);
    journal.freshness = freshness_of(channels.chain(system));
}
