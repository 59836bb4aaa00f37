//! Memory for the ports that a host left unconnected.

use crate::engine::{BLOCK_FRAMES_MAX, STRIP_OUTPUTS};

/// The most output ports an edition has: the main one and one for each strip.
pub(super) const PORTS_MAX: usize = STRIP_OUTPUTS + 1;

/// Silence to read and scratch to write, one of each for every declared channel.
#[derive(Debug, Default)]
pub(super) struct Padding {
    frames: usize,
    silence: Vec<f32>,
    scratch: Vec<[Vec<f32>; 2]>,
}

impl Padding {
    /// Padding for `ports` stereo outputs and blocks of `frames`. Never shorter than [`BLOCK_FRAMES_MAX`]: hosts have
    /// been seen to exceed what they announced.
    pub(super) fn new(ports: usize, frames: usize) -> Self {
        let frames = frames.max(BLOCK_FRAMES_MAX);
        let channel = vec![0.0; frames];
        Self { frames, silence: channel.clone(), scratch: vec![[channel.clone(), channel]; ports] }
    }

    /// The longest block that it serves; zero before activation.
    pub(super) const fn frames(&self) -> usize {
        self.frames
    }

    /// A channel to read from. Nothing writes to it.
    pub(super) fn silence(&mut self) -> *mut f32 {
        self.silence.as_mut_ptr()
    }

    /// A channel of a declared output port to write to; each has its own memory, because the slices made of them are
    /// exclusive.
    ///
    /// Real-time: yes. Bound: constant.
    pub(super) fn scratch(&mut self, port: usize, channel: usize) -> *mut f32 {
        self.scratch[port][channel].as_mut_ptr()
    }
}
