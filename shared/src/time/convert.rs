//! Number conversions whose loss is intended and bounded, each said once. Outside this file and `wire/pcm.rs`
//! the lints reject `as`.

/// The nearest `f64`; exact below 2^53.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "exact below 2^53, nearest above")]
pub const fn f64_from_i64(value: i64) -> f64 {
    value as f64
}

/// The nearest `f64`; exact below 2^53.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "exact below 2^53, nearest above")]
pub const fn f64_from_u64(value: u64) -> f64 {
    value as f64
}

/// The nearest `f64`; exact below 2^53.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "exact below 2^53, nearest above")]
pub const fn f64_from_usize(value: usize) -> f64 {
    value as f64
}

/// The nearest `f32`.
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "rounds to the nearest f32")]
pub const fn f32_from_f64(value: f64) -> f32 {
    value as f32
}

/// The nearest integer, ties away from zero; saturates, and zero for NaN.
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "float to int casts saturate")]
pub fn i64_round(value: f64) -> i64 {
    value.round() as i64
}

/// The largest integer not above `value`; saturates, and zero for NaN.
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "float to int casts saturate")]
pub fn i64_floor(value: f64) -> i64 {
    value.floor() as i64
}

/// The integer part of a value that is not negative; saturates, and zero for NaN or below.
#[must_use]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "float to int casts saturate")]
pub const fn usize_trunc(value: f64) -> usize {
    value as usize
}

/// `value` as `i64`, saturating.
#[must_use]
pub fn i64_from_usize(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// `value` as `usize`; no target here has fewer than 32 bits.
#[must_use]
pub const fn usize_from_u32(value: u32) -> usize {
    value as usize
}

/// `value`, or the nearer of `lowest` and `highest` beyond them.
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "the bounds are of the narrower type")]
pub fn i32_clamped(value: i64, lowest: i32, highest: i32) -> i32 {
    value.clamp(lowest.into(), highest.into()) as i32
}

/// `value` as `usize`, zero when negative.
#[must_use]
pub fn usize_from_i64(value: i64) -> usize {
    usize::try_from(value).unwrap_or(0)
}
