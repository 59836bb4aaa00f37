//! What a jam measured, as JSON and in words.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde::Serialize;

use super::analysis::{Figures, Measured, SETTLING_SECONDS, measure as measure_pair, percentile, ranked};
use super::audio::Stereo;
use super::beats::{self, BeatError, BeatFigures, Beats};
use super::delay::{Comparison, Recording, Window};
use super::interpolation::Sinc;
use super::journal::Journal;
use super::likeness::likeness;
use super::music::SAMPLE_RATE;
use super::network::{Expected, NetworkFigures};
use super::players::{Ended, PartInTime};
use super::relay::RelayFigures;
use super::ticks::{self, Clocked, TickFigures};
use crate::install::shown;
use crate::numbers::{f64_from_i64, i64_round};

/// Everything.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) players: Vec<PlayerReport>,
    pub(super) relay: RelayFigures,
    /// What lay between the players and the relay, if it was to be impaired.
    pub(super) network: Option<NetworkFigures>,
}

/// One player: what its host and its plugin did, and what it heard.
#[derive(Debug, Serialize)]
pub(super) struct PlayerReport {
    pub(super) name: String,
    pub(super) block_frames: u32,
    /// The error of its audio clock, as it was set up.
    pub(super) device_ppm: f64,
    /// How the system scheduled its audio thread.
    pub(super) priority: String,
    /// Audio callbacks that the machine began too late.
    pub(super) wakes_late: u64,
    pub(super) process_us_p50: f64,
    pub(super) process_us_p99: f64,
    pub(super) allocations_in_process: u64,
    /// What its DAW was to the room's musical time.
    pub(super) transport: PartInTime,
    /// Chunks that its plugin had to conceal, of all strips, in a million.
    pub(super) concealed_ppm: f64,
    /// The worst of what it heard.
    #[serde(flatten)]
    pub(super) beat_figures: BeatFigures,
    /// Of the MIDI clock that its DAW followed.
    #[serde(flatten)]
    pub(super) ticks: Option<TickFigures>,
    pub(super) heard: Vec<HeardReport>,
}

/// One remote strip of a player.
#[derive(Debug, Serialize)]
pub(super) struct HeardReport {
    /// Whose.
    pub(super) from: String,
    /// On which strip output, from 1.
    pub(super) output: usize,
    #[serde(flatten)]
    pub(super) figures: Figures,
    /// Chunks that the plugin had to conceal, in a million, by its own count.
    pub(super) concealed_ppm: f64,
    /// What the simulator says of this network: the latency, and the concealed share.
    pub(super) latency_ms_expected: Option<f64>,
    /// That of the best seed, and of the worst.
    pub(super) latency_ms_expected_range: Option<[f64; 2]>,
    pub(super) concealed_ppm_expected: Option<f64>,
    /// How far the receiver's interface is off, as it was set up, and as its plugin measured it.
    pub(super) drift_ppm_true: f64,
    pub(super) drift_ppm_estimated: f64,
    #[serde(flatten)]
    pub(super) beat_figures: BeatFigures,
    /// The same by the plugin's own measure, over the same time.
    pub(super) beat_error_us_p99_estimated: Option<f64>,
    #[serde(skip)]
    pub(super) beat_errors: Vec<BeatError>,
    #[serde(skip)]
    pub(super) windows: Vec<Window>,
    /// A short piece from the middle: what was sent at the gain it was heard with, and what was heard.
    #[serde(skip)]
    pub(super) overlay: [Vec<f32>; 2],
}

/// Frames of the piece that the picture shows: 20 ms.
const OVERLAY_FRAMES: usize = 960;

/// Compares what everybody heard with what the others sent.
pub(super) fn measure(
    ended: &[Ended],
    relay: RelayFigures,
    network: Option<NetworkFigures>,
) -> Result<Report> {
    let sinc = Sinc::new();
    let sent = ended
        .iter()
        .map(|player| recording(player, &player.plan.part))
        .collect::<Result<Vec<Recording>>>()?;
    let songs = ended
        .iter()
        .map(|player| Beats::read(&player.plan.beats, f64::from(SAMPLE_RATE)))
        .collect::<Result<Vec<Beats>>>()?;
    let mut players = Vec::new();
    for (number, player) in ended.iter().enumerate() {
        let journal = Journal::read(&player.plan.journal)?;
        let others: Vec<usize> = (0..ended.len()).filter(|other| *other != number).collect();
        let mut heard = Vec::new();
        for output in 1..=others.len() {
            let strip = recording(player, &player.plan.strips.join(format!("strip-{output}.wav")))?;
            let best = others
                .iter()
                .map(|other| (*other, likeness(&sent[*other], &strip)))
                .max_by(|(_, one), (_, other)| one.0.total_cmp(&other.0));
            let Some((other, alike)) = best else { continue };
            if !alike.is_same_sound() {
                continue;
            }
            let from = &ended[other].plan.name;
            let nanos_of = |frame: f64| strip.anchor_ns + i64_round(frame / strip.rate_hz * 1e9);
            // A host's frame counts from the call for its block, the plugin's from the end of it: a block earlier.
            let blocks_ms = block_ms(player) - block_ms(&ended[other]);
            let commanded = |frame: f64| Some(journal.delay_ms_at(from, nanos_of(frame))? + blocks_ms);
            let Some(Measured { figures, windows }) = measure_pair(&sent[other], &strip, &sinc, commanded)
            else {
                continue;
            };
            let settled = nanos_of((figures.heard_after_seconds + SETTLING_SECONDS) * strip.rate_hz);
            let concealed_ppm =
                journal.concealed_ppm(from, settled).context("the plugin's journal ends early")?;
            let drift_ppm_estimated = journal.drift_ppm().context("the plugin's journal is empty")?;
            let gain = 10.0_f64.powf(figures.gain_db / 20.0);
            let agreed = |frame: f64| journal.room_delay_ms_at(from, nanos_of(frame));
            let beat_errors = beats::errors(&windows, &songs[other], &songs[number], strip.rate_hz, agreed);
            let both_from = both_play_from(ended, &songs, number, other);
            let beat_figures = beats::figures(&beat_errors, both_from);
            let met_from = beat_figures.acquire_seconds.zip(both_from).map(|(took, from)| took + from);
            let beat_error_us_p99_estimated = met_from.and_then(|seconds| {
                let errors = journal.beat_errors_us(from, nanos_of(seconds * strip.rate_hz));
                (!errors.is_empty()).then(|| percentile(&ranked(errors.into_iter()), 0.99))
            });
            let expected: Option<&Expected> = network.as_ref().and_then(|network| {
                let mut pairs = network.expected.iter();
                pairs.find(|pair| pair.listener == number && pair.sender == other)
            });
            let Some(middle) = windows.get(windows.len() / 2) else { continue };
            let overlay = Comparison::new(&sent[other], &strip, &sinc).overlay(middle, OVERLAY_FRAMES, gain);
            heard.push(HeardReport {
                from: from.clone(),
                output,
                figures,
                concealed_ppm,
                latency_ms_expected: expected.map(|expected| expected.delay_ms + blocks_ms),
                latency_ms_expected_range: expected.map(|expected| {
                    [expected.delay_ms_least, expected.delay_ms_most].map(|ms| ms + blocks_ms)
                }),
                concealed_ppm_expected: expected.map(|expected| expected.concealed_ppm),
                drift_ppm_true: player.host.ppm,
                drift_ppm_estimated,
                beat_figures,
                beat_error_us_p99_estimated,
                beat_errors,
                windows,
                overlay,
            });
        }
        let host = &player.host;
        let beat_figures = beats::worst(&heard.iter().map(|heard| heard.beat_figures).collect::<Vec<_>>());
        players.push(PlayerReport {
            name: player.plan.name.clone(),
            block_frames: host.block,
            device_ppm: host.ppm,
            priority: host.priority.clone(),
            wakes_late: host.wakes_late,
            process_us_p50: host.process_us_p50,
            process_us_p99: host.process_us_p99,
            allocations_in_process: host.allocations_in_process,
            transport: player.plan.part_in_time,
            concealed_ppm: mean(heard.iter().map(|heard| heard.concealed_ppm)),
            beat_figures,
            ticks: ticks_of(ended, &songs, number, &heard),
            heard,
        });
    }
    Ok(Report { players, relay, network })
}

/// Zero of nothing.
fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    sum / f64::max(count, 1.0)
}

/// When the transports of both had started, in seconds of the first one's host.
fn both_play_from(ended: &[Ended], songs: &[Beats], local: usize, remote: usize) -> Option<f64> {
    let host = |player: usize| &ended[player].host;
    let started = |player: usize| Some(songs[player].first_frame()? / host(player).device_rate_hz);
    let apart = host(remote).anchor_monotonic_ns - host(local).anchor_monotonic_ns;
    Some(started(local)?.max(started(remote)? + f64_from_i64(apart) * 1e-9))
}

/// The ticks that a follower's DAW was sent.
fn ticks_of(ended: &[Ended], songs: &[Beats], number: usize, heard: &[HeardReport]) -> Option<TickFigures> {
    let is_leader = |player: &Ended| player.plan.part_in_time == PartInTime::Leads;
    let leader = ended.iter().position(is_leader).filter(|leader| *leader != number)?;
    let clocked =
        |player: usize| Clocked { beats: &songs[player], rate_hz: ended[player].host.device_rate_hz };
    // Its own DAW is in time once anything that it hears is.
    let met = heard.iter().filter_map(|heard| {
        let from = ended.iter().position(|player| player.plan.name == heard.from)?;
        Some(heard.beat_figures.acquire_seconds? + both_play_from(ended, songs, number, from)?)
    });
    let settled_from = met.reduce(f64::max).unwrap_or(f64::INFINITY);
    ticks::measure(clocked(number), clocked(leader), settled_from)
}

fn block_ms(player: &Ended) -> f64 {
    f64::from(player.host.block) / player.host.device_rate_hz * 1e3
}

fn recording(player: &Ended, file: &Path) -> Result<Recording> {
    Ok(Recording {
        sound: Stereo::read(file)?,
        anchor_ns: player.host.anchor_monotonic_ns,
        rate_hz: player.host.device_rate_hz,
        frames: player.host.frames,
    })
}

impl Report {
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(path, serde_json::to_string_pretty(self)? + "\n")
            .with_context(|| format!("cannot write {}", shown(path)))
    }

    /// The report as a table for people.
    pub(super) fn summary(&self) -> String {
        let mut text = String::from(
            "\n    hears        from          delay ms (p99)  off by us   concealed ppm   drift ppm (true)   snr dB   clicks\n",
        );
        for player in &self.players {
            for heard in &player.heard {
                let Figures {
                    latency_ms_median, latency_ms_p99, alignment_error_us_p99, snr_db, clicks, ..
                } = heard.figures;
                let HeardReport { concealed_ppm, drift_ppm_true, drift_ppm_estimated, .. } = heard;
                let _ = writeln!(
                    text,
                    "    {:<12} {:<12} {latency_ms_median:>8.2} ({latency_ms_p99:>5.2}) {alignment_error_us_p99:>10.1} \
                     {concealed_ppm:>15.0} {drift_ppm_estimated:>9.1} ({drift_ppm_true:>6.1}) {snr_db:>8.1} {clicks:>8}",
                    player.name, heard.from,
                );
            }
        }
        if let Some(network) = &self.network {
            text.push_str(&self.against(network));
        }
        text.push_str(
            "\n    beats        transport             acquired s   beat error us p50 / p99 / max   ticks lost / doubled   jitter us p99\n",
        );
        for player in &self.players {
            let transport = match player.transport {
                PartInTime::Leads => "leads".to_owned(),
                PartInTime::Follows(kind) => format!("follows ({kind})"),
            };
            let BeatFigures { acquire_seconds, beat_error_us_p50, beat_error_us_p99, beat_error_us_max } =
                player.beat_figures;
            let ticks = player.ticks.map_or_else(String::new, |ticks| {
                let jitter = figure(ticks.tick_jitter_us_p99, 1);
                format!("{:>10} / {:<7} {jitter:>17}", ticks.ticks_lost, ticks.ticks_doubled)
            });
            let _ = writeln!(
                text,
                "    {:<12} {transport:<21} {:>10} {:>15} / {} / {:<9} {ticks}",
                player.name,
                figure(acquire_seconds, 2),
                figure(beat_error_us_p50, 1),
                figure(beat_error_us_p99, 1),
                figure(beat_error_us_max, 1),
            );
        }
        let relay = &self.relay;
        let slowest = self.players.iter().map(|player| player.process_us_p99).fold(0.0, f64::max);
        let allocations: u64 = self.players.iter().map(|player| player.allocations_in_process).sum();
        let _ = write!(
            text,
            "\n    relay: {:.3} CPU-s a second, {} datagrams in, {} out, {:.1} MiB.\n    plugin: at most {slowest:.0} us \
             a block (p99), {allocations} allocations on the audio thread.\n",
            relay.cpu_seconds_per_second, relay.datagrams_in, relay.datagrams_out, relay.resident_mib,
        );
        text
    }

    /// What was measured on a network beside what the simulator expects of it.
    fn against(&self, network: &NetworkFigures) -> String {
        let mut text = format!("\n{}", network.summary());
        text.push_str(
            "\n    hears        from          delay ms, expected (seeds)           off   concealed %, expected\n",
        );
        for (player, heard) in self.pairs() {
            let latency = heard.figures.latency_ms_median;
            let off = heard.latency_ms_expected.map(|expected| latency - expected);
            let range = heard
                .latency_ms_expected_range
                .map_or_else(String::new, |[least, most]| format!("({least:.1} to {most:.1})"));
            let _ = writeln!(
                text,
                "    {:<12} {:<12} {latency:>9.2} {:>10} {range:<16} {:>7} {:>13.3} {:>10}",
                player.name,
                heard.from,
                figure(heard.latency_ms_expected, 2),
                figure(off, 2),
                heard.concealed_ppm * 1e-4,
                figure(heard.concealed_ppm_expected.map(|ppm| ppm * 1e-4), 3),
            );
        }
        for player in &self.players {
            let _ = writeln!(text, "    {} concealed {:.3} %", player.name, player.concealed_ppm * 1e-4);
        }
        text
    }

    /// Every strip that somebody heard.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&PlayerReport, &HeardReport)> {
        self.players.iter().flat_map(|player| player.heard.iter().map(move |heard| (player, heard)))
    }

    /// Fails, with names, if a network of which the project promises figures comes to worse.
    fn judge_network(&self, network: &NetworkFigures) -> Result<()> {
        let name = network.network;
        for player in &self.players {
            if let Some(most) = name.concealed_ppm_max()
                && player.concealed_ppm > most
            {
                bail!(
                    "{} concealed {:.3} % on the {name} network: {:.1} % is promised",
                    player.name,
                    player.concealed_ppm * 1e-4,
                    most * 1e-4
                );
            }
        }
        for (player, heard) in self.pairs() {
            let off = heard.latency_ms_expected.map(|expected| heard.figures.latency_ms_median - expected);
            if let (Some(most), Some(off)) = (name.delay_ms_off_max(), off)
                && off.abs() > most
            {
                bail!("{} hears {} {off:+.2} ms from where the simulator says", player.name, heard.from);
            }
        }
        Ok(())
    }

    /// Fails, with names, if somebody did not hear somebody, or a DAW that should follow was not sent every tick once.
    pub(super) fn judge(&self) -> Result<()> {
        for player in &self.players {
            for other in self.players.iter().filter(|other| other.name != player.name) {
                if !player.heard.iter().any(|heard| heard.from == other.name) {
                    bail!("{} did not hear {}", player.name, other.name);
                }
            }
            match (player.transport, player.ticks) {
                (PartInTime::Leads, _) => {}
                (PartInTime::Follows(_), None) => bail!("the DAW of {} was never set going", player.name),
                (PartInTime::Follows(_), Some(TickFigures { ticks_lost, ticks_doubled, .. })) => {
                    if ticks_lost != 0 || ticks_doubled != 0 {
                        bail!(
                            "the DAW of {} missed {ticks_lost} ticks and got {ticks_doubled} twice",
                            player.name
                        );
                    }
                }
            }
            if player.allocations_in_process > 0 {
                bail!(
                    "the audio thread of {} allocated {} times",
                    player.name,
                    player.allocations_in_process
                );
            }
        }
        self.network.as_ref().map_or(Ok(()), |network| self.judge_network(network))
    }
}

fn figure(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.decimals$}"))
}
