//! `fuzzing::harness::event` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzzing::harness::event(bytes));
