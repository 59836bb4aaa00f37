//! Between messages and the sequencer's events.

use alsa::seq::{Addr, Connect, EvCtrl, EvNote, EvQueueControl, Event, EventType};
use lockstep_shared::midi::Realtime;
use lockstep_shared::midi::message::{Message, System, U14, Voice};

/// What an event of the sequencer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// Messages: most events are one, numbered parameters several.
    Messages(Vec<Message>),
    /// Bytes of an exclusive message, whole or a part.
    Exclusive(Vec<u8>),
    /// A port came, or has another name.
    Port(Addr),
    PortGone(Addr),
    /// A client has another name.
    Client(i32),
    ClientGone(i32),
    Connected(Connect),
    Disconnected(Connect),
    /// Nothing that concerns us: a client without ports, a queue.
    Nothing,
    /// No MIDI, or broken.
    Unknown,
}

/// The event of a message; None for an exclusive one, which has several ([`piece`]).
pub(super) fn event(message: &Message) -> Option<Event<'static>> {
    Some(match message {
        Message::Voice(channel, voice) => voice_event(channel.index(), *voice),
        Message::Realtime(realtime) => realtime_event(*realtime),
        Message::System(system) => match system {
            System::QuarterFrame(quarter) => control(EventType::Qframe, 0, 0, i32::from(quarter.get())),
            System::SongSelect(song) => control(EventType::Songsel, 0, 0, i32::from(song.get())),
            System::TuneRequest => Event::new(EventType::TuneRequest, &()),
            System::ActiveSensing => Event::new(EventType::Sensing, &()),
            System::Reset => Event::new(EventType::Reset, &()),
        },
        Message::Exclusive(_) | _ => return None,
    })
}

/// The event of a piece of an exclusive message.
pub(super) fn piece(bytes: &[u8]) -> Event<'_> {
    Event::new_ext(EventType::Sysex, bytes)
}

fn voice_event(channel: u8, voice: Voice) -> Event<'static> {
    let key = |kind, note: u8, velocity| {
        Event::new(kind, &EvNote { channel, note, velocity, off_velocity: 0, duration: 0 })
    };
    match voice {
        Voice::NoteOff { note, velocity } => key(EventType::Noteoff, note.get(), velocity.get()),
        Voice::NoteOn { note, velocity } => key(EventType::Noteon, note.get(), velocity.get()),
        Voice::PolyPressure { note, pressure } => key(EventType::Keypress, note.get(), pressure.get()),
        Voice::Control { number, value } => {
            control(EventType::Controller, channel, u32::from(number.get()), i32::from(value.get()))
        }
        Voice::Program(program) => control(EventType::Pgmchange, channel, 0, i32::from(program.get())),
        Voice::Pressure(pressure) => control(EventType::Chanpress, channel, 0, i32::from(pressure.get())),
        Voice::Bend(bend) => {
            control(EventType::Pitchbend, channel, 0, i32::from(bend.get()) - i32::from(U14::CENTRE.get()))
        }
    }
}

fn realtime_event(realtime: Realtime) -> Event<'static> {
    let simple = |kind| Event::new(kind, &EvQueueControl { queue: 0, value: () });
    match realtime {
        Realtime::Clock => simple(EventType::Clock),
        Realtime::Start => simple(EventType::Start),
        Realtime::Continue => simple(EventType::Continue),
        Realtime::Stop => simple(EventType::Stop),
        Realtime::SongPosition(position) => {
            control(EventType::Songpos, 0, 0, i32::from(position.sixteenths()))
        }
    }
}

fn control(kind: EventType, channel: u8, param: u32, value: i32) -> Event<'static> {
    Event::new(kind, &EvCtrl { channel, param, value })
}

/// What `event` says.
#[expect(clippy::wildcard_enum_match_arm, reason = "the kernel has sixty kinds of events, not ours")]
pub(super) fn heard(event: &Event<'_>) -> Heard {
    let messages = match event.get_type() {
        EventType::Noteoff => key(event, 0x80),
        EventType::Noteon => key(event, 0x90),
        EventType::Keypress => key(event, 0xA0),
        EventType::Controller => controller(event),
        EventType::Control14 => fine_controller(event),
        EventType::Nonregparam => parameter(event, [99, 98]),
        EventType::Regparam => parameter(event, [101, 100]),
        EventType::Pgmchange => value(event, 0xC0),
        EventType::Chanpress => value(event, 0xD0),
        EventType::Pitchbend => bend(event),
        EventType::Qframe => value(event, 0xF1),
        EventType::Songsel => value(event, 0xF3),
        EventType::Songpos => song_position(event),
        EventType::TuneRequest => short(&[0xF6]),
        EventType::Clock => short(&[0xF8]),
        EventType::Start => short(&[0xFA]),
        EventType::Continue => short(&[0xFB]),
        EventType::Stop => short(&[0xFC]),
        EventType::Sensing => short(&[0xFE]),
        EventType::Reset => short(&[0xFF]),
        EventType::Sysex => {
            return event.get_ext().map_or(Heard::Unknown, |bytes| Heard::Exclusive(bytes.to_vec()));
        }
        _ => return announcement(event),
    };
    messages.map_or(Heard::Unknown, Heard::Messages)
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the kernel has sixty kinds of events, not ours")]
fn announcement(event: &Event<'_>) -> Heard {
    let address = event.get_data::<Addr>();
    let connect = event.get_data::<Connect>();
    let said = match event.get_type() {
        EventType::PortStart | EventType::PortChange => address.map(Heard::Port),
        EventType::PortExit => address.map(Heard::PortGone),
        EventType::ClientChange => address.map(|at| Heard::Client(at.client)),
        EventType::ClientExit => address.map(|at| Heard::ClientGone(at.client)),
        EventType::ClientStart => Some(Heard::Nothing),
        EventType::PortSubscribed => connect.map(Heard::Connected),
        EventType::PortUnsubscribed => connect.map(Heard::Disconnected),
        _ => None,
    };
    said.unwrap_or(Heard::Unknown)
}

fn short(bytes: &[u8]) -> Option<Vec<Message>> {
    Message::from_short(bytes).map(|message| vec![message])
}

fn status(kind: u8, channel: u8) -> Option<u8> {
    (channel < 16).then_some(kind | channel)
}

fn key(event: &Event<'_>, kind: u8) -> Option<Vec<Message>> {
    let note = event.get_data::<EvNote>()?;
    short(&[status(kind, note.channel)?, note.note, note.velocity])
}

fn controller(event: &Event<'_>) -> Option<Vec<Message>> {
    let said = event.get_data::<EvCtrl>()?;
    short(&[status(0xB0, said.channel)?, u8::try_from(said.param).ok()?, u8::try_from(said.value).ok()?])
}

/// A message with one data byte: on a channel, or to everybody.
fn value(event: &Event<'_>, kind: u8) -> Option<Vec<Message>> {
    let said = event.get_data::<EvCtrl>()?;
    let status = if kind < 0xF0 { status(kind, said.channel)? } else { kind };
    short(&[status, u8::try_from(said.value).ok()?])
}

fn bend(event: &Event<'_>) -> Option<Vec<Message>> {
    let said = event.get_data::<EvCtrl>()?;
    let [low, high] = halves(said.value.checked_add(i32::from(U14::CENTRE.get()))?)?;
    short(&[status(0xE0, said.channel)?, low, high])
}

fn song_position(event: &Event<'_>) -> Option<Vec<Message>> {
    let [low, high] = halves(event.get_data::<EvCtrl>()?.value)?;
    short(&[0xF2, low, high])
}

/// One of the 32 controllers that have a fine half.
fn fine_controller(event: &Event<'_>) -> Option<Vec<Message>> {
    let said = event.get_data::<EvCtrl>()?;
    let status = status(0xB0, said.channel)?;
    let number = u8::try_from(said.param).ok().filter(|number| *number < 32)?;
    let [low, high] = halves(said.value)?;
    [[number, high], [number + 32, low]]
        .into_iter()
        .map(|[number, value]| Message::from_short(&[status, number, value]))
        .collect()
}

/// A numbered parameter: its number by these two controllers, then its value by 6 and 38.
fn parameter(event: &Event<'_>, [number_high, number_low]: [u8; 2]) -> Option<Vec<Message>> {
    let said = event.get_data::<EvCtrl>()?;
    let status = status(0xB0, said.channel)?;
    let number = halves(i32::try_from(said.param).ok()?)?;
    let value = halves(said.value)?;
    let controls = [(number_high, number[1]), (number_low, number[0]), (6, value[1]), (38, value[0])];
    controls.into_iter().map(|(control, value)| Message::from_short(&[status, control, value])).collect()
}

/// Fourteen bits as low and high seven.
fn halves(value: i32) -> Option<[u8; 2]> {
    let (low, high) = U14::new(u16::try_from(value).ok()?)?.halves();
    Some([low.get(), high.get()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_short_message_comes_back_as_it_was() {
        let mut checked = 0;
        for status in 0x80..=0xFF_u8 {
            for data in [&[][..], &[1], &[0, 0], &[127, 127], &[3, 64]] {
                let bytes = [&[status], data].concat();
                let Some(message) = Message::from_short(&bytes) else { continue };
                let event = event(&message).expect("not exclusive");
                assert_eq!(heard(&event), Heard::Messages(vec![message]), "{bytes:x?}");
                checked += 1;
            }
        }
        assert_eq!(checked, 80 * 3 + 32 + 3 + 2 + 7);
    }

    #[test]
    fn parameters_are_controllers() {
        let bytes = |event: Event<'_>| {
            let Heard::Messages(messages) = heard(&event) else { panic!("{event:?}") };
            messages.iter().fold(Vec::new(), |mut bytes, message| {
                message.encode(&mut bytes);
                bytes
            })
        };
        assert_eq!(bytes(control(EventType::Control14, 2, 7, 0x81)), [0xB2, 7, 1, 0xB2, 39, 1]);
        assert_eq!(
            bytes(control(EventType::Regparam, 0, 1, 0x2000)),
            [0xB0, 101, 0, 0xB0, 100, 1, 0xB0, 6, 64, 0xB0, 38, 0]
        );
    }

    #[test]
    fn broken_events_are_unknown() {
        for event in [
            control(EventType::Controller, 16, 1, 1),
            control(EventType::Controller, 0, 128, 1),
            control(EventType::Controller, 0, 1, -1),
            control(EventType::Pitchbend, 0, 0, 8_192),
            control(EventType::Pitchbend, 0, 0, i32::MAX),
            control(EventType::Control14, 0, 32, 1),
        ] {
            assert_eq!(heard(&event), Heard::Unknown, "{event:?}");
        }
    }
}
