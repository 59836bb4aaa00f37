//! Who is in the room, and how well they are heard.

use egui::{Align, Grid, Label, Layout, RichText, ScrollArea, Ui};

use super::meter::{Bar, Meters};
use super::theme;
use crate::status::{MemberStatus, Status, StripStatus};

/// Concealment from which a strip's figure turns to a warning: one gap of a chunk in about 13 seconds.
const CONCEALED_PPM_WARN: f64 = 100.0;

/// Where a strip is heard: nobody's own strips come back to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    Here,
    Elsewhere,
}

/// Shows this instance's meters, then everybody's strips.
pub(super) fn show(ui: &mut Ui, status: &Status, meters: &mut Meters) {
    let seconds = ui.input(|input| input.stable_dt).min(0.5);
    Grid::new("own").num_columns(2).show(ui, |ui| {
        for (name, peaks) in [("Send", status.send_peak), ("Receive", status.receive_peak)] {
            ui.label(RichText::new(name).color(theme::FAINT));
            ui.vertical(|ui| {
                ui.spacing_mut().item_spacing.y = 2.0;
                for (side, peak) in ["left", "right"].into_iter().zip(peaks) {
                    let level_db = meters.level(&format!("{name} {side}"), peak, seconds);
                    ui.add(Bar { level_db, width: 200.0 });
                }
            });
            ui.end_row();
        }
    });
    ui.add_space(8.0);
    ui.separator();
    if status.members.is_empty() {
        ui.label(RichText::new("Nobody here yet.").color(theme::FAINT));
        return;
    }
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        for (number, member) in status.members.iter().enumerate() {
            show_member(ui, member, number, seconds, meters);
        }
    });
}

fn show_member(ui: &mut Ui, member: &MemberStatus, number: usize, seconds: f32, meters: &mut Meters) {
    ui.add_space(4.0);
    ui.horizontal(|ui| {
        ui.label(RichText::new(named(&member.name, "(no name)")).strong());
        if member.is_self {
            ui.label(RichText::new("you").color(theme::FAINT).small());
        }
    });
    for (index, strip) in member.strips.iter().enumerate() {
        let heard = if member.is_self { Heard::Elsewhere } else { Heard::Here };
        show_strip(ui, strip, heard, &format!("{number} {index}"), seconds, meters);
    }
}

fn show_strip(
    ui: &mut Ui,
    strip: &StripStatus,
    heard: Heard,
    meter: &str,
    seconds: f32,
    meters: &mut Meters,
) {
    ui.horizontal(|ui| {
        // The figures take their room first; a long name is cut.
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let level_db = meters.level(meter, strip.peak, seconds);
            ui.add(Bar { level_db, width: 64.0 });
            if heard == Heard::Here {
                let concealed =
                    if strip.concealed_ppm >= CONCEALED_PPM_WARN { theme::WARN } else { theme::FAINT };
                ui.label(RichText::new(share(strip.concealed_ppm)).small().color(concealed))
                    .on_hover_text("How much of it came too late or never and had to be filled in.");
                ui.label(RichText::new(delay_text(strip.latency_ms)).small())
                    .on_hover_text(strip.network.map_or_else(
                        || "From the player's input to this plugin's output.".to_owned(),
                        |network| format!("From the player's input to this plugin's output. {network}"),
                    ));
            }
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                if heard == Heard::Here {
                    let output = strip.output.map_or_else(|| "mix".to_owned(), |output| format!("out {output}"));
                    ui.label(RichText::new(output).small().color(theme::FAINT)).on_hover_text(
                        "The output of the plugin that carries this strip alone; every strip is in the main output.",
                    );
                }
                ui.add(Label::new(named(&strip.name, "(strip)")).truncate());
            });
        });
    });
}

fn named<'a>(name: &'a str, fallback: &'a str) -> &'a str {
    if name.is_empty() { fallback } else { name }
}

/// Parts in a million, as a musician reads them.
fn share(ppm: f64) -> String {
    if ppm < 0.5 { "no gaps".to_owned() } else { format!("{:.3} % gaps", ppm / 10_000.0) }
}

/// A delay that is not measured yet is no number.
fn delay_text(delay_ms: f64) -> String {
    if delay_ms.is_finite() { format!("{delay_ms:.1} ms") } else { "-".to_owned() }
}
