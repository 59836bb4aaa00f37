//! What tshark makes of a capture: the fields of each packet, in their order.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

/// One packet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dissection {
    /// The fields of the session's packet, or of RTP and its payload.
    pub fields: Vec<Field>,
    /// What the dissector marks: malformed, or worth an expert's look.
    pub marks: Vec<String>,
}

/// A field that a dissector shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Such as `rtpmidi.note`.
    pub name: String,
    /// Numbers in decimal, octets as tshark shows them.
    pub value: String,
}

/// The protocols whose fields are compared.
const PROTOCOLS: [&str; 3] = ["applemidi.", "rtpmidi.", "rtp."];
/// What tshark adds to RTP from other packets, and the payload as a whole; and what it takes from the octet after the one
/// that has it.
const LEFT_OUT: [&str; 6] = [
    "rtp.setup",
    "rtp.setup-frame",
    "rtp.setup-method",
    "rtp.extseq",
    "rtp.payload",
    "rtpmidi.mtc_quarter_frame_value",
];

impl Field {
    /// A field as a dissector would show it.
    #[must_use]
    pub fn new(name: &str, shown: &str) -> Self {
        let hex = shown.strip_prefix("0x").and_then(|digits| u64::from_str_radix(digits, 16).ok());
        let value = hex.map_or_else(|| shown.to_owned(), |number| number.to_string());
        Self { name: name.to_owned(), value }
    }
}

/// Has tshark read `capture`.
///
/// # Errors
/// It is not there, or fails.
pub fn dissect(capture: &Path) -> Result<Vec<Dissection>> {
    let output = Command::new("tshark")
        .arg("-r")
        .arg(capture)
        .args(["-T", "pdml"])
        .stdin(Stdio::null())
        .output()
        .context("tshark does not start")?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "tshark ended with {}: {}", output.status, complaint.trim());
    Ok(read(&String::from_utf8_lossy(&output.stdout)))
}

/// Reads tshark's XML, which has one field a line.
fn read(xml: &str) -> Vec<Dissection> {
    let mut packets: Vec<Dissection> = Vec::new();
    for line in xml.lines().map(str::trim_start) {
        if line.starts_with("<packet>") {
            packets.push(Dissection::default());
        }
        let (Some(packet), Some(name)) = (packets.last_mut(), attribute(line, "name")) else { continue };
        if name.starts_with("_ws.malformed") || name.starts_with("_ws.expert.message") {
            packet.marks.extend(attribute(line, "showname").map(str::to_owned));
        }
        let is_compared = line.starts_with("<field ")
            && PROTOCOLS.iter().any(|protocol| name.starts_with(protocol))
            && !LEFT_OUT.contains(&name);
        if is_compared {
            packet.fields.push(Field::new(name, attribute(line, "show").unwrap_or_default()));
        }
    }
    packets
}

/// The value of ` NAME="..."`.
fn attribute<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let start = line.find(&format!(" {name}=\""))? + name.len() + 3;
    let rest = &line[start..];
    rest.split_once('"').map(|(value, _)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_marks_are_read() {
        let xml = r#"<packet>
  <proto name="rtpmidi" showname="x" size="3">
    <field name="rtp.setup" show=""/>
    <field name="udp.port" show="5004"/>
    <field name="rtpmidi.channel" showname="... = Channel: 1" size="1" show="0x0a" value="A"/>
    <field name="rtpmidi.note" show="60" value="3c"/>
  </proto>
</packet>
<packet>
  <proto name="_ws.malformed" showname="[Malformed Packet: RTP-MIDI]">
</packet>"#;
        let packets = read(xml);
        assert_eq!(
            packets[0].fields,
            [Field::new("rtpmidi.channel", "10"), Field::new("rtpmidi.note", "60")]
        );
        assert!(packets[0].marks.is_empty());
        assert_eq!(packets[1].marks, ["[Malformed Packet: RTP-MIDI]"]);
    }
}
