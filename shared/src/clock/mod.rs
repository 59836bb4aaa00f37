//! The maps between the three clocks, and the filters that measure them.
