//! The event buses: the MIDI of the room as far as VST3 has words for it.
//!
//! | message | from the host | to the host |
//! |---|---|---|
//! | notes, poly pressure | note events | note events |
//! | controllers, pitch bend, program, channel pressure | only as legacy controller events, which hosts rarely send | legacy controller events |
//! | exclusive | data events | data events |
//! | song select, tune request, reset | - | - |
//!
//! A VST3 host gives a plugin controllers as changes of parameters, 2,080 of them for sixteen channels; they would swamp the
//! plugin's own in every list, and nice-plug takes half a minute to load with them, so there are none. nice-plug declares
//! no event bus; these are declared and served here.

use vst3::ComRef;
use vst3::Steinberg::Vst::{
    BusDirection, BusInfo, BusInfo_::BusFlags_, BusTypes_, ControllerNumbers, ControllerNumbers_, DataEvent,
    DataEvent_, Event, Event_, Event_::EventTypes, Event__type0, IEventList, IEventListTrait,
    LegacyMIDICCOutEvent, MediaType, MediaTypes_, NoteOffEvent, NoteOnEvent, PolyPressureEvent,
};
use vst3::Steinberg::{int16, int32, kResultOk};

use crate::host::midi::{MidiExchange, seven_bits};

/// What the host shows.
const NAME: &str = "Lockstep MIDI";
const CHANNELS: int32 = 16;
/// A data event's kind: a System Exclusive.
const EXCLUSIVE: u32 = 0;
const _: () = assert!(DataEvent_::DataTypes_::kMidiSysEx == 0);

/// Whether a host asks of event buses, of which there is one each way.
pub(super) fn is_events(media: MediaType) -> bool {
    Ok(media) == int32::try_from(MediaTypes_::kEvent)
}

/// The description of the bus of a direction.
pub(super) fn bus(direction: BusDirection) -> BusInfo {
    let mut name = [0; 128];
    for (place, unit) in name.iter_mut().zip(NAME.encode_utf16()) {
        *place = unit;
    }
    BusInfo {
        mediaType: int32::try_from(MediaTypes_::kEvent).unwrap_or(0),
        direction,
        channelCount: CHANNELS,
        name,
        busType: int32::try_from(BusTypes_::kMain).unwrap_or(0),
        flags: BusFlags_::kDefaultActive,
    }
}

/// Takes the MIDI among the host's events for a callback of so many frames.
///
/// Real-time: yes. Bound: the host's events.
///
/// # Safety
///
/// `list` is the host's for this call, or null.
pub(super) unsafe fn hear(midi: &mut MidiExchange, list: *mut IEventList, frames: int32) {
    // SAFETY: as promised.
    let Some(list) = (unsafe { ComRef::from_raw(list) }) else { return };
    // SAFETY: the host's own functions.
    for index in 0..unsafe { list.getEventCount() } {
        // SAFETY: an all-zero event is valid, as it holds numbers and pointers only.
        let mut event: Event = unsafe { std::mem::zeroed() };
        // SAFETY: likewise; `event` is what the function fills.
        if unsafe { list.getEvent(index, &raw mut event) } == kResultOk {
            let frame = usize::try_from(event.sampleOffset.min(frames - 1)).unwrap_or(0);
            // SAFETY: the host has filled the field that the type names.
            unsafe { hear_event(midi, frame, &event) };
        }
    }
}

/// # Safety
///
/// `event` holds what its type says; the bytes of a data event are valid.
unsafe fn hear_event(midi: &mut MidiExchange, frame: usize, event: &Event) {
    let status = |kind: u8, channel: int16| u8::try_from(channel).ok().filter(|c| *c < 16).map(|c| kind | c);
    let seven = |value: int16| u8::try_from(value).ok().filter(|value| *value < 128);
    let of = &event.__field0;
    match EventTypes::from(event.r#type) {
        Event_::EventTypes_::kNoteOnEvent => {
            // SAFETY: as promised.
            let note = unsafe { of.noteOn };
            let (Some(status), Some(key)) = (status(0x90, note.channel), seven(note.pitch)) else { return };
            let velocity = seven_bits(note.velocity.into());
            // Only a velocity of nothing is a release.
            let softest = u8::from(note.velocity > 0.0);
            midi.hear(frame, &[status, key, velocity.max(softest)]);
        }
        Event_::EventTypes_::kNoteOffEvent => {
            // SAFETY: as promised.
            let note = unsafe { of.noteOff };
            let (Some(status), Some(key)) = (status(0x80, note.channel), seven(note.pitch)) else { return };
            midi.hear(frame, &[status, key, seven_bits(note.velocity.into())]);
        }
        Event_::EventTypes_::kPolyPressureEvent => {
            // SAFETY: as promised.
            let note = unsafe { of.polyPressure };
            let (Some(status), Some(key)) = (status(0xA0, note.channel), seven(note.pitch)) else { return };
            midi.hear(frame, &[status, key, seven_bits(note.pressure.into())]);
        }
        Event_::EventTypes_::kDataEvent => {
            // SAFETY: as promised.
            let data = unsafe { of.data };
            let length = usize::try_from(data.size).unwrap_or(0);
            if data.r#type == EXCLUSIVE && !data.bytes.is_null() {
                // SAFETY: not null, and the event says how many bytes there are.
                midi.hear(frame, unsafe { std::slice::from_raw_parts(data.bytes, length) });
            }
        }
        Event_::EventTypes_::kLegacyMIDICCOutEvent => {
            // SAFETY: as promised.
            hear_controller(midi, frame, unsafe { of.midiCCOut });
        }
        _ => {}
    }
}

fn hear_controller(midi: &mut MidiExchange, frame: usize, event: LegacyMIDICCOutEvent) {
    let (channel, value, value_2) =
        (event.channel.cast_unsigned(), event.value.cast_unsigned(), event.value2.cast_unsigned());
    if channel > 15 || value > 127 || value_2 > 127 {
        return;
    }
    match ControllerNumbers::from(event.controlNumber) {
        0..=127 => midi.hear(frame, &[0xB0 | channel, event.controlNumber, value]),
        ControllerNumbers_::kAfterTouch => midi.hear(frame, &[0xD0 | channel, value]),
        ControllerNumbers_::kPitchBend => midi.hear(frame, &[0xE0 | channel, value, value_2]),
        ControllerNumbers_::kCtrlProgramChange => midi.hear(frame, &[0xC0 | channel, value]),
        ControllerNumbers_::kCtrlPolyPressure => midi.hear(frame, &[0xA0 | channel, value, value_2]),
        _ => {}
    }
}

/// Gives the host the MIDI of the room.
///
/// Real-time: yes. Bound: the messages.
///
/// # Safety
///
/// `list` is the host's for this call, or null.
pub(super) unsafe fn give(midi: &mut MidiExchange, list: *mut IEventList) {
    // SAFETY: as promised.
    let Some(list) = (unsafe { ComRef::from_raw(list) }) else { return };
    while let Some((frame, bytes)) = midi.next() {
        let Some(mut event) = event(frame, bytes) else {
            midi.pass();
            continue;
        };
        // SAFETY: the host's own function and an event that is valid for the call, the bytes that it points to as well.
        if unsafe { list.addEvent(&raw mut event) } == kResultOk { midi.pass() } else { midi.refuse() }
    }
}

/// The event that says this message; none if VST3 has none for it.
fn event(frame: usize, bytes: &[u8]) -> Option<Event> {
    use Event_::EventTypes_::{
        kDataEvent, kLegacyMIDICCOutEvent, kNoteOffEvent, kNoteOnEvent, kPolyPressureEvent,
    };

    let (status, data) = bytes.split_first()?;
    let (channel, value) = (status & 0x0F, |place: usize| data.get(place).copied().unwrap_or(0));
    let (channel_wide, key) = (int16::from(channel), int16::from(value(0)));
    let part = |value: u8| f32::from(value) / 127.0;
    let controller = |number: ControllerNumbers, value: u8, value_2: u8| {
        let event = LegacyMIDICCOutEvent {
            controlNumber: u8::try_from(number).unwrap_or(0),
            channel: channel.cast_signed(),
            value: value.cast_signed(),
            value2: value_2.cast_signed(),
        };
        (kLegacyMIDICCOutEvent, Event__type0 { midiCCOut: event })
    };
    let (kind, of) = match status & 0xF0 {
        0x90 if value(1) > 0 => {
            let (channel, pitch, velocity) = (channel_wide, key, part(value(1)));
            let note = NoteOnEvent { channel, pitch, tuning: 0.0, velocity, length: 0, noteId: -1 };
            (kNoteOnEvent, Event__type0 { noteOn: note })
        }
        0x80 | 0x90 => {
            let (channel, pitch, velocity) = (channel_wide, key, part(value(1)));
            let note = NoteOffEvent { channel, pitch, velocity, noteId: -1, tuning: 0.0 };
            (kNoteOffEvent, Event__type0 { noteOff: note })
        }
        0xA0 => {
            let (channel, pitch, pressure) = (channel_wide, key, part(value(1)));
            let pressure = PolyPressureEvent { channel, pitch, pressure, noteId: -1 };
            (kPolyPressureEvent, Event__type0 { polyPressure: pressure })
        }
        0xB0 => controller(value(0).into(), value(1), 0),
        0xC0 => controller(ControllerNumbers_::kCtrlProgramChange, value(0), 0),
        0xD0 => controller(ControllerNumbers_::kAfterTouch, value(0), 0),
        0xE0 => controller(ControllerNumbers_::kPitchBend, value(0), value(1)),
        _ if *status == 0xF0 => {
            let size = u32::try_from(bytes.len()).ok()?;
            let data = DataEvent { size, r#type: EXCLUSIVE, bytes: bytes.as_ptr() };
            (kDataEvent, Event__type0 { data })
        }
        _ => return None,
    };
    Some(Event {
        busIndex: 0,
        sampleOffset: int32::try_from(frame).ok()?,
        ppqPosition: 0.0,
        flags: 0,
        r#type: u16::try_from(kind).ok()?,
        __field0: of,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_vst3_can_say_comes_back_as_it_was() {
        let mut midi = MidiExchange::default();
        let long = [&[0xF0][..], &[5; 300], &[0xF7]].concat();
        let messages: [&[u8]; 9] = [
            &[0x93, 60, 1],
            &[0x83, 60, 127],
            &[0xA0, 1, 99],
            &[0xBF, 74, 127],
            &[0xB0, 123, 0],
            &[0xC5, 127],
            &[0xD6, 3],
            &[0xE7, 1, 64],
            &long,
        ];
        for (frame, bytes) in messages.iter().enumerate() {
            let event = event(frame, bytes).expect("an event");
            assert_eq!(event.sampleOffset, int32::try_from(frame).expect("small"));
            // SAFETY: `event` made it, of bytes that are still there.
            unsafe { hear_event(&mut midi, frame, &event) };
        }
        assert!(midi.heard().eq(messages.into_iter().enumerate()));
        for bytes in [&[0xF6][..], &[0xF3, 1], &[0xFF], &[]] {
            assert!(event(0, bytes).is_none(), "{bytes:x?}");
        }
        let release = event(0, &[0x90, 60, 0]).expect("an event");
        assert_eq!(EventTypes::from(release.r#type), Event_::EventTypes_::kNoteOffEvent);
    }
}
