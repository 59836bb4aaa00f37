//! What a stream of messages has led to: the common ground of [`History`](super::History) and
//! [`Recovery`](super::Recovery), and what tests compare.
//!
//! Sizes are bounded: tables of 128, and at most [`PARAMETERS_MAX`] parameters a channel.

mod channel;
mod parameter;
mod sequencer;
mod system;
#[cfg(test)]
mod tests;
mod time_code;

use crate::midi::message::{Channel, Message, System};

pub use channel::{ChannelState, NoteState};
pub use parameter::{PARAMETERS_MAX, Parameter, ParameterKey, Selection};
pub use sequencer::SequencerState;
pub use system::SystemState;
pub use time_code::TimeCodeState;

pub(super) use channel::{
    BANK_LSB, BANK_MSB, DATA_LSB, DATA_MSB, DECREMENT, INCREMENT, MODES, PEDALS, RESET_BY_RESET,
    RESET_CONTROLLERS, Touched, ends_notes, is_on,
};
pub(super) use system::{TouchedSystem, full_frame};

/// Everything that messages have led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Of each channel.
    pub channels: Box<[ChannelState; Channel::COUNT]>,
    /// Of what is not of one channel.
    pub system: SystemState,
}

/// What a message has changed, or said again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TouchedState {
    Channel(Channel, Touched),
    System(TouchedSystem),
}

impl Default for State {
    fn default() -> Self {
        Self {
            channels: Box::new([const { ChannelState::NEW }; Channel::COUNT]),
            system: SystemState::default(),
        }
    }
}

impl State {
    /// Takes the next message.
    pub fn apply(&mut self, message: &Message) {
        self.touch(message);
    }

    /// Takes the next message and says what it changed, or said again.
    pub(super) fn touch(&mut self, message: &Message) -> TouchedState {
        match message {
            Message::Voice(channel, voice) => {
                TouchedState::Channel(*channel, self.channels[usize::from(channel.index())].touch(*voice))
            }
            Message::System(system) => {
                if *system == System::Reset {
                    self.channels.fill(ChannelState::NEW);
                }
                TouchedState::System(self.system.say(*system))
            }
            Message::Realtime(event) => {
                self.system.sequencer.apply(*event);
                TouchedState::System(TouchedSystem::Sequencer)
            }
            Message::Exclusive(exclusive) => TouchedState::System(self.system.say_exclusive(exclusive)),
        }
    }

    /// How many keys are down: strikes that await their release count once each.
    #[must_use]
    pub fn sounding(&self) -> u32 {
        self.channels.iter().flat_map(|channel| &channel.notes).map(|note| u32::from(note.count)).sum()
    }
}
