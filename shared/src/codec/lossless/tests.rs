//! Whole chunks: what goes in comes out, and whatever comes in, something comes out.

use proptest::prelude::*;

use super::*;

const DEPTHS: [Depth; 2] = [Depth::Bits16, Depth::Bits24];

/// A chunk there and back, alone and with something behind it; returns its bytes.
fn round_trip_stereo(samples: &[Channel; 2], depth: Depth) -> usize {
    let pcm_bytes = 2 * CHUNK_FRAMES * depth.bytes();
    let mut out = [0xaa; CODED_BYTES_MAX];
    let length = encode_stereo(samples, depth, &mut out);
    assert!(length <= pcm_bytes + 1, "{length} bytes for {pcm_bytes}");
    assert_eq!(coded_bytes(&out, pcm_bytes), Ok(length));
    let mut back = [[7; CHUNK_FRAMES]; 2];
    for bytes in [&out[..length], &out] {
        assert_eq!(decode_stereo(bytes, depth, &mut back), Ok(length));
        assert_eq!(&back, samples);
    }
    for short in [0, 1, length / 2, length - 1] {
        let outcome = decode_stereo(&out[..short.min(length - 1)], depth, &mut back);
        assert!(matches!(outcome, Err(LosslessError::Short { missing: 1.. })), "{outcome:?}");
    }
    length
}

fn round_trip_mono(samples: &Channel, depth: Depth) -> usize {
    let pcm_bytes = CHUNK_FRAMES * depth.bytes();
    let mut out = [0xaa; CODED_BYTES_MAX];
    let length = encode_mono(samples, depth, &mut out);
    assert!(length <= pcm_bytes + 1, "{length} bytes for {pcm_bytes}");
    assert_eq!(coded_bytes(&out, pcm_bytes), Ok(length));
    let mut back = [7; CHUNK_FRAMES];
    assert_eq!(decode_mono(&out, depth, &mut back), Ok(length));
    assert_eq!(&back, samples);
    length
}

fn highest(depth: Depth) -> i32 {
    (1 << (depth.bits() - 1)) - 1
}

fn channel(of: impl Fn(usize) -> i32) -> Channel {
    core::array::from_fn(of)
}

fn sine(cycles_per_frame: f64, amplitude: f64, depth: Depth) -> Channel {
    let frames = core::array::from_fn(|n| {
        let phase = core::f64::consts::TAU * cycles_per_frame * crate::time::convert::f64_from_usize(n);
        crate::time::convert::f32_from_f64(amplitude * (phase + 0.4).sin())
    });
    depth.quantise(&frames)
}

fn noise(seed: u32, depth: Depth) -> Channel {
    let mut state = seed;
    channel(|_| 0).map(|_: i32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.cast_signed() >> (32 - depth.bits())
    })
}

#[test]
fn silence_takes_one_byte() {
    for depth in DEPTHS {
        assert_eq!(round_trip_stereo(&[[0; CHUNK_FRAMES]; 2], depth), 1);
        assert_eq!(round_trip_mono(&[0; CHUNK_FRAMES], depth), 1);
    }
}

#[test]
fn extremes_come_back() {
    for depth in DEPTHS {
        let (highest, lowest) = (highest(depth), -highest(depth) - 1);
        let constant = [highest; CHUNK_FRAMES];
        let square = channel(|n| if n / 8 % 2 == 0 { highest } else { lowest });
        let fastest = channel(|n| if n % 2 == 0 { highest } else { lowest });
        let impulse = channel(|n| if n == 31 { lowest } else { 0 });
        let first = channel(|n| if n == 0 { highest } else { 0 });
        let last = channel(|n| if n == 63 { lowest } else { 0 });
        let one = channel(|n| i32::from(n == 5));
        let signals =
            [constant, constant.map(|sample| -sample - 1), square, fastest, impulse, first, last, one];
        for left in &signals {
            round_trip_mono(left, depth);
            for right in &signals {
                round_trip_stereo(&[*left, *right], depth);
            }
        }
    }
}

#[test]
fn noise_costs_a_byte_at_most() {
    for depth in DEPTHS {
        for seed in 0..200 {
            let pcm_bytes = CHUNK_FRAMES * depth.bytes();
            assert_eq!(round_trip_mono(&noise(seed, depth), depth), pcm_bytes + 1);
            assert_eq!(
                round_trip_stereo(&[noise(seed, depth), noise(seed + 1, depth)], depth),
                2 * pcm_bytes + 1
            );
        }
    }
}

#[test]
fn what_is_smooth_gets_much_shorter() {
    for depth in DEPTHS {
        let pcm_bytes = 2 * CHUNK_FRAMES * depth.bytes();
        for hertz in [50.0, 110.0, 440.0, 1_000.0, 3_000.0] {
            let tone = sine(hertz / 48_000.0, 0.5, depth);
            let length = round_trip_stereo(&[tone, tone.map(|sample| sample / 2)], depth);
            assert!(length < pcm_bytes * 3 / 4, "{length} of {pcm_bytes} at {hertz} Hz");
        }
    }
}

#[test]
fn the_same_on_both_sides_costs_one_of_them() {
    for depth in DEPTHS {
        let tone = sine(440.0 / 48_000.0, 0.3, depth);
        let one = round_trip_mono(&tone, depth);
        assert!(round_trip_stereo(&[tone, tone], depth) <= one + 1);
        assert!(round_trip_stereo(&[tone, [0; CHUNK_FRAMES]], depth) <= one + 1);
    }
}

#[test]
fn chunks_follow_each_other_without_a_gap() {
    let depth = Depth::Bits16;
    let chunks = [
        [sine(0.01, 0.5, depth), sine(0.02, 0.5, depth)],
        [noise(1, depth), noise(2, depth)],
        [[0; CHUNK_FRAMES]; 2],
        [sine(0.003, 0.9, depth), noise(3, depth)],
    ];
    let mut bytes = Vec::new();
    let mut out = [0; CODED_BYTES_MAX];
    for chunk in &chunks {
        let length = encode_stereo(chunk, depth, &mut out);
        bytes.extend_from_slice(&out[..length]);
    }
    let mut rest = &bytes[..];
    for chunk in &chunks {
        let mut back = [[0; CHUNK_FRAMES]; 2];
        let length = decode_stereo(rest, depth, &mut back).unwrap();
        assert_eq!(&back, chunk);
        rest = &rest[length..];
    }
    assert_eq!(rest, [0; 0]);
}

#[test]
fn a_wrong_head_is_named() {
    let mut mono = [0; CHUNK_FRAMES];
    let mut stereo = [[0; CHUNK_FRAMES]; 2];
    let depth = Depth::Bits16;
    assert_eq!(decode_mono(&[], depth, &mut mono), Err(LosslessError::Short { missing: 1 }));
    assert_eq!(decode_mono(&[KIND_SEPARATE], depth, &mut mono), Err(LosslessError::Short { missing: 1 }));
    assert_eq!(decode_mono(&[KIND_PLAIN, 0], depth, &mut mono), Err(LosslessError::Short { missing: 127 }));
    for head in [6, 7, KIND_SILENT | HEAD_LONG, KIND_PLAIN | HEAD_LONG, 0x10, 0x80 | KIND_SEPARATE] {
        let bytes = [head; CODED_BYTES_MAX];
        assert_eq!(decode_mono(&bytes, depth, &mut mono), Err(LosslessError::Head(head)));
        assert_eq!(decode_stereo(&bytes, depth, &mut stereo), Err(LosslessError::Head(head)));
    }
    for head in [KIND_MID_SIDE, KIND_LEFT_SIDE, KIND_SIDE_RIGHT] {
        let bytes = [head; CODED_BYTES_MAX];
        assert_eq!(decode_mono(&bytes, depth, &mut mono), Err(LosslessError::Head(head)));
    }
    // Longer than the samples themselves.
    let bytes = [KIND_SEPARATE, 127];
    assert_eq!(decode_mono(&bytes, depth, &mut mono), Err(LosslessError::Long { bits: 127 }));
}

#[test]
fn a_length_that_lies_is_found() {
    let depth = Depth::Bits16;
    let tone = sine(0.01, 0.5, depth);
    let mut out = [0; CODED_BYTES_MAX];
    let length = encode_mono(&tone, depth, &mut out);
    for said in [out[1] - 1, out[1] + 1] {
        let mut bytes = out;
        bytes[1] = said;
        bytes[length] = 0;
        let outcome = decode_mono(&bytes, depth, &mut [0; CHUNK_FRAMES]);
        assert!(matches!(outcome, Err(LosslessError::Length { .. })), "{outcome:?}");
    }
}

/// Each kind, in the bytes that it has on the wire: a decoder of another version must read the same.
#[test]
fn the_bytes_are_these() {
    let depth = Depth::Bits16;
    let mut out = [0; CODED_BYTES_MAX];
    let one = channel(|n| i32::from(n == 63));
    let length = encode_stereo(&[one, one], depth, &mut out);
    let mut hash = out[..length].iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    // Written with integers alone, so that no machine chooses otherwise: every predictor on one chunk.
    let slope = channel(|n| i32::try_from(n * n).unwrap() - 900 * i32::try_from(n % 5).unwrap());
    for predictor in &codebook::PREDICTORS {
        for folded in predict::residual(predictor, &slope, 16) {
            hash = (hash ^ u64::from(folded)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    assert_eq!(hash, GOLDEN);
}

/// The predictors are part of the format: with another table this is another format.
const GOLDEN: u64 = 14_151_560_267_965_999_922;

fn samples(depth: Depth) -> impl Strategy<Value = Channel> {
    let (highest, bits) = (highest(depth), depth.bits());
    let any = proptest::collection::vec(-highest - 1..=highest, CHUNK_FRAMES);
    // What a filter makes of noise of any loudness, with jumps.
    let smooth =
        (any.clone(), 0..bits, 0.0..1.99_f64, 0.0..0.99_f64).prop_map(|(noise, quieter, turn, ring)| {
            let (mut last, mut before) = (0.0, 0.0);
            let mut filtered = Vec::new();
            for sample in noise {
                let value = turn * ring * last - ring * ring * before + f64::from(sample >> quieter) / 4.0;
                (before, last) = (last, value);
                filtered.push(crate::time::convert::i32_clamped(
                    crate::time::convert::i64_round(value),
                    i32::MIN >> (32 - DEPTHS[0].bits()),
                    i32::MAX >> (32 - DEPTHS[0].bits()),
                ));
            }
            filtered
        });
    let one_step = (any.clone(), 0..CHUNK_FRAMES)
        .prop_map(|(levels, at)| (0..CHUNK_FRAMES).map(|n| levels[usize::from(n >= at)]).collect());
    prop_oneof![any, smooth, one_step].prop_map(|samples: Vec<i32>| channel(|n| samples[n]))
}

fn depths() -> impl Strategy<Value = Depth> {
    prop_oneof![Just(Depth::Bits16), Just(Depth::Bits24)]
}

proptest! {
    #[test]
    fn any_chunk_comes_back(
        (depth, left, right) in depths().prop_flat_map(|depth| (Just(depth), samples(depth), samples(depth)))
    ) {
        round_trip_mono(&left, depth);
        round_trip_stereo(&[left, right], depth);
    }

    #[test]
    fn any_bytes_are_refused_or_read_within_their_depth(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..CODED_BYTES_MAX + 9),
        kind in 0..6_u8,
        depth in depths(),
    ) {
        if let Some(head) = bytes.first_mut() {
            *head = (*head & HEAD_LONG) | kind;
        }
        let mut samples = [[0; CHUNK_FRAMES]; 2];
        if let Ok(length) = decode_stereo(&bytes, depth, &mut samples) {
            prop_assert!(length <= bytes.len());
            prop_assert_eq!(coded_bytes(&bytes, 2 * CHUNK_FRAMES * depth.bytes()), Ok(length));
            round_trip_stereo(&samples, depth);
        }
        let [left, _] = &mut samples;
        if let Ok(length) = decode_mono(&bytes, depth, left) {
            prop_assert!(length <= bytes.len());
            round_trip_mono(left, depth);
        }
    }
}
