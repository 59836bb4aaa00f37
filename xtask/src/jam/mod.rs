//! `cargo xtask jam`: real music through real plugin processes and a real relay, measured.
//!
//! ```text
//! score -> MIDI -> FluidSynth -> a part a player
//!     part -> [host with the .clap] --relay--> [host with the .clap] -> what it heard
//!                    sent and heard, by the machine's one clock -> report, pictures
//! ```
//!
//! With `--network`, a proxy lies between the players and the relay and impairs what they send, with the simulator's own
//! model of such a network; the report then says what the simulator expects beside what was measured.
//!
//! The first player's DAW runs the piece and leads; those of the others slave to the MIDI clock of their plugins.

mod analysis;
mod audio;
mod beats;
mod clicks;
mod correlation;
mod delay;
mod interpolation;
mod journal;
mod least_squares;
mod likeness;
mod midi;
mod music;
mod network;
mod picture;
mod players;
mod relay;
mod report;
mod score;
mod ticks;
mod visitors;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::bundle::{self, Bundles, Profile};
use crate::install::{Need, ensure, shown};
use crate::shell::{cargo, stream, target, wait};
use network::{Choice, Network, NetworkProcess};
use players::Player;
use relay::RelayProcess;
use report::Report;
pub(crate) use visitors::Visitors;

/// As many as the piece has parts.
const PLAYERS_MAX: usize = 8;

/// Let players make real music together through a relay on this machine, and measure it.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// How many players, 2 to 8: each one part of the piece
    #[arg(long, default_value_t = 3, value_parser = players_in_range)]
    players: usize,
    /// How long they play
    #[arg(long, default_value_t = 20.0)]
    seconds: f64,
    /// Put this network between the players and the relay
    #[arg(long, value_enum)]
    network: Option<Network>,
    /// Which accidents of that network
    #[arg(long, default_value_t = 1, requires = "network")]
    seed: u64,
    /// Write the report here too [always in the output folder as report.json]
    #[arg(long, value_name = "FILE.json")]
    report: Option<PathBuf>,
    /// Where everything goes [default: target/jam]
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Only keep a relay running, print its invite, and say how to load the plugin in a DAW
    #[arg(long)]
    relay_only: bool,
}

fn players_in_range(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(players) if (2..=PLAYERS_MAX).contains(&players) => Ok(players),
        _ => Err(format!("the piece has parts for 2 to {PLAYERS_MAX} players")),
    }
}

pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let stop = stop_on_signal()?;
    if options.relay_only {
        return relay_only(&stop);
    }
    let out = options.out.as_deref().map_or_else(|| Ok(target().join("jam")), std::path::absolute)?;
    let report = options.report.as_deref().map(std::path::absolute).transpose()?;
    let network = options.network.map(|network| Choice { network, seed: options.seed });
    let played = play(options.players, options.seconds, network, &out, &stop)?;
    if let Some(path) = report {
        played.write(&path)?;
    }
    println!("{}", played.summary());
    println!("What everybody heard, the pictures and the report are in {}", shown(&out));
    played.judge()?;
    Ok(ExitCode::SUCCESS)
}

/// Two players for a few seconds: a check that everything still plays together.
pub(crate) fn run_short() -> Result<()> {
    let played = play(2, 8.0, None, &target().join("jam/short"), &stop_on_signal()?)?;
    println!("{}", played.summary());
    played.judge()
}

/// Writes the committed MIDI file again, and says what came out.
pub(crate) fn write_score() -> Result<ExitCode> {
    ensure(&[Need::Music])?;
    let file = music::midi_file();
    std::fs::write(&file, midi::write(&score::piece())?)?;
    println!("{}", shown(&file));
    for part in music::render(PLAYERS_MAX)? {
        let sound = audio::Stereo::read(&part.file)?;
        let levels = sound.levels();
        println!(
            "{:<12} peak {:>6.1} dBFS  loudness {:>6.1} dBFS  audible {:>3.0} % of the time",
            part.name,
            20.0 * levels.peak.log10(),
            20.0 * levels.rms.log10(),
            100.0 * music::audible_share(&sound)
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// The parts of the piece as files whose names begin with the part's, for those who want music.
pub(crate) fn parts() -> Result<Vec<PathBuf>> {
    ensure(&[Need::Music])?;
    Ok(music::render(PLAYERS_MAX)?.into_iter().map(|part| part.file).collect())
}

/// The same, and the kick drum alone: real music for figures.
pub(crate) fn parts_and_kick() -> Result<Vec<PathBuf>> {
    let mut files = parts()?;
    files.push(music::render_kick()?);
    Ok(files)
}

/// Builds, plays, and measures; leaves everything in `out`.
fn play(
    count: usize,
    seconds: f64,
    network: Option<Choice>,
    out: &Path,
    stop: &Arc<AtomicBool>,
) -> Result<Report> {
    ensure(&[Need::Build, Need::Music])?;
    println!("Rendering the piece ...");
    let parts = music::render(count)?;
    println!("Building the relay, the plugin and its host ...");
    let bundles = build()?;
    let expected = network.map(|network| {
        build_network()?;
        network::expected(network, count, seconds)
    });
    let expected = expected.transpose()?.unwrap_or_default();
    std::fs::create_dir_all(out).with_context(|| format!("cannot make {}", shown(out)))?;
    let relay = RelayProcess::start(out)?;
    let network = network.map(|network| NetworkProcess::start(network, relay.invite(), out)).transpose()?;
    let invite = network.as_ref().map_or_else(|| relay.invite().to_owned(), |it| it.invite(relay.invite()));
    let players = parts
        .iter()
        .enumerate()
        .map(|(number, part)| Player::start(number, part, &bundles.clap, &invite, seconds, out))
        .collect::<Result<Vec<Player>>>()?;
    println!("{count} players play for {seconds:.0} s through {} ...", relay.place());
    let ended = players::watch(players, seconds, stop)?;
    let network_figures = network.map(|network| network.stop(expected)).transpose()?;
    let relay_figures = relay.stop()?;
    if stop.load(Ordering::Relaxed) {
        bail!("stopped before the end");
    }
    println!("Comparing what was heard with what was sent ...");
    let report = report::measure(&ended, relay_figures, network_figures)?;
    picture::sent_and_received(&report, &out.join("sent-and-received.png"))?;
    picture::delay_over_time(&report, &out.join("delay-over-time.png"))?;
    picture::beat_error_over_time(&report, &out.join("beat-error-over-time.png"))?;
    report.write(&out.join("report.json"))?;
    Ok(report)
}

/// Builds the relay, the plugin and its host, as they are used.
pub(crate) fn build() -> Result<Bundles> {
    let bundles = bundle::build(Profile::Release, &[])?;
    stream(&mut cargo(["build", "--release", "-p", "lockstep-relay", "-p", "lockstep-hosts", "--bins"]))?;
    Ok(bundles)
}

/// Builds the proxy, and the simulator that says what to expect of it.
fn build_network() -> Result<()> {
    let mut build = cargo(["build", "--release", "-p", "lockstep-tests"]);
    stream(build.args(["--bin", "lockstep-impairment", "--bin", "lockstep-sim"]))
}

fn relay_only(stop: &Arc<AtomicBool>) -> Result<ExitCode> {
    ensure(&[Need::Build])?;
    let bundles = build()?;
    let folder = target().join("jam/relay");
    std::fs::create_dir_all(&folder)?;
    let relay = RelayProcess::start(&folder)?;
    println!("\nThe relay runs. Its invite:\n\n    {}\n", relay.invite());
    println!("The plugin: {} and {}", shown(&bundles.clap), shown(&bundles.vst3));
    println!(
        "Live:    copy the .vst3 to your VST3 folder, rescan, put Lockstep on an audio track, paste the invite."
    );
    println!(
        "REAPER:  copy the .clap to ~/.clap, rescan, insert Lockstep, switch anticipative FX off for the track."
    );
    println!(
        "Bitwig:  copy the .clap to ~/.clap, insert Lockstep, route Player 1 to 8 to tracks of their own."
    );
    println!("\nCtrl-C stops it.");
    while !stop.load(Ordering::Relaxed) {
        wait(Duration::from_millis(100));
    }
    relay.stop()?;
    Ok(ExitCode::SUCCESS)
}

fn stop_on_signal() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&stop);
    ctrlc::set_handler(move || told.store(true, Ordering::Relaxed)).context("cannot listen for Ctrl-C")?;
    Ok(stop)
}
