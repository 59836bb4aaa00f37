//! Programs of others that speak what we speak, so that it is not only ourselves who understand us.
//!
//! [`tshark`] is Wireshark's dissectors reading all that we ever send; [`capture`] is the file that it reads,
//! [`conversation`] what is in it, [`dissection`] what it makes of it and [`expected`] what it should. [`pymidi`] is an RTP-MIDI participant
//! in Python, [`qmidinet`] one by multicast; [`program`] is what all of them are while they run.

pub mod capture;
pub mod conversation;
pub mod dissection;
pub mod expected;
pub mod multicast;
pub mod program;
pub mod pymidi;
pub mod qmidinet;
pub mod tshark;
