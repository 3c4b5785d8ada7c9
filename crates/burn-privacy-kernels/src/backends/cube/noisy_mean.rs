//! `(sum + noise) / divisor` in one pass, with the noise drawn where it is needed.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, backend_extension};
use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::full_client;
use burn_cubecl::tensor::CubeTensor;
use burn_privacy_mechanisms::KernelNoise;
use cubecl::calculate_cube_count_elemwise;
use cubecl::prelude::*;

use super::chacha20::{StreamKey, fill_block, key_argument};
use super::normal_pair::{Fraction, HALF, cos_sin, is_near_one, radius};

/// Blocks of the stream that make a tile of elements, a thread each.
const BLOCKS: usize = KernelNoise::TILE / 8;

/// The operation as Burn's backends take it, deferred by Burn's fusion like any other.
#[backend_extension(Cube, Fusion)]
pub(super) trait NoisyMean: Backend {
    #[fusion(dtype = sum, shape = sum)]
    fn noisy_mean(sum: FloatTensor<Self>, noise: KernelNoise, divisor: f32) -> FloatTensor<Self>;
}

impl NoisyMean for CubeBackend {
    fn noisy_mean(sum: FloatTensor<Self>, noise: KernelNoise, divisor: f32) -> FloatTensor<Self> {
        noisy_mean_by(sum, &noise, |sum, mean, threads| launch(sum, mean, threads, &noise, divisor))
    }
}

/// What `write` makes of a sum and the memory for its noisy mean, with the number of threads that cover it.
///
/// That memory is recycled: it may hold the sum itself, or gradients of single records. It is filled with NaN before, by another
/// kernel than ours, so that what `write` leaves as it was is seen to be no number, and makes everything that is computed from it
/// none. CubeCL 0.11 reports nothing when a kernel is launched; where it knows that a launch failed (no compiler for it, too
/// large for the device), reading what it should have written fails. A launch that it drops leaves no trace
/// (`on_gpu.rs` asks).
fn noisy_mean_by(
    sum: CubeTensor,
    noise: &KernelNoise,
    write: impl FnOnce(CubeTensor, CubeTensor, usize),
) -> CubeTensor {
    let sum = into_contiguous(sum);
    let threads = (noise.skipped as usize + sum.meta.num_elements()).div_ceil(KernelNoise::TILE) * BLOCKS;
    let mean = full_client::<f32>(sum.client.clone(), sum.meta.shape().clone(), sum.device.clone(), f32::NAN);
    write(sum, mean.clone(), threads);
    mean
}

fn launch(sum: CubeTensor, mean: CubeTensor, threads: usize, noise: &KernelNoise, divisor: f32) {
    let client = sum.client.clone();
    let cube_dim = CubeDim::new(&client, threads);
    let cube_count = calculate_cube_count_elemwise(&client, threads, cube_dim);
    noisy_mean_kernel::launch(
        &client,
        cube_count,
        cube_dim,
        sum.into_buffer_arg(),
        mean.into_buffer_arg(),
        key_argument(&noise.key),
        noise.first_tile as u32,
        (noise.first_tile >> 32) as u32,
        noise.skipped,
        noise.std,
        divisor,
    );
}

/// One thread a block of the stream: four pairs, eight elements, of which neighboring threads have neighboring ones.
/// The layout is that of [`stream`](burn_privacy_mechanisms::stream), `first_tile` 64 bits in two words.
#[cube(launch)]
#[allow(clippy::too_many_arguments)]
fn noisy_mean_kernel(
    sum: &[f32],
    mean: &mut [f32],
    key: StreamKey,
    first_tile_low: u32,
    first_tile_high: u32,
    skipped: u32,
    std: f32,
    divisor: f32,
) {
    let tile_of_launch = ABSOLUTE_POS / comptime!(BLOCKS);
    let lane = ABSOLUTE_POS % comptime!(BLOCKS);
    let first = tile_of_launch * comptime!(KernelNoise::TILE) + lane;
    let (start, end) = (skipped as usize, skipped as usize + mean.len());
    if first >= end {
        terminate!();
    }

    let tile_low = first_tile_low + tile_of_launch as u32;
    let carried = select(tile_low < first_tile_low, 1u32, 0u32);
    let tile_high = first_tile_high + carried;
    let mut words = Array::<u32>::new(16usize);
    fill_block(&mut words, &key, (tile_low << 4u32) | lane as u32, (tile_high << 4u32) | (tile_low >> 28u32));

    #[unroll]
    for pair in 0..4usize {
        let low = words[4 * pair];
        let high = words[4 * pair + 1];
        let near_one = is_near_one(high);
        let flip = select(near_one, 0xffff_ffffu32, 0u32);
        let mut distance = Fraction { digit_0: high ^ flip, digit_1: low ^ flip, digit_2: HALF, digit_3: 0u32 };
        if distance.digit_0 == 0u32 {
            // Too near an end for 64 bits.
            let (more_low, more_high) = more_bits(&key, tile_low, tile_high, lane as u32, pair as u32);
            distance.digit_2 = more_high ^ flip;
            distance.digit_3 = more_low ^ flip;
        }
        let r = radius(near_one, &distance);
        let (cosine, sine) = cos_sin(words[4 * pair + 3], words[4 * pair + 2]);
        let place = first + comptime!(16 * pair);
        if place >= start && place < end {
            mean[place - start] = (sum[place - start] + std * (r * cosine)) / divisor;
        }
        let place = place + 64;
        if place >= start && place < end {
            mean[place - start] = (sum[place - start] + std * (r * sine)) / divisor;
        }
    }
}

/// The 64 bits that refine the radius of pair `64 tile + 16 pair + lane`, low word first: word twice that number of the
/// stream's second half.
#[cube]
fn more_bits(key: &StreamKey, tile_low: u32, tile_high: u32, lane: u32, #[comptime] pair: u32) -> (u32, u32) {
    let block_low = (tile_low << 3u32) | (2u32 * pair + lane / 8u32);
    let block_high = 0x8000_0000u32 | (tile_high << 3u32) | (tile_low >> 29u32);
    let mut words = Array::<u32>::new(16usize);
    fill_block(&mut words, key, block_low, block_high);
    let at = 2usize * (lane % 8u32) as usize;
    (words[at], words[at + 1])
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Tensor, TensorData};
    use burn_privacy_mechanisms::{Entropy, PrivacyKey, StepNoise};

    use super::super::adapter::{Adapter, on_adapter, reference_words};
    use super::super::noisy_mean;
    use super::super::normal_pair::TOLERANCE;
    use super::*;

    fn step_noise() -> StepNoise {
        StepNoise::new(&PrivacyKey::draw(Entropy::seeded(5)).unwrap(), 7).unwrap()
    }

    fn values(noise: &StepNoise, first: u64, sum: &[f32], std: f64, divisor: f32, device: &Device) -> Vec<f32> {
        let for_kernel = || noise.for_kernel(first, sum.len(), std);
        let sum = Tensor::<1>::from_data(TensorData::new(sum.to_vec(), [sum.len()]), device);
        let mean = noisy_mean(sum, for_kernel, divisor).expect("the kernel serves this device").unwrap();
        mean.into_data().try_to_vec().unwrap()
    }

    #[test]
    fn noise_is_that_of_the_cpu_from_any_element_on() {
        on_adapter("noise_is_that_of_the_cpu_from_any_element_on", |Adapter { device, .. }| {
            let noise = step_noise();
            // Starts within a tile, at the carry into the tile's upper word, and near the numbering's end.
            let starts = [0, 1, 63, 64, 127, (128 << 32) - 300, u64::MAX - 100_000];
            for (first, count) in starts.into_iter().flat_map(|first| [(first, 1), (first, 1_000), (first, 70_001)]) {
                let mut expected = vec![0.0_f64; count];
                noise.fill_f64(first, &mut expected, 3.0).unwrap();
                let found = values(&noise, first, &vec![0.0; count], 3.0, 1.0, device);
                for (i, (found, z)) in found.into_iter().zip(expected).enumerate() {
                    let error = (f64::from(found) - z).abs();
                    assert!(error <= TOLERANCE * z.abs(), "element {first} + {i}: {found} against {z}");
                }
            }
        });
    }

    #[test]
    fn the_sum_is_added_and_divided() {
        on_adapter("the_sum_is_added_and_divided", |Adapter { device, .. }| {
            let noise = step_noise();
            let sum: Vec<f32> = (0..500).map(|i| (i as f32 - 250.0) * 0.37).collect();
            for std in [0.0, 0.5] {
                let mut expected = sum.clone();
                noise.add_f32(40, &mut expected, std, 3.0).unwrap();
                for (found, expected) in values(&noise, 40, &sum, std, 3.0, device).iter().zip(expected) {
                    assert!((found - expected).abs() <= 1e-5, "{found} against {expected}");
                }
            }
        });
    }

    #[test]
    fn what_no_kernel_wrote_is_no_number() {
        on_adapter("what_no_kernel_wrote_is_no_number", |adapter| {
            const SECRET: u32 = 0x4048_F5C3; // 3.14
            let entries = 1 << 16;
            let noise = step_noise().for_kernel(0, entries, 1.0).unwrap();
            // Memory of that size that was just given back, so that it is likely to be what the mean gets.
            let leave_secrets = || drop(adapter.input(&vec![SECRET; entries]));
            for launched in [false, true] {
                leave_secrets();
                let sum = adapter.tensor(&vec![2.5_f32; entries]);
                let mean = noisy_mean_by(sum, &noise, |sum, mean, threads| {
                    if launched {
                        launch(sum, mean, threads, &noise, 4.0);
                    }
                });
                let found = adapter.read(mean.handle);
                assert_eq!(found.len(), entries);
                assert!(found.into_iter().map(f32::from_bits).all(|value| value.is_nan() != launched));
            }
        });
    }

    /// Two words for each lane and pair of a tile.
    #[cube(launch)]
    fn more_bits_of_a_tile(found: &mut [u32], key: StreamKey, tile_low: u32, tile_high: u32) {
        #[unroll]
        for pair in 0..4usize {
            let (low, high) = more_bits(&key, tile_low, tile_high, UNIT_POS, pair as u32);
            let at = 2 * (16 * pair + UNIT_POS as usize);
            found[at] = low;
            found[at + 1] = high;
        }
    }

    #[test]
    fn refining_bits_are_those_of_the_streams_second_half() {
        on_adapter("refining_bits_are_those_of_the_streams_second_half", |adapter| {
            let key = [0x0302_0100, 0x0706_0504, 9, 10, 11, 12, 13, 0xFFFF_FFFF];
            for tile in [0_u64, 1, 0x2000_0000, (1 << 32) - 1, 1 << 32, (1 << 57) - 1] {
                let (output, to) = adapter.output(128);
                let (low, high) = (tile as u32, (tile >> 32) as u32);
                let (count, threads) = (CubeCount::Static(1, 1, 1), CubeDim::new_1d(16));
                more_bits_of_a_tile::launch(adapter.client(), count, threads, to, key_argument(&key), low, high);
                let expected = reference_words(&key, (1 << 67) + 128 * u128::from(tile), 128);
                assert_eq!(adapter.read(output), expected, "tile {tile}");
            }
        });
    }
}
