//! The packets of a session, from bytes.

use lockstep_shared::rtpmidi::control::{Control, ControlError};
use lockstep_shared::rtpmidi::name::NAME_BYTES_MAX;

/// The longest packet: an invitation and its name.
const PACKET_BYTES_MAX: usize = 80;

/// A packet that decodes encodes to one that is no longer than any may be and decodes to the same; nobody's name is
/// too long or moves a cursor; what is no packet is refused with its reason.
pub fn midi_control(bytes: &[u8]) {
    let packet = match Control::decode(bytes) {
        Ok(packet) => packet,
        Err(error) => {
            assert_eq!(Control::is_control(bytes), error != ControlError::Mark);
            assert!(!error.to_string().contains('\n'));
            return;
        }
    };
    assert!(Control::is_control(bytes), "what decodes is recognised by its first bytes");
    let mut again = Vec::new();
    packet.encode(&mut again);
    assert!(again.len() <= PACKET_BYTES_MAX, "{}", again.len());
    assert_eq!(Control::decode(&again).as_ref(), Ok(&packet));
    match &packet {
        Control::Invite(greeting) | Control::Accept(greeting) | Control::Refuse(greeting) => {
            let name = greeting.name.as_str();
            assert!(name.len() <= NAME_BYTES_MAX);
            assert!(!name.contains(char::is_control), "{name:?}");
        }
        Control::Receipt { receipt, .. } => {
            assert!((1..=2).contains(&receipt.candidates().count()));
        }
        Control::Goodbye { .. } | Control::Clock { .. } | Control::RateLimit { .. } => {}
    }
}
