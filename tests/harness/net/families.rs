//! The families of networks, and where each number comes from.
//!
//! | family | jitter | bursts | spikes | loss |
//! |---|---|---|---|---|
//! | wired | 0.08 ms | 5/s of 0.3 ms | 0.02/s, 2 to 6 ms | 0.02 % |
//! | cable | 0.3 ms | 15/s of 1.2 ms | 0.1/s, 5 to 25 ms | 0.22 % |
//! | wifi | 0.8 ms | 8/s of 2 ms | 0.6/s, 4 to 40 ms | 0.7 % |
//! | lte | 1.6 ms | 10/s of 2 ms | 0.1/s, 20 to 100 ms | 0.1 % |
//! | hotel | 1.5 ms | 25/s of 4 ms | 2/s, 12 to 120 ms | 2 % |
//!
//! The first three are the project's own from its beginning: its goals and its comparison with others were worked out on
//! them. The other two lean on what is published, as their functions say; what is called *assumed* has no such source.

use lockstep_shared::time::Span;

use super::{Bottleneck, Bursts, Jitter, Loss, Order, PathPlan, Spikes};

/// Bytes a second.
const MEGABIT: f64 = 125_000.0;

impl PathPlan {
    /// A constant delay and nothing else.
    #[must_use]
    pub fn clean() -> Self {
        Self {
            base: Span::from_millis(15),
            jitter: Jitter::Exponential(Span::ZERO),
            order: Order::Kept,
            bursts: Bursts { per_second: 0.0, mean: Span::ZERO },
            spikes: Spikes { per_second: 0.0, least: Span::ZERO, most: Span::ZERO },
            loss: Loss::NONE,
            duplication: 0.0,
            bottleneck: None,
            outages: Vec::new(),
            detours: Vec::new(),
        }
    }

    /// Ethernet and fibre.
    #[must_use]
    pub fn wired() -> Self {
        Self {
            jitter: Jitter::Exponential(Span::from_micros(80)),
            bursts: Bursts { per_second: 5.0, mean: Span::from_micros(300) },
            spikes: Spikes { per_second: 0.02, least: Span::from_millis(2), most: Span::from_millis(6) },
            loss: Loss { independent: 0.000_2, ..Loss::NONE },
            ..Self::clean()
        }
    }

    /// A shared cable network. A burst loses four datagrams in the mean; 0.22 % are lost in all.
    #[must_use]
    pub fn cable() -> Self {
        Self {
            jitter: Jitter::Exponential(Span::from_micros(300)),
            bursts: Bursts { per_second: 15.0, mean: Span::from_micros(1_200) },
            spikes: Spikes { per_second: 0.1, least: Span::from_millis(5), most: Span::from_millis(25) },
            loss: Loss { independent: 0.001, burst_begins: 0.000_3, burst_ends: 0.25 },
            ..Self::clean()
        }
    }

    /// A home's wireless network. A burst loses four datagrams in the mean; 0.7 % are lost in all.
    #[must_use]
    pub fn wifi() -> Self {
        Self {
            jitter: Jitter::Exponential(Span::from_micros(800)),
            bursts: Bursts { per_second: 8.0, mean: Span::from_micros(2_000) },
            spikes: Spikes { per_second: 0.6, least: Span::from_millis(4), most: Span::from_millis(40) },
            loss: Loss { independent: 0.002, burst_begins: 0.001_26, burst_ends: 0.25 },
            ..Self::clean()
        }
    }

    /// A telephone's network of the fourth generation.
    ///
    /// | number | from |
    /// |---|---|
    /// | 20 ms | the others' 15, and the 5 that the radio network may take one way (3GPP TR 25.913, 6.2.2) |
    /// | jitter | one transport block in ten fails at first and is sent again 8 ms later (3GPP TS 36.213, 7.2.3; TS 36.321, 7.7): 0.8 ms in the mean; as much again for grants, assumed |
    /// | order kept | the radio link delivers in order, so what follows a repeated block waits (3GPP TS 36.322) |
    /// | bursts | the cell's other telephones: assumed, between cable and wifi |
    /// | spikes | a handover interrupts for about 50 ms (3GPP TR 36.881); how often, and 20 to 100 ms: assumed |
    /// | loss | 0.1 %, what the class for live music and games may lose (3GPP TS 23.203, table 6.1.7); half of it in bursts of four as cable's, assumed |
    /// | 13 Mbit/s | the median down; up it is 6 (Huang et al., MobiSys 2012), which carries the one strip of a member too, and ways that are alike are what clocks can measure |
    /// | queue of 250 ms | what access networks without queue management show under load (Comcast on active queue management, 2021) |
    #[must_use]
    pub fn lte() -> Self {
        Self {
            base: Span::from_millis(20),
            jitter: Jitter::Exponential(Span::from_micros(1_600)),
            bursts: Bursts { per_second: 10.0, mean: Span::from_micros(2_000) },
            spikes: Spikes { per_second: 0.1, least: Span::from_millis(20), most: Span::from_millis(100) },
            loss: Loss { independent: 0.000_5, burst_begins: 0.000_125, burst_ends: 0.25 },
            bottleneck: Some(Bottleneck { bytes_per_second: 13.0 * MEGABIT, queue: Span::from_millis(250) }),
            ..Self::clean()
        }
    }

    /// A wireless network that too many share: a hotel's, a conference's.
    ///
    /// | number | from |
    /// |---|---|
    /// | 20 ms | the worse of the two conditions under which other programs were measured |
    /// | jitter, bursts, spikes | large networks in use delay by 3 ms in the median, 20 ms at the 90th and 250 ms at the 99th percentile, there and back (Sui et al., MobiSys 2016): here one way 1.4, 6.5 and 48 ms beyond the 20, cut at 120, for of what is worse nobody plays |
    /// | loss | 2 % in bursts of three: the same condition |
    /// | 20 Mbit/s | assumed: what carries a room of six |
    /// | queue of 250 ms | as [`Self::lte`] |
    #[must_use]
    pub fn hotel() -> Self {
        Self {
            base: Span::from_millis(20),
            jitter: Jitter::Exponential(Span::from_micros(1_500)),
            bursts: Bursts { per_second: 25.0, mean: Span::from_micros(4_000) },
            spikes: Spikes { per_second: 2.0, least: Span::from_millis(12), most: Span::from_millis(120) },
            loss: Loss::in_bursts(0.02, 3.0),
            bottleneck: Some(Bottleneck { bytes_per_second: 20.0 * MEGABIT, queue: Span::from_millis(250) }),
            ..Self::clean()
        }
    }
}
