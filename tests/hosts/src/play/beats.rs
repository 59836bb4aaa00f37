//! What the DAW's transport said at each block, and the clock's events, as lines of text beside the recording.
//!
//! ```text
//! FRAME,transport,QUARTERS,BPM,MOTION      where the song was at the block's first frame; 1 plays, 0 stands
//! FRAME,midi,BYTE                          a status byte of the clock that the plugin sent
//! ```
//!
//! Frames are those of the recording, so a line says where the song was when a frame was captured and heard.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use lockstep_hosts::block::{Motion, Transport};
use rtrb::{Consumer, Producer, RingBuffer};

/// How long the main thread may be held up before lines are lost, and the most MIDI messages a second.
const RING_SECONDS: usize = 4;
const MESSAGES_PER_SECOND: usize = 500;

#[derive(Clone, Copy)]
enum Line {
    Transport { frame: u64, quarters: f64, bpm: f64, motion: u8 },
    Midi { frame: u64, status: u8 },
}

/// The audio thread's end.
pub(crate) struct BeatsTap {
    ring: Producer<Line>,
    lost: u64,
}

/// The main thread's end.
pub(crate) struct BeatsFile {
    ring: Consumer<Line>,
    file: BufWriter<File>,
}

/// A tap and the file that it fills.
pub(crate) fn beats(path: &Path, blocks_per_second: usize) -> Result<(BeatsTap, BeatsFile)> {
    let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    let (producer, consumer) = RingBuffer::new(RING_SECONDS * (blocks_per_second + MESSAGES_PER_SECOND));
    Ok((BeatsTap { ring: producer, lost: 0 }, BeatsFile { ring: consumer, file: BufWriter::new(file) }))
}

impl BeatsTap {
    /// Notes the transport at `frame`.
    ///
    /// Real-time: yes. Bound: constant.
    pub(crate) fn transport(&mut self, frame: u64, transport: &Transport) {
        let motion = match transport.motion {
            Motion::Stopped => 0,
            Motion::Playing | Motion::Recording => 1,
        };
        let (quarters, bpm) = (transport.position_quarters, transport.tempo_bpm);
        self.push(Line::Transport { frame, quarters, bpm, motion });
    }

    /// Notes a message of the clock at `frame`.
    ///
    /// Real-time: yes. Bound: constant.
    pub(crate) fn midi(&mut self, frame: u64, status: u8) {
        self.push(Line::Midi { frame, status });
    }

    /// Lines that found the ring full.
    pub(crate) const fn lost(&self) -> u64 {
        self.lost
    }

    fn push(&mut self, line: Line) {
        if self.ring.push(line).is_err() {
            self.lost += 1;
        }
    }
}

impl BeatsFile {
    /// Writes what has come.
    pub(crate) fn drain(&mut self) -> Result<()> {
        while let Ok(line) = self.ring.pop() {
            match line {
                Line::Transport { frame, quarters, bpm, motion } => {
                    writeln!(self.file, "{frame},transport,{quarters},{bpm},{motion}")?;
                }
                Line::Midi { frame, status } => writeln!(self.file, "{frame},midi,{status}")?,
            }
        }
        Ok(())
    }

    /// Writes the rest.
    pub(crate) fn finish(mut self, tap: &BeatsTap) -> Result<()> {
        self.drain()?;
        self.file.flush()?;
        ensure!(tap.lost() == 0, "{} lines about the beats were lost: the machine was too busy", tap.lost());
        Ok(())
    }
}
