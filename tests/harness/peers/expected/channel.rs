//! A channel's chapters.

use lockstep_shared::midi::message::U7;
use lockstep_shared::rtpmidi::journal::wire::{
    Button, ChannelJournal, Controllers, Encoding, Entry, Extra, Family, Journal, NoteExtras, Notes,
    ParameterLog, ParameterLogs, PolyPressures, Program, Rendering, Tool, Transaction,
};

use super::{Expected, before, known, length, octet};

impl Expected {
    pub(super) fn channel(&mut self, channel: &ChannelJournal) {
        self.flag("chanjour_s", known(channel.freshness));
        self.tell("chanjour_channel", channel.channel.index());
        self.flag("chanjour_h", channel.encoding == Encoding::Enhanced);
        self.tell("cmd_chanjour_len", of(channel.clone()));
        self.flags(
            "chanjour_toc_",
            &[
                ("p", channel.program.is_some()),
                ("c", channel.controllers.is_some()),
                ("m", channel.parameters.is_some()),
                ("w", channel.wheel.is_some()),
                ("n", channel.notes.is_some()),
                ("e", channel.extras.is_some()),
                ("t", channel.pressing.is_some()),
                ("a", channel.poly_pressures.is_some()),
            ],
        );
        self.pass(3);
        channel.program.iter().for_each(|program| self.program(program));
        channel.controllers.iter().for_each(|controllers| self.controllers(controllers));
        channel.parameters.iter().for_each(|parameters| self.parameters(parameters));
        if let Some(wheel) = &channel.wheel {
            let (first, second) = wheel.bend.halves();
            self.flag("cj_chapter_w_sflag", known(wheel.freshness));
            self.tell("cj_chapter_w_first", first.get());
            self.flag("cj_chapter_w_rflag", false);
            self.tell("cj_chapter_w_second", second.get());
            self.pass(2);
        }
        channel.notes.iter().for_each(|notes| self.notes(notes));
        channel.extras.iter().for_each(|extras| self.extras(extras));
        if let Some(pressing) = &channel.pressing {
            let is_known = known(pressing.freshness);
            self.tell("cj_chapter_t_channel_aftertouch", octet(is_known, pressing.pressure.get()));
            self.flag("cj_chapter_t_sflag", is_known);
            self.tell("cj_chapter_t_pressure", pressing.pressure.get());
            self.pass(1);
        }
        channel.poly_pressures.iter().for_each(|pressures| self.poly_pressures(pressures));
    }

    fn program(&mut self, program: &Program) {
        let bank = program.bank;
        self.flag("cj_chapter_p_sflag", known(program.freshness));
        self.tell("cj_chapter_p_program", program.program.get());
        self.flag("cj_chapter_p_bflag", bank.is_some());
        self.tell("cj_chapter_p_bank_msb", bank.map_or(0, |bank| bank.msb.get()));
        self.flag("cj_chapter_p_xflag", bank.is_some_and(|bank| before(bank.side)));
        self.tell("cj_chapter_p_bank_lsb", bank.map_or(0, |bank| bank.lsb.get()));
        self.pass(3);
    }

    fn controllers(&mut self, controllers: &Controllers) {
        self.flag("cj_chapter_c_sflag", known(controllers.freshness));
        self.tell("cj_chapter_c_length", controllers.logs.len() - 1);
        for log in &controllers.logs {
            self.flag("cj_chapter_c_sflag", known(log.freshness));
            self.tell("cj_chapter_c_number", log.number.get());
            let (is_count, times) = match log.tool {
                Tool::Value(value) => {
                    self.flag("cj_chapter_c_aflag", false);
                    self.tell("cj_chapter_c_value", value.get());
                    continue;
                }
                Tool::Toggle(times) => (false, times),
                Tool::Count(times) => (true, times),
            };
            self.flag("cj_chapter_c_aflag", true);
            self.flag("cj_chapter_c_tflag", is_count);
            self.tell("cj_chapter_c_alt", times);
        }
        self.pass(1 + 2 * controllers.logs.len());
    }

    fn parameters(&mut self, parameters: &ParameterLogs) {
        let logs = &parameters.logs;
        let all = |family| !logs.is_empty() && logs.iter().all(|log| log.family == family);
        let is_zero = !logs.is_empty() && logs.iter().all(|log| log.msb == U7::ZERO);
        let (registered, others) = (all(Family::Registered), all(Family::NonRegistered));
        let pending = match parameters.transaction {
            Transaction::Pending(family, msb) => Some((family, msb)),
            Transaction::Closed | Transaction::Open => None,
        };
        let bytes =
            of(ChannelJournal { parameters: Some(parameters.clone()), ..ChannelJournal::default() }) - 3;
        self.flags(
            "cj_chapter_m_",
            &[
                ("sflag", known(parameters.freshness)),
                ("pflag", pending.is_some()),
                ("eflag", parameters.transaction == Transaction::Open),
                ("uflag", registered),
                ("wflag", others),
                ("zflag", is_zero),
            ],
        );
        self.tell("cj_chapter_m_length", bytes);
        if let Some((family, msb)) = pending {
            self.flag("cj_chapter_m_qflag", family == Family::NonRegistered);
            self.tell("cj_chapter_m_pending", msb.get());
            self.stop("what follows a pending parameter");
        }
        for log in logs {
            self.flag("cj_chapter_m_log_sflag", known(log.freshness));
            self.tell("cj_chapter_m_log_pnum_lsb", log.lsb.get());
            if !(is_zero && (registered || others)) {
                self.flag("cj_chapter_m_log_qflag", log.family == Family::NonRegistered);
                self.tell("cj_chapter_m_log_pnum_msb", log.msb.get());
            }
            self.parameter(log);
        }
        self.pass(bytes);
    }

    fn parameter(&mut self, log: &ParameterLog) {
        self.flags(
            "cj_chapter_m_log_",
            &[
                ("jflag", log.entry_msb.is_some()),
                ("kflag", log.entry_lsb.is_some()),
                ("lflag", log.all_steps.is_some()),
                ("mflag", log.steps_since_reset.is_some()),
                ("nflag", log.count.is_some()),
                ("tflag", log.counts),
                ("vflag", log.values),
                ("rflag", false),
            ],
        );
        self.entry("msb_entry", "msb", log.entry_msb);
        self.entry("lsb_entry", "lsb", log.entry_lsb);
        if let Some((side, button)) = log.all_steps {
            self.button("a_button", ("xflag", before(side)), button);
        }
        if let Some(button) = log.steps_since_reset {
            self.button("c_button", ("rflag", false), button);
        }
        self.entry("count_full", "count", log.count);
    }

    fn entry(&mut self, whole: &str, name: &str, entry: Option<Entry>) {
        let Some(Entry { side, value }) = entry else { return };
        self.tell(&format!("cj_chapter_m_log_{whole}"), octet(before(side), value.get()));
        self.flag(&format!("cj_chapter_m_log_{name}_xflag"), before(side));
        self.tell(&format!("cj_chapter_m_log_{name}"), value.get());
    }

    fn button(&mut self, name: &str, (second, is_second): (&str, bool), button: Button) {
        let (is_less, steps) = (button.steps() < 0, button.steps().unsigned_abs());
        let whole = u16::from(is_less) << 15 | u16::from(is_second) << 14 | steps;
        self.tell(&format!("cj_chapter_m_log_{name}_full"), whole);
        self.flag(&format!("cj_chapter_m_log_{name}_gflag"), is_less);
        self.flag(&format!("cj_chapter_m_log_{name}_{second}"), is_second);
        self.tell(&format!("cj_chapter_m_log_{name}"), steps);
    }

    fn notes(&mut self, notes: &Notes) {
        // The lowest key is the highest bit of the first octet.
        let released = notes.released.reverse_bits().to_be_bytes();
        let first = released.iter().position(|octet| *octet != 0);
        let last = released.iter().rposition(|octet| *octet != 0);
        let (low, high) = first.zip(last).unwrap_or_else(|| (15, usize::from(notes.logs.len() < 128)));
        self.flag("cj_chapter_n_bflag", known(notes.freshness));
        self.tell("cj_chapter_n_length", notes.logs.len().min(127));
        self.tell("cj_chapter_n_low", low);
        self.tell("cj_chapter_n_high", high);
        for log in &notes.logs {
            self.flag("cj_chapter_n_log_sflag", known(log.freshness));
            self.tell("cj_chapter_n_log_note", log.note.get());
            self.flag("cj_chapter_n_log_yflag", log.rendering == Rendering::Play);
            self.tell("cj_chapter_n_log_velocity", log.velocity.get());
        }
        self.pass(2 + 2 * notes.logs.len());
        if let Some(octets) = released.get(low..=high).filter(|_| notes.released != 0) {
            if notes.logs.len() > self.left {
                self.stop("releases behind many strikes");
            }
            octets.iter().for_each(|octet| self.tell("cj_chapter_n_log_octet", octet));
            self.pass(octets.len());
        }
    }

    fn extras(&mut self, extras: &NoteExtras) {
        self.flag("cj_chapter_e_sflag", known(extras.freshness));
        self.tell("cj_chapter_e_length", extras.logs.first().map_or(0, |log| log.note.get()));
        for log in &extras.logs {
            self.flag("cj_chapter_e_log_sflag", known(log.freshness));
            self.tell("cj_chapter_e_log_note", log.note.get());
            match log.extra {
                Extra::Count(count) => {
                    self.flag("cj_chapter_n_log_vflag", false);
                    self.tell("cj_chapter_e_log_count", count.get());
                }
                Extra::Release(velocity) => {
                    self.flag("cj_chapter_n_log_vflag", true);
                    self.tell("cj_chapter_e_log_velocity", velocity.get());
                }
            }
        }
        self.pass(1 + 2 * extras.logs.len());
    }

    fn poly_pressures(&mut self, pressures: &PolyPressures) {
        self.flag("cj_chapter_a_sflag", known(pressures.freshness));
        self.tell("cj_chapter_a_length", pressures.logs.first().map_or(0, |log| log.note.get()));
        for log in &pressures.logs {
            self.flag("cj_chapter_a_log_sflag", known(log.freshness));
            self.tell("cj_chapter_a_log_note", log.note.get());
            self.flag("cj_chapter_a_log_xflag", before(log.side));
            self.tell("cj_chapter_a_log_pressure", log.pressure.get());
        }
        self.pass(1 + 2 * pressures.logs.len());
    }
}

/// How long a channel's journal is.
fn of(channel: ChannelJournal) -> usize {
    length(&Journal { channels: vec![channel], ..Journal::default() })
}
