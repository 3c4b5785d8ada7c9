//! Harnesses of the parsers that read what others wrote, and a driver that changes inputs.
//!
//! A [harness](HARNESSES) takes any bytes. It must not panic, hang, or take memory beyond its input, and what it accepts must hold:
//! what is written and read again is the same, and no ledger says more than was planned.
//!
//! As an ordinary test each runs for some seconds (`cargo test --release -p fuzzing`; `FUZZ_SECONDS=600` for longer). Under
//! libFuzzer, which sees what code an input reaches, see the `fuzz` folder.

pub mod harness;
pub mod mutation;

pub use harness::HARNESSES;
