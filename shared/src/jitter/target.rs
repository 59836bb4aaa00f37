//! How much delay the network needs: the policy over the histograms.

use super::LatenessHistogram;

/// A history shorter than a second counts as a second.
const LEAST_WEIGHT: f64 = 750.0;
/// Chunks of 4 s: follows what the network does now.
const SHORT_HORIZON: usize = 3_000;
/// Chunks of 60 s: remembers what comes back every few seconds.
const LONG_HORIZON: usize = 45_000;
/// Chunks of half the time for which memory is believed without being confirmed: 2 s.
const CONFIRMED_CHUNKS: usize = 1_500;
/// Memory that asks for more than the last seconds confirm is believed as long as it is by less than this: 1 ms.
const UNCONFIRMED_FRAMES: f64 = 48.0;
/// Observations between two evaluations: 43 ms of chunks.
const EVALUATE_EVERY: usize = 32;
/// Observations before the start value may be undercut: 1 s of chunks.
const TRUSTED_AFTER: usize = 750;
/// Falls below 0.25 ms are not worth a glide. Every rise is: less delay than is needed costs a gap each time.
const HYSTERESIS_FRAMES: f64 = 12.0;
/// A fixed delay moves when the earliest arrival does, by this much: 1 ms.
const FIXED_MOVES_FRAMES: f64 = 48.0;
/// The longest delay that may be fixed: 200 ms, as far as the histograms see.
const FIXED_FRAMES_MAX: f64 = 9_600.0;

/// How delay is weighed against gaps: the price of a late chunk, in delay for all chunks.
///
/// On a path whose jitter is exponential with mean *j*, the share of late chunks becomes *j* / price: at 0.8 ms of jitter
/// 0.8 %, 0.2 % and 0.025 %.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum JitterPreset {
    /// 0.1 s: the least delay that is fun.
    Tight,
    /// 0.4 s: halfway between the 0.2 s of clean links and the 0.8 s of bad ones at which a simulated musician would be
    /// indifferent.
    #[default]
    Default,
    /// 3.2 s: gaps are what must not be.
    Recording,
    /// A price of one's own, in grid frames: what the others are made of.
    Priced(f64),
    /// So many grid frames beyond the earliest arrival, however late the rest comes; at most 200 ms.
    Fixed(f64),
}

/// Why the target is what it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reason {
    /// The network has not been watched for long enough.
    #[default]
    Starting,
    /// It rose: chunks came later than before.
    Worse,
    /// It fell: nothing came as late any more.
    Better,
    /// The preset was changed, or is a fixed value.
    Preset,
}

/// Holds the delay that is cheapest when a late chunk has a price, by the memory of the last 4 s or of the last 60 s,
/// whichever asks for more: a spread that stays is waited for, a rare stall is concealed and not chased. Memory is
/// believed only as far as the last 2 to 4 s confirm it, so that a network that got better is played as such within ten
/// seconds.
#[derive(Clone, Debug)]
pub struct JitterTarget {
    short: LatenessHistogram,
    long: LatenessHistogram,
    extent: Extent,
    observations: usize,
    preset: JitterPreset,
    target_frames: f64,
    late_share: f64,
    reason: Reason,
}

impl JitterPreset {
    /// What a late chunk costs, in frames of delay for all chunks; none of a fixed delay.
    const fn late_cost_frames(self) -> Option<f64> {
        match self {
            Self::Tight => Some(4_800.0),
            Self::Default => Some(19_200.0),
            Self::Recording => Some(153_600.0),
            Self::Priced(frames) => Some(frames),
            Self::Fixed(_) => None,
        }
    }
}

impl JitterTarget {
    /// A target that stands at `start_frames` until the network has been watched: it may rise at once, but
    /// falls after a second at the earliest. Allocates 32 kB.
    #[must_use]
    pub fn new(start_frames: f64) -> Self {
        Self {
            short: LatenessHistogram::new(SHORT_HORIZON),
            long: LatenessHistogram::new(LONG_HORIZON),
            extent: Extent::default(),
            observations: 0,
            preset: JitterPreset::Default,
            target_frames: start_frames.max(0.0),
            late_share: 0.0,
            reason: Reason::Starting,
        }
    }

    /// Weighs by another preset from here on; what was learned of the network is kept.
    ///
    /// Real-time: yes. Bound: two passes over the bins in use, 8,002 at most, when the preset changed.
    pub fn set_preset(&mut self, preset: JitterPreset) {
        if self.preset != preset {
            self.preset = preset;
            if let Some(needed) = self.needed_frames() {
                self.target_frames = needed;
                self.reason = Reason::Preset;
            }
            self.late_share = self.long.later_share(self.target_frames);
        }
    }

    /// Counts one chunk that arrived, in time or not, `lateness_frames` after the earliest it could have. A lost
    /// chunk is not observed; one that came as a copy is, as late as the copy came.
    ///
    /// Real-time: yes. Bound: constant, and every 32nd time three passes over the bins in use, 12,003 at most.
    pub fn observe(&mut self, lateness_frames: f64) {
        self.short.observe(lateness_frames);
        self.long.observe(lateness_frames);
        self.extent.observe(lateness_frames);
        self.observations = self.observations.saturating_add(1);
        if self.observations.is_multiple_of(EVALUATE_EVERY) {
            self.short.fade(EVALUATE_EVERY);
            self.long.fade(EVALUATE_EVERY);
            self.evaluate();
        }
    }

    /// The delay that the network needs, in grid frames.
    #[must_use]
    pub const fn target_frames(&self) -> f64 {
        self.target_frames
    }

    /// The share of what arrived in the last minute that such a delay would have been too short for: what it costs not to
    /// wait longer.
    #[must_use]
    pub const fn late_share(&self) -> f64 {
        self.late_share
    }

    /// The earliest that a chunk came within the last 2 to 4 s; none while none has.
    #[must_use]
    pub fn earliest_frames(&self) -> Option<f64> {
        self.extent.earliest_frames()
    }

    /// What a late chunk costs by the preset, in frames of delay for all chunks; nothing where the delay is fixed, for
    /// then it buys none.
    #[must_use]
    pub fn late_cost_frames(&self) -> f64 {
        self.preset.late_cost_frames().unwrap_or(0.0)
    }

    /// Why it was moved last.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        self.reason
    }

    /// The cheapest delay; none while nothing is known of a network that decides.
    fn needed_frames(&self) -> Option<f64> {
        if let JitterPreset::Fixed(frames) = self.preset {
            return Some(self.extent.earliest_frames()? + frames.clamp(0.0, FIXED_FRAMES_MAX));
        }
        let cost = self.preset.late_cost_frames()?;
        let short = self.short.cheapest_frames(cost, LEAST_WEIGHT)?;
        let long = self.long.cheapest_frames(cost, LEAST_WEIGHT)?;
        let (asked, confirmed) = (short.max(long), self.extent.upper_edge_frames());
        Some(if asked > confirmed + UNCONFIRMED_FRAMES { confirmed } else { asked })
    }

    fn evaluate(&mut self) {
        let Some(needed) = self.needed_frames() else { return };
        let is_fixed = matches!(self.preset, JitterPreset::Fixed(_));
        let away = (needed - self.target_frames).abs();
        let rises = needed > self.target_frames;
        let falls = away >= HYSTERESIS_FRAMES && self.observations >= TRUSTED_AFTER;
        // What is fixed follows the path where that becomes longer or shorter, and nothing else.
        let moves = if is_fixed { away >= FIXED_MOVES_FRAMES } else { rises || falls };
        if moves {
            self.target_frames = needed;
            self.reason = match self.preset.late_cost_frames() {
                None => Reason::Preset,
                Some(_) if rises => Reason::Worse,
                Some(_) => Reason::Better,
            };
        }
        self.late_share = self.long.later_share(self.target_frames);
    }
}

/// The earliest and the latest that anything came within the last 2 to 4 s.
#[derive(Clone, Copy, Debug, Default)]
struct Extent {
    current: Option<[f64; 2]>,
    previous: Option<[f64; 2]>,
    chunks: usize,
}

impl Extent {
    fn observe(&mut self, frames: f64) {
        self.chunks += 1;
        if self.chunks >= CONFIRMED_CHUNKS {
            *self = Self { previous: self.current, ..Self::default() };
        }
        let [earliest, latest] = self.current.unwrap_or([frames; 2]);
        self.current = Some([earliest.min(frames), latest.max(frames)]);
    }

    fn earliest_frames(&self) -> Option<f64> {
        [self.current, self.previous].into_iter().flatten().map(|[earliest, _]| earliest).reduce(f64::min)
    }

    fn upper_edge_frames(&self) -> f64 {
        let latest = [self.current, self.previous].into_iter().flatten().map(|[_, latest]| latest);
        LatenessHistogram::upper_edge_frames(latest.fold(0.0, f64::max))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::convert::f64_from_usize;

    /// A repeatable lateness of 0 to `spread` frames.
    fn lateness(n: usize, spread: f64) -> f64 {
        (f64_from_usize(n) * 0.754_877_666).fract() * spread
    }

    #[test]
    fn it_holds_its_start_then_falls_to_what_the_network_needs() {
        let mut target = JitterTarget::new(480.0);
        for n in 0..TRUSTED_AFTER - EVALUATE_EVERY {
            target.observe(lateness(n, 96.0));
            assert_eq!(target.target_frames(), 480.0);
        }
        (0..10_000).for_each(|n| target.observe(lateness(n, 96.0)));
        assert!((target.target_frames() - 96.0).abs() <= HYSTERESIS_FRAMES, "{}", target.target_frames());
    }

    #[test]
    fn spikes_are_waited_for_when_they_are_frequent_and_concealed_when_they_are_rare() {
        let spiked = |every: usize| {
            let mut target = JitterTarget::new(0.0);
            for n in 1..200_000 {
                target.observe(if n % every == 0 { 2_400.0 } else { lateness(n, 96.0) });
            }
            target.target_frames()
        };
        assert!(spiked(5) >= 2_400.0);
        assert!(spiked(100) < 110.0);
    }

    #[test]
    fn a_stall_of_twenty_milliseconds_is_not_chased() {
        let mut target = JitterTarget::new(0.0);
        (0..20_000).for_each(|n| target.observe(lateness(n, 96.0)));
        (0..15_u32).for_each(|n| target.observe(f64::from(960 - 64 * n)));
        (0..200).for_each(|n| target.observe(lateness(n, 96.0)));
        assert!(target.target_frames() < 110.0, "{}", target.target_frames());
    }

    #[test]
    fn a_change_for_the_worse_is_met_within_half_a_second() {
        let mut target = JitterTarget::new(96.0);
        (0..60_000).for_each(|n| target.observe(lateness(n, 90.0)));
        (0..375).for_each(|n| target.observe(lateness(n, 960.0)));
        assert!(target.target_frames() > 800.0, "{}", target.target_frames());
    }

    #[test]
    fn a_change_for_the_better_is_met_within_four_seconds() {
        let mut target = JitterTarget::new(0.0);
        (0..90_000).for_each(|n| target.observe(lateness(n, 960.0)));
        (0..2 * CONFIRMED_CHUNKS + EVALUATE_EVERY).for_each(|n| target.observe(lateness(n, 96.0)));
        assert!(target.target_frames() < 110.0, "{}", target.target_frames());
        assert_eq!(target.reason(), Reason::Better);
    }

    #[test]
    fn what_comes_back_every_few_seconds_is_remembered_beyond_the_short_horizon() {
        // A busy half second every 2 s: waited for all the time, and not anew each time.
        let mut target = JitterTarget::new(0.0);
        for n in 0..90_000 {
            let is_busy = n % 1_500 < 375;
            target.observe(lateness(n, if is_busy { 960.0 } else { 96.0 }));
            assert!(n < 22_500 || target.target_frames() > 700.0, "{n}: {}", target.target_frames());
        }
    }

    #[test]
    fn presets_weigh_the_same_network_differently_and_a_fixed_delay_is_kept() {
        let mut target = JitterTarget::new(0.0);
        // Exponential, with a mean of 0.8 ms.
        (1..200_000).for_each(|n| target.observe(-38.4 * lateness(n, 1.0).max(1e-9).ln()));
        let mut shares = Vec::new();
        for preset in [JitterPreset::Tight, JitterPreset::Default, JitterPreset::Recording] {
            target.set_preset(preset);
            assert_eq!(target.reason(), Reason::Preset);
            shares.push(target.late_share());
        }
        for (share, expected) in shares.into_iter().zip([0.008, 0.002, 0.000_25]) {
            assert!((0.5..2.0).contains(&(share / expected)), "{share} against {expected}");
        }
        let held = |target: &JitterTarget, frames: f64| (target.target_frames() - frames).abs() < 12.0;
        target.set_preset(JitterPreset::Fixed(240.0));
        (0..3_000).for_each(|n| target.observe(lateness(n, 960.0)));
        assert!(held(&target, 240.0), "{}", target.target_frames());
        assert!(target.late_share() > 0.02);
        target.set_preset(JitterPreset::Fixed(f64::MAX));
        assert!(held(&target, FIXED_FRAMES_MAX), "{}", target.target_frames());
    }

    #[test]
    fn a_fixed_delay_is_counted_from_the_earliest_arrival_and_follows_the_path() {
        let mut target = JitterTarget::new(0.0);
        target.set_preset(JitterPreset::Fixed(240.0));
        let far = |n| 1_440.0 + lateness(n, 96.0);
        (0..3_000).for_each(|n| target.observe(far(n)));
        let held = target.target_frames();
        assert!((held - 1_680.0).abs() < FIXED_MOVES_FRAMES, "{held}");
        (0..9_000).for_each(|n| target.observe(far(n) + 20.0 * (f64_from_usize(n) * 0.001).sin()));
        assert_eq!(target.target_frames(), held, "it does not follow jitter");
        (0..4_000).for_each(|n| target.observe(far(n) + 144.0));
        assert!((target.target_frames() - 1_824.0).abs() < FIXED_MOVES_FRAMES, "{}", target.target_frames());
    }

    #[test]
    fn small_falls_do_not_move_it_and_every_rise_does() {
        let mut target = JitterTarget::new(0.0);
        (0..5_000).for_each(|n| target.observe(lateness(n, 240.0)));
        let held = target.target_frames();
        for n in 0..50_000 {
            target.observe(lateness(n, 240.0 + 8.0 * (f64_from_usize(n) * 0.001).sin()));
            assert!((held..held + 12.0).contains(&target.target_frames()), "{}", target.target_frames());
        }
    }
}
