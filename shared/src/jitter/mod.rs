//! What has arrived of a strip, addressed by grid index, and the one read pointer into it.
