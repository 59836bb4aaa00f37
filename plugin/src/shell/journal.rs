//! What the link saw, as lines of text: for measurements from outside, such as `cargo xtask jam`.
//!
//! Written only if the environment names a file, by the link's thread, every tenth of a second:
//! `nanoseconds,strip name,delay ms,chunks played,chunks concealed,drift ppm,beat error ms,room delay ms`, one line for each strip that
//! plays. The nanoseconds are those of the machine's monotonic clock, so that processes of one machine can be laid side by side.

use std::fs::File;
use std::io::{BufWriter, Write as _};

use lockstep_shared::time::{LocalTime, Span};

use super::clock;
use crate::link::{Link, Played};

/// The environment variable that names the file.
const VARIABLE: &str = "LOCKSTEP_JOURNAL";
/// How often it is written.
const EVERY: Span = Span::from_millis(100);

/// The open file, if one is wanted.
#[derive(Debug)]
pub(super) struct Journal {
    file: Option<BufWriter<File>>,
    due: LocalTime,
    /// From this process's clock to the machine's.
    to_machine: Span,
}

impl Journal {
    /// Opens what the environment names. A file that cannot be opened is none: whoever looks for it will miss it.
    pub(super) fn from_environment() -> Self {
        let file = std::env::var_os(VARIABLE).and_then(|path| File::create(path).ok());
        Self {
            file: file.map(BufWriter::new),
            due: LocalTime::ZERO,
            to_machine: machine_clock() - clock::now(),
        }
    }

    /// Writes what plays, if it is time.
    pub(super) fn write(&mut self, now: LocalTime, link: &Link) {
        let Some(file) = self.file.as_mut().filter(|_| now >= self.due) else { return };
        self.due = now + EVERY;
        for played in link.played() {
            let Played { strip, delay_ms, present, concealed, drift_ppm, beat_error_ms, room_delay_ms } =
                played;
            let nanos = (now + self.to_machine).nanos();
            // A full disk ends the measurement, not the music.
            let _ = writeln!(
                file,
                "{nanos},{strip},{delay_ms},{present},{concealed},{drift_ppm},{beat_error_ms},{room_delay_ms}"
            );
        }
        let _ = file.flush();
    }
}

#[cfg(unix)]
fn machine_clock() -> LocalTime {
    use rustix::time::{ClockId, clock_gettime};

    let now = clock_gettime(ClockId::Monotonic);
    LocalTime::from_nanos(now.tv_sec.saturating_mul(1_000_000_000).saturating_add(now.tv_nsec))
}

/// Here the process's clock has to do.
#[cfg(not(unix))]
fn machine_clock() -> LocalTime {
    clock::now()
}
