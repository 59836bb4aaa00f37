//! An active instance with what it plays and what came out of it.

use lockstep_hosts::block::{Block, Input, Output, Sent, Stereo};
use lockstep_shared::midi::message::Message;

use super::piece::{Piece, WINDOW};
use crate::support::{OUTPUTS, Processes, connected};

/// Which outputs a host connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outlets {
    /// The main one.
    Main,
    /// The main one and the strips.
    All,
}

/// What a [`super::Pace`] drives.
pub(super) trait Plays {
    /// Processes one block.
    fn play_block(&mut self);

    /// Whether the others were heard in the main output just now.
    fn hears(&self) -> bool;
}

/// An active instance in a host.
pub(super) struct Player<I> {
    /// The instance.
    pub(super) instance: I,
    /// What the next block is given beside audio.
    pub(super) inputs: Vec<Input>,
    /// The MIDI that it gave since the start.
    pub(super) given: Vec<Given>,
    piece: Piece,
    frames: usize,
    played: usize,
    outputs: Vec<Output>,
    heard: Vec<Stereo>,
}

/// A message of MIDI that an instance gave its host.
#[derive(Clone, Debug)]
pub(super) struct Given {
    /// The frame of the player at which it lies.
    pub(super) frame: usize,
    /// The message.
    pub(super) sent: Sent,
}

impl Given {
    /// Its bytes, without CLAP's padding.
    pub(super) fn bytes(&self) -> Vec<u8> {
        match &self.sent {
            Sent::SystemExclusive { bytes, .. } => bytes.clone(),
            Sent::Midi { bytes, .. } => {
                let length = (1..=3).find(|length| Message::from_short(&bytes[..*length]).is_some());
                bytes[..length.unwrap_or(3)].to_vec()
            }
            Sent::Parameter(_) | Sent::Other { .. } => Vec::new(),
        }
    }
}

impl<I: Processes> Player<I> {
    /// Plays `piece` into `instance`, in blocks of `frames`.
    pub(super) fn new(instance: I, outlets: Outlets, frames: usize, piece: &Piece) -> Self {
        let count = match outlets {
            Outlets::Main => 1,
            Outlets::All => OUTPUTS,
        };
        Self {
            instance,
            inputs: Vec::new(),
            given: Vec::new(),
            piece: piece.clone(),
            frames,
            played: 0,
            outputs: connected(count, frames),
            heard: vec![Stereo::default(); count],
        }
    }

    /// What came out of an output since the start; of the main output, without the player's own track: nothing but
    /// zeros as long as the track passes through exactly.
    pub(super) fn heard(&self, output: usize) -> &Stereo {
        &self.heard[output]
    }

    /// Frames played so far.
    pub(super) const fn played(&self) -> usize {
        self.played
    }

    /// Forgets what was heard.
    pub(super) fn forget(&mut self) {
        self.heard.fill(Stereo::default());
    }

    /// Asserts that since the start, or since [`Self::forget`], the track came out bit for bit and nothing else did.
    pub(super) fn assert_undisturbed(&self) {
        for (output, heard) in self.heard.iter().enumerate() {
            assert!(heard.frames() > 0, "nothing was played");
            assert!(heard.peak() == 0.0, "output {output} has {} beside the track", heard.peak());
        }
    }
}

impl<I: Processes> Plays for Player<I> {
    fn play_block(&mut self) {
        let start = self.played;
        let loop_frames = self.piece.frames();
        let input = |channel: &[f32]| -> Vec<f32> {
            (start..start + self.frames).map(|frame| channel[frame % loop_frames]).collect()
        };
        let (left, right) = (input(&self.piece.stereo.left), input(&self.piece.stereo.right));
        let mut block = Block::new([&left, &right], &mut self.outputs);
        block.inputs = &self.inputs;
        let sent = self.instance.process_block(&mut block);
        let given =
            sent.iter().filter(|sent| matches!(sent, Sent::Midi { .. } | Sent::SystemExclusive { .. }));
        self.given.extend(given.map(|sent| {
            let offset = usize::try_from(sent.offset()).unwrap();
            Given { frame: start + offset, sent: sent.clone() }
        }));
        self.inputs.clear();
        self.played += self.frames;
        for (index, (output, heard)) in self.outputs.iter().zip(&mut self.heard).enumerate() {
            let Some(stereo) = output.stereo() else { continue };
            if index == 0 {
                heard.left.extend(stereo.left.iter().zip(&left).map(|(out, own)| out - own));
                heard.right.extend(stereo.right.iter().zip(&right).map(|(out, own)| out - own));
            } else {
                heard.left.extend(&stereo.left);
                heard.right.extend(&stereo.right);
            }
        }
    }

    fn hears(&self) -> bool {
        let Stereo { left, .. } = self.heard(0);
        let recent = &left[left.len().saturating_sub(WINDOW)..];
        recent.iter().filter(|sample| sample.abs() > 1e-3).count() > WINDOW / 2
    }
}
