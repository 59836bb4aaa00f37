//! The relay's sum of a room, and each listener's share of it.
//!
//! Everybody hears everybody else. Summed directly that is `n` listeners times `n - 1` strips. Summed once and
//! taken apart, it is one total, and for each listener a subtraction:
//!
//! ```text
//! heard = total - own strips + sum over personal gains of (gain - 1) x strip
//! ```
//!
//! Most listeners have few personal gains or none, so the work grows with the room, not with its square.
//!
//! Subtracting what was added leaves a residue wherever the sum was rounded: one would hear oneself, faintly
//! and without any delay to explain it. The total is therefore kept in `f64`. A sample of PCM16 or PCM24 is a
//! whole multiple of 2^-23, and an `f64` holds 53 bits, so the sum of up to 2^29 such strips is exact and what
//! is left after the subtraction is, bit for bit, the sum of the others. Float sources below full scale leave
//! at most 2^-53 of the total, 319 dB down.
//!
//! A member can harm itself, never its room: a sample that is not finite, or beyond [`LOUDEST`], counts as
//! silence, because an infinity once in the total would not come out by subtraction.

use super::{ChunkFrames, Gain};
use crate::time::CHUNK_FRAMES;
use crate::time::convert::f32_from_f64;

/// The largest sample that is mixed: +48 dBFS. Far above any honest float source.
pub const LOUDEST: f32 = 256.0;

/// One strip's audio for one chunk. A mono strip counts in both channels.
#[derive(Clone, Copy, Debug)]
pub enum Strip<'a> {
    /// One channel, heard in the middle.
    Mono(&'a [f32; CHUNK_FRAMES]),
    /// Left and right.
    Stereo(&'a ChunkFrames),
}

/// The sum of all strips of a room for one chunk.
#[derive(Clone, Debug)]
pub struct Total {
    sum: Sum,
}

/// One listener's mix for one chunk, on its way from the total to what is sent.
#[derive(Clone, Debug)]
pub struct Listener {
    sum: Sum,
}

type Sum = [[f64; CHUNK_FRAMES]; 2];

impl Strip<'_> {
    /// Left and right.
    const fn channels(&self) -> [&[f32; CHUNK_FRAMES]; 2] {
        match self {
            Self::Mono(both) => [both, both],
            Self::Stereo([left, right]) => [left, right],
        }
    }
}

impl Total {
    /// The sum of no strips.
    #[must_use]
    pub const fn new() -> Self {
        Self { sum: [[0.0; CHUNK_FRAMES]; 2] }
    }

    /// Adds a strip, once for the whole room.
    ///
    /// Real-time: yes. Bound: 128 additions.
    pub fn add(&mut self, strip: Strip<'_>) {
        for (sum, frames) in self.sum.iter_mut().zip(strip.channels()) {
            for (sum, frame) in sum.iter_mut().zip(frames) {
                *sum += admitted(*frame);
            }
        }
    }

    /// A listener's mix, before anything is taken out of it.
    ///
    /// Real-time: yes. Bound: a copy of 1 kB.
    #[must_use]
    pub const fn listener(&self) -> Listener {
        Listener { sum: self.sum }
    }
}

impl Default for Total {
    fn default() -> Self {
        Self::new()
    }
}

impl Listener {
    /// Takes out a strip that was added to the total: the listener's own.
    ///
    /// Real-time: yes. Bound: 128 subtractions.
    pub fn remove(&mut self, strip: Strip<'_>) {
        for (sum, frames) in self.sum.iter_mut().zip(strip.channels()) {
            for (sum, frame) in sum.iter_mut().zip(frames) {
                *sum -= admitted(*frame);
            }
        }
    }

    /// Changes the gain of a strip that was added to the total from one to `gain`, and walks `gain` on by a
    /// chunk. A gain of zero takes the strip out as exactly as [`Listener::remove`] does.
    ///
    /// Real-time: yes. Bound: 128 multiplications.
    pub fn deviate(&mut self, strip: Strip<'_>, gain: &mut Gain) {
        let mut deviations = [0.0_f64; CHUNK_FRAMES];
        match gain.holding() {
            Some(gain) => deviations.fill(f64::from(gain) - 1.0),
            None => deviations.fill_with(|| f64::from(gain.next_frame()) - 1.0),
        }
        for (sum, frames) in self.sum.iter_mut().zip(strip.channels()) {
            for ((sum, frame), deviation) in sum.iter_mut().zip(frames).zip(deviations) {
                *sum += deviation * admitted(*frame);
            }
        }
    }

    /// The finished mix. It is not limited: a sum above full scale is the listener's to turn down.
    ///
    /// Real-time: yes. Bound: 128 conversions.
    pub fn write(&self, out: &mut ChunkFrames) {
        for (out, sum) in out.iter_mut().zip(&self.sum) {
            for (out, sum) in out.iter_mut().zip(sum) {
                *out = f32_from_f64(*sum);
            }
        }
    }
}

/// The sample as it counts in every sum it enters or leaves.
fn admitted(sample: f32) -> f64 {
    f64::from(if sample.abs() <= LOUDEST { sample } else { 0.0 })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::SILENT_CHUNK;
    use super::*;

    /// A deterministic strip of whole multiples of 2^-(bits - 1), with full scale and silence among them.
    fn pcm(bits: u32, seed: u64) -> ChunkFrames {
        let mut state = seed;
        let scale = f64::from(1_u32 << (bits - 1));
        let mut sample = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let drawn = f64::from(u32::try_from(state >> 32).unwrap());
            f32_from_f64(((drawn / 2_147_483_648.0 - 1.0) * scale).floor() / scale)
        };
        let mut chunk = SILENT_CHUNK;
        chunk.as_flattened_mut().fill_with(&mut sample);
        chunk[0][0] = -1.0;
        chunk
    }

    fn bits(chunk: &ChunkFrames) -> Vec<u32> {
        // An exact zero has a sign by accident of the order of the sum: zeros are one.
        chunk.as_flattened().iter().map(|sample| (sample + 0.0).to_bits()).collect()
    }

    proptest! {
        #[test]
        fn a_listener_hears_the_sum_of_the_others_bit_for_bit(
            seeds in prop::collection::vec((any::<u64>(), any::<bool>(), any::<bool>()), 1..40), muted in any::<prop::sample::Index>(),
        ) {
            let chunks: Vec<ChunkFrames> =
                seeds.iter().map(|(seed, wide, _)| pcm(if *wide { 24 } else { 16 }, *seed)).collect();
            let strips: Vec<Strip<'_>> = chunks
                .iter()
                .zip(&seeds)
                .map(|(chunk, (_, _, mono))| if *mono { Strip::Mono(&chunk[0]) } else { Strip::Stereo(chunk) })
                .collect();
            let mut total = Total::new();
            strips.iter().for_each(|strip| total.add(*strip));
            let muted = muted.index(strips.len());
            for (own, strip) in strips.iter().enumerate() {
                let mut listener = total.listener();
                listener.remove(*strip);
                if muted != own {
                    listener.deviate(strips[muted], &mut Gain::new(0.0));
                }
                let mut heard = SILENT_CHUNK;
                listener.write(&mut heard);

                let mut others = Total::new();
                let apart = |other: &usize| *other != own && *other != muted;
                (0..strips.len()).filter(apart).for_each(|other| others.add(strips[other]));
                let mut direct = SILENT_CHUNK;
                others.listener().write(&mut direct);
                prop_assert_eq!(bits(&heard), bits(&direct));
            }
        }
    }

    #[test]
    fn one_alone_hears_exact_silence_even_of_float() {
        let chunk = pcm(24, 7).map(|channel| channel.map(|sample| sample * 0.123_456_7));
        let mut total = Total::new();
        total.add(Strip::Stereo(&chunk));
        let mut listener = total.listener();
        listener.remove(Strip::Stereo(&chunk));
        let mut heard = chunk;
        listener.write(&mut heard);
        assert_eq!(heard, SILENT_CHUNK);
    }

    #[test]
    fn a_personal_gain_walks_and_arrives() {
        let loud = [[1.0; CHUNK_FRAMES]; 2];
        let (mut total, mut gain) = (Total::new(), Gain::new(1.0));
        total.add(Strip::Stereo(&loud));
        gain.set(0.25, 2 * CHUNK_FRAMES);
        let mut heard = Vec::new();
        for _ in 0..3 {
            let (mut listener, mut chunk) = (total.listener(), SILENT_CHUNK);
            listener.deviate(Strip::Stereo(&loud), &mut gain);
            listener.write(&mut chunk);
            assert_eq!(chunk[0], chunk[1]);
            heard.extend(chunk[0]);
        }
        assert!(heard.windows(2).all(|pair| pair[1] <= pair[0] && pair[0] - pair[1] < 0.006));
        assert!(heard[127..].iter().all(|sample| *sample == 0.25));
    }

    #[test]
    fn what_one_member_sends_cannot_silence_or_deafen_the_room() {
        let mut poison = SILENT_CHUNK;
        poison[0][..4].copy_from_slice(&[f32::NAN, f32::INFINITY, f32::MAX, 0.5]);
        let honest = pcm(16, 3);
        let mut total = Total::new();
        total.add(Strip::Stereo(&poison));
        total.add(Strip::Stereo(&honest));
        let (mut listener, mut heard) = (total.listener(), SILENT_CHUNK);
        listener.remove(Strip::Stereo(&poison));
        listener.write(&mut heard);
        assert_eq!(bits(&heard), bits(&honest));
    }
}
