//! The players of a jam: each a host process with the plugin in it, an audio clock of its own, and one part to play.

use std::io::{BufRead as _, BufReader, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};

use super::music::{Rendered, SAMPLE_RATE};
use super::score::TEMPO;
use crate::install::shown;
use crate::shell::{command, target, wait};

/// Errors of the players' audio clocks, in parts in a million: what real interfaces have, to both sides.
const PPM: [f64; 8] = [100.0, -100.0, 60.0, -40.0, 25.0, -75.0, 10.0, 80.0];
/// Their hosts' blocks.
const BLOCKS: [u32; 8] = [64, 128, 256, 512, 64, 128, 256, 64];
/// What makes their plugins compare beats: everybody hears the same beat at the same moment.
const SYNC_MODE: &str = "Sync Mode=Room";
/// When the leader's transport starts, in seconds: by then its plugin has joined.
const LEADS_FROM: &str = "1";
/// How the DAWs of the others slave to the MIDI clock.
const FOLLOWERS: [&str; 2] = ["smooth", "averages24"];
/// How often the players are looked at, and how many looks lie between two lines in a log: five seconds.
const LOOK_EVERY: Duration = Duration::from_millis(100);
const LOOKS_PER_PLAIN_LINE: usize = 50;
/// How much longer than its piece a host may take to start, join and write its files.
const PATIENCE_SECONDS: f64 = 30.0;

/// A player at work.
pub(super) struct Player {
    child: Child,
    progress: Receiver<Progress>,
    plan: Plan,
    /// When the next line about it is due where there is no terminal, in looks.
    next_plain_look: usize,
}

/// What a player was told.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) name: String,
    pub(super) part: PathBuf,
    pub(super) heard: PathBuf,
    pub(super) strips: PathBuf,
    /// What its plugin says of itself.
    pub(super) journal: PathBuf,
    /// What its DAW's transport said.
    pub(super) beats: PathBuf,
    pub(super) part_in_time: PartInTime,
    report: PathBuf,
}

/// What a player's DAW is to the room's musical time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum PartInTime {
    /// Its transport runs the piece.
    Leads,
    /// Its transport slaves to its plugin's MIDI clock, as a DAW of this kind.
    Follows(&'static str),
}

/// A player that has played.
#[derive(Clone, Debug)]
pub(super) struct Ended {
    pub(super) plan: Plan,
    pub(super) host: HostReport,
}

/// The host's own report, as far as it is used here.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct HostReport {
    pub(super) anchor_monotonic_ns: i64,
    pub(super) device_rate_hz: f64,
    pub(super) ppm: f64,
    pub(super) block: u32,
    pub(super) frames: usize,
    pub(super) process_us_p50: f64,
    pub(super) process_us_p99: f64,
    pub(super) allocations_in_process: u64,
    pub(super) priority: String,
    pub(super) wakes_late: u64,
}

/// One line of a host's progress.
#[derive(Debug, Deserialize)]
struct Progress {
    seconds: f64,
    input_peak: f64,
    output_peaks: Vec<f64>,
}

/// The blocks of a player's host, in frames, and the error of its audio clock, in parts in a million.
pub(super) const fn block_and_ppm(number: usize) -> (u32, f64) {
    (BLOCKS[number % BLOCKS.len()], PPM[number % PPM.len()])
}

impl PartInTime {
    fn of(number: usize) -> Self {
        match number {
            0 => Self::Leads,
            other => Self::Follows(FOLLOWERS[(other - 1) % FOLLOWERS.len()]),
        }
    }

    const fn arguments(self) -> [&'static str; 4] {
        match self {
            Self::Leads => ["--transport", "lead", "--play-from", LEADS_FROM],
            Self::Follows(kind) => ["--transport", "follow", "--follower", kind],
        }
    }
}

impl Player {
    pub(super) fn start(
        number: usize,
        part: &Rendered,
        plugin: &Path,
        invite: &str,
        seconds: f64,
        out: &Path,
    ) -> Result<Self> {
        let plan = Plan {
            name: part.name.clone(),
            part: part.file.clone(),
            heard: out.join(format!("heard-by-{}.wav", part.name)),
            strips: out.join(format!("strips-of-{}", part.name)),
            journal: out.join(format!("plugin-of-{}.csv", part.name)),
            beats: out.join(format!("beats-of-{}.csv", part.name)),
            part_in_time: PartInTime::of(number),
            report: out.join(format!("host-of-{}.json", part.name)),
        };
        // A strip that an earlier jam left would be taken for one of this.
        let _ = std::fs::remove_dir_all(&plan.strips);
        std::fs::create_dir_all(&plan.strips)?;
        let log = std::fs::File::create(out.join(format!("host-of-{}.log", part.name)))?;
        let (block, ppm) = block_and_ppm(number);
        let program = target().join("release").join(format!("lockstep-host{}", std::env::consts::EXE_SUFFIX));
        let mut child = command(&program)
            .arg("play")
            .arg("--plugin")
            .arg(std::path::absolute(plugin)?)
            .arg("--input")
            .arg(&plan.part)
            .arg("--output")
            .arg(&plan.heard)
            .arg("--strip-outputs")
            .arg(&plan.strips)
            .arg("--report")
            .arg(&plan.report)
            .args(["--progress", "--realtime-priority"])
            .args(["--seconds", &seconds.to_string()])
            .args(["--block", &block.to_string()])
            .args(["--rate", &SAMPLE_RATE.to_string()])
            .args([format!("--ppm={ppm}")])
            .args(["--seed", &number.to_string()])
            .args(["--tempo", &TEMPO.to_string(), "--set", SYNC_MODE])
            .args(plan.part_in_time.arguments())
            .arg("--beats")
            .arg(&plan.beats)
            .env("LOCKSTEP_INVITE", invite)
            .env("LOCKSTEP_NAME", &part.name)
            .env("LOCKSTEP_JOURNAL", &plan.journal)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let stdout = child.stdout.take().context("the host has no output")?;
        let (lines, progress) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if let Ok(line) = serde_json::from_str(&line) {
                    let _ = lines.send(line);
                }
            }
        });
        Ok(Self { child, progress, plan, next_plain_look: LOOKS_PER_PLAIN_LINE })
    }

    fn end(mut self) -> Result<Ended> {
        let status = self.child.wait()?;
        if !status.success() {
            bail!("the host of {} ended with {status}; its log is beside its report", self.plan.name);
        }
        let text = std::fs::read_to_string(&self.plan.report)
            .with_context(|| format!("no report in {}", shown(&self.plan.report)))?;
        let host = serde_json::from_str(&text)
            .with_context(|| format!("the report {}", shown(&self.plan.report)))?;
        Ok(Ended { plan: self.plan.clone(), host })
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Shows the players at work until all have played, or until told to stop.
pub(super) fn watch(mut players: Vec<Player>, seconds: f64, stop: &AtomicBool) -> Result<Vec<Ended>> {
    let lines = MultiProgress::new();
    let style = ProgressStyle::with_template("{prefix:>12} {bar:24} {msg}")?;
    let whole = crate::numbers::usize_round(seconds * 10.0);
    let bars: Vec<ProgressBar> = players
        .iter()
        .map(|player| {
            let bar = lines.add(ProgressBar::new(u64::try_from(whole).unwrap_or(u64::MAX)));
            bar.set_style(style.clone());
            bar.set_prefix(player.plan.name.clone());
            bar
        })
        .collect();
    // The bars are for a terminal; a log gets a line now and then.
    let plain = !std::io::stderr().is_terminal();
    let looks = (seconds + PATIENCE_SECONDS) / LOOK_EVERY.as_secs_f64();
    for look in 0..crate::numbers::usize_round(looks) {
        let mut all_ended = true;
        for (player, bar) in players.iter_mut().zip(&bars) {
            all_ended &= player.child.try_wait()?.is_some();
            if let Some(latest) = player.progress.try_iter().last() {
                let others = latest.output_peaks.iter().skip(1).filter(|peak| **peak > 0.0).count();
                let position = crate::numbers::usize_round(latest.seconds * 10.0);
                bar.set_position(u64::try_from(position).unwrap_or(0));
                let line = format!(
                    "{:>4.0} s  plays {}  hears {others} others at {}",
                    latest.seconds,
                    decibels(latest.input_peak),
                    decibels(latest.output_peaks.first().copied().unwrap_or(0.0)),
                );
                if plain && look >= player.next_plain_look {
                    player.next_plain_look += LOOKS_PER_PLAIN_LINE;
                    println!("{:>12} {line}", player.plan.name);
                }
                bar.set_message(line);
            }
        }
        if all_ended || stop.load(Ordering::Relaxed) {
            break;
        }
        wait(LOOK_EVERY);
    }
    bars.iter().for_each(ProgressBar::finish);
    for player in &mut players {
        if player.child.try_wait()?.is_none() {
            ask_to_end(&player.child);
        }
    }
    players.into_iter().map(Player::end).collect()
}

fn decibels(peak: f64) -> String {
    if peak > 1e-5 { format!("{:>5.1} dBFS", 20.0 * peak.log10()) } else { "  silence ".into() }
}

/// Asks a process to end, as a user would.
#[cfg(unix)]
pub(super) fn ask_to_end(child: &Child) {
    use rustix::process::{Pid, Signal, kill_process};

    // One that has just ended by itself has no more to be asked.
    let _ = kill_process(Pid::from_child(child), Signal::TERM);
}

/// Here no process can be asked: the handle's own kill in `drop` ends it less politely.
#[cfg(not(unix))]
pub(super) const fn ask_to_end(_child: &Child) {}
