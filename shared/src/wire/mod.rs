//! The bytes that cross the network.
