//! `lockstep-host play`: a real-time host that plays a WAV file through the plugin and writes what comes out.
//!
//! ```text
//! WAV -> source -> [audio thread: due? wake, process, measure] -> rings -> [main thread: files, progress, report]
//! ```
//!
//! There is no sound card. The audio thread wakes at the instants at which an interface whose clock is off by so many
//! parts in a million would deliver its blocks, by the machine's monotonic clock, so that several processes on one
//! machine play against each other as several machines would, and their files can be laid over each other exactly.

mod audio;
mod beats;
mod daw;
mod echo;
mod recording;
mod report;
mod schedule;
mod source;

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::{fs, thread};

use anyhow::{Context, Result, anyhow, ensure};
use lockstep_hosts::block::{Automation, Input, Output, Stereo};
use lockstep_hosts::clap::{Activation, ClapHost, Plugin, PortDirection};
use lockstep_hosts::clock;
use lockstep_hosts::console::Console;
use lockstep_shared::time::convert::{f64_from_u64, usize_trunc};
use serde_json::json;

use self::audio::{Ending, HOUSEKEEPING, Live, Measured, Peak, PriorityWanted, Session};
use self::beats::{BeatsFile, BeatsTap, beats};
use self::daw::{Daw, FollowerKind, TransportChoice};
use self::echo::Echo;
use self::recording::{Recorder, Tap, recording};
use self::report::{OutputReport, Report};
use self::schedule::Schedule;
use self::source::{AfterEnd, Source};
use crate::shell::allocations;

/// Main-thread rounds between two lines of progress: 250 ms.
const ROUNDS_PER_PROGRESS: u64 = 12;
/// Blocks whose times are kept for the percentiles; a day of 64-frame blocks is 65 million.
const MEASURED_BLOCKS_MAX: u64 = 4_000_000;

/// Plays a WAV file through the plugin in real time.
///
/// The plugin finds its room in the environment: `LOCKSTEP_INVITE` and `LOCKSTEP_NAME`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The .clap to load
    #[arg(long, value_name = "FILE")]
    plugin: PathBuf,
    /// What the interface captures; without it, silence
    #[arg(long, value_name = "FILE.wav")]
    input: Option<PathBuf>,
    /// What follows the end of the input
    #[arg(long, value_enum, default_value = "loop")]
    after_end: AfterEnd,
    /// Where the main output goes, as 32-bit float WAV
    #[arg(long, value_name = "FILE.wav")]
    output: PathBuf,
    /// Connects the strip outputs too, and writes strip-1.wav and on into this folder
    #[arg(long, value_name = "FOLDER")]
    strip_outputs: Option<PathBuf>,
    /// How long to play
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Frames in a block
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=8_192))]
    block: u32,
    /// Nominal frames a second
    #[arg(long, default_value_t = 48_000)]
    rate: u32,
    /// How much too fast the interface's clock runs, in parts in a million
    #[arg(long, default_value_t = 0.0, allow_negative_numbers = true)]
    ppm: f64,
    /// Chooses where in a block's time the first block falls
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The DAW's tempo
    #[arg(long, default_value_t = 120.0)]
    tempo: f64,
    /// What moves the DAW's transport, and so what the plugin is to the room's musical time
    #[arg(long, value_enum, default_value = "plays")]
    transport: TransportChoice,
    /// Seconds until a transport that moves by itself does
    #[arg(long, default_value_t = 0.0)]
    play_from: f64,
    /// How a transport that follows slaves to the plugin's MIDI clock
    #[arg(long, value_enum, default_value = "smooth")]
    follower: FollowerKind,
    /// Where the beats go: where the song was at each block, and each message of the clock, as text
    #[arg(long, value_name = "FILE.csv")]
    beats: Option<PathBuf>,
    /// Sets a parameter, such as "Sync Delay=120" or "Room Mode=Mix"; may be repeated
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// Plays the MIDI that the plugin gives back into it, on the next channel
    #[arg(long)]
    echo_midi: bool,
    /// Asks for SCHED_FIFO for the audio thread
    #[arg(long)]
    realtime_priority: bool,
    /// Where the report goes, as JSON
    #[arg(long, value_name = "FILE.json")]
    report: Option<PathBuf>,
    /// Prints a line of JSON every 250 ms
    #[arg(long)]
    progress: bool,
}

/// Plays, and writes the files.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    ensure!(arguments.seconds > 0.0, "--seconds must be above 0");
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).context("cannot listen for signals")?;
    }
    Console::get().set_offer(arguments.transport.offer());
    let host = ClapHost::load(&arguments.plugin)?;
    let mut plugin = host.instantiate_first()?;
    let (ports, taps, recorders) = open_files(arguments, &mut plugin)?;
    let settings = settings(arguments, &mut plugin)?;
    let (beats_tap, beats_file) = open_beats(arguments)?.unzip();
    let live = Live {
        stop,
        restart: AtomicBool::new(false),
        blocks: AtomicU64::new(0),
        wakes_late: AtomicU64::new(0),
        deadlines_missed: AtomicU64::new(0),
        input_peak: Peak::default(),
        output_peaks: ports.iter().map(|_| Peak::default()).collect(),
    };
    let session = session(arguments, taps, beats_tap, settings)?;
    let desk = Desk {
        progress: arguments.progress,
        recorders,
        beats: beats_file,
        peaks: Peaks::new(ports.len()),
        restarts: 0,
        round: 0,
    };
    let (session, desk, ending) = desk.play(&mut plugin, activation(arguments), session, &live)?;
    let report = desk.report(&plugin, arguments, &ports, session, &live, ending)?;
    if let Some(path) = &arguments.report {
        fs::write(path, serde_json::to_string_pretty(&report)?)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

fn activation(arguments: &Arguments) -> Activation {
    Activation {
        sample_rate: f64::from(arguments.rate),
        frames_min: arguments.block,
        frames_max: arguments.block,
    }
}

/// The names of the outputs that are connected, and a recording for each.
fn open_files(arguments: &Arguments, plugin: &mut Plugin) -> Result<(Vec<String>, Vec<Tap>, Vec<Recorder>)> {
    let ports = plugin.ports(PortDirection::Output)?;
    let connected = if arguments.strip_outputs.is_some() { ports.len() } else { ports.len().min(1) };
    let mut names = Vec::new();
    let mut taps = Vec::new();
    let mut recorders = Vec::new();
    for (index, port) in ports.into_iter().take(connected).enumerate() {
        let path = match &arguments.strip_outputs {
            Some(folder) if index > 0 => {
                fs::create_dir_all(folder)?;
                folder.join(format!("strip-{index}.wav"))
            }
            Some(_) | None => arguments.output.clone(),
        };
        let (tap, recorder) = recording(&path, arguments.rate)?;
        names.push(port.name);
        taps.push(tap);
        recorders.push(recorder);
    }
    Ok((names, taps, recorders))
}

fn open_beats(arguments: &Arguments) -> Result<Option<(BeatsTap, BeatsFile)>> {
    let blocks_per_second = usize::try_from(arguments.rate / arguments.block)? + 1;
    arguments.beats.as_deref().map(|path| beats(path, blocks_per_second)).transpose()
}

/// The role and `--set` as events; the plugin itself reads the text, so that `-6 dB` and `Mix` are understood.
fn settings(arguments: &Arguments, plugin: &mut Plugin) -> Result<Vec<Input>> {
    let role = arguments.transport.role().map(|role| format!("Transport Role={role}"));
    role.iter()
        .chain(&arguments.set)
        .map(|setting| {
            let (name, text) =
                setting.split_once('=').ok_or_else(|| anyhow!("--set wants NAME=VALUE, not {setting}"))?;
            let parameter = plugin.parameter(name)?;
            let value = plugin
                .text_to_value(parameter.id, text)
                .or_else(|refusal| text.parse::<f64>().map_err(|_not_a_number| refusal))?;
            Ok(Input::Automation(Automation { offset: 0, parameter: parameter.id, value }))
        })
        .collect()
}

fn session(
    arguments: &Arguments,
    taps: Vec<Tap>,
    beats: Option<BeatsTap>,
    settings: Vec<Input>,
) -> Result<Session> {
    let block_frames = u64::from(arguments.block);
    let frames = usize::try_from(arguments.block)?;
    let source = match &arguments.input {
        Some(path) => Source::read(path, arguments.rate, arguments.after_end)?,
        None => Source::silent(),
    };
    let blocks = arguments.seconds * f64::from(arguments.rate) / f64::from(arguments.block);
    let blocks_total = u64::try_from(usize_trunc(blocks.ceil()))?;
    let rate = f64::from(arguments.rate);
    let start = clock::now() + HOUSEKEEPING;
    Ok(Session {
        source,
        schedule: Schedule::new(start, rate, arguments.ppm, block_frames, arguments.seed),
        input: Stereo::silent(frames),
        outputs: taps.iter().map(|_| Output::Connected(Stereo::silent(frames))).collect(),
        taps,
        daw: match arguments.transport {
            TransportChoice::Plays | TransportChoice::Lead => {
                Daw::driving(rate, arguments.tempo, arguments.play_from)
            }
            TransportChoice::Follow => {
                Daw::following(rate, arguments.tempo, arguments.follower, arguments.seed)
            }
            TransportChoice::Reaper | TransportChoice::DeafReaper | TransportChoice::TransportControl => {
                Daw::moved(rate, arguments.tempo)
            }
        },
        beats,
        settings,
        echo: if arguments.echo_midi { Echo::On(Vec::new()) } else { Echo::Off },
        next_block: 0,
        blocks_total,
        priority_wanted: if arguments.realtime_priority {
            PriorityWanted::RealTime
        } else {
            PriorityWanted::Normal
        },
        priority: String::new(),
        measured: Measured::with_capacity(usize::try_from(blocks_total.min(MEASURED_BLOCKS_MAX))?),
    })
}

/// The main thread while the audio runs.
struct Desk {
    progress: bool,
    recorders: Vec<Recorder>,
    beats: Option<BeatsFile>,
    peaks: Peaks,
    restarts: u32,
    round: u64,
}

/// The largest samples, since the last line of progress and in all.
struct Peaks {
    input: f32,
    outputs: Vec<f32>,
}

impl Peaks {
    fn new(outputs: usize) -> Self {
        Self { input: 0.0, outputs: vec![0.0; outputs] }
    }
}

impl Desk {
    fn play(
        mut self,
        plugin: &mut Plugin,
        activation: Activation,
        mut session: Session,
        live: &Live,
    ) -> Result<(Session, Self, Ending)> {
        loop {
            let rate = block_rate(activation);
            let processor = plugin.activate(activation)?;
            let (processor, returned, ending) = thread::scope(|scope| {
                let audio = scope.spawn(|| audio::run(processor, session, live));
                while !audio.is_finished() {
                    clock::sleep(HOUSEKEEPING);
                    if let Err(error) = self.keep_house(plugin, &rate, live) {
                        live.stop.store(true, Ordering::Relaxed);
                        return Err(error);
                    }
                }
                audio.join().map_err(|_panic| anyhow!("the audio thread panicked"))
            })?;
            session = returned;
            plugin.deactivate(processor);
            match ending {
                Ending::Restart => self.restarts += 1,
                Ending::Finished | Ending::Interrupted => return Ok((session, self, ending)),
            }
        }
    }

    fn keep_house(&mut self, plugin: &mut Plugin, rate: &BlockRate, live: &Live) -> Result<()> {
        for recorder in &mut self.recorders {
            recorder.drain()?;
        }
        if let Some(beats) = &mut self.beats {
            beats.drain()?;
        }
        if plugin.serve_requests().restart > 0 {
            live.restart.store(true, Ordering::Release);
        }
        self.round += 1;
        if self.progress && self.round.is_multiple_of(ROUNDS_PER_PROGRESS) {
            self.print_progress(rate, live)?;
        }
        Ok(())
    }

    fn print_progress(&mut self, rate: &BlockRate, live: &Live) -> Result<()> {
        let (input, outputs) = self.take_peaks(live);
        let line = json!({
            "seconds": f64_from_u64(live.blocks.load(Ordering::Acquire)) / rate.blocks_per_second,
            "input_peak": input,
            "output_peaks": outputs,
            "wakes_late": live.wakes_late.load(Ordering::Relaxed),
            "deadlines_missed": live.deadlines_missed.load(Ordering::Relaxed),
        });
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "{line}")?;
        stdout.flush()?;
        Ok(())
    }

    /// The peaks since the last call; the largest of all are kept for the report.
    fn take_peaks(&mut self, live: &Live) -> (f32, Vec<f32>) {
        let input = live.input_peak.take();
        let outputs: Vec<f32> = live.output_peaks.iter().map(Peak::take).collect();
        self.peaks.input = self.peaks.input.max(input);
        for (largest, peak) in self.peaks.outputs.iter_mut().zip(&outputs) {
            *largest = largest.max(*peak);
        }
        (input, outputs)
    }

    fn report(
        mut self,
        plugin: &Plugin,
        arguments: &Arguments,
        ports: &[String],
        mut session: Session,
        live: &Live,
        ending: Ending,
    ) -> Result<Report> {
        let _ = self.take_peaks(live);
        if let (Some(file), Some(tap)) = (self.beats.take(), &session.beats) {
            file.finish(tap)?;
        }
        let lost_frames = session.taps.iter().map(Tap::lost_frames).sum();
        let outputs = ports
            .iter()
            .zip(self.recorders)
            .zip(&self.peaks.outputs)
            .map(|((name, recorder), peak)| {
                Ok(OutputReport { name: name.clone(), file: recorder.finish()?, peak: *peak })
            })
            .collect::<Result<_>>()?;
        let process_us_p50 = session.measured.process.percentile(0.5);
        Ok(Report {
            plugin: plugin.description().name.clone(),
            plugin_version: plugin.description().version.clone(),
            ended: match ending {
                Ending::Finished => "finished",
                Ending::Interrupted | Ending::Restart => "interrupted",
            },
            sample_rate: arguments.rate,
            block: u64::from(arguments.block),
            ppm: arguments.ppm,
            device_rate_hz: session.schedule.device_rate(),
            seed: arguments.seed,
            anchor_monotonic_ns: session.schedule.anchor().nanos(),
            frames: session.next_block * u64::from(arguments.block),
            blocks: session.measured.blocks,
            blocks_skipped: session.measured.blocks_skipped,
            restarts: self.restarts,
            process_errors: session.measured.process_errors,
            process_us_p50,
            process_us_p99: session.measured.process.percentile(0.99),
            process_us_max: session.measured.process.percentile(1.0),
            process_share_p50: process_us_p50 * 1e-6 / session.schedule.period().secs_f64(),
            wake_late_us_p50: session.measured.lateness.percentile(0.5),
            wake_late_us_p99: session.measured.lateness.percentile(0.99),
            wake_late_us_max: session.measured.lateness.percentile(1.0),
            wakes_late: live.wakes_late.load(Ordering::Relaxed),
            deadlines_missed: live.deadlines_missed.load(Ordering::Relaxed),
            allocations_in_process: session.measured.later_blocks.allocations,
            frees_in_process: session.measured.later_blocks.frees,
            allocations_in_first_block: session.measured.first_block.allocations,
            allocations_counted: allocations::COUNTED,
            priority: session.priority,
            recording_lost_frames: lost_frames,
            input_peak: self.peaks.input,
            outputs,
        })
    }
}

/// Turns blocks into seconds of the host's own time.
struct BlockRate {
    blocks_per_second: f64,
}

fn block_rate(activation: Activation) -> BlockRate {
    BlockRate { blocks_per_second: activation.sample_rate / f64::from(activation.frames_max) }
}
