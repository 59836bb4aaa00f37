//! Number conversions whose loss is intended and bounded, each said once.

/// The nearest `f64`; exact below 2^53.
#[expect(clippy::cast_precision_loss, reason = "exact below 2^53, nearest above")]
pub(crate) const fn f64_from_usize(value: usize) -> f64 {
    value as f64
}

/// The nearest `f64`; exact below 2^53.
#[expect(clippy::cast_precision_loss, reason = "exact below 2^53, nearest above")]
pub(crate) const fn f64_from_i64(value: i64) -> f64 {
    value as f64
}

/// The nearest `f32`.
#[expect(clippy::cast_possible_truncation, reason = "rounds to the nearest f32")]
pub(crate) const fn f32_from_f64(value: f64) -> f32 {
    value as f32
}

/// The nearest integer, ties away from zero; saturates, and zero for NaN.
#[expect(clippy::cast_possible_truncation, reason = "float to int casts saturate")]
pub(crate) fn i64_round(value: f64) -> i64 {
    value.round() as i64
}

/// The nearest integer, zero when negative.
pub(crate) fn usize_round(value: f64) -> usize {
    usize::try_from(i64_round(value)).unwrap_or(0)
}

/// `value` as `i64`, saturating.
pub(crate) fn i64_from_usize(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
