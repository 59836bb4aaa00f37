//! A player who repeats what the others play: MIDI that the plugin gives goes back into it, a block later and on the next
//! channel.

use lockstep_hosts::block::{Input, Sent};

/// Whether anybody repeats, and what is to be repeated.
pub(crate) enum Echo {
    /// Nobody does.
    Off,
    /// What the next block is given.
    On(Vec<Input>),
}

impl Echo {
    /// What the next block is given.
    pub(crate) fn inputs(&self) -> &[Input] {
        match self {
            Self::Off => &[],
            Self::On(inputs) => inputs,
        }
    }

    /// Takes what the plugin gave in this block.
    ///
    /// Real-time: no: the list may grow.
    pub(crate) fn hear(&mut self, sent: &[Sent]) {
        if let Self::On(inputs) = self {
            inputs.clear();
            inputs.extend(sent.iter().filter_map(repeated));
        }
    }
}

fn repeated(sent: &Sent) -> Option<Input> {
    match sent {
        Sent::Midi { offset, bytes: [status @ 0x80..=0xEF, data @ ..] } => {
            let status = status & 0xF0 | (status + 1) & 0x0F;
            Some(Input::Midi { offset: *offset, bytes: [status, data[0], data[1]] })
        }
        Sent::Midi { offset, bytes } => Some(Input::Midi { offset: *offset, bytes: *bytes }),
        Sent::SystemExclusive { offset, bytes } => {
            Some(Input::SystemExclusive { offset: *offset, bytes: bytes.as_slice().into() })
        }
        Sent::Parameter(_) | Sent::Other { .. } => None,
    }
}
