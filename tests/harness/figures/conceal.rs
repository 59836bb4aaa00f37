//! What is played where chunks are missing, against what was lost.
//!
//! A gap's error is the power of the difference over the power of what was lost; a stimulus' is taken over all its gaps
//! together, so silence is 0 dB. Gaps lie at seeded places of the jam's piece, of each part by itself, and of sounds
//! that are there to be difficult. What is not music must not be worse than silence.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use hound::{SampleFormat, WavReader};
use lockstep_shared::conceal::{Continuation, Foreseen, Foresight, Run};
use lockstep_shared::dsp::{ChunkFrames, SILENT_CHUNK};
use lockstep_shared::time::convert::{
    f32_from_f64, f64_from_i64, f64_from_usize, i64_from_usize, usize_trunc,
};
use lockstep_shared::time::{CHUNK_FRAMES, ChunkIndex};

use super::clock::percentile;
use super::{Figure, Holds, Length};
use crate::arithmetic::sin;
use crate::rng::Rng;
use crate::shell::clock;

const SEED: u64 = 1;
/// Chunks before each gap, and after it.
const BEFORE: usize = 8;
const AFTER: usize = 1;
/// Gap lengths, in chunks.
const GAPS: [usize; 3] = [1, 2, 4];
/// Frames of each sound that is made here: 10 s.
const SOUND_FRAMES: usize = 480_000;
/// Never more than this above silence.
const WORST_DB: f64 = 0.5;

/// Two channels of a stimulus.
type Sound = [Vec<f32>; 2];

/// How a gap is filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Something after the gap has arrived.
    Bridge,
    /// Nothing after the gap has arrived.
    Continuation,
}

/// Powers, of what was lost and of the error.
#[derive(Clone, Copy, Debug, Default)]
struct Powers {
    lost: f64,
    error: f64,
}

/// Error by stimulus and length, and time by way. `music` are the piece's parts, each file named after its part.
pub fn conceal_figures(length: Length, music: &[PathBuf]) -> Result<Vec<Figure>> {
    if music.is_empty() {
        bail!("this is measured on the jam's piece: cargo xtask bench conceal renders it");
    }
    let gaps = match length {
        Length::Quick => 300,
        Length::Full => 3_000,
    };
    let parts = music.iter().map(read).collect::<Result<Vec<_>>>()?;
    let of_piece: Vec<&Sound> =
        parts.iter().filter(|(name, _)| name != "kick").map(|(_, sound)| sound).collect();
    let mut stimuli: Vec<(String, Vec<&Sound>)> =
        parts.iter().map(|(name, sound)| (name.clone(), vec![sound])).collect();
    let (mix, made) = (sum(&of_piece), difficult());
    stimuli.push(("mix_of_stems".into(), of_piece));
    stimuli.push(("mix_as_one".into(), vec![&mix]));
    stimuli.extend(made.iter().map(|(name, sound)| ((*name).to_owned(), vec![sound])));

    let mut figures = Vec::new();
    for chunks in GAPS {
        for way in [Way::Bridge, Way::Continuation] {
            for (name, sounds) in &stimuli {
                let error_db = error_db(sounds, gaps, chunks, way);
                figures.push(error_figure(name, chunks, way, error_db));
            }
        }
    }
    let (_, bass) = parts.iter().find(|(name, _)| name == "bass").context("the piece has no bass")?;
    figures.extend(cost_figures(bass, gaps));
    Ok(figures)
}

fn error_figure(name: &str, chunks: usize, way: Way, measured: f64) -> Figure {
    let (way_name, note) = match way {
        Way::Bridge => ("bridge", "64 frames after it known"),
        Way::Continuation => ("continuation", "nothing after it known"),
    };
    let goal = match (name, chunks, way) {
        ("kick" | "bass", 1, Way::Bridge) => -20.0,
        ("mix_of_stems" | "mix_as_one", 1, Way::Bridge) => -5.0,
        _ => WORST_DB,
    };
    Figure {
        name: format!("conceal.{way_name}.{}.{name}", chunks * CHUNK_FRAMES),
        note: note.into(),
        goal,
        measured,
        holds: Holds::AtMost,
        unit: "dB",
    }
}

/// The error of what is heard where gaps of so many chunks are in all `sounds` at once, each filled by itself.
fn error_db(sounds: &[&Sound], gaps: usize, chunks: usize, way: Way) -> f64 {
    let mut rng = Rng::new(SEED);
    let span = (BEFORE + chunks + AFTER) * CHUNK_FRAMES;
    let room = sounds.iter().map(|sound| sound[0].len()).min().unwrap_or(0) - span;
    let mut powers = Powers::default();
    for _ in 0..gaps {
        let first = usize_trunc(rng.unit() * f64_from_usize(room));
        let (mut lost, mut filled) = (vec![SILENT_CHUNK; chunks], vec![SILENT_CHUNK; chunks]);
        for sound in sounds {
            let chunk = |number: usize| chunk_at(sound, first + number * CHUNK_FRAMES);
            let heard = fill(&chunk, chunks, way);
            for (number, (lost, filled)) in lost.iter_mut().zip(&mut filled).enumerate() {
                add(lost, &chunk(BEFORE + number));
                add(filled, &heard[number]);
            }
        }
        for (lost, filled) in
            lost.as_flattened().as_flattened().iter().zip(filled.as_flattened().as_flattened())
        {
            powers.lost += f64::from(*lost).powi(2);
            powers.error += f64::from(lost - filled).powi(2);
        }
    }
    10.0 * (powers.error / powers.lost).log10()
}

/// What is heard in a gap after [`BEFORE`] chunks of a stimulus, as a listener works it out.
fn fill(chunk: &impl Fn(usize) -> ChunkFrames, chunks: usize, way: Way) -> Vec<ChunkFrames> {
    let mut foresight = Foresight::new();
    let insert = |foresight: &mut Foresight, number: usize| {
        foresight.insert(ChunkIndex(i64_from_usize(number)), &chunk(number));
    };
    (0..BEFORE).for_each(|number| insert(&mut foresight, number));
    if way == Way::Bridge {
        (BEFORE + chunks..BEFORE + chunks + AFTER).for_each(|number| insert(&mut foresight, number));
    }
    match foresight.work() {
        Some(Foreseen::Bridge(_, bridge)) => bridge.to_vec(),
        Some(Foreseen::Continuation(_, continuation)) => {
            let mut run = continuation.run(&chunk(BEFORE - 1));
            (0..chunks).map(|_| run.next_chunk()).collect()
        }
        None => vec![SILENT_CHUNK; chunks],
    }
}

/// What a gap of one chunk costs: everything that is done because of it, and the part of it that the audio thread does.
fn cost_figures(sound: &Sound, gaps: usize) -> Vec<Figure> {
    let mut rng = Rng::new(SEED);
    let room = sound[0].len() - (BEFORE + 2) * CHUNK_FRAMES;
    let mut micros = [const { Vec::new() }; 4];
    for _ in 0..gaps {
        let first = usize_trunc(rng.unit() * f64_from_usize(room));
        let chunk = |number: usize| chunk_at(sound, first + number * CHUNK_FRAMES);
        let mut foresight = Foresight::new();
        (0..BEFORE).for_each(|number| foresight.insert(ChunkIndex(i64_from_usize(number)), &chunk(number)));
        let (last, mut arrived) = (chunk(BEFORE - 1), chunk(BEFORE + 1));
        let began = clock::now();
        let Some(Foreseen::Continuation(_, continuation)) = foresight.work() else { continue };
        let analysed = clock::now();
        hear(continuation, &last, &mut arrived);
        let heard = clock::now();
        foresight.insert(ChunkIndex(i64_from_usize(BEFORE + 1)), &chunk(BEFORE + 1));
        let arrives = clock::now();
        let bridge = foresight.work().is_some();
        let bridged = clock::now();
        assert!(bridge, "a hole was seen");
        let spans = [analysed - began, heard - analysed, heard - began, bridged - arrives];
        for (micros, span) in micros.iter_mut().zip(spans) {
            micros.push(f64_from_i64(span.nanos()) / 1_000.0);
        }
    }
    let names = [
        ("analysis", "link, each datagram", 30.0),
        ("continuation", "audio thread, a lost chunk", 10.0),
        ("analysis_and_continuation", "all of it, median", 60.0),
        ("bridge", "all of it, median", 60.0),
    ];
    let figure = |((name, note, goal), micros): ((&str, &str, f64), &mut Vec<f64>)| Figure {
        name: format!("conceal.cost.{name}.64_stereo"),
        note: note.into(),
        goal,
        measured: percentile(micros, 0.5),
        holds: Holds::AtMost,
        unit: "us",
    };
    names.into_iter().zip(&mut micros).map(figure).collect()
}

/// A lost chunk as the audio thread plays it, and the way back into what arrived.
#[inline(never)]
fn hear(continuation: &Continuation, last: &ChunkFrames, arrived: &mut ChunkFrames) {
    let mut run: Run = continuation.run(last);
    std::hint::black_box(run.next_chunk());
    run.cross_into(arrived);
    std::hint::black_box(arrived);
}

fn chunk_at(sound: &Sound, first: usize) -> ChunkFrames {
    let channel = |channel: usize| core::array::from_fn(|n| sound[channel][first + n]);
    [channel(0), channel(1)]
}

fn add(sum: &mut ChunkFrames, chunk: &ChunkFrames) {
    for (sum, sample) in sum.as_flattened_mut().iter_mut().zip(chunk.as_flattened()) {
        *sum += sample;
    }
}

fn sum(sounds: &[&Sound]) -> Sound {
    let mut sum: Sound = [Vec::new(), Vec::new()];
    for sound in sounds {
        for (sum, channel) in sum.iter_mut().zip(*sound) {
            sum.resize(sum.len().max(channel.len()), 0.0);
            sum.iter_mut().zip(channel).for_each(|(sum, sample)| *sum += sample);
        }
    }
    sum
}

fn read(path: &PathBuf) -> Result<(String, Sound)> {
    let shown = path.display();
    let reader = WavReader::open(path).with_context(|| format!("cannot read {shown}"))?;
    let spec = reader.spec();
    if spec.channels != 2 || spec.sample_format != SampleFormat::Float || spec.sample_rate != 48_000 {
        bail!("{shown} is not 48 kHz stereo in 32-bit floats");
    }
    let samples: Vec<f32> = reader.into_samples().collect::<Result<_, _>>()?;
    let channel = |first: usize| samples.iter().skip(first).step_by(2).copied().collect();
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let name = stem.split('-').next().unwrap_or_default().to_owned();
    Ok((name, [channel(0), channel(1)]))
}

/// Sounds that tempt a predictor.
fn difficult() -> Vec<(&'static str, Sound)> {
    let mut rng = Rng::new(SEED);
    let mut sounds = Vec::new();
    let mut add = |name, sample: &mut dyn FnMut(usize, &mut Rng) -> f64| {
        let left: Vec<f32> = (0..SOUND_FRAMES).map(|n| f32_from_f64(sample(n, &mut rng))).collect();
        let right = left.iter().rev().copied().collect();
        sounds.push((name, [left, right]));
    };
    let turn = |hz: f64, n: usize| {
        let turns = hz * f64_from_usize(n) / 48_000.0;
        sin(core::f64::consts::TAU * (turns - turns.floor()))
    };
    add("white_noise", &mut |_, rng| 0.1 * rng.normal());
    let mut before = 0.0;
    add("hat_noise", &mut |n, rng| {
        let noise = rng.normal();
        let high = noise - before;
        before = noise;
        0.2 * high * (-f64_from_usize(n % 6_000) / 1_200.0).exp()
    });
    let mut low = 0.0;
    add("low_noise", &mut |_, rng| {
        low = 0.95 * low + 0.05 * rng.normal();
        low
    });
    add("impulses", &mut |_, rng| if rng.chance(0.01) { 0.3 * rng.normal() } else { 0.0 });
    add("clicks", &mut |n, _| if n % 150 == 0 { 0.5 } else { 0.0 });
    let mut envelope = 0.0;
    add("noise_bursts", &mut |_, rng| {
        envelope = if rng.chance(0.001) { 1.0 } else { 0.99 * envelope };
        0.3 * envelope * rng.normal()
    });
    add("plucks", &mut |n, _| 0.5 * (-f64_from_usize(n % 2_000) / 500.0).exp() * turn(380.0, n % 2_000));
    add("reversed_plucks", &mut |n, _| {
        let left = f64_from_usize(1_500 - n % 1_500);
        0.5 * (-left / 170.0).exp() * turn(230.0, n)
    });
    add("square", &mut |n, _| if (n / 137) % 2 == 0 { 0.3 } else { -0.3 });
    add("gated_tone", &mut |n, _| if (n / 700) % 2 == 0 { 0.5 * turn(440.0, n) } else { 0.0 });
    add("tone_in_noise", &mut |n, rng| 0.1 * turn(1_000.0, n) + 0.1 * rng.normal());
    add("tone", &mut |n, _| 0.5 * turn(440.0, n));
    sounds
}
