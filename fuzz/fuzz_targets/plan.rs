//! `fuzzing::harness::plan` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzzing::harness::plan(bytes));
