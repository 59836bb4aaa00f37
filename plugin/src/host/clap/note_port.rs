//! The note ports: the MIDI of the room, in and out, and the MIDI clock out.
//!
//! A host that lets one plugin's notes into another, or onto a MIDI output, gets both with the precision of a frame.
//! nice-plug knows no raw MIDI, and what it takes for a clock's bytes leaves as a System Exclusive, so ports and events
//! are made here, and nice-plug declares none. nice-plug's own events go through [`EventSender`] on their way out: CLAP
//! wants all of a block in the order of their frames.
//!
//! | port | dialects | what |
//! |---|---|---|
//! | input "Lockstep MIDI" | CLAP, MIDI | notes as either says them, every other message as MIDI |
//! | output "Lockstep MIDI" | MIDI | every message of the room |
//! | output "Lockstep Clock" | MIDI | the clock of a DAW that follows |

use clap_sys::events::{
    CLAP_CORE_EVENT_SPACE_ID, CLAP_EVENT_DONT_RECORD, CLAP_EVENT_MIDI, CLAP_EVENT_MIDI_SYSEX,
    CLAP_EVENT_NOTE_CHOKE, CLAP_EVENT_NOTE_OFF, CLAP_EVENT_NOTE_ON, clap_event_header, clap_event_midi,
    clap_event_midi_sysex, clap_event_note, clap_input_events, clap_output_events,
};
use clap_sys::ext::note_ports::{
    CLAP_NOTE_DIALECT_CLAP, CLAP_NOTE_DIALECT_MIDI, clap_note_port_info, clap_plugin_note_ports,
};
use clap_sys::plugin::clap_plugin;
use clap_sys::string_sizes::CLAP_NAME_SIZE;

use crate::engine::ClockEvent;
use crate::host::midi::{MidiExchange, seven_bits};
use crate::host::seam::Seam;

/// The `clap.note-ports` extension.
pub(super) static NOTE_PORTS: clap_plugin_note_ports =
    clap_plugin_note_ports { count: Some(count), get: Some(get) };

/// A port as the host is shown it.
struct Port {
    id: u32,
    dialects: u32,
    name: &'static [u8],
}

/// The notes first: some hosts know of one port a side.
const INPUTS: [Port; 1] =
    [Port { id: 2, dialects: CLAP_NOTE_DIALECT_CLAP | CLAP_NOTE_DIALECT_MIDI, name: b"Lockstep MIDI" }];
const OUTPUTS: [Port; 2] = [
    Port { id: 1, dialects: CLAP_NOTE_DIALECT_MIDI, name: b"Lockstep MIDI" },
    Port { id: 0, dialects: CLAP_NOTE_DIALECT_MIDI, name: b"Lockstep Clock" },
];
/// Places among the outputs.
const MIDI_OUTPUT: u16 = 0;
const CLOCK_OUTPUT: u16 = 1;

const fn ports(is_input: bool) -> &'static [Port] {
    if is_input { &INPUTS } else { &OUTPUTS }
}

unsafe extern "C" fn count(_plugin: *const clap_plugin, is_input: bool) -> u32 {
    u32::try_from(ports(is_input).len()).unwrap_or(0)
}

unsafe extern "C" fn get(
    _plugin: *const clap_plugin,
    index: u32,
    is_input: bool,
    info: *mut clap_note_port_info,
) -> bool {
    let port = usize::try_from(index).ok().and_then(|index| ports(is_input).get(index));
    let Some(port) = port.filter(|_| !info.is_null()) else { return false };
    let mut name = [0; CLAP_NAME_SIZE];
    for (character, byte) in name.iter_mut().zip(port.name) {
        *character = byte.cast_signed();
    }
    let port = clap_note_port_info {
        id: port.id,
        supported_dialects: port.dialects,
        preferred_dialect: CLAP_NOTE_DIALECT_MIDI,
        name,
    };
    // SAFETY: not null, and the host passes memory for one port.
    unsafe { info.write(port) };
    true
}

/// Takes the MIDI among the host's events for a callback of so many frames.
///
/// Real-time: yes. Bound: the host's events.
///
/// # Safety
///
/// `list` and its events are valid for the call, or null.
pub(super) unsafe fn hear(seam: &Seam, list: *const clap_input_events, frames: u32) {
    // SAFETY: as promised.
    let Some(events) = (unsafe { list.as_ref() }) else { return };
    let (Some(size), Some(get), Some(mut midi)) = (events.size, events.get, seam.midi()) else { return };
    // SAFETY: the host's own functions and list.
    for index in 0..unsafe { size(list) } {
        // SAFETY: likewise, and `index` is below the size.
        let event = unsafe { get(list, index) };
        // SAFETY: the host returns an event or null.
        let Some(header) = (unsafe { event.as_ref() }) else { continue };
        if header.space_id != CLAP_CORE_EVENT_SPACE_ID {
            continue;
        }
        let frame = usize::try_from(header.time.min(frames.saturating_sub(1))).unwrap_or(0);
        match header.type_ {
            CLAP_EVENT_NOTE_ON | CLAP_EVENT_NOTE_OFF | CLAP_EVENT_NOTE_CHOKE => {
                // SAFETY: an event of this type is this struct.
                hear_note(&mut midi, frame, unsafe { &*event.cast::<clap_event_note>() });
            }
            CLAP_EVENT_MIDI => {
                // SAFETY: an event of this type is this struct.
                midi.hear(frame, unsafe { &(*event.cast::<clap_event_midi>()).data });
            }
            CLAP_EVENT_MIDI_SYSEX => {
                // SAFETY: an event of this type is this struct.
                let exclusive = unsafe { &*event.cast::<clap_event_midi_sysex>() };
                let length = usize::try_from(exclusive.size).unwrap_or(0);
                if !exclusive.buffer.is_null() {
                    // SAFETY: not null, and the event says how many bytes there are.
                    midi.hear(frame, unsafe { std::slice::from_raw_parts(exclusive.buffer, length) });
                }
            }
            _ => {}
        }
    }
}

const ALL_NOTES_OFF: u8 = 123;

/// A note as CLAP says it. A channel or key below zero stands for all of them, which only an end may do.
fn hear_note(midi: &mut MidiExchange, frame: usize, note: &clap_event_note) {
    let velocity = seven_bits(note.velocity);
    let (Ok(key), Ok(channel)) = (u8::try_from(note.key), u8::try_from(note.channel)) else {
        if note.header.type_ != CLAP_EVENT_NOTE_ON {
            for channel in (0..16).filter(|channel| note.channel < 0 || note.channel == i16::from(*channel)) {
                match u8::try_from(note.key) {
                    Ok(key) => midi.hear(frame, &[0x80 | channel, key & 0x7F, velocity]),
                    Err(_) => midi.hear(frame, &[0xB0 | channel, ALL_NOTES_OFF, 0]),
                }
            }
        }
        return;
    };
    if key > 127 || channel > 15 {
        return;
    }
    match note.header.type_ {
        // Velocity 0 would be a release.
        CLAP_EVENT_NOTE_ON => midi.hear(frame, &[0x90 | channel, key, velocity.max(1)]),
        _ => midi.hear(frame, &[0x80 | channel, key, velocity]),
    }
}

/// Puts the room's MIDI and the clock's events between those of nice-plug, for one call of `process`.
pub(super) struct EventSender<'a> {
    seam: &'a Seam,
    host: *const clap_output_events,
}

impl<'a> EventSender<'a> {
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

    /// Sends everything before frame `end`, of one frame the clock first.
    fn send_before(&self, end: usize) {
        let Some(mut midi) = self.seam.midi() else { return self.send_clock_before(end) };
        while let Some((frame, bytes)) = midi.next().filter(|(frame, _)| *frame < end) {
            self.send_clock_before(frame + 1);
            if self.send_message(frame, bytes) { midi.pass() } else { midi.refuse() }
        }
        self.send_clock_before(end);
    }

    fn send_clock_before(&self, end: usize) {
        while let Some(ClockEvent { frame, event }) = self.seam.take_clock(end) {
            let bytes = event.encode();
            // A host that takes no more has a full list; there is nobody to tell.
            let _ = self.send_short(CLOCK_OUTPUT, CLAP_EVENT_DONT_RECORD, frame, bytes.as_slice());
        }
    }

    /// Sends a message of the room, and says whether the host took it.
    fn send_message(&self, frame: usize, bytes: &[u8]) -> bool {
        /// The size of the event, as CLAP counts.
        const SIZE: u32 = 40;
        const _: () = assert!(SIZE as usize == size_of::<clap_event_midi_sysex>());

        if bytes.first() != Some(&0xF0) {
            return self.send_short(MIDI_OUTPUT, 0, frame, bytes);
        }
        let event = clap_event_midi_sysex {
            header: header(SIZE, CLAP_EVENT_MIDI_SYSEX, 0, frame),
            port_index: MIDI_OUTPUT,
            buffer: bytes.as_ptr(),
            size: u32::try_from(bytes.len()).unwrap_or(0),
        };
        self.push(&raw const event.header)
    }

    fn send_short(&self, port_index: u16, flags: u32, frame: usize, bytes: &[u8]) -> bool {
        /// The size of the event, as CLAP counts.
        const SIZE: u32 = 24;
        const _: () = assert!(SIZE as usize == size_of::<clap_event_midi>());

        let mut data = [0; 3];
        for (place, byte) in data.iter_mut().zip(bytes) {
            *place = *byte;
        }
        let event = clap_event_midi { header: header(SIZE, CLAP_EVENT_MIDI, flags, frame), port_index, data };
        self.push(&raw const event.header)
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
        // SAFETY: `list` made the context from an `EventSender` that is there during `process`.
        let Some(sender) = (unsafe { list.ctx.cast::<EventSender<'_>>().as_ref() }) else { return false };
        // SAFETY: nice-plug passes an event or null.
        let Some(header) = (unsafe { event.as_ref() }) else { return false };
        sender.send_before(usize::try_from(header.time).unwrap_or(usize::MAX));
        sender.push(event)
    }
}

fn header(size: u32, type_: u16, flags: u32, frame: usize) -> clap_event_header {
    let time = u32::try_from(frame).unwrap_or(u32::MAX);
    clap_event_header { size, time, space_id: CLAP_CORE_EVENT_SPACE_ID, type_, flags }
}
