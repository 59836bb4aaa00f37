//! What the audio thread spends on a block.

use std::sync::Arc;

use lockstep_plugin::engine::{
    Block, Engine, HostTransport, Lane, Rendering, RoomMode, STRIP_OUTPUTS, Setup,
};
use lockstep_plugin::wiring::{LaneNumber, Order, Received, ReceivedChunk, wire};
use lockstep_shared::clock::RoomMap;
use lockstep_shared::dsp::{SILENT_CHUNK, Sinc};
use lockstep_shared::time::convert::{f64_from_i64, i64_from_usize, usize_trunc};
use lockstep_shared::time::{ChunkIndex, GridFrame, LocalTime, SampleRate, Span};

use super::{Figure, Holds};
use crate::daw::open_controls;
use crate::shell::clock;

const BLOCK: usize = 64;
const STRIPS: usize = 4;
const BLOCKS: i64 = 60_000;
/// The first seconds: clocks and delays settle.
const SETTLE_BLOCKS: i64 = 8_000;
const PERIOD_US: f64 = 64e6 / 48_000.0;

/// 64-frame blocks with four remote strips playing and a device 50 ppm off, so that everything is resampled.
#[must_use]
pub fn engine_figures() -> Vec<Figure> {
    let (audio, mut link) = wire();
    let setup =
        Setup { sample_rate: SampleRate::GRID, block_frames_max: BLOCK, rendering: Rendering::Realtime };
    let mut engine = Engine::new(setup, audio);
    let epoch = LocalTime::from_nanos(1_000_000_000);
    let map = RoomMap::new(epoch, GridFrame(0).position(), 0.0);
    let sinc = Arc::new(Sinc::new());
    let controls = open_controls(RoomMode::Stems);
    // Orders and chunks fit their rings: both are taken with every block.
    let _ = link.orders.push(Order::Clock(map));
    for number in 0..STRIPS {
        let _ = link.orders.push(Order::Open(LaneNumber(number), Box::new(Lane::new(Arc::clone(&sinc)))));
    }
    let (mut left, mut right) = ([0.1; BLOCK], [0.1; BLOCK]);
    let mut strips = [[[0.0; BLOCK]; 2]; STRIP_OUTPUTS];
    let mut micros = Vec::new();
    let mut arrived = ChunkIndex(0);
    for block in 1..=BLOCKS {
        let frames = f64_from_i64(block * i64_from_usize(BLOCK));
        let now = epoch + Span::from_secs_f64(frames / 48_000.0 * (1.0 + 50e-6));
        // Three milliseconds from a sender to here.
        let newest = map.grid(now - Span::from_millis(3)).floor().chunk().plus(-1);
        while arrived < newest {
            arrived = arrived.plus(1);
            for number in 0..STRIPS {
                let chunk = ReceivedChunk {
                    lane: LaneNumber(number),
                    index: arrived,
                    content: Received::Arrived { frames: SILENT_CHUNK, at: now, stamp: None },
                };
                let _ = link.received.push(chunk);
            }
        }
        let mut views: [Option<[&mut [f32]; 2]>; STRIP_OUTPUTS] = Default::default();
        for (view, [left, right]) in views.iter_mut().zip(&mut strips) {
            *view = Some([left, right]);
        }
        let mut block_views = Block { main: [&mut left, &mut right], strips: views };
        let start = clock::now();
        engine.process(now, &mut block_views, &HostTransport::default(), &controls);
        let spent = clock::now() - start;
        if block > SETTLE_BLOCKS {
            micros.push(f64_from_i64(spent.nanos()) / 1_000.0);
        }
        while link.captured.pop().is_ok() {}
    }
    micros.sort_by(f64::total_cmp);
    let rank = |share: f64| micros[usize_trunc(share * f64_from_i64(i64_from_usize(micros.len() - 1)))];
    let playing = link.gauges.lanes[..STRIPS]
        .iter()
        .filter(|lane| lane.delay_ms.load(core::sync::atomic::Ordering::Relaxed).is_finite());
    let row = |name: &str, goal, measured, holds, unit| Figure {
        name: format!("engine.{name}"),
        note: "4 strips, 64 frames, drifting".into(),
        goal,
        measured,
        holds,
        unit,
    };
    vec![
        row("strips_playing", 4.0, f64_from_i64(i64_from_usize(playing.count())), Holds::AtLeast, ""),
        row("process_p50_share", 3.0, rank(0.5) / PERIOD_US * 100.0, Holds::AtMost, "%"),
        row("process_p50", 40.0, rank(0.5), Holds::AtMost, "us"),
        row("process_p99", PERIOD_US / 4.0, rank(0.99), Holds::AtMost, "us"),
    ]
}
