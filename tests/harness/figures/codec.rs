//! The lossless codec: that everything comes back bit for bit, how many bytes that takes, and how long.

use std::hint::black_box;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use lockstep_shared::codec::lossless::{CODED_BYTES_MAX, Depth, decode_stereo, encode_stereo};
use lockstep_shared::dsp::{ChunkFrames, SILENT_CHUNK};
use lockstep_shared::time::CHUNK_FRAMES;
use lockstep_shared::time::convert::{f32_from_f64, f64_from_i64, f64_from_usize, i64_from_usize};

use super::{Figure, Holds, Length};
use crate::rng::Rng;
use crate::shell::clock;

const DEPTHS: [(&str, Depth); 2] = [("16_bit", Depth::Bits16), ("24_bit", Depth::Bits24)];

/// What a chunk may cost each way, and what music must save.
const GOAL_NANOS: f64 = 3_000.0;
const GOAL_SAVED_PERCENT: f64 = 25.0;

/// Chunks of a stimulus, and those of a run that is timed.
const STIMULUS_CHUNKS: usize = 750;
const TIMED_CHUNKS: usize = 250;

/// What one stimulus came to at one depth.
#[derive(Clone, Copy, Debug, Default)]
struct Coded {
    chunks: usize,
    bytes: usize,
    /// The most bytes that a chunk took beyond its PCM.
    beyond_pcm: i64,
    wrong_samples: usize,
}

/// Bytes and exactness of every stimulus, music last, and the time on music. `music` are the parts of the jam's piece.
pub fn codec_figures(length: Length, music: &[impl AsRef<Path>]) -> Result<Vec<Figure>> {
    if music.is_empty() {
        bail!("what the codec saves is measured on the jam's piece: `cargo xtask bench codec` renders it");
    }
    let mut parts = music.iter().map(|file| read(file.as_ref())).collect::<Result<Vec<_>>>()?;
    // The drums have it already.
    parts.retain(|(name, _)| name != "kick");
    let mut figures = Vec::new();
    for (depth_name, depth) in DEPTHS {
        let mut all = Coded::default();
        for (name, chunks) in stimuli() {
            let coded = code(&chunks, depth);
            // Half a percent is the byte of a chunk that is sent as it is.
            figures.push(share(&format!("{depth_name}.{name}"), coded, depth, 100.5));
            all = all.and(coded);
        }
        let mut piece = Coded::default();
        for (name, chunks) in &parts {
            let coded = code(chunks, depth);
            let most = 100.0 - GOAL_SAVED_PERCENT;
            figures.push(share(&format!("{depth_name}.jam_{name}"), coded, depth, most));
            piece = piece.and(coded);
        }
        all = all.and(piece);
        let row = |name: &str, note, goal, measured, holds, unit| Figure {
            name: format!("codec.lossless.{depth_name}.{name}"),
            note: String::from(note),
            goal,
            measured,
            holds,
            unit,
        };
        let saved = 100.0 - piece.percent(depth);
        let note = "against PCM of the depth";
        figures.push(row("jam_saved", note, GOAL_SAVED_PERCENT, saved, Holds::AtLeast, "%"));
        let wrong = f64_from_usize(all.wrong_samples);
        figures.push(row("wrong_samples", "of all stimuli", 0.0, wrong, Holds::AtMost, ""));
        let beyond = f64_from_i64(all.beyond_pcm);
        figures.push(row("longest_beyond_pcm", "of all stimuli", 1.0, beyond, Holds::AtMost, "bytes"));
        let (encode, decode) = nanos(&parts, depth, length);
        let note = "median, from floats";
        figures.push(row("encode_stereo_chunk", note, GOAL_NANOS, encode, Holds::AtMost, "ns"));
        let note = "median, to floats";
        figures.push(row("decode_stereo_chunk", note, GOAL_NANOS, decode, Holds::AtMost, "ns"));
    }
    Ok(figures)
}

fn share(name: &str, coded: Coded, depth: Depth, most_percent: f64) -> Figure {
    Figure {
        name: format!("codec.lossless.{name}"),
        note: "of PCM".into(),
        goal: most_percent,
        measured: coded.percent(depth),
        holds: Holds::AtMost,
        unit: "%",
    }
}

impl Coded {
    fn and(self, other: Self) -> Self {
        Self {
            chunks: self.chunks + other.chunks,
            bytes: self.bytes + other.bytes,
            beyond_pcm: self.beyond_pcm.max(other.beyond_pcm),
            wrong_samples: self.wrong_samples + other.wrong_samples,
        }
    }

    fn percent(self, depth: Depth) -> f64 {
        100.0 * f64_from_usize(self.bytes) / f64_from_usize(self.chunks * pcm_bytes(depth))
    }
}

const fn pcm_bytes(depth: Depth) -> usize {
    2 * CHUNK_FRAMES * depth.bytes()
}

/// Codes each chunk, decodes it, and compares.
fn code(chunks: &[ChunkFrames], depth: Depth) -> Coded {
    let mut coded = Coded { beyond_pcm: i64::MIN, ..Coded::default() };
    let mut out = [0; CODED_BYTES_MAX];
    for frames in chunks {
        let samples = frames.each_ref().map(|channel| depth.quantise(channel));
        let bytes = encode_stereo(&samples, depth, &mut out);
        let mut back = [[i32::MIN; CHUNK_FRAMES]; 2];
        let is_whole = decode_stereo(&out[..bytes], depth, &mut back) == Ok(bytes);
        let differ =
            samples.as_flattened().iter().zip(back.as_flattened()).filter(|(was, is)| was != is).count();
        coded = coded.and(Coded {
            chunks: 1,
            bytes,
            beyond_pcm: i64_from_usize(bytes) - i64_from_usize(pcm_bytes(depth)),
            wrong_samples: if is_whole { differ } else { 2 * CHUNK_FRAMES },
        });
    }
    coded
}

/// The median of the mean times of many runs through the music: to encode a chunk, and to decode it.
fn nanos(parts: &[(String, Vec<ChunkFrames>)], depth: Depth, length: Length) -> (f64, f64) {
    let stride = match length {
        Length::Quick => 10,
        Length::Full => 1,
    };
    let (mut encoding, mut decoding) = (Vec::new(), Vec::new());
    for run in parts.iter().flat_map(|(_, chunks)| chunks.chunks_exact(TIMED_CHUNKS)).step_by(stride) {
        let mut coded = vec![[0; CODED_BYTES_MAX]; run.len()];
        encoding.push(mean_nanos(|| {
            for (frames, out) in run.iter().zip(&mut coded) {
                let samples = frames.each_ref().map(|channel| depth.quantise(channel));
                black_box(encode_stereo(&samples, depth, out));
            }
        }));
        let mut samples = [[0; CHUNK_FRAMES]; 2];
        decoding.push(mean_nanos(|| {
            for bytes in &coded {
                // That they come back is a figure of its own.
                let _ = black_box(decode_stereo(bytes, depth, &mut samples));
                black_box(samples.each_ref().map(|channel| depth.restore(channel)));
            }
        }));
    }
    (median(encoding), median(decoding))
}

fn mean_nanos(work: impl FnOnce()) -> f64 {
    let start = clock::now();
    work();
    f64_from_i64((clock::now() - start).nanos()) / f64_from_usize(TIMED_CHUNKS)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::INFINITY)
}

/// Everything but music.
fn stimuli() -> Vec<(&'static str, Vec<ChunkFrames>)> {
    let tone = |frame: usize, hertz: f64| {
        let turns = hertz * f64_from_usize(frame) / 48_000.0;
        f32_from_f64((core::f64::consts::TAU * turns).sin())
    };
    let (mut rng, mut other_rng) = (Rng::new(5), Rng::new(6));
    let mut white = || f32_from_f64(rng.between(-1.0, 1.0));
    let mut brown = 0.0;
    vec![
        ("silence", chunks(|_| [0.0, 0.0])),
        ("square", chunks(|frame| if frame / 48 % 2 == 0 { [1.0, -1.0] } else { [-1.0, 1.0] })),
        ("extremes", chunks(|frame| if frame % 2 == 0 { [2.0, -2.0] } else { [-2.0, f32::NAN] })),
        ("impulses", chunks(|frame| if frame % 100 == 0 { [1.0, -1.0] } else { [0.0, 0.0] })),
        ("sine", chunks(|frame| [tone(frame, 440.0) * 0.5, tone(frame, 447.0) * 0.25])),
        ("panned_sine", chunks(|frame| [tone(frame, 1_000.0) * 0.5; 2])),
        ("quiet_sine", chunks(|frame| [tone(frame, 200.0) * 0.001; 2])),
        ("noise", chunks(|_| [white(), white()])),
        (
            "brown_noise",
            chunks(|_| {
                brown = brown * 0.99 + 0.02 * f32_from_f64(other_rng.between(-1.0, 1.0));
                [brown, -brown]
            }),
        ),
    ]
}

fn chunks(mut frame: impl FnMut(usize) -> [f32; 2]) -> Vec<ChunkFrames> {
    let mut chunks = vec![SILENT_CHUNK; STIMULUS_CHUNKS];
    for (number, chunk) in chunks.iter_mut().enumerate() {
        let [left, right] = chunk;
        for (n, (left, right)) in left.iter_mut().zip(right).enumerate() {
            [*left, *right] = frame(number * CHUNK_FRAMES + n);
        }
    }
    chunks
}

/// A part of the piece as chunks, and its name: what stands before the file's first hyphen.
fn read(file: &Path) -> Result<(String, Vec<ChunkFrames>)> {
    let name = file.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.split('-').next());
    let name = name.with_context(|| format!("{} is no name of a part", file.display()))?.to_owned();
    let reader = hound::WavReader::open(file).with_context(|| format!("cannot read {}", file.display()))?;
    let spec = reader.spec();
    let is_expected = spec.channels == 2 && spec.sample_rate == 48_000;
    ensure!(
        is_expected && spec.sample_format == hound::SampleFormat::Float,
        "{} is not stereo in floats at 48 kHz",
        file.display()
    );
    let samples = reader.into_samples::<f32>().collect::<Result<Vec<_>, _>>()?;
    let (frames, _) = samples.as_chunks::<2>();
    let (whole, _) = frames.as_chunks::<CHUNK_FRAMES>();
    let chunk =
        |frames: &[[f32; 2]; CHUNK_FRAMES]| [frames.map(|[left, _]| left), frames.map(|[_, right]| right)];
    ensure!(whole.len() >= TIMED_CHUNKS, "{} is too short to be measured", file.display());
    Ok((name, whole.iter().map(chunk).collect()))
}
