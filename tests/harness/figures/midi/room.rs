//! A room on simulated paths: its clock at a participant far away, and how soon one is back.

use lockstep_shared::midi::Realtime;
use lockstep_shared::midi::message::Message;
use lockstep_shared::rtpmidi::stream::Origin;
use lockstep_shared::rtpmidi::time::Timestamp;
use lockstep_shared::time::convert::{f64_from_i64, f64_from_u64, i64_round, usize_trunc};
use lockstep_shared::time::{Beats, GridFrame, LocalTime, Span};
use lockstep_shared::timeline::{AuthorId, Intent, Timeline};

use super::super::{Figure, Holds, Length};
use crate::midi::MidiWorld;
use crate::net::{Interval, Jitter, Loss, Order, PathPlan};

const SEED: u64 = 7;
/// A tick at 120 BPM, in nanoseconds: 125 / 6 ms.
const TICK_NANOS: f64 = 500e6 / 24.0;
/// What a stamp of whole 100 us cannot say.
const QUANTUM_NANOS: f64 = 50.1e3;

/// 40 ms there and back, give or take 15, and 2 % lost.
fn far_away() -> PathPlan {
    PathPlan {
        base: Span::from_micros(12_500),
        jitter: Jitter::Exponential(Span::from_micros(5_000)),
        order: Order::Free,
        loss: Loss { independent: 0.02, burst_begins: 0.0, burst_ends: 1.0 },
        ..PathPlan::clean()
    }
}

fn message(bytes: &[u8]) -> Message {
    Message::from_short(bytes).expect("a whole message")
}

/// The clock that a participant far away hears.
pub(super) fn clock_figures(length: Length) -> Vec<Figure> {
    let minutes = match length {
        Length::Quick => 1,
        Length::Full => 30,
    };
    let mut world = MidiWorld::new(SEED, &[far_away()]);
    world.pass(Span::from_millis(8_000));
    let start = GridFrame(12 * 48_000).position();
    let line =
        Timeline::default().with_intent(AuthorId(1), &Intent::Start { beats: Beats::default(), at: start });
    world.room.set_line(line);
    world.pass(Span::from_millis(5_000));
    let downbeat = world.grid.instant(start);
    let (mut lost, mut doubled) = (0, 0);
    for _ in 0..minutes * 60 {
        world.pass(Span::from_millis(1_000));
        let counted = counted(&world).unwrap_or(0);
        let due = nearest_tick(&world, downbeat).unwrap_or(0);
        lost += u64::try_from(due - counted).unwrap_or(0);
        doubled += u64::try_from(counted - due).unwrap_or(0);
    }
    let note = format!("seed {SEED}, {minutes} min, 40 ms, 2 % lost");
    let row = |name: &str, goal, measured, unit| Figure {
        name: format!("midi.clock.{name}"),
        note: note.clone(),
        goal,
        measured,
        holds: Holds::AtMost,
        unit,
    };
    let peer = &world.seats[0].peer;
    let stamps = peer.ticks.iter().filter(|stamp| Timestamp::at(downbeat).since(**stamp) <= 0);
    let error = |stamp: &Timestamp| {
        let nanos = f64::from(stamp.since(Timestamp::at(downbeat))) * 1e5 - remainder(downbeat);
        (nanos - (nanos / TICK_NANOS).round() * TICK_NANOS).abs()
    };
    let stamp_error = stamps.map(error).fold(0.0, f64::max);
    let ticks = peer.heard.iter().filter(|one| one.message == Message::Realtime(Realtime::Clock));
    let sent: Vec<LocalTime> = ticks.filter(|one| one.origin == Origin::Sent).map(|one| one.at).collect();
    // What a peer that honours stamps makes of it: the step from one tick to the next that came.
    let steps = sent.windows(2).map(|pair| (pair[1] - pair[0]).nanos()).map(|nanos| {
        let nanos = f64_from_i64(nanos);
        i64_round((nanos - (nanos / TICK_NANOS).round() * TICK_NANOS).abs())
    });
    let jitter = percentile(steps.collect(), 0.95);
    vec![
        row("ticks_lost", 0.0, f64_from_u64(lost), ""),
        row("ticks_doubled", 0.0, f64_from_u64(doubled), ""),
        // Stamps are whole tenths of a millisecond: what is beyond half of one is an error.
        row("stamp_error", 0.0, (stamp_error - QUANTUM_NANOS).max(0.0) * 1e-6, "ms"),
        // Its buffer lets one packet in a hundred come late, and each late one spoils two steps.
        row("played_jitter_p95", 1.0, jitter * 1e-6, "ms"),
    ]
}

/// The position at which the participant's sequencer is, as all that came and was made good has it.
fn counted(world: &MidiWorld) -> Option<i64> {
    let sequencer = world.seats[0].peer.receiver()?.state().system.sequencer;
    Some(i64::from(sequencer.position))
}

/// The tick that the newest stamp is of.
fn nearest_tick(world: &MidiWorld, downbeat: LocalTime) -> Option<i64> {
    let stamps = world.seats[0].peer.ticks.iter().copied();
    let stamp = stamps.max_by_key(|stamp| stamp.since(Timestamp::at(downbeat)))?;
    let nanos = f64::from(stamp.since(Timestamp::at(downbeat))) * 1e5 - remainder(downbeat);
    Some(i64_round(nanos / TICK_NANOS))
}

/// What a stamp of whole 100 us leaves out of the downbeat's time, nanoseconds.
fn remainder(downbeat: LocalTime) -> f64 {
    f64_from_i64(downbeat.nanos() % 100_000)
}

fn percentile(mut values: Vec<i64>, part: f64) -> f64 {
    values.sort_unstable();
    let place = usize_trunc(f64_from_u64(values.len() as u64) * part).min(values.len().saturating_sub(1));
    f64_from_i64(values.get(place).copied().unwrap_or(0))
}

/// How soon a note passes again after an outage of five seconds, and after a change of address.
pub(super) fn return_figures() -> Vec<Figure> {
    let begins = LocalTime::from_nanos(10_000_000_000);
    let outage = Interval::new(begins, Span::from_millis(5_000));
    let after_outage = returns(PathPlan::wired().outage(outage), begins + Span::from_millis(5_000), false);
    let after_move = returns(PathPlan::wired(), begins, true);
    let row = |name: &str, measured: Span| Figure {
        name: format!("midi.return.{name}"),
        note: format!("seed {SEED}"),
        goal: 2.0,
        measured: measured.secs_f64(),
        holds: Holds::AtMost,
        unit: "s",
    };
    vec![row("after_outage_5s", after_outage), row("after_address_change", after_move)]
}

/// From `from` on until what the participant plays is heard in the room and what the room plays by it.
fn returns(plan: PathPlan, from: LocalTime, moves: bool) -> Span {
    let mut world = MidiWorld::new(SEED, &[plan]);
    world.pass(from - world.now);
    if moves {
        let address = core::net::SocketAddr::from(([10, 0, 1, 9], 7_004));
        world.move_seat(0, address);
    }
    let (passed, heard) = (world.passed.len(), world.seats[0].peer.heard.len());
    for tick in 0..400 {
        let note = message(&[0x90, 60, if tick % 2 == 0 { 100 } else { 0 }]);
        world.play(0, &note);
        let note = message(&[0x91, 60, if tick % 2 == 0 { 100 } else { 0 }]);
        world.play_in_room(note);
        world.pass(Span::from_millis(25));
        let from_peer = world.passed[passed..]
            .iter()
            .any(|one| matches!(one.message, Message::Voice(channel, _) if channel.index() == 0));
        if from_peer && world.seats[0].peer.heard.len() > heard {
            break;
        }
    }
    world.now - from
}
