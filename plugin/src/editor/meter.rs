//! Peak meters that fall slowly enough to be read.

use std::collections::BTreeMap;

use egui::{Rect, Response, Sense, Ui, Widget, lerp, pos2, vec2};
use nice_plug::util::gain_to_db;

use super::theme;

/// The lowest level with a picture.
const DB_MIN: f32 = -60.0;
/// Above it the bar turns to a warning: less than 3 dB are left.
const DB_HOT: f32 = -3.0;
/// How fast a bar falls, in decibels a second.
const FALL_DB: f32 = 24.0;

/// What every bar in the window shows now. The status gives the peak since the last one; a bar jumps to it and then
/// falls.
#[derive(Debug, Default)]
pub(super) struct Meters {
    shown_db: BTreeMap<String, f32>,
}

impl Meters {
    /// The level to show for `name`, whose peak (linear) was just read, `seconds` after the last time.
    pub(super) fn level(&mut self, name: &str, peak: f32, seconds: f32) -> f32 {
        let peak_db = if peak.is_finite() { gain_to_db(peak).max(DB_MIN) } else { 0.0 };
        let shown = self.shown_db.entry(name.to_owned()).or_insert(DB_MIN);
        *shown = peak_db.max(*shown - FALL_DB * seconds);
        *shown
    }
}

/// One horizontal bar.
pub(super) struct Bar {
    /// Level in decibels of full scale.
    pub(super) level_db: f32,
    /// Points wide.
    pub(super) width: f32,
}

impl Widget for Bar {
    fn ui(self, ui: &mut Ui) -> Response {
        let (response, painter) = ui.allocate_painter(vec2(self.width, 8.0), Sense::hover());
        let groove = response.rect;
        painter.rect_filled(groove, 2.0, theme::GROOVE);
        let part = ((self.level_db - DB_MIN) / -DB_MIN).clamp(0.0, 1.0);
        let bar = Rect::from_min_max(groove.min, pos2(lerp(groove.x_range(), part), groove.max.y));
        let colour = if self.level_db >= 0.0 {
            theme::BAD
        } else if self.level_db >= DB_HOT {
            theme::WARN
        } else {
            theme::GOOD
        };
        painter.rect_filled(bar, 2.0, colour);
        response.on_hover_text(format!("{:.1} dBFS", self.level_db))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_jumps_up_and_falls_at_its_rate() {
        let mut meters = Meters::default();
        assert!((meters.level("a", 1.0, 0.1) - 0.0).abs() < 1e-3);
        assert!((meters.level("a", 0.0, 0.5) + 12.0).abs() < 1e-3);
        assert!((meters.level("b", 0.0, 0.5) - DB_MIN).abs() < 1e-3, "each bar is its own");
        assert!((meters.level("a", 0.5, 0.1) + 6.02).abs() < 0.01);
    }

    #[test]
    fn a_bar_never_leaves_its_scale() {
        let mut meters = Meters::default();
        assert!((meters.level("a", 0.0, 100.0) - DB_MIN).abs() < 1e-3);
        assert!((meters.level("a", f32::NAN, 0.1) - 0.0).abs() < 1e-3);
    }
}
