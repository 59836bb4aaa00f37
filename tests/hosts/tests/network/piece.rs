//! What is sent, and finding it again in what is heard.

use lockstep_hosts::block::Stereo;

use crate::support::Noise;

/// How long a piece is before it starts over, in seconds: longer than any delay here, so that delays are told apart.
const SECONDS: f64 = 0.5;
/// Frames that are compared. Unrelated noise of this length is alike by less than 0.3 at every place of a piece.
pub(super) const WINDOW: usize = 512;
/// How many windows are looked at, and how far they are apart: a second in all.
const WINDOWS: usize = 16;
const HOP: usize = 3_000;
/// From here on a piece counts as found. What tracks another clock loses some of the highest treble.
const ALIKE: f64 = 0.6;

/// A loop that is known.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub(super) stereo: Stereo,
}

/// Where a piece was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Found {
    /// The piece's frame that is heard at the start of the last window, as the last window that has the piece tells.
    pub(super) frame: usize,
    /// In how many of the windows.
    pub(super) windows: usize,
}

impl Piece {
    /// White noise; each seed gives another.
    pub(super) fn noise(seed: u32) -> Self {
        Self { stereo: Noise::new(seed).stereo(24_000) }
    }

    /// Noise without treble, which sounds alike at every sample rate.
    pub(super) fn rumble(seed: u32) -> Self {
        let white = Noise::new(seed).stereo(24_000);
        Self { stereo: Stereo { left: smooth(&white.left), right: smooth(&white.right) } }
    }

    /// Silence.
    pub(super) fn silence() -> Self {
        Self { stereo: Stereo::silent(1) }
    }

    /// The same sound for a host of another rate.
    pub(super) fn at_rate(&self, sample_rate: f64) -> Self {
        Self {
            stereo: Stereo {
                left: drawn(&self.stereo.left, sample_rate),
                right: drawn(&self.stereo.right, sample_rate),
            },
        }
    }

    /// Looks for the piece in windows of the last second of what was heard: not in one alone, for a busy machine may
    /// have interrupted the sound just there. Both channels must agree on the place.
    pub(super) fn find(&self, heard: &Stereo) -> Option<Found> {
        let windows = (0..WINDOWS).filter_map(|back| {
            let end = heard.frames().checked_sub(back * HOP)?;
            let start = end.checked_sub(WINDOW)?;
            let left = find(&self.stereo.left, &heard.left[start..end])?;
            let right = find(&self.stereo.right, &heard.right[start..end])?;
            (left == right).then_some((left + back * HOP) % self.frames())
        });
        let frames: Vec<usize> = windows.collect();
        let found = Found { frame: *frames.first()?, windows: frames.len() };
        eprintln!("figure: found in {} of {WINDOWS} windows", found.windows);
        Some(found)
    }

    /// Whether nothing of the piece was heard in the last second.
    pub(super) fn is_absent_from(&self, heard: &Stereo) -> bool {
        self.find(heard).is_none()
    }

    /// Frames until it starts over.
    pub(super) fn frames(&self) -> usize {
        self.stereo.frames()
    }
}

/// The place in `piece`, which is a loop, that is alike enough to `heard`.
fn find(piece: &[f32], heard: &[f32]) -> Option<usize> {
    let twice: Vec<f32> = piece.iter().cycle().take(piece.len() + heard.len()).copied().collect();
    let heard_power = product(heard, heard);
    let likeness = |frame: usize| {
        let window = &twice[frame..frame + heard.len()];
        product(window, heard) / (product(window, window) * heard_power).sqrt().max(1e-12)
    };
    let likenesses = (0..piece.len()).map(|frame| (frame, likeness(frame)));
    let (frame, likeness) = likenesses.max_by(|(_, one), (_, other)| one.total_cmp(other))?;
    (likeness > ALIKE).then_some(frame)
}

/// The inner product. Sums of 16 products in single precision are exact enough.
fn product(one: &[f32], other: &[f32]) -> f64 {
    let pieces = one.chunks(16).zip(other.chunks(16));
    pieces
        .map(|(one, other)| f64::from(one.iter().zip(other).map(|(one, other)| one * other).sum::<f32>()))
        .sum()
}

/// A moving average over 32 frames, around the loop, made loud again.
fn smooth(channel: &[f32]) -> Vec<f32> {
    let around: Vec<f32> = channel.iter().chain(&channel[..31]).copied().collect();
    around.windows(32).map(|window| window.iter().sum::<f32>() / 8.0).collect()
}

/// The loop at another rate, by straight lines between its frames.
fn drawn(channel: &[f32], sample_rate: f64) -> Vec<f32> {
    use lockstep_shared::time::convert::{f32_from_f64, f64_from_usize, usize_trunc};

    (0..usize_trunc((SECONDS * sample_rate).round()))
        .map(|frame| {
            let place = f64_from_usize(frame) * 48_000.0 / sample_rate;
            let whole = usize_trunc(place);
            let fraction = f32_from_f64(place - f64_from_usize(whole));
            let at = |index: usize| channel[index % channel.len()];
            at(whole) * (1.0 - fraction) + at(whole + 1) * fraction
        })
        .collect()
}

#[test]
fn a_piece_is_found_where_it_is_and_another_is_not() {
    let (piece, other) = (Piece::noise(1), Piece::noise(2));
    let from = |start: usize| Stereo {
        left: piece.stereo.left[start..start + WINDOW].iter().map(|sample| sample * 0.1).collect(),
        right: piece.stereo.right[start..start + WINDOW].to_vec(),
    };
    assert_eq!(piece.find(&from(12_345)).unwrap().frame, 12_345);
    assert_eq!(other.find(&from(12_345)), None);
    assert!(other.is_absent_from(&from(12_345)) && !piece.is_absent_from(&from(0)));
    let mixed = Stereo { right: from(9).right, ..from(8) };
    assert_eq!(piece.find(&mixed), None, "the channels must agree");
}
