//! Random numbers to draw images with.

/// Random numbers for one image: SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number
/// generators", OOPSLA 2014), started at a hash of seed and index. Good enough to draw with, and not for privacy.
pub(super) struct Stream {
    state: u64,
}

impl Stream {
    pub(super) fn new(seed: u64, index: u64) -> Self {
        // Two rounds, so that neighboring indices start at unrelated places.
        Self { state: mixed(mixed(seed) ^ index.wrapping_mul(0xd134_2543_de82_ef95)) }
    }

    pub(super) fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed(self.state)
    }

    /// A whole number below `bound`, almost exactly uniform for a small bound.
    pub(super) fn below(&mut self, bound: u32) -> u32 {
        (((self.bits() >> 32) * u64::from(bound)) >> 32) as u32
    }

    /// Uniform in `from..to`, on a grid of 2^24 steps.
    pub(super) fn within(&mut self, from: f32, to: f32) -> f32 {
        from + (to - from) * ((self.bits() >> 40) as f32 / (1u32 << 24) as f32)
    }

    /// 1 or -1.
    pub(super) fn sign(&mut self) -> f32 {
        if self.bits() >> 63 == 0 { 1.0 } else { -1.0 }
    }

    /// Two values that are nearly normal (each a sum of four uniforms), of mean 0 and variance 1, within 3.5.
    pub(super) fn nearly_normal(&mut self) -> [f32; 2] {
        let bytes = self.bits().to_le_bytes();
        // The sum of four bytes has mean 510 and variance 4 (256^2 - 1) / 12 = 21,845.
        let scaled =
            |four: &[u8]| (four.iter().map(|&byte| i32::from(byte)).sum::<i32>() - 510) as f32 * (1.0 / 147.800_54);
        [scaled(&bytes[..4]), scaled(&bytes[4..])]
    }
}

/// The output function of SplitMix64.
fn mixed(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_splitmix64() {
        // The first outputs for state 1234567, as in the reference implementation by S. Vigna.
        let mut stream = Stream { state: 1_234_567 };
        assert_eq!(stream.bits(), 6_457_827_717_110_365_317);
        assert_eq!(stream.bits(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn nearly_normal_has_mean_zero_and_variance_one() {
        let mut stream = Stream::new(1, 2);
        let values: Vec<f32> = (0..50_000).flat_map(|_| stream.nearly_normal()).collect();
        let mean = values.iter().sum::<f32>() / values.len() as f32;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / values.len() as f32;
        assert!(mean.abs() < 0.015 && (variance - 1.0).abs() < 0.02, "{mean} {variance}");
    }

    #[test]
    fn whole_numbers_stay_below_their_bound() {
        let mut stream = Stream::new(3, 4);
        let mut seen = [0; 7];
        for _ in 0..7_000 {
            seen[stream.below(7) as usize] += 1;
        }
        assert!(seen.iter().all(|&count| (850..1150).contains(&count)), "{seen:?}");
    }
}
