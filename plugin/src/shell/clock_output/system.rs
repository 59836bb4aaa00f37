//! The port as the system gives it: a virtual one where there are such (ALSA's sequencer, CoreMIDI), else one that the
//! user has made.

use lockstep_shared::time::LocalTime;
use midir::{MidiOutput, MidiOutputConnection};

use super::{ClockSink, Unsent};

/// The port's name in the DAW's settings.
pub(super) const PORT_NAME: &str = "Lockstep Clock";
/// This program's name in those lists that name programs.
const CLIENT_NAME: &str = "Lockstep";

struct SystemPort(MidiOutputConnection);

/// Opens the port. The error is a sentence for the user.
pub(super) fn open() -> Result<Box<dyn ClockSink>, String> {
    check()?;
    let output = MidiOutput::new(CLIENT_NAME)
        .map_err(|error| format!("The system's MIDI gives no clock to this DAW: {error}."))?;
    Ok(Box::new(SystemPort(connect(output)?)))
}

impl ClockSink for SystemPort {
    fn send(&mut self, _due: LocalTime, message: &[u8]) -> Result<(), Unsent> {
        self.0.send(message).map_err(|_| Unsent)
    }
}

/// ALSA's library writes to standard error where there is no sequencer, and midir does not say why there is none. So the
/// device is tried first; that also has the kernel load its module.
#[cfg(target_os = "linux")]
fn check() -> Result<(), String> {
    const DEVICE: &str = "/dev/snd/seq";

    std::fs::OpenOptions::new().write(true).open(DEVICE).map(drop).map_err(|error| refusal(&error))
}

#[cfg(not(target_os = "linux"))]
#[expect(clippy::unnecessary_wraps, reason = "there is nothing to check here")]
const fn check() -> Result<(), String> {
    Ok(())
}

/// Why ALSA's sequencer cannot be opened, and what helps.
#[cfg(target_os = "linux")]
pub(super) fn refusal(error: &std::io::Error) -> String {
    use std::io::ErrorKind;

    let remedy = if error.kind() == ErrorKind::NotFound {
        "this system runs none: load the module snd-seq (sudo modprobe snd-seq)"
    } else if error.kind() == ErrorKind::PermissionDenied {
        "this user may not use it: join the group audio and log in again"
    } else {
        "it does not open"
    };
    format!("No MIDI clock for this DAW yet. It needs ALSA's sequencer, and {remedy}. ({error})")
}

#[cfg(unix)]
fn connect(output: MidiOutput) -> Result<MidiOutputConnection, String> {
    use midir::os::unix::VirtualOutput as _;

    let port = output.create_virtual(PORT_NAME);
    port.map_err(|error| format!("The system's MIDI refused the port {PORT_NAME:?}: {}.", error.kind()))
}

/// Here no program can make a port: one that passes on what it is sent is looked for by its name.
#[cfg(not(unix))]
fn connect(output: MidiOutput) -> Result<MidiOutputConnection, String> {
    let is_ours = |port: &midir::MidiOutputPort| {
        output.port_name(port).is_ok_and(|name| name.to_lowercase().contains("lockstep"))
    };
    let Some(port) = output.ports().into_iter().find(is_ours) else {
        return Err(format!(
            "No MIDI clock for this DAW yet: Windows lets no plugin make a MIDI port. Install loopMIDI, add a port \
             named {PORT_NAME:?} in it, and choose that as the DAW's MIDI input for sync."
        ));
    };
    let connection = output.connect(&port, PORT_NAME);
    connection.map_err(|error| format!("The MIDI port {PORT_NAME:?} does not open: {}.", error.kind()))
}
