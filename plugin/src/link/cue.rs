//! Everybody's DAW set going, stopped, or moved to another tempo by a button, together and on the bar.
//!
//! A cue is for a room in which every DAW follows: nobody's transport drives the line, so a person does. Whoever gives
//! the first cue leads by hand, as long as nobody else leads. What it says lies ahead, at the next bar line that everybody
//! has heard of by then ([`Timeline::first_bar_after`]), so that all DAWs turn at the same frame of the grid, the one of
//! whoever gave it among them.

use lockstep_shared::time::{Beats, GridPosition, Span, Tempo};
use lockstep_shared::timeline::{AuthorId, Intent, Timeline};
use lockstep_shared::wire::MemberId;

/// What everybody is to do together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cue {
    /// Play from the song's beginning.
    Start,
    /// Stand.
    Stop,
    /// One quarter note a minute more.
    Faster,
    /// One less.
    Slower,
}

/// The hand that leads.
#[derive(Debug, Default)]
pub(super) struct Hand {
    leads: bool,
    cue: Option<Cue>,
    /// The line as it was written last: while this hand leads, nobody else writes.
    line: Option<Timeline>,
}

impl Hand {
    /// Gives a cue, and asks for the lead with it.
    pub(super) const fn give(&mut self, cue: Cue) {
        self.leads = true;
        self.cue = Some(cue);
    }

    /// Whether it wants to lead.
    pub(super) const fn leads(&self) -> bool {
        self.leads
    }

    /// Gives the lead up, or what it was.
    pub(super) fn rest(&mut self) {
        *self = Self::default();
    }

    /// The room's line with the cue in it, once the lead is there.
    pub(super) fn write(
        &mut self,
        room: &Timeline,
        me: MemberId,
        now: GridPosition,
        round_trip: Span,
    ) -> Option<Timeline> {
        let cue = self.cue.take()?;
        let line = self.line.unwrap_or(*room);
        let at = line.first_bar_after(now, round_trip);
        let tempo = line.place(at).tempo;
        let intent = match cue {
            Cue::Start => Intent::Start { beats: Beats::default(), at },
            Cue::Stop => Intent::Stop { at },
            Cue::Faster => Intent::Tempo { tempo: moved(tempo, STEP_MILLI), at },
            Cue::Slower => Intent::Tempo { tempo: moved(tempo, -STEP_MILLI), at },
        };
        let mut next = line.with_intent(AuthorId(me.0), &intent);
        next.prune(now);
        self.line = Some(next);
        Some(next)
    }
}

/// One quarter note a minute.
const STEP_MILLI: i32 = 1_000;

/// The next whole tempo up or down; the same at the end of what there is.
fn moved(tempo: Tempo, by_milli: i32) -> Tempo {
    tempo.milli().checked_add_signed(by_milli).and_then(Tempo::from_milli).unwrap_or(tempo)
}

#[cfg(test)]
mod tests {
    use lockstep_shared::time::GridFrame;
    use lockstep_shared::timeline::Motion;

    use super::*;

    const ME: MemberId = MemberId(3);

    #[test]
    fn cues_follow_each_other_on_bar_lines_ahead() {
        let round_trip = Span::from_millis(30);
        let (mut hand, room) = (Hand::default(), Timeline::default());
        let now = GridFrame(480_000).position();
        assert_eq!(hand.write(&room, ME, now, round_trip), None);
        hand.give(Cue::Start);
        let line = hand.write(&room, ME, now, round_trip).expect("a line");
        let starts = now.plus_f64(0.16 * 48_000.0);
        assert_eq!(line.place(starts.plus_f64(-1.0)).motion, Motion::Stopped);
        assert_eq!(
            (line.place(starts).motion, line.place(starts).beats),
            (Motion::Playing, Beats::default())
        );

        // A second later, although the room has not heard of the start yet.
        hand.give(Cue::Faster);
        let later = now.plus_f64(48_000.0);
        let line = hand.write(&room, ME, later, round_trip).expect("a line");
        let bar = starts.plus_f64(96_000.0);
        let tempo = |at: GridPosition| line.place(at).tempo.milli();
        assert_eq!((tempo(bar.plus_f64(-1.0)), tempo(bar)), (120_000, 121_000));
        assert_eq!(moved(Tempo::MAX, STEP_MILLI), Tempo::MAX);
    }
}
