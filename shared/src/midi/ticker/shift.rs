//! How far a clock is emitted from where its line says: one number that moves slowly.
//!
//! The line is read at `read(e) = e - shift(e)` for what is emitted at `e`. While the shift moves by at most 1 % of
//! the time that passes, `read` grows by 0.99 to 1.01 for each frame: the emitted tempo is off by no more than 1 % (5 % in
//! a hurry), and because `read` never stands or turns, no tick is lost or comes twice.

use crate::time::GridPosition;

/// The shift and where it goes. Frames; positive is later.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shift {
    /// Where `frames` holds; it has stood before and moves towards `target` after.
    at: GridPosition,
    frames: f64,
    target: f64,
    slew: Slew,
}

/// How fast a clock may move.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Slew {
    /// By 1 % of tempo, which a DAW that is in time bears unheard.
    #[default]
    Gentle,
    /// By 5 %: for a DAW that has just started and is not in time yet. To be late for longer is heard more.
    Hurried,
}

impl Slew {
    /// Frames that the shift moves in one frame.
    const fn rate(self) -> f64 {
        match self {
            Self::Gentle => 0.01,
            Self::Hurried => 0.05,
        }
    }
}

impl Shift {
    pub(super) const fn set_target(&mut self, frames: f64) {
        self.target = frames;
    }

    pub(super) const fn set_slew(&mut self, slew: Slew) {
        self.slew = slew;
    }

    pub(super) fn is_settled(&self) -> bool {
        (self.target - self.frames).abs() < f64::EPSILON
    }

    /// Goes to the target at once: for when nothing runs that it could disturb.
    pub(super) const fn jump(&mut self) {
        self.frames = self.target;
    }

    /// Makes the shift at `at` the one that it starts from.
    pub(super) fn advance(&mut self, at: GridPosition) {
        self.frames = self.at(at);
        self.at = at;
    }

    /// The shift of what is emitted at `emitted`.
    pub(super) fn at(&self, emitted: GridPosition) -> f64 {
        let passed = emitted.frames_since(self.at).max(0.0);
        let (missing, rate) = (self.target - self.frames, self.slew.rate());
        self.frames + missing.clamp(-rate * passed, rate * passed)
    }

    /// Where the line is read for what is emitted at `emitted`.
    pub(super) fn read(&self, emitted: GridPosition) -> GridPosition {
        emitted.plus_f64(-self.at(emitted))
    }

    /// Where the line would be read at `emitted` were the target reached.
    pub(super) fn read_at_target(&self, emitted: GridPosition) -> GridPosition {
        emitted.plus_f64(-self.target)
    }

    /// When what the line has at `read` is emitted: the inverse of [`Shift::read`].
    pub(super) fn emitted(&self, read: GridPosition) -> GridPosition {
        let unmoved = read.plus_f64(self.frames);
        let ahead = unmoved.frames_since(self.at);
        if ahead <= 0.0 {
            return unmoved;
        }
        let (missing, rate) = (self.target - self.frames, self.slew.rate());
        let moving = ahead / (1.0 - rate.copysign(missing));
        if moving * rate <= missing.abs() { self.at.plus_f64(moving) } else { unmoved.plus_f64(missing) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::GridFrame;

    #[test]
    fn reading_and_emitting_are_each_others_inverse_and_never_stand() {
        for (slew, most) in [(Slew::Gentle, 0.010_01), (Slew::Hurried, 0.050_01)] {
            for target in [-12_000.0, -3.5, 0.0, 480.0, 12_000.0] {
                let mut shift = Shift::default();
                shift.advance(GridFrame(1_000).position());
                shift.set_target(target);
                shift.set_slew(slew);
                let mut before = None;
                for frame in (0..3_000_000).step_by(977) {
                    let emitted = GridFrame(frame).position();
                    let read = shift.read(emitted);
                    assert!(shift.emitted(read).frames_since(emitted).abs() < 1e-4, "{target} at {frame}");
                    if let Some(before) = before {
                        let moved = read.frames_since(before) / 977.0;
                        assert!((moved - 1.0).abs() < most, "{moved}");
                    }
                    before = Some(read);
                }
                assert!((shift.at(GridFrame(3_000_000).position()) - target).abs() < 1e-9);
            }
        }
    }
}
