//! The system's chapters.

use lockstep_shared::midi::message::U7;
use lockstep_shared::rtpmidi::journal::wire::{
    Direction, ExclusiveLog, ExclusiveStatus, Exclusives, Frame, Freshness, Journal, Listing, Sequencing,
    Simple, SystemJournal, TimeCode, Undefined, UndefinedRealtime,
};

use super::{Expected, known, length, octet, octets};

impl Expected {
    pub(super) fn system(&mut self, system: &SystemJournal) {
        let bytes = length(&Journal { system: Some(system.clone()), ..Journal::default() });
        self.flags(
            "sysjour_toc_",
            &[
                ("s", known(system.freshness)),
                ("d", system.simple.is_some()),
                ("v", system.active_sensing.is_some()),
                ("q", system.sequencing.is_some()),
                ("f", system.time_code.is_some()),
                ("x", system.exclusives.is_some()),
            ],
        );
        self.tell("cmd_sysjour_len", bytes);
        system.simple.iter().for_each(|simple| self.simple(simple));
        if let Some(sensing) = &system.active_sensing {
            let is_known = known(sensing.freshness);
            self.tell("sj_chapter_v", octet(is_known, sensing.count.get()));
            self.flag("sj_chapter_v_sflag", is_known);
            self.tell("sj_chapter_v_count", sensing.count.get());
        }
        system.sequencing.iter().for_each(|sequencing| self.sequencing(sequencing));
        system.time_code.iter().for_each(|time_code| self.time_code(time_code));
        system.exclusives.iter().for_each(|exclusives| self.exclusives(exclusives));
        self.pass(bytes);
    }

    fn simple(&mut self, simple: &Simple) {
        let [first_common, second_common] = &simple.common;
        let [first_realtime, second_realtime] = &simple.realtime;
        let flags = [
            ("sflag", known(simple.freshness)),
            ("bflag", simple.reset.is_some()),
            ("gflag", simple.tune.is_some()),
            ("hflag", simple.song.is_some()),
            ("jflag", first_common.is_some()),
            ("kflag", second_common.is_some()),
            ("yflag", first_realtime.is_some()),
            ("zflag", second_realtime.is_some()),
        ];
        let header = flags.iter().fold(0_u8, |header, (_, is_set)| header << 1 | u8::from(*is_set));
        self.tell("sj_chapter_d_simple_system_commands", header);
        self.flags("sj_chapter_d_", &flags);
        self.counted("reset", "reset_count", simple.reset);
        self.counted("tune", "tune_count", simple.tune);
        self.counted("song_sel", "song_sel_value", simple.song);
        simple.common.iter().flatten().for_each(|undefined| self.undefined(undefined));
        simple.realtime.iter().flatten().for_each(|undefined| self.undefined_realtime(undefined));
    }

    fn counted(&mut self, whole: &str, name: &str, field: Option<(Freshness, U7)>) {
        let Some((freshness, value)) = field else { return };
        self.tell(&format!("cj_chapter_d_{whole}"), octet(known(freshness), value.get()));
        self.flag(&format!("sj_chapter_d_{whole}_sflag"), known(freshness));
        self.tell(&format!("cj_chapter_d_{name}"), value.get());
    }

    fn undefined(&mut self, undefined: &Undefined) {
        self.flags(
            "sj_chapter_d_syscom_",
            &[
                ("sflag", known(undefined.freshness)),
                ("cflag", undefined.count.is_some()),
                ("vflag", undefined.value.is_some()),
                ("lflag", undefined.legal.is_some()),
            ],
        );
        self.tell("sj_chapter_d_syscom_dsz", undefined.size);
        let value = undefined.value.as_deref().unwrap_or_default();
        self.tell("sj_chapter_d_syscom_len", 2 + usize::from(undefined.count.is_some()) + value.len());
        undefined.count.iter().for_each(|count| self.tell("sj_chapter_d_syscom_count", count));
        if let Some((last, rest)) = value.split_last() {
            let marked: Vec<u8> = rest.iter().copied().chain([0x80 | last]).collect();
            self.tell("sj_chapter_d_syscom_value", octets(&marked));
        }
    }

    fn undefined_realtime(&mut self, undefined: &UndefinedRealtime) {
        self.flags(
            "sj_chapter_d_sysreal_",
            &[
                ("sflag", known(undefined.freshness)),
                ("cflag", undefined.count.is_some()),
                ("lflag", undefined.legal.is_some()),
            ],
        );
        self.tell("sj_chapter_d_sysreal_len", 1 + usize::from(undefined.count.is_some()));
        undefined.count.iter().for_each(|count| self.tell("sj_chapter_d_sysreal_count", count));
    }

    fn sequencing(&mut self, sequencing: &Sequencing) {
        self.flags(
            "sj_chapter_q_",
            &[
                ("sflag", known(sequencing.freshness)),
                ("nflag", sequencing.running),
                ("dflag", sequencing.played),
                ("cflag", sequencing.position != 0),
                // What it is given has one and the other alike.
                ("tflag", sequencing.time.is_some()),
            ],
        );
        if sequencing.position == 0 {
            self.tell("sj_chapter_q_top", 0);
        } else {
            self.tell("sj_chapter_q_clock", sequencing.position);
        }
        sequencing.time.iter().for_each(|time| self.tell("sj_chapter_q_timetools", time));
    }

    fn time_code(&mut self, time_code: &TimeCode) {
        let quarters = matches!(time_code.complete, Some(Frame::Quarters(_)));
        let is_reverse = time_code.direction == Direction::Reverse;
        self.flags(
            "sj_chapter_f_",
            &[
                ("sflag", known(time_code.freshness)),
                ("cflag", time_code.complete.is_some()),
                ("pflag", time_code.partial.is_some()),
                ("qflag", quarters),
                ("dflag", is_reverse),
            ],
        );
        let nothing_yet = if is_reverse { 0 } else { 7 };
        self.tell("sj_chapter_f_point", time_code.partial.map_or(nothing_yet, |partial| partial.point));
        match time_code.complete {
            None => {}
            Some(Frame::Full(full)) => {
                self.tell("sj_chapter_f_complete", u32::from_be_bytes(full));
                for (name, value) in ["hr", "mn", "sc", "fr"].iter().zip(full) {
                    self.tell(&format!("sj_chapter_f_{name}"), value);
                }
            }
            Some(Frame::Quarters(quarters)) => self.quarters("complete", quarters),
        }
        time_code.partial.iter().for_each(|partial| self.quarters("partial", partial.quarters));
    }

    fn quarters(&mut self, name: &str, quarters: [u8; 8]) {
        let whole = quarters.iter().fold(0_u32, |whole, quarter| whole << 4 | u32::from(*quarter));
        self.tell(&format!("sj_chapter_f_{name}"), whole);
        for (number, quarter) in quarters.iter().enumerate() {
            self.tell(&format!("sj_chapter_f_mt{number}"), quarter);
        }
    }

    /// The first message, and the beginning of its data.
    fn exclusives(&mut self, exclusives: &Exclusives) {
        let Some(log) = exclusives.logs.first() else { return };
        let ExclusiveLog { freshness, type_count, count, first, data, listing, status } = log;
        self.flags(
            "sj_chapter_x_",
            &[
                ("sflag", known(*freshness)),
                ("tflag", type_count.is_some()),
                ("cflag", count.is_some()),
                ("fflag", first.is_some()),
                ("dflag", data.is_some()),
                ("lflag", *listing == Listing::All),
            ],
        );
        self.tell(
            "sj_chapter_x_sta",
            match status {
                ExclusiveStatus::Unfinished => 0,
                ExclusiveStatus::Cancelled => 1,
                ExclusiveStatus::WithoutEnd => 2,
                ExclusiveStatus::Finished => 3,
            },
        );
        type_count.iter().for_each(|count| self.tell("sj_chapter_x_tcount", count));
        count.iter().for_each(|count| self.tell("sj_chapter_x_count", count));
        if first.is_some() {
            self.stop("FIRST in chapter X");
        }
        if let Some([shown @ .., _]) = data.as_deref() {
            self.tell("sj_chapter_x_data", octets(shown));
        }
    }
}
