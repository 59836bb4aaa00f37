//! Where what is heard lies in true time, against where the plugin says it puts it.

use core::sync::atomic::Ordering;

use lockstep_shared::time::convert::f64_from_i64;
use lockstep_shared::time::{DeviceFrame, Frames, LocalTime, Span};

use crate::clock::AudioClock;
use crate::oracle::tone_error_frames;
use crate::world::{Audience, Heard};

/// Output frames of one look.
const LOOK_FRAMES: usize = 512;

/// One look at one strip.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// When.
    pub at: LocalTime,
    /// How much later than commanded it was heard, in frames of the sender's device.
    pub frames: f64,
    /// Who heard it.
    pub listener: usize,
    /// The listener's frame that the look begins with.
    pub here: DeviceFrame,
    /// The sender's frame that was heard there.
    pub there: f64,
}

/// Two members that play tones to each other, each heard in the other's first strip output.
#[derive(Debug)]
pub struct AlignmentEars {
    /// Clocks equal to the members' own, for the truth about each frame.
    audio: Vec<AudioClock>,
    cycles: Vec<f64>,
    look_every: u32,
    blocks: u32,
    /// The latest output of each member, for blocks that are shorter than a look.
    recent: Vec<(DeviceFrame, Vec<f32>)>,
    /// All looks.
    pub errors: Vec<Look>,
    /// The largest difference between consecutive samples of any strip output.
    pub steepest: f32,
}

impl AlignmentEars {
    /// Ears for members with these audio clocks, whose tones have so many cycles a frame; looks at every so many
    /// blocks.
    #[must_use]
    pub fn new(audio: Vec<AudioClock>, cycles: Vec<f64>, look_every: u32) -> Self {
        let recent = audio.iter().map(|_| (DeviceFrame(0), Vec::new())).collect();
        Self { audio, cycles, look_every, blocks: 0, recent, errors: Vec::new(), steepest: 0.0 }
    }

    /// The error that nine looks in ten stay within, in frames: a concealed chunk spoils the look that it lies in.
    #[must_use]
    pub fn usual_error(&self) -> f64 {
        let mut errors: Vec<f64> = self.errors.iter().map(|look| look.frames.abs()).collect();
        errors.sort_by(f64::total_cmp);
        errors.get(errors.len() * 9 / 10).copied().unwrap_or(f64::INFINITY)
    }
}

impl Audience for AlignmentEars {
    fn hear(&mut self, heard: &Heard<'_>) {
        let here = heard.member;
        let strip = &heard.strips[0][0];
        let (first, recent) = &mut self.recent[here];
        let before = recent.last().copied().unwrap_or(0.0);
        for (before, after) in [before].iter().chain(strip).zip(strip) {
            self.steepest = self.steepest.max((after - before).abs());
        }
        if recent.len() > 4 * LOOK_FRAMES {
            *first += Frames(i64::try_from(recent.len() - LOOK_FRAMES).unwrap_or(0));
            recent.drain(..recent.len() - LOOK_FRAMES);
        }
        recent.extend(strip);
        self.blocks += 1;
        let delay_ms = heard.gauges.lanes[0].delay_ms.load(Ordering::Relaxed);
        if !self.blocks.is_multiple_of(self.look_every) || recent.len() < LOOK_FRAMES || !delay_ms.is_finite()
        {
            return;
        }
        // What should be heard at a frame is what the other's device passed the commanded delay earlier.
        let delay = Span::from_secs_f64(delay_ms / 1_000.0);
        let start = recent.len() - LOOK_FRAMES;
        let from = *first + Frames(i64::try_from(start).unwrap_or(0));
        let look = Frames(i64::try_from(LOOK_FRAMES).unwrap_or(0));
        let mut expected = |frame: DeviceFrame| {
            let at = self.audio[here].truth(frame) - delay;
            frame_at(&mut self.audio[1 - here], at)
        };
        let own = from;
        let (from, to) = (expected(from), expected(from + look));
        let step = (to - from) / look.f64();
        let frames = tone_error_frames(&recent[start..], self.cycles[1 - here], from, step);
        self.errors.push(Look { at: heard.at, frames, listener: here, here: own, there: from - frames });
    }
}

/// The device's frame at a true time, with its fraction.
fn frame_at(audio: &mut AudioClock, at: LocalTime) -> f64 {
    let whole = audio.frame(at);
    let (before, after) = (audio.truth(whole), audio.truth(whole + Frames(1)));
    f64_from_i64(whole.0) + (at - before).secs_f64() / (after - before).secs_f64()
}
