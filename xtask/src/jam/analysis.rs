//! From windows to figures: what one player heard of another.

use serde::Serialize;

use super::delay::{Comparison, Recording, Window};
use super::interpolation::Sinc;
use crate::numbers::{f64_from_usize, usize_round};

/// Left out after the first sound, while clocks and delay settle. The concealed share leaves out nothing.
pub(crate) const SETTLING_SECONDS: f64 = 2.0;
/// The lines of a plugin's journal lie so far apart.
const JOURNAL_EVERY_SECONDS: f64 = 0.1;
/// A delay glides by 1 ms a second at most; what moves faster, fades.
const GLIDE_MS_PER_SECOND_MAX: f64 = 1.5;

/// What one player heard of one other.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Figures {
    /// When the strip was first heard, in seconds after the receiver's start.
    pub(crate) heard_after_seconds: f64,
    /// Seconds that were compared, beside the settling time.
    pub(crate) compared_seconds: f64,
    /// From the sender's input to the receiver's output, by the machine's clock.
    pub(crate) latency_ms_median: f64,
    pub(crate) latency_ms_p99: f64,
    /// How far a window's latency is from what the receiver meant it to be, in 99 of 100 windows.
    pub(crate) alignment_error_us_p99: f64,
    /// Chunks of 64 frames that were not what was sent, in a million: concealed, faded or moved.
    pub(crate) altered_ppm: f64,
    /// Places at which what was heard left the music at once, or came back to it.
    pub(crate) clicks: usize,
    /// How much faster the sender's interface runs than the receiver's, as the music has it: the slope of the sender's
    /// frames over the receiver's. A delay that moves is in it too.
    pub(crate) drift_ppm_heard: f64,
    /// What was sent against what was different, both as heard, with one gain for the whole.
    pub(crate) snr_db: f64,
    /// That gain.
    pub(crate) gain_db: f64,
}

/// The figures and the windows behind them.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    pub(crate) figures: Figures,
    pub(crate) windows: Vec<Window>,
}

/// Measures what was heard against what was sent. Nothing if too little of it can be found.
///
/// `commanded_ms` says which delay the receiver meant to have at a frame of its own, if it is known; without, the median
/// is taken for what was meant.
pub(crate) fn measure(
    sent: &Recording,
    heard: &Recording,
    sinc: &Sinc,
    commanded_ms: impl Fn(f64) -> Option<f64>,
) -> Option<Measured> {
    let windows = Comparison::new(sent, heard, sinc).windows();
    let first = windows.first()?.heard_frame;
    let settled_from = first + SETTLING_SECONDS * heard.rate_hz;
    let settled: Vec<Window> =
        windows.iter().copied().filter(|window| window.heard_frame >= settled_from).collect();
    if settled.len() < 3 {
        return None;
    }
    let lags = ranked(settled.iter().map(|window| window.lag_seconds));
    let median = percentile(&lags, 0.5);
    // With a journal's line more on either side.
    let half_window =
        f64_from_usize(super::delay::WINDOW_FRAMES) / 2.0 + JOURNAL_EVERY_SECONDS * heard.rate_hz;
    let deviations = ranked(settled.iter().filter_map(|window| {
        let at = |frame: f64| commanded_ms(window.heard_frame + frame);
        // Where the receiver faded from one delay to another, there is no one delay to compare with.
        let is_faded = at(-half_window).zip(at(half_window)).is_some_and(|(from, to)| {
            (to - from).abs() > GLIDE_MS_PER_SECOND_MAX * 2.0 * half_window / heard.rate_hz
        });
        let meant = at(0.0).map_or(median, |ms| ms * 1e-3);
        (!is_faded).then(|| (window.lag_seconds - meant).abs())
    }));
    if deviations.is_empty() {
        return None;
    }
    let gain =
        percentile(&ranked(settled.iter().map(|window| window.common_energy / window.sent_energy)), 0.5);
    let chunks = |count: fn(&Window) -> usize| f64_from_usize(settled.iter().map(count).sum());
    let window_seconds = f64_from_usize(super::delay::WINDOW_FRAMES) / heard.rate_hz;
    let figures = Figures {
        heard_after_seconds: first / heard.rate_hz - window_seconds / 2.0,
        compared_seconds: f64_from_usize(settled.len()) * window_seconds,
        latency_ms_median: median * 1e3,
        latency_ms_p99: percentile(&lags, 0.99) * 1e3,
        alignment_error_us_p99: percentile(&deviations, 0.99) * 1e6,
        altered_ppm: chunks(|window| window.chunks_broken) / chunks(|window| window.chunks).max(1.0) * 1e6,
        clicks: settled.iter().map(|window| window.clicks).sum(),
        drift_ppm_heard: (slope(&settled) - 1.0) * 1e6,
        snr_db: signal_to_noise_db(&settled, gain),
        gain_db: 20.0 * gain.abs().log10(),
    };
    Some(Measured { figures, windows })
}

pub(super) fn ranked(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

pub(super) fn percentile(ranked: &[f64], share: f64) -> f64 {
    let last = ranked.len().saturating_sub(1);
    // The value that this share of all lie at or below.
    let index = usize_round((share * f64_from_usize(ranked.len())).ceil() - 1.0).min(last);
    ranked.get(index).copied().unwrap_or(0.0)
}

/// The slope of the line through sent over heard frames, by least squares.
fn slope(windows: &[Window]) -> f64 {
    let count = f64_from_usize(windows.len());
    let mean_heard = windows.iter().map(|window| window.heard_frame).sum::<f64>() / count;
    let mean_sent = windows.iter().map(|window| window.sent_frame).sum::<f64>() / count;
    let (mut together, mut alone) = (0.0, 0.0);
    for window in windows {
        let heard = window.heard_frame - mean_heard;
        together += heard * (window.sent_frame - mean_sent);
        alone += heard * heard;
    }
    together / alone
}

fn signal_to_noise_db(windows: &[Window], gain: f64) -> f64 {
    let (mut signal, mut noise) = (0.0, 0.0);
    for window in windows {
        signal += gain * gain * window.sent_energy;
        noise += window.heard_energy - 2.0 * gain * window.common_energy + gain * gain * window.sent_energy;
    }
    // Beyond this, the arithmetic of the measurement is what is measured.
    10.0 * (signal / noise.max(signal * 1e-12)).log10()
}

#[cfg(test)]
mod tests {
    use super::super::audio::Stereo;
    use super::super::likeness::likeness;
    use super::*;
    use crate::numbers::{f32_from_f64, f64_from_i64};

    const SECONDS: usize = 12;
    const RATE: f64 = 48_000.0;

    /// Something like music: tones that come and go, as a formula, so that it can be heard at any instant.
    fn music(player: u32, seconds: f64) -> f64 {
        if seconds < 0.0 {
            return 0.0;
        }
        let player = f64::from(player);
        (0..12_u32)
            .map(|voice| {
                let voice = f64::from(voice);
                let hertz = 110.0 * (1.0 + voice * 1.37 + player * 0.17).powf(1.6);
                let touch = (seconds * (0.7 + 0.31 * voice + 0.13 * player) + voice).sin().powi(4);
                touch * (seconds * hertz * std::f64::consts::TAU + voice).sin() * 0.05
            })
            .sum()
    }

    /// What an interface that runs `ppm` fast records of a sound that is given at the wall clock.
    fn record(anchor_ns: i64, ppm: f64, sound: impl Fn(f64) -> f64) -> Recording {
        let rate_hz = RATE * (1.0 + ppm * 1e-6);
        let at = |frame: usize| f64_from_i64(anchor_ns) * 1e-9 + f64_from_usize(frame) / rate_hz;
        let channel: Vec<f32> = (0..SECONDS * 48_000).map(|frame| f32_from_f64(sound(at(frame)))).collect();
        let right = channel.iter().map(|sample| sample * 0.5).collect();
        Recording {
            sound: Stereo { channels: [channel, right] },
            anchor_ns,
            rate_hz,
            frames: SECONDS * 48_000,
        }
    }

    fn measured(sent: &Recording, heard: &Recording) -> Figures {
        measured_against(sent, heard, |_| None)
    }

    fn measured_against(sent: &Recording, heard: &Recording, meant: impl Fn(f64) -> Option<f64>) -> Figures {
        let sinc = Sinc::new();
        let rough = likeness(sent, heard);
        assert!(rough.is_same_sound(), "{rough:?}");
        measure(sent, heard, &sinc, meant).unwrap().figures
    }

    #[test]
    fn a_constant_delay_between_drifting_clocks_is_found_to_a_fraction_of_a_microsecond() {
        let delay = 0.023_456_7;
        let sent = record(1_000_000_000, 100.0, |time| music(1, time));
        let heard = record(1_037_123_456, -100.0, |time| 0.7 * music(1, time - delay));
        let figures = measured(&sent, &heard);
        assert!((figures.latency_ms_median - delay * 1e3).abs() < 0.000_5, "{figures:?}");
        assert!(figures.alignment_error_us_p99 < 0.5, "{figures:?}");
        assert!((figures.drift_ppm_heard - 200.0).abs() < 0.2, "{figures:?}");
        assert!(figures.snr_db > 80.0, "{figures:?}");
        assert!((figures.gain_db - 20.0 * 0.7_f64.log10()).abs() < 0.01, "{figures:?}");
        assert!(figures.altered_ppm.abs() < 1e-9, "{figures:?}");
        assert_eq!(figures.clicks, 0, "{figures:?}");
    }

    #[test]
    fn a_long_delay_is_found_too() {
        let sent = record(0, 0.0, |time| music(1, time));
        let heard = record(0, 30.0, |time| music(1, time - 4.321));
        let figures = measured(&sent, &heard);
        assert!((figures.latency_ms_median - 4_321.0).abs() < 0.001, "{figures:?}");
        assert!((figures.heard_after_seconds - 4.3).abs() < 0.6, "{figures:?}");
    }

    #[test]
    fn a_delay_that_wanders_is_an_alignment_error() {
        let delay = |time: f64| 0.030 + 50e-6 * (time * 0.9).sin();
        let sent = record(0, 0.0, |time| music(1, time));
        let heard = record(0, 0.0, |time| music(1, time - delay(time)));
        let figures = measured(&sent, &heard);
        assert!((35.0..65.0).contains(&figures.alignment_error_us_p99), "{figures:?}");
        assert!((figures.latency_ms_median - 30.0).abs() < 0.04, "{figures:?}");
    }

    #[test]
    fn a_delay_that_drifts_shows_in_the_slope() {
        // A receiver that never corrects: the delay grows by 40 us a second.
        let sent = record(0, 0.0, |time| music(1, time));
        let heard = record(0, 0.0, |time| music(1, time * (1.0 - 40e-6) - 0.030));
        let figures = measured(&sent, &heard);
        assert!((figures.drift_ppm_heard + 40.0).abs() < 0.2, "{figures:?}");
    }

    #[test]
    fn a_glide_at_full_speed_is_followed_and_is_no_noise() {
        // As when a jitter target grows: a thousandth, from the fourth second to the ninth.
        let delay = |time: f64| 0.005 + 1e-3 * (time - 4.0).clamp(0.0, 5.0);
        let sent = record(0, 80.0, |time| music(1, time));
        let heard = record(3_000_000, -40.0, |time| music(1, time - delay(time)));
        let figures =
            measured_against(&sent, &heard, |frame| Some(delay(0.003 + frame / heard.rate_hz) * 1e3));
        assert!(figures.alignment_error_us_p99 < 30.0, "{figures:?}");
        assert!(figures.altered_ppm < 3_000.0, "{figures:?}");
        assert_eq!(figures.clicks, 0, "{figures:?}");
        assert!(figures.snr_db > 25.0, "{figures:?}");
        assert!((figures.latency_ms_p99 - 10.0).abs() < 0.01, "{figures:?}");
    }

    #[test]
    fn gaps_are_counted_and_do_not_move_the_delay() {
        let sent = record(0, 20.0, |time| music(2, time));
        let mut heard = record(0, -20.0, |time| music(2, time - 0.012));
        // 40 chunks of 9,000 in twelve seconds, all after the settling time, each cut at an odd place.
        for gap in 0..40 {
            let start = 150_017 + gap * 10_007;
            for channel in &mut heard.sound.channels {
                channel[start..start + 64].fill(0.0);
            }
        }
        let figures = measured(&sent, &heard);
        // One gap lies across two of the chunks that are counted here.
        assert!((4_000.0..12_000.0).contains(&figures.altered_ppm), "{figures:?}");
        // Most of them cut where the music is not at rest.
        assert!((20..=40).contains(&figures.clicks), "{figures:?}");
        assert!((figures.latency_ms_median - 12.0).abs() < 0.002, "{figures:?}");
        assert!(figures.snr_db > 15.0 && figures.snr_db < 40.0, "{figures:?}");
    }

    #[test]
    fn noise_is_measured_as_noise() {
        let sent = record(0, 0.0, |time| music(3, time));
        let level = sent.sound.levels().rms;
        // White enough: a sine far above, multiplied until nothing of a tone is left.
        let noise = |time: f64| ((time * 1e5).sin() * 43_758.545).fract() * level * 0.01;
        let heard = record(0, 0.0, |time| music(3, time - 0.02) + noise(time));
        let figures = measured(&sent, &heard);
        // Uniform from -1 to 1 has a third of its peak's power: 40 + 4.8 dB (over the two channels, 4.0 more or less).
        assert!((42.0..48.0).contains(&figures.snr_db), "{figures:?}");
    }

    #[test]
    fn another_players_music_is_not_taken_for_this_ones() {
        let senders: Vec<Recording> =
            (0..4).map(|player| record(0, 10.0, |time| music(player, time))).collect();
        let heard = record(5_000_000, -40.0, |time| music(2, time - 0.025));
        let found: Vec<f64> = senders.iter().map(|sent| likeness(sent, &heard).0).collect();
        let best = (0..4).max_by(|one, other| found[*one].total_cmp(&found[*other]));
        assert_eq!(best, Some(2), "{found:?}");
    }
}
