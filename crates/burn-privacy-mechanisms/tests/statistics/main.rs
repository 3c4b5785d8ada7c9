//! Statistical tests of the noise and of the coins, with stated false-failure rates below 1e-6 a test.

mod bounds;
mod gaussian;
mod independence;
mod poisson;
