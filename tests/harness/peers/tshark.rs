//! Wireshark's dissectors read all that we say, and see in it what we do.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use lockstep_shared::rtpmidi::control::Control;

use super::capture;
use super::conversation::{Conversation, conversation};
use super::dissection::{Dissection, Field, dissect};
use super::expected::{Expected, expected, spared};
use crate::midi::Datagram;

/// What was compared.
#[derive(Clone, Debug, Default)]
pub struct Compared {
    /// Session packets by their letters.
    pub session: BTreeMap<String, usize>,
    /// Media packets.
    pub media: usize,
    /// Fields of both.
    pub fields: usize,
    /// Chapters of the journal, and in how many packets each was read.
    pub chapters: BTreeMap<char, usize>,
    /// Packets that were compared up to where the dissector stops, by why it does.
    pub stopped: BTreeMap<&'static str, usize>,
    /// Messages of the first participant that were found as they were played.
    pub played: usize,
}

/// Every chapter of RFC 6295.
const CHAPTERS: &str = "PCMWNETADVQFX";
const SESSION: [&str; 7] = ["BY", "CK", "IN", "NO", "OK", "RL", "RS"];

/// Writes the conversation into `folder` and compares what tshark sees in it.
///
/// # Errors
/// The first difference, with the packet's number in the file.
pub fn compare(folder: &Path) -> Result<Compared> {
    let Conversation { mut said, played, player } = conversation()?;
    for datagram in &mut said {
        datagram.bytes = spared(&datagram.bytes)?;
    }
    let file = folder.join("rtp-midi.pcap");
    capture::write(&said, &mut std::fs::File::create(&file)?)?;
    let seen = dissect(&file)?;
    ensure!(seen.len() == said.len(), "{} packets were written and {} read", said.len(), seen.len());
    let mut compared = Compared::default();
    for (number, (datagram, dissection)) in (1..).zip(said.iter().zip(&seen)) {
        compared.packet(datagram, dissection).with_context(|| {
            format!("packet {number}, {} bytes: {:02x?}", datagram.bytes.len(), datagram.bytes)
        })?;
    }
    let channels = said.iter().zip(&seen).filter(|(datagram, _)| datagram.from == player);
    let heard: Vec<Vec<u8>> = channels.flat_map(|(_, dissection)| voice_messages(dissection)).collect();
    ensure!(heard == played, "{} messages to channels were played and {} seen", played.len(), heard.len());
    compared.played = heard.len();
    let missing: Vec<char> =
        CHAPTERS.chars().filter(|letter| !compared.chapters.contains_key(letter)).collect();
    ensure!(missing.is_empty(), "chapters that were never read: {missing:?}");
    ensure!(compared.session.keys().eq(SESSION.iter()), "not every session packet: {:?}", compared.session);
    Ok(compared)
}

impl Compared {
    fn packet(&mut self, datagram: &Datagram, seen: &Dissection) -> Result<()> {
        let Expected { fields, stops, .. } = expected(&datagram.bytes)?;
        let shown = match stops {
            Some(_) => seen.fields.get(..fields.len()).unwrap_or(&seen.fields),
            None => &seen.fields,
        };
        // Chapter X is shown only in part, and what follows its part is the dissector's own.
        let shown: Vec<&Field> = data_once(shown).collect();
        for (place, (should, is)) in fields.iter().zip(&shown).enumerate() {
            ensure!(should == *is, "field {place} should be {should:?} and is {is:?}");
        }
        ensure!(
            fields.len() == shown.len(),
            "{} fields should be, and {} are, the last one {:?}",
            fields.len(),
            shown.len(),
            shown.last()
        );
        ensure!(seen.marks.is_empty() || stops.is_some(), "{:?}", seen.marks);
        self.fields += fields.len();
        if let Some(why) = stops {
            *self.stopped.entry(why).or_default() += 1;
        }
        match datagram.bytes.get(2..4).filter(|_| Control::is_control(&datagram.bytes)) {
            Some(letters) => {
                *self.session.entry(String::from_utf8_lossy(letters).into_owned()).or_default() += 1;
            }
            None => self.media += 1,
        }
        let chapters: BTreeSet<char> = fields.iter().filter_map(chapter).collect();
        for letter in chapters {
            *self.chapters.entry(letter).or_default() += 1;
        }
        Ok(())
    }
}

/// All fields, of the data of exclusive messages in the journal the first alone.
fn data_once(fields: &[Field]) -> impl Iterator<Item = &Field> {
    let is_data = |field: &Field| {
        ["rtpmidi.sj_chapter_x_data", "rtpmidi.sj_chapter_x_invalid_data"].contains(&field.name.as_str())
    };
    let first = fields.iter().position(is_data);
    fields
        .iter()
        .enumerate()
        .filter(move |(place, field)| Some(*place) == first || !is_data(field))
        .map(|(_, field)| field)
}

/// The chapter that a field is of.
fn chapter(field: &Field) -> Option<char> {
    let name = field.name.strip_prefix("rtpmidi.")?;
    let rest = name.strip_prefix("cj_chapter_").or_else(|| name.strip_prefix("sj_chapter_"))?;
    rest.chars().next().map(|letter| letter.to_ascii_uppercase())
}

/// The messages to channels in the list of a packet, as bytes.
fn voice_messages(packet: &Dissection) -> Vec<Vec<u8>> {
    let mut messages: Vec<Vec<u8>> = Vec::new();
    for Field { name, value } in &packet.fields {
        let number: u16 = value.parse().unwrap_or_default();
        let [high, low] = number.to_be_bytes();
        match (name.strip_prefix("rtpmidi.").unwrap_or_default(), messages.last_mut()) {
            ("channel_status", _) => messages.push(vec![low << 4]),
            ("channel", Some(message)) => message[0] |= low,
            (
                "note" | "velocity" | "pressure" | "controller" | "controller_value" | "program"
                | "channel_pressure",
                Some(message),
            ) => message.push(low),
            ("pitch_bend", Some(message)) => message.extend([high, low]),
            _ => {}
        }
    }
    messages
}
