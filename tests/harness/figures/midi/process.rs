//! The real relay with participants on the loopback: what it adds, and what it costs.

use anyhow::{Context as _, Result, ensure};
use core::net::SocketAddr;
use lockstep_shared::midi::message::Message;
use lockstep_shared::time::convert::{f64_from_i64, f64_from_u64, usize_trunc};
use lockstep_shared::time::{LocalTime, Span};

use super::super::{Figure, Holds, Length};
use crate::shell::clock;
use crate::shell::midi_player::MidiPlayer;
use crate::shell::relay_process::RelayProcess;

/// Rooms, and participants in each.
const ROOMS: u16 = 8;
const EACH: u8 = 8;
/// Messages a second of all participants together.
const PER_SECOND: i64 = 1_000;
/// The control port of the first room.
const FIRST_PORT: u16 = 25_004;

/// From one participant to the other through the relay, and the relay's processor time with 64 of them.
pub(super) fn process_figures(length: Length) -> Result<Vec<Figure>> {
    let relay = RelayProcess::with_midi(FIRST_PORT, ROOMS)?;
    let mut players = Vec::new();
    for room in 0..ROOMS {
        for number in 0..EACH {
            let address = SocketAddr::from(([127, 0, 0, 1], FIRST_PORT + 2 * room));
            let seed = u8::try_from(room).unwrap_or(0) * EACH + number;
            players.push(MidiPlayer::new(&format!("player {room}-{number}"), address, seed)?);
        }
    }
    run(&mut players, Span::from_millis(4_000), |_, _, _| {});
    let here = players.iter().filter(|player| player.peer.is_here()).count();
    ensure!(here == players.len(), "{here} of {} participants came in", players.len());
    let delays = one_way(&mut players[..2], length)?;
    // The others of that room still have to read what they were sent.
    run(&mut players, Span::from_millis(500), |_, _, _| {});
    let seconds = match length {
        Length::Quick => 3,
        Length::Full => 20,
    };
    let (started, before) = (clock::now(), relay.cpu_seconds()?);
    let heard_before: usize = players.iter().map(|player| player.peer.heard.len()).sum();
    let mut played = 0_i64;
    run(&mut players, Span::from_millis(seconds * 1_000), |players, now, began| {
        let due = (now - began).nanos() * PER_SECOND / 1_000_000_000;
        while played < due {
            let player = usize::try_from(played).unwrap_or(0) % players.len();
            let velocity = if played / 64 % 2 == 0 { 90 } else { 0 };
            if let Some(note) = Message::from_short(&[0x90, 60, velocity]) {
                players[player].peer.play(now, &note);
            }
            played += 1;
        }
    });
    let cpu = (relay.cpu_seconds()? - before) / (clock::now() - started).secs_f64();
    run(&mut players, Span::from_millis(300), |_, _, _| {});
    let heard: usize = players.iter().map(|player| player.peer.heard.len()).sum::<usize>() - heard_before;
    let share = f64_from_u64(heard as u64) / (f64_from_i64(played) * f64::from(EACH - 1));
    let place =
        |part: f64| delays[usize_trunc(f64_from_u64(delays.len() as u64) * part).min(delays.len() - 1)];
    let row = |name: &str, note: &str, goal, measured, holds, unit| Figure {
        name: format!("midi.{name}"),
        note: note.to_owned(),
        goal,
        measured,
        holds,
        unit,
    };
    Ok(vec![
        row("one_way.p50", "loopback, two of a room", 0.5, place(0.5), Holds::AtMost, "ms"),
        row("one_way.p99", "", 5.0, place(0.99), Holds::AtMost, "ms"),
        row("relay.cpu", "64 in 8 rooms, 1,000/s", 0.25, cpu, Holds::AtMost, "s/s"),
        row("relay.heard", "of what the others played", 1.0, share, Holds::AtLeast, ""),
    ])
}

/// How long notes take from one player to the other, milliseconds, sorted.
fn one_way(players: &mut [MidiPlayer], length: Length) -> Result<Vec<f64>> {
    let count = match length {
        Length::Quick => 100,
        Length::Full => 1_000,
    };
    let mut delays = Vec::new();
    for number in 0..count {
        let before = players[1].peer.heard.len();
        let velocity = if number % 2 == 0 { 90 } else { 0 };
        let note = Message::from_short(&[0x90, 60, velocity]).context("a note")?;
        let sent = clock::now();
        players[0].peer.play(sent, &note);
        run_until(players, sent + Span::from_millis(500), |players| players[1].peer.heard.len() > before);
        let came = players[1].peer.heard.get(before).context("a note did not come")?.came;
        delays.push((came - sent).millis_f64());
        // So that no message waits for the gathering of the one before.
        run(players, Span::from_millis(5), |_, _, _| {});
    }
    delays.sort_by(f64::total_cmp);
    Ok(delays)
}

fn run(
    players: &mut [MidiPlayer],
    time: Span,
    mut also: impl FnMut(&mut [MidiPlayer], LocalTime, LocalTime),
) {
    let began = clock::now();
    loop {
        let now = clock::now();
        if now >= began + time {
            return;
        }
        also(players, now, began);
        players.iter_mut().for_each(MidiPlayer::turn);
        std::thread::yield_now();
    }
}

fn run_until(players: &mut [MidiPlayer], end: LocalTime, is_done: impl Fn(&[MidiPlayer]) -> bool) {
    while clock::now() < end && !is_done(players) {
        players.iter_mut().for_each(MidiPlayer::turn);
    }
}
