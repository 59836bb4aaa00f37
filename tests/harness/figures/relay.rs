//! What the relay costs: the real program on loopback, with players of whom each asks for its own mix.
//!
//! The players ([`players`]) send as that many independent sound cards would, spread evenly over the time of one
//! datagram, which is the dearest way for the relay: hardly two datagrams come together. They live in this process,
//! and what is measured is the processor time of the relay's process alone, as the scheduler counts it. A figure
//! counts only if the sound came through, so each row on cost has one on completeness: every mix that is due has
//! arrived, and is the sum of the others to the bit.

mod players;
mod program;

use std::io;
use std::path::Path;

use lockstep_shared::session::Invite;
use lockstep_shared::time::Span;
use lockstep_shared::time::convert::{f64_from_i64, f64_from_usize};
use lockstep_shared::wire::ChunksPerDatagram;

use super::{Figure, Holds, Length};
use players::{Heard, Players};
use program::Program;

/// As many as the goals name.
const MEMBERS: [usize; 5] = [2, 5, 10, 20, 40];
/// Processor seconds a second, for 40 members; fewer must not cost more.
const GOAL_TWO_CHUNKS: f64 = 0.10;
const GOAL_ONE_CHUNK: f64 = 0.20;
/// A mix may be late for once on a machine that also does other things.
const COMPLETE: f64 = 0.99;
/// What is measured at a time; the figure is the median of several, for other programs' work on a shared machine
/// comes in fits and shows in the processor time of all.
const STRETCH: Span = Span::from_millis(1_000);
/// Played before it counts: rosters have settled and the relay's waiting time has been learnt.
const WARM_UP: Span = Span::from_millis(1_500);

/// Cost and completeness for each number of members, 128-frame datagrams and then 64-frame ones.
///
/// # Errors
/// The relay cannot be built or started, a player does not get in, or this system does not tell processor times.
pub fn relay_figures(length: Length) -> io::Result<Vec<Figure>> {
    let stretches = match length {
        Length::Quick => 1,
        Length::Full => 5,
    };
    let binary = program::build()?;
    let mut figures = Vec::new();
    for (chunks, goal) in
        [(ChunksPerDatagram::Two, GOAL_TWO_CHUNKS), (ChunksPerDatagram::One, GOAL_ONE_CHUNK)]
    {
        for members in MEMBERS {
            let run = measure(&binary, members, chunks, stretches)?;
            figures.extend(rows(&run, members, chunks, goal));
        }
    }
    Ok(figures)
}

/// One room of one size.
#[derive(Debug)]
struct Run {
    cpu_per_second: f64,
    /// Right mixes of those due, for the member that got the fewest.
    complete: f64,
    /// Datagrams into and out of the relay, a second.
    datagrams_per_second: f64,
    /// Late sends of the players, in a thousand.
    generator_late_permille: f64,
}

fn measure(binary: &Path, members: usize, chunks: ChunksPerDatagram, stretches: usize) -> io::Result<Run> {
    let program = Program::start(binary)?;
    let invite = Invite::parse(program.invite()).map_err(io::Error::other)?;
    let mut players = Players::join(&invite, members, chunks)?;
    players.play(WARM_UP)?;
    let mut costs = Vec::new();
    let mut all = Heard::default();
    for _ in 0..stretches {
        let before = program.cpu()?;
        let heard = players.play(STRETCH)?;
        costs.push((program.cpu()? - before).secs_f64() / heard.span.secs_f64());
        all = all.and(heard);
    }
    players.leave()?;
    costs.sort_by(f64::total_cmp);
    let due = f64_from_i64(all.due.max(1));
    Ok(Run {
        cpu_per_second: costs.get(stretches / 2).copied().unwrap_or(f64::NAN),
        complete: f64_from_i64(all.right_fewest) / due,
        datagrams_per_second: f64_from_i64(all.datagrams) / all.span.secs_f64(),
        generator_late_permille: 1e3 * f64_from_i64(all.late_sends) / (due * f64_from_usize(members)),
    })
}

fn rows(run: &Run, members: usize, chunks: ChunksPerDatagram, goal: f64) -> [Figure; 2] {
    let frames = 64 * chunks.count();
    [
        Figure {
            name: format!("relay.cpu.n{members}.f{frames}"),
            note: format!(
                "{:.0}/s, sent late {:.0}/1000",
                run.datagrams_per_second, run.generator_late_permille
            ),
            goal,
            measured: run.cpu_per_second,
            holds: Holds::AtMost,
            unit: "cpu s/s",
        },
        Figure {
            name: format!("relay.complete.n{members}.f{frames}"),
            note: "right mixes of those due".into(),
            goal: COMPLETE,
            measured: run.complete.min(1.0),
            holds: Holds::AtLeast,
            unit: "",
        },
    ]
}
