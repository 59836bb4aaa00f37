//! ALSA's own programs, started and listened to.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::Receiver;

use lockstep_relay::shell::clock;

use crate::side::WITHIN;

/// `aseqdump`, on a port of its own.
pub(crate) struct Listener {
    pub(crate) process: Child,
    lines: Receiver<String>,
}

impl Listener {
    pub(crate) fn start() -> Self {
        let mut process = Command::new("aseqdump").stdout(Stdio::piped()).spawn().expect("aseqdump");
        let output = process.stdout.take().expect("its output");
        let (sender, lines) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            BufReader::new(output).lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Self { process, lines }
    }

    /// The lines about messages, up to one with an exclusive message's end.
    pub(crate) fn heard_until_end_of_exclusive(&mut self) -> Vec<String> {
        let until = clock::now() + WITHIN;
        let mut heard = Vec::new();
        while let Ok(line) = self.lines.recv_timeout(clock::now().duration_until(until)) {
            let is_end = line.trim_end().ends_with("F7");
            let is_message = line.trim_start().starts_with(|letter: char| letter.is_ascii_digit());
            if is_message && !line.contains("Port subscribed") {
                heard.push(line);
            }
            if is_end {
                break;
            }
        }
        heard
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(crate) fn aconnect(arguments: &[&str]) {
    let output = Command::new("aconnect").args(arguments).output().expect("aconnect");
    let _ = std::io::stderr().write_all(&output.stderr);
    assert!(output.status.success());
}

/// What `aplaymidi` plays.
pub(crate) const SONG: [&[u8]; 6] =
    [&[0x90, 60, 100], &[0xC0, 5], &[0x80, 60, 64], &[0xB0, 7, 99], &[0xE0, 0, 32], &[0x93, 1, 2]];

/// A standard MIDI file of one track with the song, 10 ms between its events.
pub(crate) fn song() -> Vec<u8> {
    let mut track = vec![];
    for bytes in SONG {
        track.push(10);
        track.extend_from_slice(bytes);
    }
    track.extend_from_slice(&[0, 0xFF, 0x2F, 0]);
    let length = u32::try_from(track.len()).expect("short").to_be_bytes();
    let header = [0, 0, 0, 6, 0, 0, 0, 1, 1, 0xF4];
    [&b"MThd"[..], &header, b"MTrk", &length, &track].concat()
}
