//! Plays repairs: into the list, through the state, into the counts.

use crate::midi::message::{Channel, Message, U7, Voice};

use super::super::state::{ChannelState, State};
use super::super::wire::Freshness;
use super::super::{Chapter, Repair};
use super::{Loss, Repaired};

/// One journal being played.
pub(super) struct Player<'a> {
    pub(super) state: &'a mut State,
    pub(super) counts: &'a mut ControlCounts,
    pub(super) repaired: &'a mut Repaired,
    pub(super) repairs: &'a mut Vec<Repair>,
    /// Messages that may still be played.
    pub(super) left: usize,
    pub(super) loss: Loss,
    pub(super) strikes: Strikes,
}

/// Whether lost strikes are fresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strikes {
    Played,
    TooLate,
}

/// How often each controller of each channel was commanded, modulo 64: what the count tool tells.
#[derive(Clone, Debug)]
pub(super) struct ControlCounts(Box<[[u8; 128]; Channel::COUNT]>);

/// The most messages that one journal may ask for: an honest one of 1,200 bytes asks for some hundreds.
pub(super) const REPAIRS_MAX: usize = 16_384;

impl Player<'_> {
    pub(super) fn play(&mut self, chapter: Chapter, message: Message) {
        if self.left == 0 {
            return;
        }
        self.left -= 1;
        self.counts.note(&message);
        self.state.apply(&message);
        self.repaired.0[chapter.rank()] += 1;
        self.repairs.push(Repair { message, chapter });
    }

    pub(super) fn voice(&mut self, chapter: Chapter, channel: Channel, voice: Voice) {
        self.play(chapter, Message::Voice(channel, voice));
    }

    pub(super) fn control(&mut self, chapter: Chapter, channel: Channel, number: U7, value: U7) {
        self.voice(chapter, channel, Voice::Control { number, value });
    }

    pub(super) fn channel(&self, channel: Channel) -> &ChannelState {
        &self.state.channels[usize::from(channel.index())]
    }

    pub(super) fn channel_mut(&mut self, channel: Channel) -> &mut ChannelState {
        &mut self.state.channels[usize::from(channel.index())]
    }

    /// Whether something was certainly among what was lost.
    pub(super) fn certainly_lost(&self, freshness: Freshness) -> bool {
        self.loss == Loss::One && freshness == Freshness::News
    }
}

impl ControlCounts {
    pub(super) fn note(&mut self, message: &Message) {
        match message {
            Message::Voice(channel, Voice::Control { number, .. }) => {
                let count = self.count_mut(*channel, *number);
                *count = (*count + 1) % 64;
            }
            Message::Voice(..) | Message::Realtime(_) | Message::System(_) | Message::Exclusive(_) => {}
        }
    }

    pub(super) fn count_mut(&mut self, channel: Channel, number: U7) -> &mut u8 {
        &mut self.0[usize::from(channel.index())][number.index()]
    }
}

impl Default for ControlCounts {
    fn default() -> Self {
        Self(Box::new([[0; 128]; Channel::COUNT]))
    }
}
