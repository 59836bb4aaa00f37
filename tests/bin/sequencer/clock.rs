//! When the room's clock leaves its port: a member leads, and a reader connected to the port measures the ticks.
//!
//! Two times of each tick are taken. The *kernel's stamp* says when its queue delivered the tick, by a clock that counts
//! the queue's own timer: it shows what the scheduling does, and hides how late the timer's interrupts themselves were. The
//! *reading* is the monotonic clock after the reader has woken up: it shows all of it, and in an emulated machine mostly the
//! emulation.

use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};

use alsa::seq::{Addr, EventType, PortCap, PortInfo, PortSubscribe, PortType, Seq};
use anyhow::{Context as _, Result, bail, ensure};
use lockstep_shared::time::convert::{i64_from_usize, i64_round};
use lockstep_shared::time::{LocalTime, Span};
use lockstep_tests::shell::clock;
use lockstep_tests::shell::conductor::Conductor;
use lockstep_tests::shell::relay_process::RelayProcess;

use crate::print;
use crate::programs::address;

const BPM: f64 = 120.0;
/// A tick: a 24th of a quarter.
const PERIOD: Span = Span::from_nanos(20_833_333);
/// Goals for the jitter at p99, by the resolution of the queue's timer: the kernel's own, and raised.
const GOAL_USUAL: Span = Span::from_micros(1_000);
const GOAL_RAISED: Span = Span::from_micros(300);
/// From the relay's start to the first tick.
const BEGUN_WITHIN: Span = Span::from_millis(20_000);
/// From the first tick on the leader's line settles; it is not measured.
const SETTLE: Span = Span::from_millis(2_000);

/// A tick that came.
#[derive(Clone, Copy, Debug)]
struct Tick {
    /// Since the reader's queue began.
    stamp: Span,
    read: LocalTime,
}

/// What came of the clock.
#[derive(Clone, Copy, Debug)]
enum Heard {
    Begun,
    Tick(Tick),
}

pub(crate) fn run(seconds: u32) -> Result<()> {
    // A room that has a port and no RTP-MIDI.
    let relay = RelayProcess::configured("[midi]\nport = 0\n[[room]]\nname = \"studio\"\n")?;
    let heard = listen()?;
    let leader = Conductor::start(&relay.invite, 1, BPM)?;
    let ticks = collect(&heard, Span::from_millis(i64::from(seconds) * 1_000))?;
    drop(leader);
    report(&ticks)
}

/// A client of its own that hears the room's port, in a thread of its own.
fn listen() -> Result<Receiver<Heard>> {
    let until = clock::now() + BEGUN_WITHIN;
    let from = loop {
        match address("Lockstep", "studio")? {
            Some(address) => break address,
            None => ensure!(clock::now() < until, "the room has no port"),
        }
    };
    let (client, port) = from.split_once(':').context("no address")?;
    let from = Addr { client: client.parse()?, port: port.parse()? };
    let sequencer = Seq::open(None, None, false)?;
    sequencer.set_client_name(c"Stopwatch")?;
    let queue = sequencer.alloc_queue()?;
    sequencer.control_queue(queue, EventType::Start, 0, None)?;
    sequencer.drain_output()?;
    let mut info = PortInfo::empty()?;
    info.set_name(c"in");
    info.set_capability(PortCap::WRITE | PortCap::SUBS_WRITE);
    info.set_type(PortType::APPLICATION);
    info.set_timestamping(true);
    info.set_timestamp_real(true);
    info.set_timestamp_queue(queue);
    sequencer.create_port(&info)?;
    let subscription = PortSubscribe::empty()?;
    subscription.set_sender(from);
    subscription.set_dest(Addr { client: sequencer.client_id()?, port: info.get_port() });
    sequencer.subscribe_port(&subscription)?;
    let (sender, heard) = channel();
    std::thread::spawn(move || {
        let mut input = sequencer.input();
        while let Ok(event) = input.event_input() {
            let read = clock::now();
            let stamp = event.get_time().and_then(|time| i64::try_from(time.as_nanos()).ok());
            let kind = event.get_type();
            let said = match stamp {
                Some(nanos) if kind == EventType::Clock => {
                    Heard::Tick(Tick { stamp: Span::from_nanos(nanos), read })
                }
                _ if kind == EventType::Start || kind == EventType::Continue => Heard::Begun,
                _ => continue,
            };
            if sender.send(said).is_err() {
                return;
            }
        }
    });
    Ok(heard)
}

/// The ticks of so much time, once the clock has begun and settled.
fn collect(heard: &Receiver<Heard>, time: Span) -> Result<Vec<Tick>> {
    let mut ticks = Vec::new();
    let mut from: Option<LocalTime> = None;
    let mut until = clock::now() + BEGUN_WITHIN;
    loop {
        match heard.recv_timeout(clock::now().duration_until(until)) {
            Ok(Heard::Begun) => {
                ensure!(from.is_none(), "the clock began twice");
                from = Some(clock::now() + SETTLE);
                until = clock::now() + SETTLE + time;
            }
            Ok(Heard::Tick(tick)) => {
                if from.is_some_and(|from| tick.read >= from) {
                    ticks.push(tick);
                }
            }
            Err(RecvTimeoutError::Timeout) if from.is_some() => return Ok(ticks),
            Err(RecvTimeoutError::Timeout) => bail!("the clock does not begin"),
            Err(RecvTimeoutError::Disconnected) => bail!("the reader cannot read"),
        }
    }
}

fn report(ticks: &[Tick]) -> Result<()> {
    let (first, last) = ticks.first().zip(ticks.last()).context("no ticks")?;
    let periods = (last.stamp - first.stamp).secs_f64() / PERIOD.secs_f64();
    let due = i64_round(periods) + 1;
    let errors = |times: &[Span]| -> Vec<Span> {
        times.windows(2).map(|two| (two[1] - two[0] - PERIOD).abs()).collect()
    };
    let stamps: Vec<Span> = ticks.iter().map(|tick| tick.stamp).collect();
    let reads: Vec<Span> = ticks.iter().map(|tick| tick.read - first.read).collect();
    let hertz = std::fs::read_to_string("/sys/module/snd_seq/parameters/seq_default_timer_resolution")
        .ok()
        .and_then(|text| text.trim().parse::<u32>().ok())
        .unwrap_or_default();
    let (timer, goal) = match hertz {
        0 => ("as the kernel sets it (1 kHz)".to_owned(), GOAL_USUAL),
        raised => (format!("{raised} Hz"), GOAL_RAISED),
    };
    print(&format!("queue's timer: {timer}; goal for the interval at p99: {goal}"));
    print(&format!("{} ticks came where {due} were due", ticks.len()));
    print(&format!("interval, from 20.83 ms, by the kernel's stamps: {}", percentiles(errors(&stamps))));
    print(&format!("interval, from 20.83 ms, as read:                {}", percentiles(errors(&reads))));
    print(&format!("place on an even beat, by the kernel's stamps:   {}", percentiles(places(&stamps))));
    print(&format!("place on an even beat, as read:                  {}", percentiles(places(&reads))));
    ensure!(due == i64_from_usize(ticks.len()), "ticks were lost or doubled");
    Ok(())
}

/// How far each time is from where it was if the ticks were even, about their median.
fn places(times: &[Span]) -> Vec<Span> {
    let offset = |(time, number): (&Span, i64)| *time - Span::from_nanos(PERIOD.nanos() * number);
    let mut offsets: Vec<Span> = times.iter().zip(0..).map(offset).collect();
    offsets.sort();
    let median = offsets[offsets.len() / 2];
    offsets.into_iter().map(|offset| (offset - median).abs()).collect()
}

fn percentiles(mut spans: Vec<Span>) -> String {
    spans.sort();
    let [p50, p99, most] = [50, 99, 100].map(|percent| spans[(spans.len() - 1) * percent / 100]);
    format!("p50 {p50}, p99 {p99}, most {most}")
}
