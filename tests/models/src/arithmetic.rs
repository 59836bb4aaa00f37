//! Logarithm, exponential and sine from additions and multiplications alone, so that a seed gives the same run on every
//! platform, whatever its mathematical library rounds.

use core::f64::consts::{LN_2, TAU};

use lockstep_shared::time::convert::i64_round;

/// The natural logarithm of a normal positive number, to about 15 digits.
#[must_use]
pub fn ln(value: f64) -> f64 {
    const MANTISSA_BITS: u32 = 52;
    const BIAS: i32 = 1_023;
    assert!(value.is_normal() && value > 0.0, "ln of {value}");
    let bits = value.to_bits();
    let exponent = i32::try_from(bits >> MANTISSA_BITS).unwrap_or(BIAS) - BIAS;
    let mantissa = f64::from_bits(bits & ((1 << MANTISSA_BITS) - 1) | 1.0_f64.to_bits());
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let square = s * s;
    let series = (0..18_u32).rev().fold(0.0, |sum, term| sum * square + 1.0 / f64::from(2 * term + 1));
    2.0 * s * series + f64::from(exponent) * LN_2
}

/// e to the power of `value`, to about 15 digits.
#[must_use]
pub fn exp(value: f64) -> f64 {
    let halvings = i64_round(value / LN_2);
    let twos = f64::from(i32::try_from(halvings).unwrap_or(i32::MAX));
    let rest = value - twos * LN_2;
    let series = (1..18_u32).rev().fold(1.0, |sum, term| sum * rest / f64::from(term) + 1.0);
    series * 2.0_f64.powi(i32::try_from(halvings).unwrap_or(i32::MAX))
}

/// The sine of `value`, to about 12 digits.
#[must_use]
pub fn sin(value: f64) -> f64 {
    let turned = value - (value / TAU).round() * TAU;
    let square = turned * turned;
    let series =
        (1..14_u32).rev().fold(1.0, |sum, term| 1.0 - sum * square / f64::from(2 * term * (2 * term + 1)));
    turned * series
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_agree_with_the_platform() {
        for step in 1..2_000_u32 {
            let value = f64::from(step) * 0.017;
            assert!((ln(value) - value.ln()).abs() < 1e-13, "ln {value}");
            assert!((exp(-value) / (-value).exp() - 1.0).abs() < 1e-12, "exp {value}");
            assert!((sin(value) - value.sin()).abs() < 1e-9, "sin {value}");
        }
    }
}
