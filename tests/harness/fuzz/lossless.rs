//! The lossless codec: bytes that claim to be a chunk, and bytes as a chunk's samples.

use lockstep_shared::codec::lossless::{
    CODED_BYTES_MAX, Depth, LosslessError, coded_bytes, decode_mono, decode_stereo, encode_mono,
    encode_stereo,
};
use lockstep_shared::time::CHUNK_FRAMES;

type Channel = [i32; CHUNK_FRAMES];

/// Whatever the bytes, decoding reads one chunk within them whose samples have the depth, or says why not; and whatever a
/// chunk holds comes back bit for bit, in one byte more than PCM at most. The first byte chooses the depth.
pub fn lossless(bytes: &[u8]) {
    let Some((choice, bytes)) = bytes.split_first() else { return };
    let depth = if choice & 1 == 0 { Depth::Bits16 } else { Depth::Bits24 };
    let channel_bytes = CHUNK_FRAMES * depth.bytes();

    let mut mono = [0; CHUNK_FRAMES];
    let outcome = decode_mono(bytes, depth, &mut mono);
    check_end(bytes, channel_bytes, outcome);
    if outcome.is_ok() {
        mono_comes_back(&mono, depth);
    }
    let mut stereo = [[0; CHUNK_FRAMES]; 2];
    let outcome = decode_stereo(bytes, depth, &mut stereo);
    check_end(bytes, 2 * channel_bytes, outcome);
    if outcome.is_ok() {
        stereo_comes_back(&stereo, depth);
    }

    let stereo = samples_of(bytes, depth);
    mono_comes_back(&stereo[0], depth);
    stereo_comes_back(&stereo, depth);
}

/// A chunk ends within the bytes, where its head says; one that is cut off misses just what it would need.
fn check_end(bytes: &[u8], pcm_bytes: usize, outcome: Result<usize, LosslessError>) {
    match outcome {
        Ok(end) => {
            assert!((1..=bytes.len()).contains(&end) && end <= pcm_bytes + 1);
            assert_eq!(coded_bytes(bytes, pcm_bytes), Ok(end), "the head says another end");
        }
        Err(LosslessError::Short { missing }) => {
            assert!(missing > 0 && bytes.len() + missing <= pcm_bytes + 1);
        }
        Err(LosslessError::Head(head)) => assert_eq!(bytes.first(), Some(&head)),
        Err(LosslessError::Length { said, taken }) => assert_ne!(said, taken),
        Err(LosslessError::Long { bits }) => assert!(bits + 2 > pcm_bytes),
        Err(LosslessError::Padding | LosslessError::Range) => {}
    }
}

fn mono_comes_back(samples: &Channel, depth: Depth) {
    check_depth(samples, depth);
    let mut out = [0; CODED_BYTES_MAX];
    let end = encode_mono(samples, depth, &mut out);
    assert!(end <= CHUNK_FRAMES * depth.bytes() + 1, "longer than PCM and a byte");
    let mut back = [0; CHUNK_FRAMES];
    assert_eq!(decode_mono(&out[..end], depth, &mut back), Ok(end));
    assert_eq!(&back, samples);
    assert_eq!(depth.quantise(&depth.restore(samples)), *samples, "not the same as floats");
}

fn stereo_comes_back(samples: &[Channel; 2], depth: Depth) {
    samples.iter().for_each(|channel| check_depth(channel, depth));
    let mut out = [0; CODED_BYTES_MAX];
    let end = encode_stereo(samples, depth, &mut out);
    assert!(end <= 2 * CHUNK_FRAMES * depth.bytes() + 1, "longer than PCM and a byte");
    let mut back = [[0; CHUNK_FRAMES]; 2];
    assert_eq!(decode_stereo(&out[..end], depth, &mut back), Ok(end));
    assert_eq!(&back, samples);
}

fn check_depth(samples: &Channel, depth: Depth) {
    let half = 1 << (depth.bits() - 1);
    assert!(samples.iter().all(|sample| (-half..half).contains(sample)), "a sample beyond its depth");
}

/// The bytes as PCM, over and over, quieter as they are repeated.
fn samples_of(bytes: &[u8], depth: Depth) -> [Channel; 2] {
    let mut samples = [[0; CHUNK_FRAMES]; 2];
    if bytes.is_empty() {
        return samples;
    }
    let mut place = 0;
    for sample in samples.as_flattened_mut() {
        let mut value = [0; 4];
        for byte in &mut value[4 - depth.bytes()..] {
            *byte = bytes[place % bytes.len()];
            place += 1;
        }
        let quieter = (place / bytes.len()).min(8);
        *sample = (i32::from_le_bytes(value) >> (32 - depth.bits())) >> quieter;
    }
    samples
}
