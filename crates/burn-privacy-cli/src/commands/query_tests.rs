//! Questions that are nearly right: an answer that is a number, or a sentence.
#![allow(dead_code)]

use super::answer;

#[path = "../../../../.ci/fuzzing/src/mutation.rs"]
mod mutation;

#[test]
fn no_question_breaks_it() {
    let seeds = [
        r#"{"query":"epsilon","sampling_rate":0.005,"noise_multiplier":1.1,"steps":20,"delta":1e-5}"#,
        r#"{"query":"epsilon","accountant":"rdp","dataset_size":1000,"batch_size":10,"noise_multiplier":2,"epochs":1,"delta":1e-5}"#,
        r#"{"query":"delta","noise_multiplier":3,"epsilon":2}"#,
        r#"{"query":"rdp","order":8,"event":{"gaussian":{"noise_multiplier":1.5}}}"#,
        r#"{"query":"gaussian_sigma","epsilon":1,"delta":1e-5,"sensitivity":2}"#,
        r#"{"query":"zcdp_epsilon","rho":0.5,"delta":1e-6}"#,
        r#"{"query":"steps","sampling_rate":0.01,"noise_multiplier":4,"epsilon":1,"delta":1e-5,"accountant":"rdp"}"#,
    ];
    let seeds = seeds.map(|seed| seed.as_bytes().to_vec());
    mutation::run("query", &seeds, mutation::duration(3), |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else { return };
        match answer(text) {
            Ok(fields) => {
                for (name, value) in &fields {
                    assert!(value.as_f64().is_none_or(|value| value >= 0.0), "{name}: {value} for {text}");
                }
            }
            Err(failure) => assert!(!failure.to_string().is_empty()),
        }
    });
}
