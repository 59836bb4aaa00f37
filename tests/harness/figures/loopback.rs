//! From one member's input to another's output through a real relay on real sockets.

use core::sync::atomic::Ordering;

use anyhow::{Context as _, Result};
use lockstep_shared::time::convert::{f64_from_i64, f64_from_u64, i64_from_usize, usize_trunc};
use lockstep_shared::time::{DeviceFrame, Frames, Span};

use super::{Figure, Holds, Length};
use crate::oracle::Source;
use crate::shell::relay_process::RelayProcess;
use crate::shell::runner::{Heard, Playing, RunningMember};

const BLOCK: usize = 64;
/// Frames of one comparison.
const WINDOW: usize = 2_048;
/// The longest delay that is looked for: 60 ms.
const LONGEST: i64 = 2_880;
/// The delay settles in the first seconds.
const SETTLE_FRAMES: usize = 48_000 * 4;
/// Less alike than this is not the signal.
const ALIKE: f64 = 0.5;

/// Two members with blocks of 64 frames, stems, an in-memory audio clock each.
pub fn loopback_figures(length: Length) -> Result<Vec<Figure>> {
    let span = match length {
        Length::Quick => Span::from_millis(10_000),
        Length::Full => Span::from_millis(30_000),
    };
    let relay = RelayProcess::start()?;
    let sources = [Source::Noise { player: 1 }, Source::Noise { player: 2 }];
    let start =
        |number: u8, source| RunningMember::start(&relay.invite, number, Playing::only(source, BLOCK, span));
    let members = [start(1, sources[0])?, start(2, sources[1])?];
    let [first, second] = members.map(RunningMember::join);
    let (first, second) = (first.context("a member failed")?, second.context("a member failed")?);
    let mut delays = delays_ms(&first, &second, sources[1]);
    delays.extend(delays_ms(&second, &first, sources[0]));
    delays.sort_by(f64::total_cmp);
    let rank = |share: f64| {
        let place = usize_trunc(share * f64_from_i64(i64_from_usize(delays.len().saturating_sub(1))));
        delays.get(place).copied().unwrap_or(f64::INFINITY)
    };
    let (mut present, mut concealed) = (0, 0);
    for heard in [&first, &second] {
        present += heard.gauges.lanes[0].present.load(Ordering::Relaxed);
        concealed += heard.gauges.lanes[0].concealed.load(Ordering::Relaxed);
    }
    let concealed_ppm = f64_from_u64(concealed) * 1e6 / f64_from_u64((present + concealed).max(1));
    let row = |name: &str, goal, measured, unit| Figure {
        name: format!("loopback.{name}"),
        note: format!("64 frames, stems, {:.0} s", span.secs_f64()),
        goal,
        measured,
        holds: Holds::AtMost,
        unit,
    };
    Ok(vec![
        row("latency_median", 5.0, rank(0.5), "ms"),
        row("latency_p99", 10.0, rank(0.99), "ms"),
        row("concealed", 20_000.0, concealed_ppm, "ppm"),
    ])
}

/// The delay of each window in which the other's sound is found.
fn delays_ms(here: &Heard, there: &Heard, source: Source) -> Vec<f64> {
    let mut delays = Vec::new();
    let ahead = (here.start - there.start).secs_f64() * 48_000.0;
    for first in (SETTLE_FRAMES..here.strip.len().saturating_sub(WINDOW)).step_by(WINDOW * 8) {
        let heard = &here.strip[first..first + WINDOW];
        // The other's frame at the moment when this window began.
        let now = f64_from_i64(i64_from_usize(first)) + ahead;
        let whole = lockstep_shared::time::convert::i64_floor(now);
        let sent: Vec<f64> = (0..LONGEST + i64_from_usize(WINDOW))
            .map(|n| f64::from(source.at(DeviceFrame(whole - LONGEST) + Frames(n), 0)))
            .collect();
        let energy: f64 = heard.iter().map(|sample| f64::from(*sample) * f64::from(*sample)).sum();
        let likeness = |lag: &i64| {
            let start = usize::try_from(LONGEST - lag).unwrap_or(0);
            let pairs = heard.iter().zip(&sent[start..]);
            pairs.map(|(heard, sent)| f64::from(*heard) * sent).sum::<f64>()
        };
        let best = (0..LONGEST).map(|lag| (lag, likeness(&lag))).max_by(|a, b| a.1.total_cmp(&b.1));
        if let Some((lag, likeness)) = best
            && likeness > ALIKE * energy
            && energy > 0.0
        {
            delays.push((f64_from_i64(lag) + now - f64_from_i64(whole)) / 48.0);
        }
    }
    delays
}
