//! A program of somebody else while it runs: what it says, line by line, and its end.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use anyhow::{Context as _, Result, bail};
use lockstep_shared::time::Span;
use rustix::process::{Pid, Signal, kill_process};

use crate::shell::clock;

/// A running program; it ends with this value.
#[derive(Debug)]
pub struct Program {
    name: String,
    child: Child,
    lines: Receiver<String>,
}

impl Program {
    /// Starts it.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(command: &mut Command) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{name} does not start"))?;
        let output = child.stdout.take().context("no output")?;
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            BufReader::new(output).lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Ok(Self { name, child, lines })
    }

    /// The next line, if it comes in time.
    pub fn line(&self, within: Span) -> Option<String> {
        let until = clock::now() + within;
        self.lines.recv_timeout(clock::now().duration_until(until)).ok()
    }

    /// The next line that `is_it`, if it comes in time.
    ///
    /// # Errors
    /// It does not.
    pub fn line_that(&self, what: &str, within: Span, is_it: impl Fn(&str) -> bool) -> Result<String> {
        let until = clock::now() + within;
        let mut others = Vec::new();
        while let Some(line) = self.line(until - clock::now()) {
            if is_it(&line) {
                return Ok(line);
            }
            others.push(line);
        }
        bail!("{} did not say {what} within {:.1} s; it said {others:?}", self.name, within.secs_f64())
    }

    /// Everything that it says until it has been silent for `silence`.
    #[must_use]
    pub fn rest(&self, silence: Span) -> Vec<String> {
        std::iter::from_fn(|| self.line(silence)).collect()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // What is asked to end can leave nothing behind; what does not within five seconds is ended.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let until = clock::now() + Span::from_millis(5_000);
        while clock::now() < until && matches!(self.child.try_wait(), Ok(None)) {
            clock::sleep_until(clock::now() + Span::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
