//! ALSA's own programs, started and listened to.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::Receiver;

use anyhow::{Context as _, Result, bail, ensure};
use lockstep_shared::time::{LocalTime, Span};
use lockstep_tests::shell::clock;

use crate::wait;

/// What `aconnect -l` lists.
pub(crate) fn ports() -> Result<String> {
    run("aconnect", &["-l"])
}

/// The address of the port `port` of the client `client`, as in "128:1", if it is there.
pub(crate) fn address(client: &str, port: &str) -> Result<Option<String>> {
    let listed = ports()?;
    let mut number = None;
    for line in listed.lines() {
        let name = line.split('\'').nth(1).unwrap_or_default().trim_end();
        if let Some(rest) = line.strip_prefix("client ") {
            number = rest.split(':').next().filter(|_| name == client);
        } else if let (Some(client), true) = (number, name == port)
            && let Some(own) = line.split_whitespace().next()
        {
            return Ok(Some(format!("{client}:{own}")));
        }
    }
    Ok(None)
}

/// Runs a program to its end; what it printed.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .with_context(|| format!("{program} does not start"))?;
    ensure!(
        output.status.success(),
        "{program} {arguments:?} ended with {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// `aseqdump`, connected to a port.
pub(crate) struct Listener {
    of: String,
    process: Child,
    lines: Receiver<String>,
}

impl Listener {
    /// Listens to the port at `address`, once it is connected.
    pub(crate) fn start(of: &str, address: &str) -> Result<Self> {
        let mut process = Command::new("aseqdump")
            .args(["-p", address])
            .stdout(Stdio::piped())
            .spawn()
            .context("aseqdump does not start")?;
        let output = process.stdout.take().context("aseqdump has no output")?;
        let (sender, lines) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            BufReader::new(output).lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        let listener = Self { of: of.to_owned(), process, lines };
        let until = clock::now() + Span::from_millis(10_000);
        while !listener.is_connected_from(address)? {
            ensure!(clock::now() < until, "aseqdump does not connect to {of}; aconnect lists:\n{}", ports()?);
            wait(Span::from_millis(20));
        }
        Ok(listener)
    }

    /// It prints nothing before it hears something.
    fn is_connected_from(&self, address: &str) -> Result<bool> {
        let mark = format!("pid={}]", self.process.id());
        let listed = ports()?;
        let mut own = listed.lines().skip_while(|line| !line.contains(&mark)).skip(1);
        let mut own = own.by_ref().take_while(|line| !line.starts_with("client "));
        Ok(own.any(|line| line.contains("Connected From") && line.contains(address)))
    }

    /// What is heard next, without the sender and the space between the words: `Note on 0, note 60, velocity 100`. The
    /// clock and connections are passed over.
    pub(crate) fn next(&self, until: LocalTime) -> Result<String> {
        loop {
            let Ok(line) = self.lines.recv_timeout(clock::now().duration_until(until)) else {
                bail!("aseqdump hears nothing at {}", self.of)
            };
            let said = line.split_whitespace().skip(1).collect::<Vec<_>>().join(" ");
            let is_other = ["Clock", "Port subscribed", "Port unsubscribed", "for data", "Event Ch"]
                .iter()
                .any(|other| said.starts_with(other));
            if !is_other && !said.is_empty() {
                return Ok(said);
            }
        }
    }

    /// Hears exactly this next.
    pub(crate) fn expect(&self, wanted: &str, within: Span) -> Result<()> {
        let heard = self.next(clock::now() + within).with_context(|| format!("waiting for {wanted:?}"))?;
        ensure!(heard == wanted, "at {} aseqdump heard {heard:?}, not {wanted:?}", self.of);
        Ok(())
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
