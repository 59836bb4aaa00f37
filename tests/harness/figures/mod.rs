//! Figures: what the production types reach in the simulator, beside what they should reach.

pub mod clock;
pub mod clock_output;
pub mod codec;
pub mod conceal;
pub mod drift;
pub mod engine;
pub mod impairment;
pub mod loopback;
pub mod midi;
pub mod network;
pub mod oracle;
pub mod relay;
pub mod resampler;
pub mod sync;
pub mod sync_delay;
pub mod wire;

/// How much simulated time a figure is measured over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// Minutes, for the test command.
    Quick,
    /// Half hours, for the record.
    Full,
}

/// Which side of the goal is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// The figure must not exceed the goal.
    AtMost,
    /// The figure must reach the goal.
    AtLeast,
}

/// One row of a table.
#[derive(Clone, Debug)]
pub struct Figure {
    /// What was measured, as a dotted name.
    pub name: String,
    /// The seed, or what else a reader must know.
    pub note: String,
    /// What it should be.
    pub goal: f64,
    /// What it is.
    pub measured: f64,
    /// Which side of the goal is good.
    pub holds: Holds,
    /// The unit of both.
    pub unit: &'static str,
}

impl Figure {
    /// Whether the goal is met.
    #[must_use]
    pub fn holds(&self) -> bool {
        match self.holds {
            Holds::AtMost => self.measured <= self.goal,
            Holds::AtLeast => self.measured >= self.goal,
        }
    }
}

impl core::fmt::Display for Figure {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let sign = match self.holds {
            Holds::AtMost => "<=",
            Holds::AtLeast => ">=",
        };
        let verdict = if self.holds() { "holds" } else { "falls short" };
        let Self { name, note, goal, measured, unit, .. } = self;
        write!(f, "{name:<40} {note:<24} {sign} {goal:>7} {measured:>10.3} {unit:<6} {verdict}")
    }
}
