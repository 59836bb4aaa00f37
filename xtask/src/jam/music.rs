//! The piece as sound: each part through FluidSynth and a General MIDI soundfont, made as loud as the others,
//! and closed into a loop that a host can play for ever. Rendered once; kept in `target/jam` by what went in.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use super::audio::Stereo;
use super::midi::{micros_per_quarter, only_key, only_part, part_names};
use super::score::BARS;
use crate::install::{shown, soundfont};
use crate::numbers::{f32_from_f64, f64_from_usize, usize_round};
use crate::shell::{capture, command, root, target};

/// The rate that every part is rendered at.
pub(crate) const SAMPLE_RATE: u32 = 48_000;

/// A part's loudness over the whole piece: eight of them together stay below full scale.
const RMS_DB: f64 = -24.0;
/// A part's largest sample at most.
const PEAK_DB: f64 = -6.0;
/// Changes when the way of rendering does, so that older files are made again.
const RENDERING: u8 = 1;

/// One part, ready to be played.
#[derive(Clone, Debug)]
pub(crate) struct Rendered {
    pub(crate) name: String,
    pub(crate) file: PathBuf,
}

/// Where the committed MIDI file is.
pub(crate) fn midi_file() -> PathBuf {
    root().join("xtask/music/lockstep-jam.mid")
}

/// The first `count` parts of the piece as WAV files, rendered unless they are here already.
pub(crate) fn render(count: usize) -> Result<Vec<Rendered>> {
    let midi = std::fs::read(midi_file()).with_context(|| format!("cannot read {}", shown(&midi_file())))?;
    let folder = target().join("jam/parts");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", shown(&folder)))?;
    let names = part_names(&midi)?;
    if count > names.len() {
        bail!("the piece has {} parts, not {count}", names.len());
    }
    let render = |(index, name): (usize, String)| {
        let file = render_part(&folder, &name, &only_part(&midi, index)?)?;
        Ok(Rendered { name, file })
    };
    names.into_iter().take(count).enumerate().map(render).collect()
}

/// The piece's kick drum by itself, rendered unless it is here already.
pub(crate) fn render_kick() -> Result<PathBuf> {
    /// General MIDI's bass drum.
    const KICK: u8 = 36;
    let midi = std::fs::read(midi_file()).with_context(|| format!("cannot read {}", shown(&midi_file())))?;
    let drums =
        part_names(&midi)?.iter().position(|name| name == "drums").context("the piece has no drums")?;
    let folder = target().join("jam/parts");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", shown(&folder)))?;
    render_part(&folder, "kick", &only_key(&only_part(&midi, drums)?, KICK)?)
}

fn render_part(folder: &Path, name: &str, midi: &[u8]) -> Result<PathBuf> {
    let soundfont = soundfont();
    let sounds = std::fs::metadata(&soundfont)
        .with_context(|| format!("the General MIDI sounds are not at {}", soundfont.display()))?;
    let digest = digest([midi, &sounds.len().to_le_bytes(), &[RENDERING]]);
    let finished = folder.join(format!("{name}-{digest:016x}.wav"));
    if finished.is_file() {
        return Ok(finished);
    }
    let score = folder.join(format!("{name}.mid"));
    let raw = folder.join(format!("{name}-raw.wav"));
    std::fs::write(&score, midi)?;
    let mut synthesiser = command("fluidsynth");
    synthesiser.args(["-n", "-i", "-q", "-g", "0.5", "-T", "wav", "-O", "float", "-r"]);
    synthesiser.arg(SAMPLE_RATE.to_string()).arg("-F").arg(&raw).arg(&soundfont).arg(&score);
    capture(&mut synthesiser)?;
    let mut sound = close_loop(&Stereo::read(&raw)?);
    let gain = levelling_gain(&sound).with_context(|| format!("the part `{name}` came out silent"))?;
    for sample in sound.channels.iter_mut().flatten() {
        *sample *= gain;
    }
    // Under its own name only when it is whole.
    let unfinished = folder.join(format!("{name}-unfinished.wav"));
    sound.write(&unfinished, SAMPLE_RATE)?;
    std::fs::rename(&unfinished, &finished)?;
    std::fs::remove_file(raw)?;
    Ok(finished)
}

/// Frames from the beginning of the piece to its repetition.
fn loop_frames() -> usize {
    let seconds = f64::from(BARS * 4) * f64::from(micros_per_quarter()) * 1e-6;
    usize_round(seconds * f64::from(SAMPLE_RATE))
}

/// Exactly one piece long; what rings on after its end rings into its beginning.
fn close_loop(sound: &Stereo) -> Stereo {
    let frames = loop_frames();
    let close = |channel: &Vec<f32>| {
        let mut closed = vec![0.0; frames];
        for (index, sample) in channel.iter().enumerate() {
            closed[index % frames] += sample;
        }
        closed
    };
    Stereo { channels: [close(&sound.channels[0]), close(&sound.channels[1])] }
}

fn levelling_gain(sound: &Stereo) -> Option<f32> {
    let levels = sound.levels();
    let is_silent = levels.rms < 1e-6;
    let gain = f64::min(from_db(RMS_DB) / levels.rms, from_db(PEAK_DB) / levels.peak);
    (!is_silent).then(|| f32_from_f64(gain))
}

fn from_db(decibels: f64) -> f64 {
    10.0_f64.powf(decibels / 20.0)
}

/// FNV-1a: a name for what went in, not a seal.
fn digest<const N: usize>(parts: [&[u8]; N]) -> u64 {
    parts
        .iter()
        .flat_map(|part| part.iter())
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The share of half-second spans in which the part can be heard.
pub(crate) fn audible_share(sound: &Stereo) -> f64 {
    let span = usize_round(f64::from(SAMPLE_RATE) / 2.0);
    let spans = sound.frames() / span;
    let audible =
        (0..spans).filter(|index| sound.part(index * span..(index + 1) * span).levels().rms > from_db(-60.0));
    f64_from_usize(audible.count()) / f64_from_usize(spans.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rings_past_the_end_rings_into_the_beginning() {
        let frames = loop_frames();
        let mut channel = vec![0.25; frames + 2];
        channel[0] = 0.5;
        let closed = close_loop(&Stereo { channels: [channel.clone(), channel] });
        assert_eq!(closed.frames(), frames);
        assert_eq!(closed.channels[1][..3], [0.75, 0.5, 0.25]);
    }

    #[test]
    fn a_part_is_levelled_by_loudness_and_by_its_peak() {
        let even = Stereo { channels: [vec![0.1; 1000], vec![0.1; 1000]] };
        assert!((f64::from(levelling_gain(&even).unwrap()) * 0.1 - from_db(RMS_DB)).abs() < 1e-4);
        let mut clicks = vec![0.0; 1000];
        clicks[10] = 0.9;
        let clicks = Stereo { channels: [clicks.clone(), clicks] };
        assert!((f64::from(levelling_gain(&clicks).unwrap()) * 0.9 - from_db(PEAK_DB)).abs() < 1e-4);
        assert!(levelling_gain(&Stereo { channels: [vec![0.0; 9], vec![0.0; 9]] }).is_none());
    }
}
