//! What the relay costs: N stereo members in one room, each with its own mix.

use anyhow::Result;
use lockstep_shared::time::Span;
use lockstep_shared::time::convert::f64_from_u64;
use lockstep_shared::wire::ChunksPerDatagram;

use super::{Figure, Holds, Length};
use crate::shell::clock;
use crate::shell::load::{LoadMember, run, steps_of, sum_of};
use crate::shell::relay_process::RelayProcess;

/// Members of each row.
const MEMBERS: [u8; 5] = [2, 5, 10, 20, 40];
/// What may be spent, by chunks a datagram, in CPU-seconds a second: ours to reach at 40 members, and below that what
/// the best peer of `docs/peers.md` spends on the same work.
const GOALS: [(ChunksPerDatagram, u32, [f64; 5]); 2] = [
    (ChunksPerDatagram::Two, 128, [0.09, 0.10, 0.16, 0.29, 0.10]),
    (ChunksPerDatagram::One, 64, [0.12, 0.24, 0.40, 0.60, 0.20]),
];

/// Three rows for each number of members and each datagram length: cost, delivery, and memory for the largest.
pub fn relay_figures(length: Length) -> Result<Vec<Figure>> {
    let (warm, measured) = match length {
        Length::Quick => (Span::from_millis(1_500), Span::from_millis(2_000)),
        Length::Full => (Span::from_millis(2_500), Span::from_millis(6_000)),
    };
    let mut figures = Vec::new();
    for (chunks, frames, goals) in GOALS {
        for (members, goal) in MEMBERS.into_iter().zip(goals) {
            figures.extend(one_room(members, chunks, frames, goal, warm, measured)?);
        }
    }
    Ok(figures)
}

fn one_room(
    count: u8,
    chunks: ChunksPerDatagram,
    frames: u32,
    goal: f64,
    warm: Span,
    measured: Span,
) -> Result<Vec<Figure>> {
    let relay = RelayProcess::start()?;
    let mut members = (0..count)
        .map(|number| LoadMember::new(&relay.invite, number, chunks, steps_of(number)))
        .collect::<Result<Vec<_>>>()?;
    run(&mut members, warm);
    let heard_before: Vec<u64> = members.iter().map(|member| member.mix_chunks).collect();
    let (started, cpu_before) = (clock::now(), relay.cpu_seconds()?);
    run(&mut members, measured);
    let (seconds, cpu) = ((clock::now() - started).secs_f64(), relay.cpu_seconds()? - cpu_before);
    let due = seconds * 48_000.0 / 64.0;
    let shares = members
        .iter()
        .zip(heard_before)
        .map(|(member, before)| f64_from_u64(member.mix_chunks - before) / due);
    let worst = shares.fold(f64::INFINITY, f64::min);
    let rights = members.iter().zip(0..count).filter(|(member, number)| {
        (member.last_steps - sum_of((0..count).filter(|other| other != number))).abs() < 0.5
    });
    let right = f64_from_u64(rights.count() as u64) / f64::from(count);
    let row = |what: &str, note: &str, goal, measured, holds, unit| Figure {
        name: format!("relay.{frames}.n{count}.{what}"),
        note: note.into(),
        goal,
        measured,
        holds,
        unit,
    };
    let mut rows = vec![
        row("cpu", "all threads, loopback", goal, cpu / seconds, Holds::AtMost, "s/s"),
        row("worst_share", "of the mix due", 0.98, worst, Holds::AtLeast, ""),
        row("right_mixes", "sum of the others", 1.0, right, Holds::AtLeast, ""),
    ];
    if count == 40 {
        rows.push(row("resident", "", 64.0, relay.resident_mib()?, Holds::AtMost, "MiB"));
    }
    Ok(rows)
}
