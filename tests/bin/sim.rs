//! `lockstep-sim --plan NETWORK --seed N`: one run drawn from a seed, with everything that must hold checked.
//!
//! With `--wav` the same run is also played with music, to be listened to. With `--jam` it is no drawn run but the simulated
//! twin of `cargo xtask jam`, and says what such players should come to.
//!
//! Exit codes: 0 all held, 1 something did not, 2 the command line is wrong.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use lockstep_shared::time::convert::f64_from_usize;
use lockstep_shared::time::{SampleRate, Span};
use lockstep_tests::checks::Stamp;
use lockstep_tests::jam::{self, Player};
use lockstep_tests::listening::{self, Part, listen};
use lockstep_tests::plan::{Network, Plan};
use lockstep_tests::run::run;

/// Plays one drawn room in virtual time: 2 to 6 members with their sample rates, blocks, drifts and networks, and
/// what goes wrong. The same seed gives the same run everywhere.
#[derive(Debug, Parser)]
#[command(name = "lockstep-sim")]
struct Cli {
    /// What kind of network everybody has.
    #[arg(long, value_enum, default_value = "wired")]
    plan: Network,
    /// Which run.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Many runs instead: from the first seed up to, but not with, the second.
    #[arg(long, value_name = "A..B", value_parser = parse_seeds)]
    seeds: Option<(u64, u64)>,
    /// Simulated seconds.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(20..=360_000))]
    seconds: u32,
    /// Writes what member 0 hears of the others, concealment, fades and all
    #[arg(long, value_name = "FILE", conflicts_with = "seeds")]
    wav: Option<PathBuf>,
    /// Writes what it would hear in the same room over networks of the same lengths that do nothing wrong
    #[arg(long, value_name = "FILE", conflicts_with = "seeds")]
    wav_reference: Option<PathBuf>,
    /// What the members play in those files, one each, of 48,000 Hz; tones otherwise. `cargo xtask sim` names the jam's parts
    #[arg(long, value_name = "FILE")]
    music: Vec<PathBuf>,
    /// A jam instead: the blocks and the clocks' errors of its players, as in 64:100,128:-100; what each should hear of each
    /// other is printed as JSON, over eight seeds from this one on
    #[arg(long, value_name = "FRAMES:PPM,...", value_parser = parse_jam, conflicts_with_all = ["seeds", "wav", "wav_reference", "trace"])]
    jam: Option<Jam>,
    /// Tells what happens, and every second what each member shows.
    #[arg(long)]
    trace: bool,
}

/// The players of a jam.
#[derive(Clone, Debug)]
struct Jam(Vec<Player>);

/// Jams that are simulated: a network's accidents move a delay by a millisecond or two, and on a rough one, where an early
/// spike can hold up the room for long, by 40.
const JAM_SEEDS: u64 = 8;

fn parse_jam(text: &str) -> Result<Jam, String> {
    let player = |text: &str| {
        let (block, ppm) = text.split_once(':')?;
        let block_frames = block.parse().ok().filter(|frames| (1..=8_192).contains(frames))?;
        Some(Player { block_frames, ppm: ppm.parse().ok()? })
    };
    let players: Option<Vec<Player>> = text.split(',').map(player).collect();
    let players = players.filter(|players| (2..=16).contains(&players.len()));
    players.map(Jam).ok_or_else(|| "two to sixteen players, as in 64:100,128:-100".to_owned())
}

fn parse_seeds(text: &str) -> Result<(u64, u64), String> {
    let range = text.split_once("..").and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
    range.filter(|(from, to)| from < to).ok_or_else(|| "seeds are two numbers, as in 1..100".to_owned())
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Some(Jam(players)) = &cli.jam {
        return match expect(&cli, players) {
            Ok(()) => ExitCode::SUCCESS,
            Err(sentence) => fail(&sentence),
        };
    }
    let (from, to) = cli.seeds.unwrap_or_else(|| (cli.seed, cli.seed.saturating_add(1)));
    match runs(&cli, from..to) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(sentence) => fail(&sentence),
    }
}

fn fail(sentence: &str) -> ExitCode {
    let _ = writeln!(io::stderr(), "lockstep-sim: {sentence}");
    ExitCode::FAILURE
}

/// Prints what the players of a jam should hear of each other.
fn expect(cli: &Cli, players: &[Player]) -> Result<(), String> {
    let span = Span::from_millis(i64::from(cli.seconds) * 1_000);
    let path = cli.plan.family();
    let jams: Vec<Vec<jam::Heard>> =
        (0..JAM_SEEDS).map(|more| jam::play(players, &path, cli.seed.wrapping_add(more), span)).collect();
    let mut pairs = Vec::new();
    for listener in 0..players.len() {
        for sender in (0..players.len()).filter(|sender| *sender != listener) {
            let heard: Vec<&jam::Heard> = jams
                .iter()
                .flatten()
                .filter(|heard| heard.listener == listener && heard.sender == sender)
                .collect();
            if heard.is_empty() {
                return Err(format!("in the simulator, player {listener} never heard player {sender}"));
            }
            let count = f64_from_usize(heard.len());
            let mean =
                |value: fn(&jam::Heard) -> f64| heard.iter().map(|heard| value(heard)).sum::<f64>() / count;
            let delays = || heard.iter().map(|heard| heard.delay_ms);
            pairs.push(serde_json::json!({
                "listener": listener,
                "sender": sender,
                "delay_ms": mean(|heard| heard.delay_ms),
                "delay_ms_least": delays().fold(f64::INFINITY, f64::min),
                "delay_ms_most": delays().fold(0.0, f64::max),
                "concealed_ppm": mean(|heard| heard.concealed_ppm),
            }));
        }
    }
    let text = format!("{:#}", serde_json::Value::from(pairs));
    writeln!(io::stdout(), "{text}").map_err(|error| format!("cannot print: {error}"))
}

/// Runs every seed; returns how many did not hold.
fn runs(cli: &Cli, seeds: std::ops::Range<u64>) -> Result<u64, String> {
    let mut out = io::stdout().lock();
    let printing = |error: io::Error| format!("cannot print: {error}");
    let (mut failed, count) = (0, seeds.end - seeds.start);
    for seed in seeds {
        let plan = Plan::draw(seed, cli.plan, Span::from_millis(i64::from(cli.seconds) * 1_000));
        let mut told = Ok(());
        let outcome = run(&plan, &mut |at, line| {
            if cli.trace && told.is_ok() {
                told = writeln!(out, "{} {line}", Stamp(at));
            }
        });
        told.map_err(printing)?;
        render(cli, &plan)?;
        if outcome.violations.is_empty() {
            let (members, faults) = (plan.members.len(), plan.faults.len());
            writeln!(out, "seed {seed}: {members} members, {faults} faults, all held").map_err(printing)?;
            continue;
        }
        failed += 1;
        writeln!(
            out,
            "seed {seed}: {} violations; repeat with: {}",
            outcome.violations.len(),
            plan.command()
        )
        .map_err(printing)?;
        for violation in outcome.violations.iter().take(12) {
            writeln!(out, "  {violation}").map_err(printing)?;
        }
    }
    if count > 1 {
        writeln!(out, "{count} runs, {failed} did not hold").map_err(printing)?;
    }
    Ok(failed)
}

/// Writes the files to listen to that were asked for.
fn render(cli: &Cli, plan: &Plan) -> Result<(), String> {
    let wanted =
        [(&cli.wav, listening::Network::AsDrawn), (&cli.wav_reference, listening::Network::Faultless)];
    if wanted.iter().all(|(file, _)| file.is_none()) {
        return Ok(());
    }
    let parts: Vec<Part> = cli.music.iter().map(|file| read_wav(file)).collect::<Result<_, _>>()?;
    for (file, network) in wanted {
        if let Some(file) = file {
            write_wav(file, plan.members[0].daw.rate.hz_f64(), &listen(plan, &parts, network))?;
        }
    }
    Ok(())
}

/// The samples of a file of 32-bit floats or 16-bit integers, one channel or two, at the grid's rate.
fn read_wav(path: &Path) -> Result<Part, String> {
    let said = |what: &str| format!("cannot play {}: {what}", path.display());
    let reader = hound::WavReader::open(path).map_err(|error| said(&error.to_string()))?;
    let spec = reader.spec();
    if f64::from(spec.sample_rate) != SampleRate::GRID.hz_f64() || !(1..=2).contains(&spec.channels) {
        return Err(said("it is not one channel or two of 48,000 Hz"));
    }
    let samples: Result<Vec<f32>, hound::Error> = match (spec.sample_format, spec.bits_per_sample) {
        (hound::SampleFormat::Float, 32) => reader.into_samples::<f32>().collect(),
        (hound::SampleFormat::Int, 16) => {
            reader.into_samples::<i16>().map(|sample| Ok(f32::from(sample?) / 32_768.0)).collect()
        }
        _ => return Err(said("it is neither of 32-bit floats nor of 16-bit integers")),
    };
    let samples = samples.map_err(|error| said(&error.to_string()))?;
    let stride = usize::from(spec.channels);
    let channel = |first: usize| samples.iter().skip(first).step_by(stride).copied().collect();
    Ok([channel(0), channel(stride - 1)])
}

fn write_wav(path: &Path, rate: f64, [left, right]: &[Vec<f32>; 2]) -> Result<(), String> {
    let said = |error: hound::Error| format!("cannot write {}: {error}", path.display());
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: u32::try_from(lockstep_shared::time::convert::i64_round(rate)).unwrap_or(48_000),
        bits_per_sample: 32,
        sample_format: hound::SampleFormat::Float,
    };
    let mut file = hound::WavWriter::create(path, spec).map_err(said)?;
    for sample in left.iter().zip(right).flat_map(|(left, right)| [*left, *right]) {
        file.write_sample(sample).map_err(said)?;
    }
    file.finalize().map_err(said)
}
