//! The few operations on vectors and symmetric matrices that are needed.

/// Sum of products.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    // Four sums side by side, so that the compiler may use vector instructions.
    let mut sums = [0.0; 4];
    let (a4, a_rest) = a.as_chunks::<4>();
    let (b4, b_rest) = b.as_chunks::<4>();
    for (x, y) in a4.iter().zip(b4) {
        for i in 0..4 {
            sums[i] += x[i] * y[i];
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(x, y)| x * y).sum();
    (sums[0] + sums[1]) + (sums[2] + sums[3]) + rest
}

/// `y += a x`.
pub(crate) fn add_scaled(y: &mut [f64], a: f64, x: &[f64]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += a * x;
    }
}

/// The Euclidean norm.
pub(crate) fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}

/// Shortens `w` to `radius` if it is longer.
pub(crate) fn project(w: &mut [f64], radius: Option<f64>) {
    if let Some(radius) = radius {
        let length = norm(w);
        if length > radius {
            for x in w {
                *x *= radius / length;
            }
        }
    }
}

/// A symmetric matrix, of which the upper triangle is kept, row after row in a full square.
#[derive(Clone, Debug)]
pub(crate) struct Symmetric {
    pub(crate) dimension: usize,
    pub(crate) values: Vec<f64>,
}

impl Symmetric {
    pub(crate) fn zeros(dimension: usize) -> Self {
        Self { dimension, values: vec![0.0; dimension * dimension] }
    }

    /// Adds `a x x^T`. Zeros in `x` cost nothing, which is what one-hot columns mostly are.
    pub(crate) fn add_outer(&mut self, a: f64, x: &[f64]) {
        let d = self.dimension;
        for (i, &entry) in x.iter().enumerate() {
            let factor = a * entry;
            if factor != 0.0 {
                add_scaled(&mut self.values[i * d + i..(i + 1) * d], factor, &x[i..]);
            }
        }
    }

    /// Solves `(self + shift I) z = right` by Cholesky's factorization; nothing if it is not positive definite.
    pub(crate) fn solve(&self, shift: f64, right: &[f64]) -> Option<Vec<f64>> {
        let d = self.dimension;
        // U^T U with U upper triangular; row i of U is at i d + i and following.
        let mut u = self.values.clone();
        for i in 0..d {
            let (done, rest) = u.split_at_mut((i + 1) * d);
            let row = &mut done[i * d..];
            let pivot = (row[i] + shift).sqrt();
            if !(pivot > 0.0 && pivot.is_finite()) {
                return None;
            }
            row[i] = pivot;
            for x in &mut row[i + 1..] {
                *x /= pivot;
            }
            for j in i + 1..d {
                let start = (j - i - 1) * d;
                add_scaled(&mut rest[start + j..start + d], -row[j], &row[j..]);
            }
        }
        let mut z = right.to_vec();
        for i in 0..d {
            z[i] /= u[i * d + i];
            let (head, tail) = z.split_at_mut(i + 1);
            add_scaled(tail, -head[i], &u[i * d + i + 1..(i + 1) * d]);
        }
        for i in (0..d).rev() {
            let sum = dot(&u[i * d + i + 1..(i + 1) * d], &z[i + 1..]);
            z[i] = (z[i] - sum) / u[i * d + i];
        }
        Some(z)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn solutions_solve() {
        let d = 7;
        let mut matrix = Symmetric::zeros(d);
        let vector = |k: usize| -> Vec<f64> { (0..d).map(|i| ((i * 7 + k * 13) as f64).sin()).collect() };
        for k in 0..20 {
            matrix.add_outer(0.3 + k as f64, &vector(k));
        }
        let right = vector(77);
        let z = matrix.solve(0.5, &right).unwrap();
        for i in 0..d {
            let row: Vec<f64> = (0..d).map(|j| matrix.values[i.min(j) * d + i.max(j)]).collect();
            assert!((dot(&row, &z) + 0.5 * z[i] - right[i]).abs() < 1e-10);
        }
        assert!(Symmetric::zeros(2).solve(0.0, &[1.0, 1.0]).is_none());
    }
}
