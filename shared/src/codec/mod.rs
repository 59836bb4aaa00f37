//! Codecs: how a chunk of samples becomes fewer bytes, and what comes back.
//!
//! A codec here is a pair of pure functions over one chunk ([`CHUNK_FRAMES`](crate::time::CHUNK_FRAMES) frames of one or
//! two channels). It knows no datagram, no neighbour of its chunk and no memory of earlier ones: what is lost on the way
//! costs the chunk that was lost and nothing else, a chunk can be decoded in any order and any number of times, and no
//! frame waits for a later one. Plain samples need no codec: they are [`wire::pcm`](crate::wire::pcm).
//!
//! [`lossless`] is integer samples, bit for bit, in about half their bytes.

pub mod lossless;
