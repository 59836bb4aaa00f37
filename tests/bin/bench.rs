//! `lockstep-bench NAME`: prints figures beside their goals; `cargo xtask bench NAME` builds and runs it.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, ValueEnum};
use lockstep_tests::figures::{
    Figure, Length, clock, clock_output, codec, conceal, drift, engine, impairment, loopback, midi, network,
    oracle, relay, resampler, sync, sync_delay, wire,
};

/// Prints one row for each figure: name, seed or note, goal, measured, and whether it holds. Exits 0 if all hold.
#[derive(Debug, Parser)]
#[command(name = "lockstep-bench")]
struct Cli {
    /// Which figures.
    name: Name,
    /// Write them to this file too, as one flat JSON object.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Minutes instead of hours.
    #[arg(long)]
    quick: bool,
    /// A part of the jam's piece, for what is measured on music; once for each.
    #[arg(long, value_name = "FILE.wav")]
    music: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Name {
    /// The room clock and the device clock, against truth and against rivals.
    Clock,
    /// Two devices 200 ppm apart, for eight hours.
    Drift,
    /// Every frame heard is the frame that was sent.
    Oracle,
    /// The interpolator's error and cost.
    Resampler,
    /// Musical time: beats as heard, and the MIDI clock.
    Sync,
    /// The sync delay under automation.
    SyncDelay,
    /// What the audio thread spends.
    Engine,
    /// What the wire adds.
    Wire,
    /// What the relay spends on 2 to 40 members.
    Relay,
    /// From plugin in to plugin out on this machine.
    Loopback,
    /// The MIDI clock that the plugin emits on this machine.
    ClockOutput,
    /// The lossless codec: what it saves and what it costs.
    Codec,
    /// What is played where chunks are missing, and what it costs.
    Conceal,
    /// The impairment proxy's own error.
    Impairment,
    /// RTP-MIDI: state after loss, the clock, reconnecting, the relay's delay and cost.
    Midi,
    /// Our delay against others' on the same networks, and what is missing where much is lost.
    Network,
    /// All of them.
    All,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            print(&format!("lockstep-bench: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<bool> {
    let length = if cli.quick { Length::Quick } else { Length::Full };
    let names = if cli.name == Name::All {
        Name::value_variants().iter().copied().filter(|name| *name != Name::All).collect()
    } else {
        vec![cli.name]
    };
    let mut all = Vec::new();
    for name in names {
        let figures = measure(name, length, &cli.music)?;
        figures.iter().for_each(|figure| print(&figure.to_string()));
        all.extend(figures);
    }
    if let Some(path) = &cli.json {
        let flat: serde_json::Map<_, _> =
            all.iter().map(|figure| (figure.name.clone(), figure.measured.into())).collect();
        std::fs::write(path, format!("{:#}\n", serde_json::Value::Object(flat)))?;
    }
    Ok(all.iter().all(Figure::holds))
}

fn measure(name: Name, length: Length, music: &[PathBuf]) -> Result<Vec<Figure>> {
    Ok(match name {
        Name::Clock => clock::clock_figures(length),
        Name::Drift => drift::drift_figures(length),
        Name::Oracle => oracle::oracle_figures(length),
        Name::Resampler => resampler::resampler_figures(),
        Name::Sync => sync::sync_figures(length),
        Name::SyncDelay => sync_delay::sync_delay_figures(),
        Name::Engine => engine::engine_figures(),
        Name::Wire => wire::wire_figures(),
        Name::Relay => relay::relay_figures(length)?,
        Name::Loopback => loopback::loopback_figures(length)?,
        Name::ClockOutput => clock_output::clock_output_figures(length)?,
        Name::Codec => codec::codec_figures(length, music)?,
        Name::Network => network::network_figures(length),
        Name::Conceal => conceal::conceal_figures(length, music)?,
        Name::Impairment => impairment::impairment_figures(length)?,
        Name::Midi => midi::midi_figures(length)?,
        Name::All => Vec::new(),
    })
}

#[expect(clippy::print_stdout, reason = "a table is what this program is for")]
fn print(line: &str) {
    println!("{line}");
}
