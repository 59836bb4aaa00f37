//! The room's musical time in one line: who leads, where the song is, and whether this DAW is there too.

use std::sync::Mutex;

use egui::{RichText, Ui};

use super::theme;
use crate::instance::Instance;
use crate::link::Cue;
use crate::params::lock;
use crate::status::{Following, Leader, LinkState, Moved, MusicalStatus, Part, SongPlace, Status};

/// Errors from which the figure turns to a warning: what a trained ear hears.
const ERROR_MS_WARN: f64 = 1.0;

/// Shows the line while there is a room, and hands the lead over when it is asked for.
pub(super) fn show(ui: &mut Ui, status: &Status, instance: &Mutex<Instance>) {
    if status.link != LinkState::Joined {
        return;
    }
    let musical = &status.musical;
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new(part(musical.part)).color(theme::FAINT))
            .on_hover_text("What this DAW's transport is to the room: the parameter Transport Role.");
        let colour = if musical.part == Part::Refused { theme::WARN } else { theme::TEXT };
        ui.label(RichText::new(who(musical)).color(colour));
        if musical.part == Part::Refused && ui.button("Take the lead").clicked() {
            lock(instance).take_lead();
        }
        if let Some(place) = musical.place {
            ui.label(RichText::new(song(place)).monospace());
        }
        if may_cue(musical) {
            cues(ui, musical.place, instance);
        }
        if let Some((sentence, is_well)) = following(musical.following) {
            let colour = if is_well { theme::GOOD } else { theme::WARN };
            ui.label(RichText::new(sentence).color(colour)).on_hover_text(match musical.following {
                Following::Moved(_) => {
                    "This DAW lets Lockstep work its transport, so there is nothing to set: it starts, stops and \
                     changes its tempo with the room. Leave its own external sync off."
                }
                Following::Idle | Following::Unseen | Following::AheadMs(_) => {
                    "How far this DAW's own transport is from the room's song. It is corrected all the time, once the \
                     DAW's sync source is the MIDI input \"Lockstep Clock\"."
                }
            });
        }
    });
}

/// Whether everybody's DAW waits for a hand: this one follows, and no other member leads.
const fn may_cue(musical: &MusicalStatus) -> bool {
    matches!(musical.part, Part::Follows) && matches!(musical.leader, Leader::Nobody | Leader::You)
}

fn cues(ui: &mut Ui, place: Option<SongPlace>, instance: &Mutex<Instance>) {
    let plays = place.is_some_and(|place| place.playing);
    let all = [
        (Cue::Slower, "-", "Everybody 1 BPM slower, from the next bar on."),
        (Cue::Faster, "+", "Everybody 1 BPM faster, from the next bar on."),
        if plays {
            (Cue::Stop, "Stop together", "Stops every DAW that follows, at the next bar.")
        } else {
            (
                Cue::Start,
                "Start together",
                "Starts every DAW that follows, this one among them, at one moment.",
            )
        },
    ];
    for (cue, name, explanation) in all {
        if ui.small_button(name).on_hover_text(explanation).clicked() {
            lock(instance).cue(cue);
        }
    }
}

const fn part(part: Part) -> &'static str {
    match part {
        Part::Off => "Off",
        Part::Follows => "Follow",
        Part::Asks | Part::Leads | Part::Refused => "Lead",
    }
}

/// Who leads, and what there is to do about it.
fn who(musical: &MusicalStatus) -> String {
    let named = |name: &String| if name.is_empty() { "somebody".to_owned() } else { name.clone() };
    match (&musical.leader, musical.part) {
        (Leader::Member(name), Part::Refused) => {
            format!("{} leads: press Take the lead to take over", named(name))
        }
        (Leader::Member(name), Part::Asks) => format!("taking the lead from {}", named(name)),
        (Leader::Nobody, Part::Asks) => "asking to lead".to_owned(),
        (Leader::Member(name), Part::Off | Part::Follows | Part::Leads) => format!("{} leads", named(name)),
        (Leader::You, _) => "you lead".to_owned(),
        (Leader::Nobody, Part::Off | Part::Follows | Part::Leads | Part::Refused) => {
            "nobody leads".to_owned()
        }
    }
}

fn song(place: SongPlace) -> String {
    let SongPlace { tempo_bpm, bar, beat, playing } = place;
    let motion = if playing { "playing" } else { "stopped" };
    format!("{tempo_bpm:.2} BPM  {bar}.{beat}  {motion}")
}

/// What is known of the DAW that follows, and whether it is well.
fn following(following: Following) -> Option<(String, bool)> {
    match following {
        Following::Idle => None,
        Following::Unseen => Some(("this DAW does not follow yet".to_owned(), false)),
        Following::AheadMs(ms) => {
            let side = if ms < 0.0 { "late" } else { "early" };
            Some((format!("{:.2} ms {side}", ms.abs()), ms.abs() < ERROR_MS_WARN))
        }
        Following::Moved(moved) => Some(match moved {
            Moved::OnItsWay => ("your DAW is moved by Lockstep: on its way".to_owned(), true),
            Moved::AheadMs(ms) => {
                (format!("your DAW is moved by Lockstep: off by {:.2} ms", ms.abs()), ms.abs() < ERROR_MS_WARN)
            }
            Moved::StoppedByHand => ("you stopped your DAW: press play to join in again".to_owned(), false),
            Moved::WantsTempo(bpm) => {
                (format!("set your DAW's tempo to {bpm:.2} BPM: Lockstep cannot set it here"), false)
            }
            Moved::Refused => (
                "your DAW does not do what Lockstep asks, and is left alone: use the MIDI clock, or set the role to \
                 Follow again"
                    .to_owned(),
                false,
            ),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(part: Part, leader: Leader) -> String {
        who(&MusicalStatus { part, leader, ..MusicalStatus::default() })
    }

    #[test]
    fn who_leads_is_a_plain_sentence() {
        let ada = || Leader::Member("Ada".to_owned());
        assert_eq!(of(Part::Off, Leader::Nobody), "nobody leads");
        assert_eq!(of(Part::Follows, ada()), "Ada leads");
        assert_eq!(of(Part::Leads, Leader::You), "you lead");
        assert_eq!(of(Part::Refused, ada()), "Ada leads: press Take the lead to take over");
        assert_eq!(of(Part::Asks, ada()), "taking the lead from Ada");
        assert_eq!(of(Part::Asks, Leader::Nobody), "asking to lead");
        assert_eq!(of(Part::Follows, Leader::Member(String::new())), "somebody leads");
    }

    #[test]
    fn cues_are_for_rooms_in_which_every_daw_follows() {
        let may = |part, leader| may_cue(&MusicalStatus { part, leader, ..MusicalStatus::default() });
        assert!(may(Part::Follows, Leader::Nobody) && may(Part::Follows, Leader::You));
        assert!(!may(Part::Follows, Leader::Member("Ada".to_owned())));
        assert!(!may(Part::Leads, Leader::You) && !may(Part::Off, Leader::Nobody));
    }

    #[test]
    fn the_song_and_the_daw_are_figures_with_words() {
        let place = SongPlace { tempo_bpm: 97.3, bar: 5, beat: 3, playing: true };
        assert_eq!(song(place), "97.30 BPM  5.3  playing");
        assert_eq!(following(Following::Idle), None);
        assert_eq!(following(Following::AheadMs(-0.124)), Some(("0.12 ms late".to_owned(), true)));
        assert_eq!(following(Following::AheadMs(30.0)), Some(("30.00 ms early".to_owned(), false)));
        assert!(following(Following::Unseen).is_some_and(|(_, is_well)| !is_well));
        let moved = |moved| following(Following::Moved(moved)).unwrap();
        assert_eq!(
            moved(Moved::AheadMs(-0.3)),
            ("your DAW is moved by Lockstep: off by 0.30 ms".to_owned(), true)
        );
        assert!(!moved(Moved::AheadMs(7.0)).1 && !moved(Moved::Refused).1);
        assert!(moved(Moved::WantsTempo(97.3)).0.contains("97.30 BPM"));
    }
}
