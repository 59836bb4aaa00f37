//! Colours and type. Dark, because studios are; text keeps a contrast of at least 7 to 1 against its ground.

use egui::{Color32, Context, FontFamily, FontId, TextStyle, Theme, Visuals};

/// Behind the controls.
pub(super) const GROUND: Color32 = Color32::from_rgb(0x1f, 0x23, 0x2b);
/// Behind the people.
pub(super) const SUNKEN: Color32 = Color32::from_rgb(0x18, 0x1b, 0x21);
/// Behind the bars at the top and the bottom.
pub(super) const RAISED: Color32 = Color32::from_rgb(0x27, 0x2c, 0x36);
/// Grooves of meters and fields.
pub(super) const GROOVE: Color32 = Color32::from_rgb(0x10, 0x12, 0x16);
/// Ordinary text.
pub(super) const TEXT: Color32 = Color32::from_rgb(0xe6, 0xe9, 0xef);
/// Labels beside values.
pub(super) const FAINT: Color32 = Color32::from_rgb(0xae, 0xb6, 0xc4);
/// All is well.
pub(super) const GOOD: Color32 = Color32::from_rgb(0x6f, 0xd6, 0x9a);
/// Look here.
pub(super) const WARN: Color32 = Color32::from_rgb(0xf2, 0xc1, 0x5a);
/// Something does not work.
pub(super) const BAD: Color32 = Color32::from_rgb(0xff, 0x8f, 0x84);
/// What can be taken hold of.
pub(super) const ACCENT: Color32 = Color32::from_rgb(0x3f, 0x7f, 0xd0);

/// Sets them for the whole window, whatever the desktop prefers.
pub(super) fn apply(egui: &Context) {
    egui.set_theme(Theme::Dark);
    egui.set_visuals_of(Theme::Dark, visuals());
    egui.style_mut_of(Theme::Dark, |style| {
        style.spacing.item_spacing = egui::vec2(8.0, 5.0);
        for (text, size) in [
            (TextStyle::Small, 11.5),
            (TextStyle::Body, 13.5),
            (TextStyle::Button, 13.5),
            (TextStyle::Heading, 17.0),
        ] {
            style.text_styles.insert(text, FontId::new(size, FontFamily::Proportional));
        }
    });
}

fn visuals() -> Visuals {
    let mut visuals = Visuals::dark();
    visuals.panel_fill = GROUND;
    visuals.extreme_bg_color = GROOVE;
    visuals.override_text_color = Some(TEXT);
    visuals.selection.bg_fill = ACCENT;
    visuals
}
