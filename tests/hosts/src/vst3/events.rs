//! A block's events, in and out.
#![expect(unsafe_code, reason = "VST3 is a COM interface whose events are unions with raw pointers")]

use std::sync::{Mutex, PoisonError};

use lockstep_shared::time::convert::{f32_from_f64, usize_trunc};
use vst3::Class;
use vst3::Steinberg::Vst::{
    ControllerNumbers, ControllerNumbers_, DataEvent, Event, Event_, Event_::EventTypes, Event__type0,
    IEventList, IEventListTrait, LegacyMIDICCOutEvent, NoteOffEvent, NoteOnEvent,
};
use vst3::Steinberg::{int32, kInvalidArgument, kResultOk, tresult};

use crate::block::{Input, Sent, Stroke};

/// What the host plays into a block.
pub(super) struct EventsIn {
    events: Vec<Event>,
}

impl EventsIn {
    /// The notes and exclusive messages among `inputs`, which must outlive this list.
    pub(super) fn new(inputs: &[Input]) -> Self {
        Self { events: inputs.iter().filter_map(event).collect() }
    }
}

impl Class for EventsIn {
    type Interfaces = (IEventList,);
}

impl IEventListTrait for EventsIn {
    unsafe fn getEventCount(&self) -> int32 {
        int32::try_from(self.events.len()).unwrap_or(int32::MAX)
    }

    unsafe fn getEvent(&self, index: int32, event: *mut Event) -> tresult {
        let Some(found) = usize::try_from(index).ok().and_then(|index| self.events.get(index)) else {
            return kInvalidArgument;
        };
        // SAFETY: the plugin passes a place for an event, as the interface has it.
        unsafe { *event = *found };
        kResultOk
    }

    unsafe fn addEvent(&self, _event: *mut Event) -> tresult {
        kInvalidArgument
    }
}

fn event(input: &Input) -> Option<Event> {
    let (offset, kind, of) = match input {
        Input::Note { offset, stroke, channel, key, velocity } => {
            let (channel, pitch, velocity) = ((*channel).into(), (*key).into(), f32_from_f64(*velocity));
            match stroke {
                Stroke::Struck => {
                    let note = NoteOnEvent { channel, pitch, tuning: 0.0, velocity, length: 0, noteId: 7 };
                    (offset, Event_::EventTypes_::kNoteOnEvent, Event__type0 { noteOn: note })
                }
                Stroke::Released => {
                    let note = NoteOffEvent { channel, pitch, velocity, noteId: 7, tuning: 0.0 };
                    (offset, Event_::EventTypes_::kNoteOffEvent, Event__type0 { noteOff: note })
                }
            }
        }
        Input::SystemExclusive { offset, bytes } => {
            let size = u32::try_from(bytes.len()).expect("an exclusive message fits 32 bits");
            let data = DataEvent { size, r#type: 0, bytes: bytes.as_ptr() };
            (offset, Event_::EventTypes_::kDataEvent, Event__type0 { data })
        }
        Input::Automation(_) => return None,
        Input::Midi { .. } | Input::Transport { .. } => panic!("VST3 has no {input:?} inside a block"),
    };
    Some(Event {
        busIndex: 0,
        sampleOffset: int32::try_from(*offset).expect("an offset in a block"),
        ppqPosition: 0.0,
        flags: 0,
        r#type: u16::try_from(kind).expect("a kind of event"),
        __field0: of,
    })
}

/// What the plugin plays out of a block.
#[derive(Default)]
pub(super) struct EventsOut {
    sent: Mutex<Vec<Sent>>,
}

impl EventsOut {
    pub(super) fn take(&self) -> Vec<Sent> {
        std::mem::take(&mut self.sent.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Class for EventsOut {
    type Interfaces = (IEventList,);
}

impl IEventListTrait for EventsOut {
    unsafe fn getEventCount(&self) -> int32 {
        0
    }

    unsafe fn getEvent(&self, _index: int32, _event: *mut Event) -> tresult {
        kInvalidArgument
    }

    unsafe fn addEvent(&self, event: *mut Event) -> tresult {
        // SAFETY: the plugin passes an event with the field that its type names, valid for the call.
        let sent = unsafe { sent(&*event) };
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).push(sent);
        kResultOk
    }
}

/// # Safety
///
/// `event` holds what its type says.
unsafe fn sent(event: &Event) -> Sent {
    let offset = u32::try_from(event.sampleOffset).expect("an offset in a block");
    let byte = |value: i16| u8::try_from(value).expect("a channel or a key");
    let velocity = |value: f32| {
        u8::try_from(usize_trunc((f64::from(value) * 127.0).round())).expect("a velocity between 0 and 1")
    };
    let midi = |bytes| Sent::Midi { offset, bytes };
    let of = &event.__field0;
    // SAFETY: as promised.
    unsafe {
        match EventTypes::from(event.r#type) {
            Event_::EventTypes_::kNoteOnEvent => {
                let NoteOnEvent { channel, pitch, velocity: strength, .. } = of.noteOn;
                midi([0x90 | byte(channel), byte(pitch), velocity(strength)])
            }
            Event_::EventTypes_::kNoteOffEvent => {
                let NoteOffEvent { channel, pitch, velocity: strength, .. } = of.noteOff;
                midi([0x80 | byte(channel), byte(pitch), velocity(strength)])
            }
            Event_::EventTypes_::kLegacyMIDICCOutEvent => {
                let LegacyMIDICCOutEvent { controlNumber, channel, value, value2 } = of.midiCCOut;
                let [channel, first, second] = [channel, value, value2].map(i8::cast_unsigned);
                midi(match ControllerNumbers::from(controlNumber) {
                    ControllerNumbers_::kAfterTouch => [0xD0 | channel, first, 0],
                    ControllerNumbers_::kPitchBend => [0xE0 | channel, first, second],
                    ControllerNumbers_::kCtrlProgramChange => [0xC0 | channel, first, 0],
                    _ => [0xB0 | channel, controlNumber, first],
                })
            }
            Event_::EventTypes_::kDataEvent => {
                let DataEvent { size, bytes, .. } = of.data;
                let length = usize::try_from(size).unwrap_or_default();
                Sent::SystemExclusive { offset, bytes: std::slice::from_raw_parts(bytes, length).to_vec() }
            }
            _ => Sent::Other { offset, kind: event.r#type },
        }
    }
}
