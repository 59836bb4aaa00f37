//! The jam in pictures.

use core::ops::Range;
use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::prelude::*;

use super::report::{HeardReport, PlayerReport, Report};
use crate::install::shown;
use crate::numbers::f64_from_usize;

const WIDTH: u32 = 1_400;
const ROW: u32 = 220;
const FONT: &str = "sans-serif";
const TEXT: (&str, i32) = (FONT, 18);

/// What was sent over what was heard: 20 ms from the middle, for each player and each other.
pub(super) fn sent_and_received(report: &Report, path: &Path) -> Result<()> {
    let rows: Vec<(&PlayerReport, &HeardReport)> = report.pairs().collect();
    draw(path, u32::try_from(rows.len()).unwrap_or(1), |areas| {
        for (area, (player, heard)) in areas.iter().zip(&rows) {
            let [sent, received] = &heard.overlay;
            let peak = sent.iter().chain(received).fold(1e-4_f32, |peak, sample| peak.max(sample.abs()));
            let mut chart = ChartBuilder::on(area)
                .caption(format!("{} hears {}: sent (blue), heard (red)", player.name, heard.from), TEXT)
                .margin(6)
                .x_label_area_size(26)
                .y_label_area_size(60)
                .build_cartesian_2d(0.0..20.0, -f64::from(peak)..f64::from(peak))?;
            chart.configure_mesh().x_desc("ms").label_style((FONT, 14)).draw()?;
            for (samples, colour, width) in [(sent, BLUE, 4), (received, RED, 1)] {
                let points = samples
                    .iter()
                    .enumerate()
                    .map(|(n, sample)| (f64_from_usize(n) / 48.0, f64::from(*sample)));
                chart.draw_series(LineSeries::new(points, colour.stroke_width(width)))?;
            }
        }
        Ok(())
    })
    .map_err(|error| anyhow!("{}: {error}", shown(path)))
}

/// The delay of every strip over the time of the jam; above it what the network did, if there was one.
pub(super) fn delay_over_time(report: &Report, path: &Path) -> Result<()> {
    let players: Vec<&PlayerReport> = report.players.iter().collect();
    let above = usize::from(report.network.is_some());
    draw(path, u32::try_from(above + players.len()).unwrap_or(1), |areas| {
        if let (Some(network), Some(area)) = (&report.network, areas.first()) {
            for (line, place) in network.summary().lines().zip((0_i32..).map(|line| 40 + 30 * line)) {
                area.draw_text(line.trim(), &TEXT.into_text_style(area), (20, place))?;
            }
        }
        for (area, player) in areas.iter().skip(above).zip(&players) {
            let points = |heard: &HeardReport| -> Vec<(f64, f64)> {
                let windows = heard.windows.iter();
                windows.map(|window| (window.heard_frame / 48_000.0, window.lag_seconds * 1e3)).collect()
            };
            let all: Vec<(f64, f64)> = player.heard.iter().flat_map(points).collect();
            let end = all.iter().map(|point| point.0).fold(1.0, f64::max);
            let expected = |heard: &HeardReport| heard.latency_ms_expected;
            let drawn = || all.iter().map(|point| point.1).chain(player.heard.iter().filter_map(expected));
            let lowest = drawn().fold(f64::INFINITY, f64::min).min(1e3);
            let highest = drawn().fold(0.0, f64::max);
            let network = network_caption(report, player);
            let caption = format!(
                "{}, blocks of {} frames: delay of the others{network}",
                player.name, player.block_frames
            );
            let milliseconds = (lowest - 0.5).max(0.0)..highest + 0.5;
            curves(area, &caption, end, milliseconds, &player.heard, points, expected)?;
        }
        Ok(())
    })
    .map_err(|error| anyhow!("{}: {error}", shown(path)))
}

/// Which network it was, what the simulator expects of it, and what was concealed; nothing without a network.
fn network_caption(report: &Report, player: &PlayerReport) -> String {
    let Some(network) = &report.network else { return String::new() };
    let expected: Vec<String> = player
        .heard
        .iter()
        .filter_map(|heard| Some(format!("{} {:.1} ms", heard.from, heard.latency_ms_expected?)))
        .collect();
    format!(
        "; {} (seed {}), simulated (thin) {}; concealed {:.2} %",
        network.network,
        network.seed,
        expected.join(", "),
        player.concealed_ppm * 1e-4
    )
}

/// The largest beat error that is drawn, in milliseconds: what is further out has not met yet.
const BEAT_ERROR_DRAWN: f64 = 2.0;

/// How far the beats of every strip were from the local ones over the time of the jam.
pub(super) fn beat_error_over_time(report: &Report, path: &Path) -> Result<()> {
    let players: Vec<&PlayerReport> = report.players.iter().collect();
    draw(path, u32::try_from(players.len()).unwrap_or(1), |areas| {
        for (area, player) in areas.iter().zip(&players) {
            let ends = player.heard.iter().filter_map(|heard| heard.beat_errors.last());
            let end = ends.map(|error| error.seconds).fold(1.0, f64::max);
            let caption = format!("{}: beat error of the others, as heard", player.name);
            let drawn = |heard: &HeardReport| {
                let drawn = |error_us: f64| (error_us * 1e-3).clamp(-BEAT_ERROR_DRAWN, BEAT_ERROR_DRAWN);
                heard.beat_errors.iter().map(|error| (error.seconds, drawn(error.error_us))).collect()
            };
            curves(area, &caption, end, -BEAT_ERROR_DRAWN..BEAT_ERROR_DRAWN, &player.heard, drawn, |_| None)?;
        }
        Ok(())
    })
    .map_err(|error| anyhow!("{}: {error}", shown(path)))
}

/// One player's row: a curve over time for each strip that it heard, and a level line for what was expected.
fn curves(
    area: &Area<'_>,
    caption: &str,
    end_seconds: f64,
    milliseconds: Range<f64>,
    heard: &[HeardReport],
    points: impl Fn(&HeardReport) -> Vec<(f64, f64)>,
    expected: impl Fn(&HeardReport) -> Option<f64>,
) -> Result<(), Box<dyn std::error::Error>> {
    let mut chart = ChartBuilder::on(area)
        .caption(caption, TEXT)
        .margin(6)
        .x_label_area_size(26)
        .y_label_area_size(60)
        .build_cartesian_2d(0.0..end_seconds, milliseconds)?;
    chart.configure_mesh().x_desc("s").y_desc("ms").label_style((FONT, 14)).draw()?;
    for (number, heard) in heard.iter().enumerate() {
        let colour = Palette99::pick(number);
        chart
            .draw_series(LineSeries::new(points(heard), colour.stroke_width(2)))?
            .label(&heard.from)
            .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 16, y)], colour.stroke_width(2)));
        if let Some(level) = expected(heard) {
            let line = [(0.0, level), (end_seconds, level)];
            chart.draw_series(LineSeries::new(line, BLACK.mix(0.5).stroke_width(1)))?;
        }
    }
    chart.configure_series_labels().label_font((FONT, 14)).background_style(WHITE).draw()?;
    Ok(())
}

type Area<'a> = DrawingArea<BitMapBackend<'a>, plotters::coord::Shift>;

/// Draws rows of equal height; the font comes with this program.
fn draw(
    path: &Path,
    rows: u32,
    paint: impl FnOnce(&[Area<'_>]) -> Result<(), Box<dyn std::error::Error>>,
) -> Result<(), Box<dyn std::error::Error>> {
    plotters::style::register_font(FONT, FontStyle::Normal, dejavu::sans::regular())
        .map_err(|_| "the font that comes with this program is damaged")?;
    let (width, height) = (WIDTH, ROW * rows.max(1));
    let mut pixels = vec![0; usize::try_from(width * height * 3)?];
    {
        let root = BitMapBackend::with_buffer(&mut pixels, (width, height)).into_drawing_area();
        root.fill(&WHITE)?;
        paint(&root.split_evenly((usize::try_from(rows.max(1))?, 1)))?;
        root.present()?;
    }
    let mut encoder = png::Encoder::new(std::fs::File::create(path)?, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.write_header()?.write_image_data(&pixels)?;
    Ok(())
}
