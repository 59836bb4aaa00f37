//! `cargo xtask sim` and `cargo xtask bench`: the two measuring programs of `tests`, built for speed and
//! started with what was asked for. Their exit codes are ours.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result};

use crate::install::{Need, ensure};
use crate::jam;
use crate::shell::{cargo, stream, target, typed};

/// Run a simulated session. With `--wav FILE` it writes what one member hears, of the jam's piece.
#[derive(Clone, Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct SimOptions {
    /// Handed to the simulator as they are
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENT")]
    arguments: Vec<String>,
}

/// Print one table of figures: name, goal, measured, holds or falls short. Succeeds only if every row holds.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct BenchOptions {
    /// Which table
    #[arg(value_name = "NAME")]
    name: String,
    /// Also write the figures as one flat JSON object
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Fewer repetitions: a smoke test, not a measurement
    #[arg(long)]
    quick: bool,
    /// Handed to the bench as they are
    #[arg(last = true, value_name = "ARGUMENT")]
    arguments: Vec<String>,
}

/// The tables that are measured on the piece of the jam.
const MUSICAL: [&str; 3] = ["codec", "conceal", "all"];

pub(crate) fn sim(options: &SimOptions) -> Result<ExitCode> {
    ensure(&[Need::Build])?;
    let name = "lockstep-sim";
    stream(&mut cargo(["build", "--quiet", "--release", "--package", "lockstep-tests", "--bin", name]))?;
    // Started where the user stands, for the files that it writes are named from there.
    let mut sim =
        Command::new(target().join("release").join(format!("{name}{}", std::env::consts::EXE_SUFFIX)));
    sim.args(&options.arguments);
    let names =
        |option: &str| options.arguments.iter().any(|argument| argument.split('=').next() == Some(option));
    if (names("--wav") || names("--wav-reference")) && !names("--music") {
        for part in jam::parts()? {
            sim.arg("--music").arg(std::path::absolute(part)?);
        }
    }
    start(&mut sim)
}

pub(crate) fn bench(options: &BenchOptions) -> Result<ExitCode> {
    ensure(&[Need::Build])?;
    // Some tables start the relay that lies beside the bench.
    stream(&mut cargo(["build", "--quiet", "--release", "--package", "lockstep-relay"]))?;
    let mut bench = program("lockstep-bench");
    bench.arg(&options.name);
    if let Some(file) = &options.json {
        // The program starts in the root of the repository, which is not where the user stands.
        bench.arg("--json").arg(std::path::absolute(file)?);
    }
    if options.quick {
        bench.arg("--quick");
    }
    if MUSICAL.contains(&options.name.as_str()) {
        for file in jam::parts_and_kick()? {
            bench.arg("--music").arg(file);
        }
    }
    start(bench.args(&options.arguments))
}

fn program(name: &str) -> Command {
    cargo(["run", "--quiet", "--release", "--package", "lockstep-tests", "--bin", name, "--"])
}

fn start(program: &mut Command) -> Result<ExitCode> {
    let status = program.status().with_context(|| format!("cannot start `{}`", typed(program)))?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
