//! The list of commands.

use anyhow::Result;
use lockstep_shared::rtpmidi::packet::{Beginning, Command, End, Packet, Segment};

use super::{Expected, octets, since};

/// The two manufacturers' numbers that are nobody's.
const UNIVERSAL: [u8; 2] = [0x7E, 0x7F];

/// The dissector puts the octets of a delta together, and then leaves out the bits that were marks before.
const SHOWN_OF_DELTA: u32 = 0x7F7F_7F7F;

impl Expected {
    /// The command section; `section` is its octets.
    pub(super) fn list(&mut self, packet: &Packet<'_>, section: &[u8]) -> Result<()> {
        let flags = section.first().copied().unwrap_or_default();
        let is_long = flags & 0x80 != 0;
        self.flag("b_flag", is_long);
        self.flag("j_flag", packet.journal.is_some());
        self.flag("z_flag", false);
        self.flag("p_flag", false);
        if is_long {
            self.tell("cmd_length_long", section.len() - 2);
        } else {
            self.tell("cmd_length_short", section.len() - 1);
        }
        let mut last = None;
        for timed in packet.commands.clone() {
            let timed = timed?;
            if let Some(last) = last {
                self.delta(since(timed.after_ticks, last)?);
            }
            last = Some(timed.after_ticks);
            match timed.command {
                Command::Message(message) => {
                    let mut bytes = Vec::new();
                    message.encode(&mut bytes);
                    self.message(&bytes);
                }
                Command::Segment(segment) => self.segment(segment),
                Command::Undefined(status) => self.tell("common_status", status),
            }
        }
        Ok(())
    }

    fn delta(&mut self, ticks: u32) {
        let octets = match ticks {
            0..0x80 => 1,
            0x80..0x4000 => 2,
            0x4000..0x20_0000 => 3,
            _ => 4,
        };
        self.tell(&format!("deltatime_{octets}"), ticks & SHOWN_OF_DELTA);
    }

    fn message(&mut self, bytes: &[u8]) {
        let byte = |place: usize| bytes.get(place).copied().unwrap_or_default();
        let status = byte(0);
        let pair = u16::from_be_bytes([byte(1), byte(2)]);
        if status < 0xF0 {
            self.tell("channel_status", status >> 4);
            self.tell("channel", status & 0x0F);
        } else {
            self.tell("common_status", status);
        }
        match status {
            0x80..=0x9F => self.pair("note", "velocity", pair),
            0xA0..=0xAF => self.pair("note", "pressure", pair),
            0xB0..=0xBF => self.pair("controller", "controller_value", pair),
            0xC0..=0xCF => self.tell("program", byte(1)),
            0xD0..=0xDF => self.tell("channel_pressure", byte(1)),
            0xE0..=0xEF => self.tell("pitch_bend", pair),
            0xF1 => self.tell("mtc_quarter_frame_type", byte(1) >> 4),
            0xF2 => self.tell("song_position_pointer", pair),
            0xF3 => self.tell("song_select", byte(1)),
            _ => {}
        }
    }

    fn pair(&mut self, first: &str, second: &str, pair: u16) {
        let [high, low] = pair.to_be_bytes();
        self.tell(first, high);
        self.tell(second, low);
    }

    fn segment(&mut self, segment: Segment<'_>) {
        match segment.beginning {
            Beginning::First => {
                self.tell("common_status", 0xF0);
                self.content(segment.content);
            }
            Beginning::Continued => {
                self.tell("common_status", 0xF7);
                if !segment.content.is_empty() {
                    self.tell("unknown_data", octets(segment.content));
                }
            }
        }
        self.tell(
            "common_status",
            match segment.end {
                End::Last => 0xF7,
                End::LastUnsaid => 0xF5,
                End::Continues => 0xF0,
                End::Cancelled => 0xF4,
            },
        );
    }

    /// What an exclusive message begins with.
    fn content(&mut self, content: &[u8]) {
        let Some((manufacturer, rest)) = content.split_first() else { return };
        self.tell("manufacturer_short", manufacturer);
        if !UNIVERSAL.contains(manufacturer) {
            self.tell("manu_data", octets(rest));
            return;
        }
        let Some((device, rest)) = rest.split_first() else { return };
        self.tell("sysex_common_device_id", device);
        match (manufacturer, rest) {
            // A full frame of time code.
            (0x7F, [1, 1, hour, minute, second, frame]) => {
                self.tell("sysex_common_realtime", 1);
                self.tell("sysex_common_realtime_mtc", 1);
                self.tell("sysex_common_rt_mtc_fm_type", hour >> 5);
                self.tell("sysex_common_rt_mtc_fm_hour", hour & 0x1F);
                self.tell("sysex_common_rt_mtc_fm_minute", minute);
                self.tell("sysex_common_rt_mtc_fm_second", second);
                self.tell("sysex_common_rt_mtc_fm_frame", frame);
            }
            // General MIDI on or off.
            (0x7E, [9, which]) => {
                self.tell("sysex_common_non_realtime", 9);
                self.tell("sysex_common_non_realtime_gm", which);
            }
            _ => {}
        }
    }
}
