//! The MIDI clock as it leaves the plugin on this machine: when each message reaches the port, against when it was due.
//!
//! A relay as a process of its own, a member that leads at 120 BPM, and one that follows on the plugin's own thread. In
//! place of the system's port stands one that notes the time of each call.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, bail};
use lockstep_plugin::engine::Role;
use lockstep_plugin::shell::{ClockSink, Unsent, clock, redirect_clock};
use lockstep_plugin::status::{Following, Leader, MusicalStatus, Part};
use lockstep_shared::time::convert::{f64_from_i64, i64_from_usize, usize_trunc};
use lockstep_shared::time::{LocalTime, Span};

use super::{Figure, Holds, Length};
use crate::oracle::Source;
use crate::shell::relay_process::RelayProcess;
use crate::shell::runner::{Playing, RunningMember, SeatedMember};

const BLOCK: usize = 128;
const BPM: f64 = 120.0;
/// Joining, the room's clock and the first beats.
const SETTLE: Span = Span::from_millis(4_000);
/// The first byte of the messages that are looked at.
const CLOCK: u8 = 0xF8;
const START: u8 = 0xFA;
const CONTINUE: u8 = 0xFB;
const STOP: u8 = 0xFC;

/// One message at the port.
#[derive(Clone, Copy, Debug)]
struct Message {
    due: LocalTime,
    sent: LocalTime,
    status: u8,
}

/// A port that notes what comes.
struct Recorder(Arc<Mutex<Vec<Message>>>);

impl ClockSink for Recorder {
    fn send(&mut self, due: LocalTime, message: &[u8]) -> Result<(), Unsent> {
        let sent = clock::now();
        let status = message.first().copied().unwrap_or(0);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Message { due, sent, status });
        Ok(())
    }
}

/// A minute, or ten seconds, of a room in which one leads and one follows.
pub fn clock_output_figures(length: Length) -> Result<Vec<Figure>> {
    let span = match length {
        Length::Quick => Span::from_millis(10_000),
        Length::Full => Span::from_millis(60_000),
    };
    let messages = Arc::new(Mutex::new(Vec::with_capacity(8_192)));
    let redirection = redirect_clock(Box::new(Recorder(Arc::clone(&messages))));
    let relay = RelayProcess::start()?;
    let begun = clock::now();
    let playing = |player| Playing::only(Source::Noise { player }, BLOCK, SETTLE + span);
    let leads = Playing { role: Role::Lead, bpm: Some(BPM), ..playing(1) };
    let follows = Playing { role: Role::Follow, ..playing(2) };
    let leader = RunningMember::start(&relay.invite, 1, leads)?;
    let follower = SeatedMember::start(&relay.invite, follows)?;
    let shown = follower.join().context("the follower failed")?.musical;
    leader.join().context("the leader failed")?;
    check_shown(&shown)?;
    drop(redirection);
    let messages = std::mem::take(&mut *messages.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(figures(&messages, begun + SETTLE, span))
}

/// What the follower's editor says must be what went on.
fn check_shown(shown: &MusicalStatus) -> Result<()> {
    let is_right = shown.part == Part::Follows
        && shown.leader == Leader::Member("member 1".to_owned())
        && shown.place.is_some_and(|place| {
            place.playing
                && (place.tempo_bpm - BPM).abs() < 0.01
                && place.bar > 1
                && (1..=4).contains(&place.beat)
        })
        && shown.following == Following::Unseen;
    if !is_right {
        bail!("the follower's editor shows {shown:?}");
    }
    Ok(())
}

fn figures(messages: &[Message], from: LocalTime, span: Span) -> Vec<Figure> {
    let steady: Vec<&Message> = messages.iter().filter(|message| message.due >= from).collect();
    let mut late: Vec<f64> = steady.iter().map(|message| (message.sent - message.due).millis_f64()).collect();
    let earliest = late.iter().copied().fold(0.0, f64::min);
    late.iter_mut().for_each(|late| *late = late.abs());
    late.sort_by(f64::total_cmp);
    let rank = |share: f64| {
        let place = usize_trunc(share * f64_from_i64(i64_from_usize(late.len().saturating_sub(1))));
        late.get(place).copied().unwrap_or(f64::INFINITY)
    };
    let row = |name: &str, goal, measured, holds, unit| Figure {
        name: format!("clock_output.{name}"),
        note: format!("{} messages, {:.0} s", late.len(), span.secs_f64()),
        goal,
        measured,
        holds,
        unit,
    };
    let count = |wanted: &[u8]| {
        let found = messages.iter().filter(|message| wanted.contains(&message.status));
        f64_from_i64(i64_from_usize(found.count()))
    };
    vec![
        row("off_p50", 0.3, rank(0.5), Holds::AtMost, "ms"),
        row("off_p90", 0.3, rank(0.9), Holds::AtMost, "ms"),
        row("off_p99", 0.3, rank(0.99), Holds::AtMost, "ms"),
        row("off_p999", 2.0, rank(0.999), Holds::AtMost, "ms"),
        // What is later than 20 ms the plugin itself calls late.
        row("off_max", 20.0, rank(1.0), Holds::AtMost, "ms"),
        row("earliest", -0.3, earliest, Holds::AtLeast, "ms"),
        row("ticks_lost_or_doubled", 0.0, misplaced(&steady, span), Holds::AtMost, ""),
        row("starts", 1.0, count(&[START, CONTINUE]), Holds::AtMost, ""),
        row("stops_at_the_end", 1.0, count(&[STOP]), Holds::AtLeast, ""),
    ]
}

/// Ticks that are not one tick's time after the one before, and those that are missing altogether.
fn misplaced(steady: &[&Message], span: Span) -> f64 {
    let period = 60.0 / BPM / 24.0;
    let dues: Vec<LocalTime> =
        steady.iter().filter(|message| message.status == CLOCK).map(|message| message.due).collect();
    let jumps = dues.windows(2).filter(|pair| ((pair[1] - pair[0]).secs_f64() / period - 1.0).abs() > 0.1);
    // The follower leaves a moment before or after the end.
    let missing = (span.secs_f64() / period - f64_from_i64(i64_from_usize(dues.len()))).abs() - 24.0;
    f64_from_i64(i64_from_usize(jumps.count())) + missing.max(0.0)
}
