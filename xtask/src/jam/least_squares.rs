//! Least squares with three unknowns.

/// Sums over all observations: what the unknowns are multiplied with, with itself and with what was observed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ThreeUnknowns {
    together: [[f64; 3]; 3],
    observed: [f64; 3],
}

impl ThreeUnknowns {
    /// Takes in one observation: `value` is about the sum of the unknowns times `factors`.
    pub(crate) fn observe(&mut self, factors: [f64; 3], value: f64) {
        for (row, factor) in factors.iter().enumerate() {
            for (column, other) in factors.iter().enumerate() {
                self.together[row][column] += factor * other;
            }
            self.observed[row] += factor * value;
        }
    }

    /// The unknowns, unless the observations leave them open.
    pub(crate) fn solve(&self) -> Option<[f64; 3]> {
        let whole = determinant(&self.together);
        let unknown = |column: usize| {
            let mut replaced = self.together;
            for (row, observed) in replaced.iter_mut().zip(self.observed) {
                row[column] = observed;
            }
            determinant(&replaced) / whole
        };
        let unknowns = [unknown(0), unknown(1), unknown(2)];
        unknowns.iter().all(|unknown| unknown.is_finite()).then_some(unknowns)
    }
}

fn determinant(m: &[[f64; 3]; 3]) -> f64 {
    m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0])
        + m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknowns_are_found_from_what_they_make() {
        let mut fit = ThreeUnknowns::default();
        assert_eq!(fit.solve(), None);
        for n in 0..20_i32 {
            let n = f64::from(n);
            let factors = [1.0, n, (n * 0.7).sin()];
            fit.observe(factors, 2.0 * factors[0] - 0.5 * factors[1] + 3.0 * factors[2]);
        }
        let found = fit.solve().unwrap();
        for (found, expected) in found.iter().zip([2.0, -0.5, 3.0]) {
            assert!((found - expected).abs() < 1e-9, "{found}");
        }
    }
}
