//! RTP-MIDI: what loss leaves, the clock, returning, and what the relay adds and costs.

mod process;
mod room;

use anyhow::Result;
use lockstep_shared::rtpmidi::journal::Checkpoint;
use lockstep_shared::rtpmidi::journal::figures::{Reports, Scenario, run};
use lockstep_shared::time::convert::f64_from_u64;

use super::{Figure, Holds, Length};

const SEED: u64 = 41;
/// Bytes that a packet's journal may have.
const JOURNAL_BYTES: usize = 900;

/// All of them.
///
/// # Errors
/// The relay's process cannot be run.
pub fn midi_figures(length: Length) -> Result<Vec<Figure>> {
    let mut figures = state_figures(length);
    figures.extend(room::clock_figures(length));
    figures.extend(room::return_figures());
    figures.extend(process::process_figures(length)?);
    Ok(figures)
}

/// The receiver's state against the sender's after each packet with a journal: 10 % lost, bursts of five, reordered,
/// doubled; with each kind of receipt.
fn state_figures(length: Length) -> Vec<Figure> {
    let events = match length {
        Length::Quick => 20_000,
        Length::Full => 1_000_000,
    };
    let mut figures = Vec::new();
    for (name, reports) in Reports::ALL {
        let scenario = Scenario {
            seed: SEED,
            events,
            reports,
            policy: Checkpoint::ClosedLoop,
            limit_bytes: JOURNAL_BYTES,
        };
        let outcome = run(scenario);
        let name = name.replace(' ', "_");
        let note = format!("seed {SEED}, {events} events, {} lost", outcome.lost);
        let row = |what: &str, goal, measured, unit| Figure {
            name: format!("midi.state.{name}.{what}"),
            note: note.clone(),
            goal,
            measured,
            holds: Holds::AtMost,
            unit,
        };
        let journal_bytes = f64_from_u64(outcome.journal_bytes_max as u64);
        figures.push(row("differences", 0.0, f64_from_u64(outcome.differences), ""));
        figures.push(row("hanging_notes", 0.0, f64_from_u64(outcome.hanging), ""));
        figures.push(row("journal_max", f64_from_u64(JOURNAL_BYTES as u64), journal_bytes, "bytes"));
        figures.push(row(
            "journal_mean",
            f64_from_u64(JOURNAL_BYTES as u64),
            f64_from_u64(outcome.journal_bytes) / f64_from_u64(outcome.packets.max(1)),
            "bytes",
        ));
    }
    figures
}
