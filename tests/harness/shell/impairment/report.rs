//! What a proxy did, and how exactly.

use core::fmt;

use lockstep_shared::time::Span;
use lockstep_shared::time::convert::{f64_from_i64, f64_from_u64, i64_from_usize, usize_from_i64};
use serde_json::{Value, json};

use crate::net::Counts;

/// What a proxy did.
#[derive(Clone, Debug)]
pub struct Report {
    /// For how long.
    pub seconds: f64,
    /// How many addresses sent.
    pub clients: usize,
    /// Datagrams of addresses beyond the most.
    pub turned_away: u64,
    /// Datagrams that were not due at the end.
    pub underway: usize,
    /// Towards the server.
    pub up: Direction,
    /// Towards the clients.
    pub down: Direction,
    /// How much later than due datagrams left.
    pub late: Lateness,
    /// How the system schedules the proxy.
    pub priority: String,
}

/// What one direction did to all clients' datagrams.
#[derive(Clone, Copy, Debug)]
pub struct Direction {
    /// What the paths did.
    pub counts: Counts,
    /// Datagrams that left.
    pub delivered: u64,
    /// Datagrams that the system would not send.
    pub unsent: u64,
    /// The delays that the paths gave, in milliseconds.
    pub delay_ms: Spread,
}

/// The middle and the end of a distribution.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    /// The mean.
    pub mean: f64,
    /// Half lie below.
    pub p50: f64,
    /// 99 of 100 lie below.
    pub p99: f64,
}

/// How much later than due datagrams left, in microseconds: the proxy's own error.
#[derive(Clone, Copy, Debug)]
pub struct Lateness {
    /// Half lie below.
    pub p50_us: f64,
    /// 99 of 100 lie below.
    pub p99_us: f64,
    /// The worst.
    pub most_us: f64,
}

/// Spans by number.
#[derive(Clone, Debug)]
pub(super) struct Histogram {
    bin: Span,
    bins: Vec<u64>,
    count: u64,
    sum: Span,
    most: Span,
}

/// What is noted of one direction while it runs.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    delivered: u64,
    unsent: u64,
    delays: Histogram,
}

impl Histogram {
    fn new(bin: Span, bins: usize) -> Self {
        Self { bin, bins: vec![0; bins], count: 0, sum: Span::ZERO, most: Span::ZERO }
    }

    pub(super) fn observe(&mut self, span: Span) {
        let place = usize_from_i64((span.nanos() / self.bin.nanos()).max(0)).min(self.bins.len() - 1);
        self.bins[place] += 1;
        self.count += 1;
        self.sum = self.sum + span;
        self.most = self.most.max(span);
    }

    /// The span below which this share of all lies, to a bin. Zero of none.
    fn quantile(&self, share: f64) -> Span {
        let wanted = share * f64_from_u64(self.count);
        let mut below = 0;
        for (place, count) in self.bins.iter().enumerate() {
            below += count;
            if below > 0 && f64_from_u64(below) >= wanted {
                return Span::from_nanos(i64_from_usize(place + 1) * self.bin.nanos()).min(self.most);
            }
        }
        self.most
    }

    fn mean_ms(&self) -> f64 {
        f64_from_i64(self.sum.nanos()) * 1e-6 / f64_from_u64(self.count.max(1))
    }
}

impl Default for Tally {
    fn default() -> Self {
        // Up to two seconds.
        Self { delivered: 0, unsent: 0, delays: Histogram::new(Span::from_micros(50), 40_000) }
    }
}

impl Tally {
    pub(super) fn planned(&mut self, delay: Span) {
        self.delays.observe(delay);
    }

    pub(super) const fn delivered(&mut self, is_sent: bool) {
        if is_sent {
            self.delivered += 1;
        } else {
            self.unsent += 1;
        }
    }

    pub(super) fn direction(&self, counts: Counts) -> Direction {
        let Self { delivered, unsent, ref delays } = *self;
        let quantile = |share| delays.quantile(share).millis_f64();
        let delay_ms = Spread { mean: delays.mean_ms(), p50: quantile(0.5), p99: quantile(0.99) };
        Direction { counts, delivered, unsent, delay_ms }
    }
}

impl Lateness {
    pub(super) fn of(histogram: &Histogram) -> Self {
        let micros = |span: Span| f64_from_i64(span.nanos()) * 1e-3;
        Self {
            p50_us: micros(histogram.quantile(0.5)),
            p99_us: micros(histogram.quantile(0.99)),
            most_us: micros(histogram.most),
        }
    }
}

impl Report {
    /// Up to ten milliseconds, by the microsecond.
    pub(super) fn lateness_histogram() -> Histogram {
        Histogram::new(Span::from_micros(1), 10_000)
    }

    /// The report as a JSON object.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "seconds": self.seconds,
            "clients": self.clients,
            "turned_away": self.turned_away,
            "underway": self.underway,
            "up": self.up.json(),
            "down": self.down.json(),
            "late_us_p50": self.late.p50_us,
            "late_us_p99": self.late.p99_us,
            "late_us_max": self.late.most_us,
            "priority": self.priority,
        })
    }
}

impl Direction {
    fn json(&self) -> Value {
        let Counts { received, lost, queue_dropped, duplicated, overtook } = self.counts;
        json!({
            "received": received,
            "lost": lost,
            "queue_dropped": queue_dropped,
            "duplicated": duplicated,
            "overtook": overtook,
            "delivered": self.delivered,
            "unsent": self.unsent,
            "delay_ms_mean": self.delay_ms.mean,
            "delay_ms_p50": self.delay_ms.p50,
            "delay_ms_p99": self.delay_ms.p99,
        })
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { received, lost, queue_dropped, duplicated, overtook } = self.counts;
        let percent = |count: u64| 100.0 * f64_from_u64(count) / f64_from_u64(received.max(1));
        let Spread { mean, p50, p99 } = self.delay_ms;
        write!(
            f,
            "received {received}, lost {lost} ({:.2} %), dropped by the queue {queue_dropped} ({:.2} %), duplicated \
             {duplicated}, overtook {overtook} ({:.2} %), delay {mean:.2} ms in the mean, {p50:.2} p50, {p99:.2} p99",
            percent(lost),
            percent(queue_dropped),
            percent(overtook),
        )?;
        if self.unsent > 0 {
            write!(f, ", {} that the system would not send", self.unsent)?;
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Lateness { p50_us, p99_us, most_us } = self.late;
        writeln!(
            f,
            "{:.1} s, {} clients, {} datagrams still underway",
            self.seconds, self.clients, self.underway
        )?;
        if self.turned_away > 0 {
            writeln!(f, "turned away {} datagrams: too many clients", self.turned_away)?;
        }
        writeln!(f, "to the server:  {}", self.up)?;
        writeln!(f, "to the clients: {}", self.down)?;
        write!(
            f,
            "own error: left {p50_us:.0} us late (p50), {p99_us:.0} us (p99), {most_us:.0} us at most; scheduled as {}",
            self.priority
        )
    }
}
