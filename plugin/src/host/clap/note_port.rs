//! The note port "Lockstep Clock": the MIDI clock as events of the plugin.
//!
//! A host that lets one plugin's notes into another, or onto a MIDI output, gets the clock with the precision of a
//! frame. nice-plug knows no raw MIDI, and what it takes for a clock's bytes leaves as a System Exclusive, so port and
//! events are made here. nice-plug's own events go through [`ClockSender`] on their way out: CLAP wants all of a block
//! in the order of their frames.
//!
//! VST3 stays without: its events have no kind for System Real Time, and a byte wrapped as data is dropped by hosts.

use clap_sys::events::{
    CLAP_CORE_EVENT_SPACE_ID, CLAP_EVENT_DONT_RECORD, CLAP_EVENT_MIDI, clap_event_header, clap_event_midi,
    clap_output_events,
};
use clap_sys::ext::note_ports::{CLAP_NOTE_DIALECT_MIDI, clap_note_port_info, clap_plugin_note_ports};
use clap_sys::plugin::clap_plugin;
use clap_sys::string_sizes::CLAP_NAME_SIZE;

use crate::engine::ClockEvent;
use crate::host::seam::Seam;

/// The `clap.note-ports` extension: one output.
pub(super) static NOTE_PORTS: clap_plugin_note_ports =
    clap_plugin_note_ports { count: Some(count), get: Some(get) };

/// What the host shows.
const NAME: &[u8] = b"Lockstep Clock";

unsafe extern "C" fn count(_plugin: *const clap_plugin, is_input: bool) -> u32 {
    u32::from(!is_input)
}

unsafe extern "C" fn get(
    _plugin: *const clap_plugin,
    index: u32,
    is_input: bool,
    info: *mut clap_note_port_info,
) -> bool {
    if is_input || index != 0 || info.is_null() {
        return false;
    }
    let mut name = [0; CLAP_NAME_SIZE];
    for (character, byte) in name.iter_mut().zip(NAME) {
        *character = byte.cast_signed();
    }
    let port = clap_note_port_info {
        id: 0,
        supported_dialects: CLAP_NOTE_DIALECT_MIDI,
        preferred_dialect: CLAP_NOTE_DIALECT_MIDI,
        name,
    };
    // SAFETY: not null, and the host passes memory for one port.
    unsafe { info.write(port) };
    true
}

/// Puts the clock's events between those of nice-plug, for one call of `process`.
pub(super) struct ClockSender<'a> {
    seam: &'a Seam,
    host: *const clap_output_events,
}

impl<'a> ClockSender<'a> {
    /// # Safety
    ///
    /// `host` stays valid as long as this value, or is null.
    pub(super) const unsafe fn new(seam: &'a Seam, host: *const clap_output_events) -> Self {
        Self { seam, host }
    }

    /// The list that nice-plug sees, valid as long as this value stays where it is.
    pub(super) const fn list(&self) -> clap_output_events {
        clap_output_events { ctx: (&raw const *self).cast_mut().cast(), try_push: Some(Self::try_push) }
    }

    /// Sends what no event of nice-plug came after.
    ///
    /// Real-time: yes. Bound: the events of a callback.
    pub(super) fn finish(&self) {
        self.send_before(usize::MAX);
    }

    fn send_before(&self, end: usize) {
        while let Some(event) = self.seam.take_clock(end) {
            let event = midi_event(event);
            // A host that takes no more has a full list; there is nobody to tell.
            let _ = self.push(&raw const event.header);
        }
    }

    fn push(&self, event: *const clap_event_header) -> bool {
        // SAFETY: valid, as `new` was promised, or null.
        let try_push = unsafe { self.host.as_ref() }.and_then(|list| list.try_push);
        // SAFETY: the host's own function and list, and an event that is valid for the call.
        try_push.is_some_and(|try_push| unsafe { try_push(self.host, event) })
    }

    unsafe extern "C" fn try_push(list: *const clap_output_events, event: *const clap_event_header) -> bool {
        // SAFETY: nice-plug calls with the list that it was given, which is there during `process`.
        let Some(list) = (unsafe { list.as_ref() }) else { return false };
        // SAFETY: `list` made the context from a `ClockSender` that is there during `process`.
        let Some(sender) = (unsafe { list.ctx.cast::<ClockSender<'_>>().as_ref() }) else { return false };
        // SAFETY: nice-plug passes an event or null.
        let Some(header) = (unsafe { event.as_ref() }) else { return false };
        sender.send_before(usize::try_from(header.time).unwrap_or(usize::MAX));
        sender.push(event)
    }
}

fn midi_event(clock: ClockEvent) -> clap_event_midi {
    /// The size of the event, as CLAP counts.
    const SIZE: u32 = 24;
    const _: () = assert!(SIZE as usize == size_of::<clap_event_midi>());

    let mut data = [0; 3];
    for (byte, encoded) in data.iter_mut().zip(clock.event.encode().as_slice()) {
        *byte = *encoded;
    }
    clap_event_midi {
        header: clap_event_header {
            size: SIZE,
            time: u32::try_from(clock.frame).unwrap_or(u32::MAX),
            space_id: CLAP_CORE_EVENT_SPACE_ID,
            type_: CLAP_EVENT_MIDI,
            flags: CLAP_EVENT_DONT_RECORD,
        },
        port_index: 0,
        data,
    }
}
