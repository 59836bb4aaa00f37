//! What the tests share: the built plugin in either host, and a signal to pass through it.

use std::path::PathBuf;

use lockstep_hosts::block::{
    Automation, Block, Input, Output, ParameterId, Placement, Sent, Stereo, Transport,
};
use lockstep_hosts::clap::{Activation, ClapHost, Plugin, Processor};
use lockstep_hosts::location;
use lockstep_hosts::vst3::{Mode, Setup, Vst3Host};
use lockstep_hosts::{clap, vst3};

/// Outputs of the multi-out shapes.
pub(crate) const OUTPUTS: usize = 9;
/// The VST3 class for any track.
pub(crate) const STEREO_CLASS: &str = "Lockstep";
/// The VST3 class with an output for each strip.
pub(crate) const MULTI_OUT_CLASS: &str = "Lockstep Multi-Out";

/// Parameters of either format, as a musician reads them.
pub(crate) const PARAMETERS: [&str; 13] = [
    "Sync Delay",
    "Monitor",
    "Mute Send",
    "Mute Receive",
    "Room Mode",
    "Sync Mode",
    "Grid Unit",
    "Transport Role",
    "Clock Offset",
    "Bypass",
    "Jitter",
    "Fixed Jitter",
    "Format",
];

/// What an output holds before a block, to see what was written.
pub(crate) const UNTOUCHED: f32 = 7.0;

/// The built plugin's file.
pub(crate) fn plugin_file() -> PathBuf {
    location::built_plugin().unwrap_or_else(|missing| panic!("{missing}"))
}

/// A new CLAP instance.
pub(crate) fn clap_plugin() -> Plugin {
    ClapHost::load(&plugin_file()).and_then(|host| host.instantiate_first()).unwrap()
}

/// A new VST3 instance of the class called `name`.
pub(crate) fn vst3_plugin(name: &str) -> vst3::Plugin {
    Vst3Host::load(&plugin_file()).and_then(|host| host.create(name)).unwrap()
}

/// The usual way to be driven: 48 kHz, blocks of up to `frames_max`.
pub(crate) const fn activation(frames_max: u32) -> Activation {
    Activation { sample_rate: 48_000.0, frames_min: 1, frames_max }
}

/// The same for VST3.
pub(crate) const fn setup(frames_max: u32) -> Setup {
    Setup { sample_rate: 48_000.0, frames_max, mode: Mode::Realtime }
}

/// An active instance of either format.
pub(crate) trait Processes {
    /// Processes one block, and returns what the plugin sent.
    fn process_block(&mut self, block: &mut Block<'_>) -> &[Sent];
}

impl Processes for Processor {
    fn process_block(&mut self, block: &mut Block<'_>) -> &[Sent] {
        self.process(block).unwrap();
        self.sent()
    }
}

impl Processes for vst3::Plugin {
    fn process_block(&mut self, block: &mut Block<'_>) -> &[Sent] {
        self.process(block).unwrap();
        self.sent()
    }
}

/// A signal that differs in every frame and channel, the same for every run: white, at most 0.5.
#[derive(Clone, Debug)]
pub(crate) struct Noise(u32);

impl Noise {
    pub(crate) const fn new(seed: u32) -> Self {
        Self(seed)
    }

    /// The next `frames` frames.
    pub(crate) fn stereo(&mut self, frames: usize) -> Stereo {
        let mut channel = || (0..frames).map(|_| self.sample()).collect();
        Stereo { left: channel(), right: channel() }
    }

    fn sample(&mut self) -> f32 {
        // A linear congruential generator; its upper 16 bits are exact in a float.
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let [_, _, low, high] = self.0.to_le_bytes();
        f32::from(i16::from_le_bytes([low, high])) / 65_536.0
    }
}

/// `count` connected outputs that nothing has written to.
pub(crate) fn connected(count: usize, frames: usize) -> Vec<Output> {
    vec![Output::Connected(Stereo::filled(frames, UNTOUCHED)); count]
}

/// Processes a block of noise and asserts that it comes out of the main output as it was, and that every other
/// connected output is silent.
pub(crate) fn assert_passes(
    instance: &mut impl Processes,
    noise: &mut Noise,
    outputs: &mut [Output],
    frames: usize,
) {
    assert_passes_as(instance, noise, outputs, frames, Placement::Separate, None);
}

/// The same with the input placed and the transport as given.
pub(crate) fn assert_passes_as(
    instance: &mut impl Processes,
    noise: &mut Noise,
    outputs: &mut [Output],
    frames: usize,
    placement: Placement,
    transport: Option<Transport>,
) {
    let input = noise.stereo(frames);
    let mut block = Block::new([&input.left, &input.right], outputs);
    block.placement = placement;
    block.transport = transport;
    instance.process_block(&mut block);
    for (index, output) in outputs.iter().enumerate() {
        let Some(stereo) = output.stereo() else {
            continue;
        };
        let (left, right) = (&stereo.left[..frames], &stereo.right[..frames]);
        if index == 0 {
            assert!(left == input.left && right == input.right, "the main output differs, {frames} frames");
        } else {
            assert!(left.iter().chain(right).all(|sample| *sample == 0.0), "output {index} is not silent");
        }
        let beyond = stereo.left[frames..].iter().chain(&stereo.right[frames..]);
        assert!(
            beyond.into_iter().all(|sample| *sample == UNTOUCHED),
            "output {index} was written beyond the block"
        );
    }
}

/// One point of automation as a block's input.
pub(crate) const fn point(offset: u32, parameter: ParameterId, value: f64) -> Input {
    Input::Automation(Automation { offset, parameter, value })
}

/// Processes `blocks` blocks of a constant input of 1, the first with `inputs`, and returns the main output's left
/// channel.
pub(crate) fn constant_through(
    instance: &mut impl Processes,
    inputs: &[Input],
    blocks: usize,
    frames: usize,
) -> Vec<f32> {
    let input = vec![1.0; frames];
    let mut heard = Vec::new();
    for index in 0..blocks {
        let mut outputs = connected(1, frames);
        let mut block = Block::new([&input, &input], &mut outputs);
        block.inputs = if index == 0 { inputs } else { &[] };
        instance.process_block(&mut block);
        heard.extend(&outputs[0].stereo().unwrap().left);
    }
    heard
}

/// The value that the plugin reads in `text` for the parameter called `name`.
pub(crate) fn clap_value(plugin: &mut Plugin, name: &str, text: &str) -> (ParameterId, f64) {
    let parameter = plugin.parameter(name).unwrap();
    (parameter.id, plugin.text_to_value(parameter.id, text).unwrap())
}

/// The names of CLAP parameters.
pub(crate) fn names(parameters: &[clap::Parameter]) -> Vec<&str> {
    parameters.iter().map(|parameter| parameter.name.as_str()).collect()
}
