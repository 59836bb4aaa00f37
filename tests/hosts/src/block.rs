//! What a host hands to a plugin for one block: ports, events, transport.

use std::sync::Arc;

/// One stereo buffer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stereo {
    /// The left channel.
    pub left: Vec<f32>,
    /// The right channel.
    pub right: Vec<f32>,
}

impl Stereo {
    /// Silence of `frames` frames.
    #[must_use]
    pub fn silent(frames: usize) -> Self {
        Self { left: vec![0.0; frames], right: vec![0.0; frames] }
    }

    /// Both channels filled with `value`, to find out afterwards what was written.
    #[must_use]
    pub fn filled(frames: usize, value: f32) -> Self {
        Self { left: vec![value; frames], right: vec![value; frames] }
    }

    /// Frames held.
    #[must_use]
    pub fn frames(&self) -> usize {
        self.left.len().min(self.right.len())
    }

    /// The largest absolute sample.
    #[must_use]
    pub fn peak(&self) -> f32 {
        self.left.iter().chain(&self.right).fold(0.0, |peak: f32, sample| peak.max(sample.abs()))
    }
}

/// One output as the host connects it. A DAW leaves out what the user has switched off in one of these ways.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// The plugin writes here.
    Connected(Stereo),
    /// Two channels, and null instead of the list of their pointers.
    NoList,
    /// Two channels, whose pointers are null.
    NoMemory,
    /// No channels.
    NoChannels,
}

impl Output {
    /// The buffer, if there is one.
    #[must_use]
    pub const fn stereo(&self) -> Option<&Stereo> {
        match self {
            Self::Connected(stereo) => Some(stereo),
            Self::NoList | Self::NoMemory | Self::NoChannels => None,
        }
    }
}

/// Where the host puts the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// In buffers of its own.
    Separate,
    /// In the main output's buffers, to be replaced: many DAWs do.
    InPlace,
}

/// One block to process.
#[derive(Debug)]
pub struct Block<'a> {
    /// The stereo input; its length is the block's.
    pub input: [&'a [f32]; 2],
    /// Where the plugin finds the input.
    pub placement: Placement,
    /// The outputs that the host passes, in order. Fewer than declared is what some hosts do; each one that is
    /// connected holds at least as many frames as the input.
    pub outputs: &'a mut [Output],
    /// Automation, MIDI and transport changes, sorted by offset.
    pub inputs: &'a [Input],
    /// The transport at the first frame.
    pub transport: Option<Transport>,
}

impl<'a> Block<'a> {
    /// A block with nothing but audio, in buffers of its own.
    #[must_use]
    pub const fn new(input: [&'a [f32]; 2], outputs: &'a mut [Output]) -> Self {
        Self { input, placement: Placement::Separate, outputs, inputs: &[], transport: None }
    }

    /// The input's channels as pointers, after the input is where `placement` says.
    ///
    /// # Panics
    /// If it is to be in place and the main output is not connected.
    pub(crate) fn place_input(&mut self, frames: usize) -> [*mut f32; 2] {
        match self.placement {
            Placement::Separate => self.input.map(|channel| channel.as_ptr().cast_mut()),
            Placement::InPlace => {
                let Some(Output::Connected(main)) = self.outputs.first_mut() else {
                    panic!("in place needs a main output");
                };
                main.left[..frames].copy_from_slice(self.input[0]);
                main.right[..frames].copy_from_slice(self.input[1]);
                [main.left.as_mut_ptr(), main.right.as_mut_ptr()]
            }
        }
    }
}

impl Block<'_> {
    /// Frames to process.
    ///
    /// # Panics
    /// If the channels of the input differ in length, or a connected output is shorter than the input.
    #[must_use]
    pub fn frames(&self) -> usize {
        let frames = self.input[0].len();
        assert_eq!(frames, self.input[1].len(), "the input's channels have one length");
        for output in self.outputs.iter().filter_map(Output::stereo) {
            assert!(output.frames() >= frames, "a connected output holds the whole block");
        }
        frames
    }
}

/// A parameter's identity, as the plugin's format defines it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ParameterId(pub u32);

/// One point of automation: from frame `offset` of the block on, the parameter is `value`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Automation {
    /// Frame in the block.
    pub offset: u32,
    /// Which parameter.
    pub parameter: ParameterId,
    /// Its value: plain for CLAP, 0 to 1 for VST3.
    pub value: f64,
}

/// What becomes of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stroke {
    /// It is struck.
    Struck,
    /// It is released.
    Released,
}

/// What a host sends into a block beside audio, sorted by offset.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A point of automation.
    Automation(Automation),
    /// A short MIDI message (CLAP only).
    Midi {
        /// Frame in the block.
        offset: u32,
        /// Status byte and data, padded with zeros.
        bytes: [u8; 3],
    },
    /// A system-exclusive message.
    SystemExclusive {
        /// Frame in the block.
        offset: u32,
        /// All of its bytes.
        bytes: Arc<[u8]>,
    },
    /// A note in the format's own words.
    Note {
        /// Frame in the block.
        offset: u32,
        /// What becomes of the key.
        stroke: Stroke,
        /// Which channel, from 0.
        channel: u8,
        /// Which key.
        key: u8,
        /// How fast, 0 to 1.
        velocity: f64,
    },
    /// The transport changes inside the block (CLAP only).
    Transport {
        /// Frame in the block.
        offset: u32,
        /// The transport from there on.
        transport: Transport,
    },
}

impl Input {
    /// The same at another frame of the block.
    #[must_use]
    pub const fn at(mut self, frame: u32) -> Self {
        match &mut self {
            Self::Automation(Automation { offset, .. })
            | Self::Midi { offset, .. }
            | Self::SystemExclusive { offset, .. }
            | Self::Note { offset, .. }
            | Self::Transport { offset, .. } => *offset = frame,
        }
        self
    }
}

/// What a plugin sent out of a block beside audio, in the order of sending.
#[derive(Clone, Debug, PartialEq)]
pub enum Sent {
    /// The plugin changed a parameter.
    Parameter(Automation),
    /// A short MIDI message.
    Midi {
        /// Frame in the block.
        offset: u32,
        /// Status byte and data.
        bytes: [u8; 3],
    },
    /// A system-exclusive message, copied.
    SystemExclusive {
        /// Frame in the block.
        offset: u32,
        /// All of its bytes.
        bytes: Vec<u8>,
    },
    /// Something else, by the format's type number.
    Other {
        /// Frame in the block.
        offset: u32,
        /// The format's number.
        kind: u16,
    },
}

impl Sent {
    /// Frame in the block.
    #[must_use]
    pub const fn offset(&self) -> u32 {
        match self {
            Self::Parameter(automation) => automation.offset,
            Self::Midi { offset, .. } | Self::SystemExclusive { offset, .. } | Self::Other { offset, .. } => {
                *offset
            }
        }
    }
}

/// What the DAW's transport does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Motion {
    /// Stands.
    #[default]
    Stopped,
    /// Plays.
    Playing,
    /// Plays and records.
    Recording,
}

/// A time signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeSignature {
    /// Beats in a bar.
    pub numerator: u16,
    /// The beat's note value.
    pub denominator: u16,
}

/// A loop, in quarter notes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LoopRange {
    /// Where it starts.
    pub start_quarters: f64,
    /// Where it ends.
    pub end_quarters: f64,
}

/// The DAW's transport at one frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Transport {
    /// Whether it moves.
    pub motion: Motion,
    /// Quarter notes a minute.
    pub tempo_bpm: f64,
    /// The time signature.
    pub time_signature: TimeSignature,
    /// Position in quarter notes.
    pub position_quarters: f64,
    /// Position in seconds.
    pub position_seconds: f64,
    /// The loop, if it is on.
    pub loop_range: Option<LoopRange>,
}

impl Transport {
    /// At the start of the song, stopped, in 4/4.
    #[must_use]
    pub const fn stopped(tempo_bpm: f64) -> Self {
        Self {
            motion: Motion::Stopped,
            tempo_bpm,
            time_signature: TimeSignature { numerator: 4, denominator: 4 },
            position_quarters: 0.0,
            position_seconds: 0.0,
            loop_range: None,
        }
    }

    /// Playing from the start of the song, in 4/4.
    #[must_use]
    pub const fn playing(tempo_bpm: f64) -> Self {
        let mut transport = Self::stopped(tempo_bpm);
        transport.motion = Motion::Playing;
        transport
    }

    /// Moves on by `seconds` if it moves, and jumps back at the end of a loop.
    #[must_use]
    pub fn after_seconds(mut self, seconds: f64) -> Self {
        match self.motion {
            Motion::Stopped => return self,
            Motion::Playing | Motion::Recording => {}
        }
        self.position_seconds += seconds;
        self.position_quarters += seconds * self.tempo_bpm / 60.0;
        if let Some(range) = self.loop_range {
            let length_quarters = range.end_quarters - range.start_quarters;
            while length_quarters > 0.0 && self.position_quarters >= range.end_quarters {
                self.position_quarters -= length_quarters;
                self.position_seconds -= length_quarters * 60.0 / self.tempo_bpm;
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stopped_transport_stays_where_it_is() {
        let transport = Transport::stopped(120.0);
        assert_eq!(transport.after_seconds(3.0), transport);
    }

    #[test]
    fn a_loop_jumps_back_by_its_length() {
        let mut transport = Transport::playing(120.0);
        transport.loop_range = Some(LoopRange { start_quarters: 1.0, end_quarters: 3.0 });
        let later = transport.after_seconds(1.75);
        assert!((later.position_quarters - 1.5).abs() < 1e-9, "{later:?}");
    }
}
