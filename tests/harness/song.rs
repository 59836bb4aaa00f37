//! What a simulated host's transport does.

use lockstep_plugin::engine::HostTransport;
use lockstep_shared::time::convert::f64_from_i64;
use lockstep_shared::time::{DeviceFrame, SampleRate};

use crate::followers::Kind;

/// A host's transport.
#[derive(Clone, Debug)]
pub enum Song {
    /// The same at every block: none, for most.
    Constant(HostTransport),
    /// The host's own, on its own device's time.
    Own(OwnSong),
    /// Driven by the MIDI clock that its plugin's link emits.
    Follows(Kind),
}

/// A song that a host plays by itself.
#[derive(Clone, Debug)]
pub struct OwnSong {
    /// What happens, by the device's frame, in order.
    pub turns: Vec<Turn>,
    /// The loop, in quarter notes, while it is on.
    pub cycle: Option<(f64, f64)>,
}

/// From a frame on, something else.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    /// The device's frame.
    pub at: DeviceFrame,
    /// What the host does from there.
    pub act: Act,
}

/// What a host does.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    /// Plays on from this position.
    Play {
        /// Quarter notes.
        quarters: f64,
    },
    /// Plays on at this tempo.
    Tempo {
        /// Quarter notes a minute.
        bpm: f64,
    },
    /// Stands where it is.
    Stop,
}

/// Until the first tempo.
const BPM: f64 = 120.0;

impl OwnSong {
    /// Plays from its beginning at 120 from `at` on, for ever.
    #[must_use]
    pub fn from(at: DeviceFrame) -> Self {
        Self { turns: vec![Turn { at, act: Act::Play { quarters: 0.0 } }], cycle: None }
    }

    /// The same, and later something else.
    #[must_use]
    pub fn then(mut self, at: DeviceFrame, act: Act) -> Self {
        self.turns.push(Turn { at, act });
        self
    }

    /// Where the host is at a frame of its device, with its fraction; none while it stands.
    #[must_use]
    pub fn quarters(&self, frame: f64, rate: SampleRate) -> Option<f64> {
        let state = self.state(frame, rate);
        state.is_playing.then_some(state.quarters)
    }

    /// What the host says of a block that begins at `first`.
    #[must_use]
    pub fn transport(&self, first: DeviceFrame, rate: SampleRate) -> HostTransport {
        let State { quarters, bpm, is_playing } = self.state(f64_from_i64(first.0), rate);
        HostTransport {
            playing: is_playing,
            tempo_bpm: Some(bpm),
            position_quarters: Some(quarters),
            time_signature: Some((4, 4)),
            bar_start_quarters: Some((quarters / 4.0).floor() * 4.0),
            loop_quarters: self.cycle,
            ..HostTransport::default()
        }
    }

    fn state(&self, frame: f64, rate: SampleRate) -> State {
        let mut state = State { quarters: 0.0, bpm: BPM, is_playing: false };
        let mut before = 0.0;
        for turn in &self.turns {
            let at = f64_from_i64(turn.at.0);
            if at > frame {
                break;
            }
            state.go_on(at - before, rate);
            before = at;
            match turn.act {
                Act::Play { quarters } => (state.quarters, state.is_playing) = (quarters, true),
                Act::Tempo { bpm } => state.bpm = bpm,
                Act::Stop => state.is_playing = false,
            }
        }
        state.go_on(frame - before, rate);
        if let Some((start, end)) = self.cycle.filter(|(_, end)| state.quarters >= *end) {
            state.quarters = start + (state.quarters - start).rem_euclid(end - start);
        }
        state
    }
}

#[derive(Clone, Copy, Debug)]
struct State {
    quarters: f64,
    bpm: f64,
    is_playing: bool,
}

impl State {
    fn go_on(&mut self, frames: f64, rate: SampleRate) {
        if self.is_playing {
            self.quarters += frames / rate.hz_f64() * self.bpm / 60.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_song_starts_changes_tempo_stops_and_loops() {
        let song = OwnSong::from(DeviceFrame(48_000))
            .then(DeviceFrame(96_000), Act::Tempo { bpm: 60.0 })
            .then(DeviceFrame(144_000), Act::Stop);
        let at = |seconds: f64| song.quarters(seconds * 48_000.0, SampleRate::GRID);
        assert_eq!([0.5, 1.5, 2.0, 2.5, 3.5].map(at), [None, Some(1.0), Some(2.0), Some(2.5), None]);
        let looped = OwnSong { cycle: Some((4.0, 8.0)), ..OwnSong::from(DeviceFrame(0)) };
        assert_eq!(looped.quarters(5.0 * 48_000.0, SampleRate::GRID), Some(6.0));
    }
}
