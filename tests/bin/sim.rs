//! `lockstep-sim --plan NETWORK --seed N`: one run drawn from a seed, with everything that must hold checked.
//!
//! Exit codes: 0 all held, 1 something did not, 2 the command line is wrong.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use lockstep_shared::time::Span;
use lockstep_tests::checks::Stamp;
use lockstep_tests::plan::{Network, Plan};
use lockstep_tests::run::{Keep, run};

/// Plays one drawn room in virtual time: 2 to 6 members with their sample rates, blocks, drifts and networks, and
/// what goes wrong. The same seed gives the same run everywhere.
#[derive(Debug, Parser)]
#[command(name = "lockstep-sim")]
struct Cli {
    /// What kind of network everybody has.
    #[arg(long, value_enum, default_value = "wired")]
    plan: NetworkArg,
    /// Which run.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Many runs instead: from the first seed up to, but not with, the second.
    #[arg(long, value_name = "A..B", value_parser = parse_seeds)]
    seeds: Option<(u64, u64)>,
    /// Simulated seconds.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(20..=360_000))]
    seconds: u32,
    /// Writes what member 0 hears, where each of the others plays another tone.
    #[arg(long, value_name = "FILE", conflicts_with = "seeds")]
    wav: Option<PathBuf>,
    /// Tells what happens, and every second what each member shows.
    #[arg(long)]
    trace: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum NetworkArg {
    Clean,
    Wired,
    Cable,
    Wifi,
}

impl From<NetworkArg> for Network {
    fn from(arg: NetworkArg) -> Self {
        match arg {
            NetworkArg::Clean => Self::Clean,
            NetworkArg::Wired => Self::Wired,
            NetworkArg::Cable => Self::Cable,
            NetworkArg::Wifi => Self::Wifi,
        }
    }
}

fn parse_seeds(text: &str) -> Result<(u64, u64), String> {
    let range = text.split_once("..").and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
    range.filter(|(from, to)| from < to).ok_or_else(|| "seeds are two numbers, as in 1..100".to_owned())
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let (from, to) = cli.seeds.unwrap_or_else(|| (cli.seed, cli.seed.saturating_add(1)));
    match runs(&cli, from..to) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(sentence) => {
            let _ = writeln!(io::stderr(), "lockstep-sim: {sentence}");
            ExitCode::FAILURE
        }
    }
}

/// Runs every seed; returns how many did not hold.
fn runs(cli: &Cli, seeds: std::ops::Range<u64>) -> Result<u64, String> {
    let mut out = io::stdout().lock();
    let printing = |error: io::Error| format!("cannot print: {error}");
    let (mut failed, count) = (0, seeds.end - seeds.start);
    for seed in seeds {
        let plan = Plan::draw(seed, cli.plan.into(), Span::from_millis(i64::from(cli.seconds) * 1_000));
        let keep = if cli.wav.is_some() { Keep::Recording } else { Keep::Nothing };
        let mut told = Ok(());
        let outcome = run(&plan, keep, &mut |at, line| {
            if cli.trace && told.is_ok() {
                told = writeln!(out, "{} {line}", Stamp(at));
            }
        });
        told.map_err(printing)?;
        if let (Some(path), Some(recording)) = (&cli.wav, &outcome.recording) {
            write_wav(path, plan.members[0].daw.rate.hz_f64(), recording)?;
        }
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
