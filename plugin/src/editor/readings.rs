//! The state of the link in words, the clock's figures, and what is off.

use std::fmt::Write;

use egui::{Color32, RichText, Ui};

use super::theme;
use crate::host::Condition;
use crate::instance::Settings;
use crate::status::{LinkState, MidiStatus, Status};

/// Notices shown at once; the rest would push the controls out of the window.
const NOTICES_MAX: usize = 3;

/// The name, and one sentence on the link.
pub(super) fn link(ui: &mut Ui, status: &Status, settings: &Settings) {
    let (colour, sentence) = describe(&status.link, settings);
    ui.horizontal(|ui| {
        ui.heading(RichText::new("Lockstep").strong());
        ui.add_space(8.0);
        let (dot, painter) = ui.allocate_painter(egui::vec2(10.0, 10.0), egui::Sense::hover());
        painter.circle_filled(dot.rect.center(), 5.0, colour);
        ui.add(egui::Label::new(RichText::new(sentence).color(colour)).truncate());
    });
}

/// The clocks, in one row.
pub(super) fn figures(ui: &mut Ui, status: &Status) {
    ui.horizontal(|ui| {
        figure(
            ui,
            "Drift",
            status.drift_ppm.map(|ppm| format!("{ppm:+.2} ppm")),
            "Your audio interface's rate against the room's. It is corrected all the time.",
        );
        figure(
            ui,
            "Clock error",
            status.clock_error_us.map(|us| format!("{us:.0} us")),
            "How exactly the room's time is known here.",
        );
        figure(
            ui,
            "Round trip",
            status.round_trip_ms.map(|ms| format!("{ms:.1} ms")),
            "To the relay and back, without any buffer.",
        );
    });
    if let Some((sentence, is_well)) = midi(status.midi) {
        let colour = if is_well { theme::FAINT } else { theme::WARN };
        ui.label(RichText::new(sentence).color(colour)).on_hover_text(
            "Messages through this instance since it was switched on. What came too late was played at once: more Sync \
             Delay gives it time.",
        );
    }
}

/// The room's MIDI in one line, and whether all of it was in time; nothing where there was none.
fn midi(midi: MidiStatus) -> Option<(String, bool)> {
    let MidiStatus { sent, played, late, dropped } = midi;
    if midi == MidiStatus::default() {
        return None;
    }
    let mut sentence = format!("MIDI: {sent} sent, {played} played");
    if late > 0 {
        let _ = write!(sentence, ", {late} of them late");
    }
    if dropped > 0 {
        let _ = write!(sentence, "; {dropped} lost, for there were too many");
    }
    Some((sentence, late + dropped == 0))
}

/// What is off, and how to mend it.
pub(super) fn notices(ui: &mut Ui, status: &Status, condition: Condition) {
    let own = condition.sentence();
    for notice in own.into_iter().chain(status.notices.iter().map(String::as_str)).take(NOTICES_MAX) {
        ui.label(RichText::new(notice).color(theme::WARN));
    }
}

/// What runs where.
pub(super) fn footer(ui: &mut Ui, host_name: &str) {
    let version = env!("CARGO_PKG_VERSION");
    let text = if host_name.is_empty() { version.to_owned() } else { format!("{version} in {host_name}") };
    ui.label(RichText::new(text).small().color(theme::FAINT));
}

fn figure(ui: &mut Ui, name: &str, value: Option<String>, explanation: &str) {
    ui.label(RichText::new(name).color(theme::FAINT)).on_hover_text(explanation);
    ui.label(value.unwrap_or_else(|| "-".to_owned())).on_hover_text(explanation);
    ui.add_space(12.0);
}

fn describe(link: &LinkState, settings: &Settings) -> (Color32, String) {
    match link {
        LinkState::NoRoom => (theme::FAINT, "No room yet: paste an invite to join one.".to_owned()),
        LinkState::Inactive => (theme::FAINT, "Waiting for the DAW to start its audio.".to_owned()),
        LinkState::Connecting(sentence) => (theme::WARN, sentence.clone()),
        LinkState::Joined => (theme::GOOD, format!("In the room {}.", settings.room)),
        LinkState::Refused(reason) => (theme::BAD, format!("The relay refused: {reason}")),
        LinkState::Lost(sentence) => (theme::WARN, sentence.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn midi_is_told_once_there_was_any() {
        assert_eq!(midi(MidiStatus::default()), None);
        let well = MidiStatus { sent: 12, played: 340, ..MidiStatus::default() };
        assert_eq!(midi(well), Some(("MIDI: 12 sent, 340 played".to_owned(), true)));
        let ill = MidiStatus { late: 3, dropped: 1, ..well };
        let sentence = "MIDI: 12 sent, 340 played, 3 of them late; 1 lost, for there were too many";
        assert_eq!(midi(ill), Some((sentence.to_owned(), false)));
    }

    #[test]
    fn every_state_of_the_link_has_a_sentence() {
        let settings = Settings { room: "relay/studio".to_owned(), ..Settings::default() };
        let given = || "a reason".to_owned();
        for link in [
            LinkState::NoRoom,
            LinkState::Inactive,
            LinkState::Connecting(given()),
            LinkState::Joined,
            LinkState::Refused(given()),
            LinkState::Lost(given()),
        ] {
            assert!(!describe(&link, &settings).1.is_empty());
        }
        assert!(describe(&LinkState::Joined, &settings).1.contains("relay/studio"));
        assert!(describe(&LinkState::Refused(given()), &settings).1.contains("a reason"));
    }
}
