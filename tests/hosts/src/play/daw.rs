//! The DAW around the plugin: what its transport says at each block, and what it makes of the plugin's MIDI clock.

use lockstep_hosts::block::{Motion, Sent, Transport};
use lockstep_hosts::console::{Offer, Song};
use lockstep_models::followers::{Follower, Kind};
use lockstep_shared::time::GridPosition;
use lockstep_shared::time::convert::f64_from_u64;

/// What moves the DAW's transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum TransportChoice {
    /// Itself; the room does not care
    Plays,
    /// Itself, and the room follows
    Lead,
    /// The MIDI clock that the plugin sends: the DAW slaves to the bytes of its note port
    Follow,
    /// The plugin, by REAPER's functions
    Reaper,
    /// The plugin, by REAPER's functions, which do nothing
    DeafReaper,
    /// The plugin, by the draft extension of CLAP
    TransportControl,
}

/// How a DAW slaves to a MIDI clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum FollowerKind {
    /// Takes its tempo from the last two ticks
    Twitchy,
    /// Locks a second-order loop to the ticks
    Smooth,
    /// Runs at the mean tempo of the last 24 ticks
    Averages24,
    /// A smooth loop behind an input that takes 30 ms
    SlowInput,
    /// A smooth loop that obeys Start and Stop alone
    IgnoresContinue,
}

impl TransportChoice {
    /// The text of the plugin's role parameter, if the plugin is to have one.
    pub(crate) const fn role(self) -> Option<&'static str> {
        match self {
            Self::Plays => None,
            Self::Lead => Some("Lead"),
            Self::Follow | Self::Reaper | Self::DeafReaper | Self::TransportControl => Some("Follow"),
        }
    }

    /// What the DAW offers its plugins.
    pub(crate) const fn offer(self) -> Offer {
        match self {
            Self::Plays | Self::Lead | Self::Follow => Offer::Nothing,
            Self::Reaper => Offer::Reaper,
            Self::DeafReaper => Offer::DeafReaper,
            Self::TransportControl => Offer::TransportControl,
        }
    }
}

impl From<FollowerKind> for Kind {
    fn from(kind: FollowerKind) -> Self {
        match kind {
            FollowerKind::Twitchy => Self::Twitchy,
            FollowerKind::Smooth => Self::SmoothLoop,
            FollowerKind::Averages24 => Self::Averages24,
            FollowerKind::SlowInput => Self::SlowInput,
            FollowerKind::IgnoresContinue => Self::IgnoresContinue,
        }
    }
}

/// The DAW.
pub(crate) struct Daw {
    sample_rate: f64,
    tempo_bpm: f64,
    way: Way,
}

enum Way {
    Itself { from_frame: f64 },
    Slaves(Box<Follower>),
    Moved(Song),
}

/// A status byte with two bytes of data, alone among those of a clock.
const SONG_POSITION: u8 = 0xF2;

impl Daw {
    /// A DAW whose transport starts by itself, `from_seconds` after the first frame, where the piece is by then.
    pub(crate) fn driving(sample_rate: f64, tempo_bpm: f64, from_seconds: f64) -> Self {
        Self { sample_rate, tempo_bpm, way: Way::Itself { from_frame: from_seconds * sample_rate } }
    }

    /// A DAW that slaves to the plugin's clock.
    pub(crate) fn following(sample_rate: f64, tempo_bpm: f64, kind: FollowerKind, seed: u64) -> Self {
        let follower = Box::new(Follower::new(kind.into(), seed));
        Self { sample_rate, tempo_bpm, way: Way::Slaves(follower) }
    }

    /// A DAW whose console moves it.
    pub(crate) fn moved(sample_rate: f64, tempo_bpm: f64) -> Self {
        Self { sample_rate, tempo_bpm, way: Way::Moved(Song::new(sample_rate, tempo_bpm)) }
    }

    /// The transport at the first frame of a block, which is frame `frame` of the DAW.
    ///
    /// Real-time: no: a follower's queue may grow.
    pub(crate) fn transport(&mut self, frame: u64) -> Transport {
        let at = self.position(frame);
        match &mut self.way {
            Way::Itself { from_frame } => {
                let frame = f64_from_u64(frame);
                let seconds = frame.max(*from_frame) / self.sample_rate;
                let quarters = seconds * self.tempo_bpm / 60.0;
                let motion = if frame < *from_frame { Motion::Stopped } else { Motion::Playing };
                at_quarters(motion, self.tempo_bpm, quarters)
            }
            Way::Slaves(follower) => {
                let seen = follower.transport(at);
                let motion = match seen.motion {
                    lockstep_shared::timeline::Motion::Playing => Motion::Playing,
                    lockstep_shared::timeline::Motion::Stopped => Motion::Stopped,
                };
                at_quarters(motion, follower.tempo_bpm(), seen.quarters)
            }
            Way::Moved(song) => song.transport(frame),
        }
    }

    /// Takes what the plugin sent in the block that began with frame `frame`.
    ///
    /// Real-time: no: a follower's queue may grow.
    pub(crate) fn hear(&mut self, frame: u64, sent: &[Sent]) {
        for (at, bytes) in clock_bytes(frame, sent) {
            let at = self.position(at);
            if let Way::Slaves(follower) = &mut self.way {
                follower.receive(at, message(&bytes));
            }
        }
    }

    /// The model counts time in frames of a grid that runs with this DAW.
    fn position(&self, frame: u64) -> GridPosition {
        let grid_frames =
            f64_from_u64(frame) * f64::from(lockstep_shared::time::GRID_RATE) / self.sample_rate;
        GridPosition::from_raw(0).plus_f64(grid_frames)
    }
}

/// The MIDI messages among what the plugin sent, each with the frame of the DAW at which it lies.
pub(crate) fn clock_bytes(frame: u64, sent: &[Sent]) -> impl Iterator<Item = (u64, [u8; 3])> {
    sent.iter().filter_map(move |sent| match sent {
        Sent::Midi { offset, bytes } => Some((frame + u64::from(*offset), *bytes)),
        Sent::Parameter(_) | Sent::SystemExclusive { .. } | Sent::Other { .. } => None,
    })
}

/// The message without CLAP's padding.
pub(crate) const fn message(bytes: &[u8; 3]) -> &[u8] {
    match bytes {
        [SONG_POSITION, _, _] => bytes,
        [status, ..] => core::slice::from_ref(status),
    }
}

fn at_quarters(motion: Motion, tempo_bpm: f64, quarters: f64) -> Transport {
    Transport {
        motion,
        position_quarters: quarters,
        position_seconds: quarters * 60.0 / tempo_bpm,
        ..Transport::stopped(tempo_bpm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leader_joins_the_piece_where_it_is() {
        let mut daw = Daw::driving(48_000.0, 120.0, 1.0);
        assert_eq!(daw.transport(47_999).motion, Motion::Stopped);
        let transport = daw.transport(72_000);
        assert_eq!((transport.motion, transport.position_quarters), (Motion::Playing, 3.0));
    }

    #[test]
    fn a_follower_does_what_the_bytes_say() {
        let mut daw = Daw::following(44_100.0, 120.0, FollowerKind::Smooth, 1);
        let midi = |offset, bytes| Sent::Midi { offset, bytes };
        // A second of ticks at 120 quarters a minute, by the frames of this DAW.
        for tick in 0..48_u32 {
            let frame = u64::from(tick * 3_675 / 4);
            if tick == 24 {
                daw.hear(frame - 60, &[midi(0, [0xF2, 4, 0]), midi(10, [0xFB, 0, 0])]);
            }
            daw.hear(frame, &[midi(0, [0xF8, 0, 0])]);
            let _ = daw.transport(frame);
        }
        let transport = daw.transport(44_100);
        assert_eq!(transport.motion, Motion::Playing);
        assert!((transport.tempo_bpm - 120.0).abs() < 1.0, "{transport:?}");
        assert!((transport.position_quarters - 2.0).abs() < 0.05, "{transport:?}");
    }
}
