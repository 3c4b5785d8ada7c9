//! Handwriting of nobody: digits of strokes, drawn at run time, the same on every machine.

use super::stream::Stream;
use super::{GENERATED_SEED, GENERATED_TEST, GENERATED_TRAIN, Generated, class_of};
use crate::ImageDataset;
use crate::mnist::{MNIST_CLASSES, MNIST_SHAPE};

const SIDE: usize = MNIST_SHAPE[1];
const PIXELS: usize = SIDE * SIDE;

// How hard the set is.

/// Half the height of a digit in pixels, from and to.
const SIZE: (f32, f32) = (7.0, 10.0);
/// Width over height.
const ASPECT: (f32, f32) = (0.45, 0.75);
/// How far a digit is turned either way, in radians.
const TURN: f32 = 0.25;
/// How far it leans either way.
const LEAN: f32 = 0.35;
/// How far its center is off the middle, in pixels.
const SHIFT: f32 = 2.0;
/// Half the width of a stroke, in pixels.
const STROKE: (f32, f32) = (0.6, 1.5);
/// How far each point of a stroke is off its place, in half heights.
const WOBBLE: f32 = 0.13;
/// The standard deviation of the noise on every pixel, in 0..1.
const NOISE: f32 = 0.05;

/// A point in units of half the digit's width and height; rows count downwards.
type Point = (f32, f32);

/// The strokes of a digit.
fn strokes(class: u8) -> &'static [&'static [Point]] {
    match class {
        0 => &[&[
            (0.0, -1.0),
            (0.75, -0.7),
            (1.0, 0.0),
            (0.75, 0.7),
            (0.0, 1.0),
            (-0.75, 0.7),
            (-1.0, 0.0),
            (-0.75, -0.7),
            (0.0, -1.0),
        ]],
        1 => &[&[(-0.5, -0.6), (0.1, -1.0), (0.1, 1.0)]],
        2 => &[&[(-0.9, -0.5), (-0.5, -0.95), (0.4, -1.0), (0.9, -0.5), (0.5, 0.1), (-1.0, 1.0), (1.0, 1.0)]],
        3 => &[&[(-0.9, -0.9), (0.3, -1.0), (0.8, -0.55), (0.1, -0.05), (0.9, 0.45), (0.4, 1.0), (-0.9, 0.85)]],
        4 => &[&[(0.3, -1.0), (-1.0, 0.3), (1.0, 0.3)], &[(0.45, -0.3), (0.45, 1.0)]],
        5 => &[&[(0.9, -1.0), (-0.7, -1.0), (-0.8, -0.1), (0.3, -0.2), (0.9, 0.35), (0.4, 0.95), (-0.9, 0.9)]],
        6 => &[&[
            (0.6, -1.0),
            (-0.4, -0.5),
            (-0.9, 0.3),
            (-0.4, 0.95),
            (0.5, 0.95),
            (0.9, 0.4),
            (0.3, 0.0),
            (-0.8, 0.35),
        ]],
        7 => &[&[(-1.0, -1.0), (1.0, -1.0), (-0.1, 1.0)]],
        8 => &[&[
            (0.0, 0.0),
            (-0.7, -0.5),
            (0.0, -1.0),
            (0.7, -0.5),
            (0.0, 0.0),
            (-0.9, 0.5),
            (0.0, 1.0),
            (0.9, 0.5),
            (0.0, 0.0),
        ]],
        _ => &[&[(0.8, -0.4), (0.1, 0.05), (-0.8, -0.3), (-0.4, -0.95), (0.4, -0.95), (0.8, -0.4), (0.5, 1.0)]],
    }
}

/// 20,000 training and 2,000 test images of digits, drawn by this code: a stand-in for MNIST (its shape, its classes, and none of
/// its pictures) on a machine without any data. Balanced, and each image depends on the seed and its number only, as those
/// of [`generated()`](super::generated).
pub fn generated_digits() -> Generated {
    generated_digits_with(GENERATED_SEED, GENERATED_TRAIN, GENERATED_TEST)
}

/// As [`generated_digits`], with another seed and other numbers of images.
pub fn generated_digits_with(seed: u64, train: usize, test: usize) -> Generated {
    Generated {
        train: part("generated training digits (not MNIST)", seed, 0, train),
        test: part("generated test digits (not MNIST)", seed, train, test),
    }
}

fn part(name: &str, seed: u64, start: usize, count: usize) -> ImageDataset {
    let mut images = vec![0; count * PIXELS];
    let mut labels = vec![0; count];
    for (index, (image, label)) in (start..).zip(images.chunks_exact_mut(PIXELS).zip(&mut labels)) {
        *label = class_of(seed, index);
        // Not the stream of an image of `generated`.
        draw(*label, &mut Stream::new(seed.rotate_left(17), index as u64), image);
    }
    match ImageDataset::with_shape(name, &MNIST_CLASSES, MNIST_SHAPE, images, labels) {
        Ok(data) => data,
        // Lengths and labels are right by the lines above.
        Err(error) => unreachable!("{error}"),
    }
}

fn draw(class: u8, stream: &mut Stream, image: &mut [u8]) {
    let height = stream.within(SIZE.0, SIZE.1);
    let width = height * stream.within(ASPECT.0, ASPECT.1);
    let (turn, lean) = (stream.within(-TURN, TURN), stream.within(-LEAN, LEAN));
    let middle = (SIDE as f32 - 1.0) / 2.0;
    let center = (middle + stream.within(-SHIFT, SHIFT), middle + stream.within(-SHIFT, SHIFT));
    let half_stroke = stream.within(STROKE.0, STROKE.1);
    // Series of small angles, so that all machines draw the same bits: no library function rounds here.
    let (sin, cos) = (turn - turn * turn * turn / 6.0, 1.0 - 0.5 * turn * turn);
    let mut cover = [0.0_f32; PIXELS];
    for stroke in strokes(class) {
        let mut last = None;
        for &(x, y) in *stroke {
            let (x, y) = (x + stream.within(-WOBBLE, WOBBLE), y + stream.within(-WOBBLE, WOBBLE));
            let (x, y) = (x * width - lean * y * height, y * height);
            let point = (center.0 + cos * x - sin * y, center.1 + sin * x + cos * y);
            if let Some(last) = last {
                cover_segment(last, point, half_stroke, &mut cover);
            }
            last = Some(point);
        }
    }
    for (pair, cover) in image.chunks_exact_mut(2).zip(cover.chunks_exact(2)) {
        let noise = stream.nearly_normal();
        for place in 0..2 {
            // Ink is never lighter than paper, as on MNIST.
            let value = (cover[place] + NOISE * noise[place].abs() * (1.0 - cover[place])).clamp(0.0, 1.0);
            pair[place] = (value * 255.0) as u8;
        }
    }
}

/// Covers the pixels within `half_stroke` of a segment, the outermost pixel in part.
fn cover_segment(from: Point, to: Point, half_stroke: f32, cover: &mut [f32; PIXELS]) {
    let along = (to.0 - from.0, to.1 - from.1);
    let squared = (along.0 * along.0 + along.1 * along.1).max(1e-6);
    for (at, cover) in cover.iter_mut().enumerate() {
        let (x, y) = ((at % SIDE) as f32 - from.0, (at / SIDE) as f32 - from.1);
        let share = ((x * along.0 + y * along.1) / squared).clamp(0.0, 1.0);
        let (x, y) = (x - share * along.0, y - share * along.1);
        let distance = (x * x + y * y).sqrt();
        *cover = cover.max((half_stroke + 0.5 - distance).clamp(0.0, 1.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_the_same_everywhere_and_say_what_they_are() {
        let data = generated_digits_with(GENERATED_SEED, 40, 10);
        let again = generated_digits_with(GENERATED_SEED, 50, 0);
        assert_eq!(data.test.pixels(), again.train.slice(40..50).unwrap().pixels());
        assert_ne!(data.train.pixels(), generated_digits_with(1, 40, 0).train.pixels());
        assert_eq!((data.train.shape(), data.train.classes().len()), (MNIST_SHAPE, 10));
        assert!(data.test.name().contains("not MNIST"));
    }

    #[test]
    fn digits_are_ink_on_paper_away_from_the_edge_and_differ_by_class() {
        let data = generated_digits_with(GENERATED_SEED, 1_000, 0).train;
        let mut means = vec![vec![0.0_f32; PIXELS]; 10];
        for (image, &label) in data.pixels().chunks(PIXELS).zip(data.labels()) {
            let ink = image.iter().filter(|&&pixel| pixel > 128).count();
            assert!((15..300).contains(&ink), "{ink} pixels of ink");
            for (mean, &pixel) in means[usize::from(label)].iter_mut().zip(image) {
                *mean += f32::from(pixel) / 25_500.0;
            }
        }
        // The nearest mean tells most digits: better than one in ten by far, and not all.
        let mut right = 0;
        for (image, &label) in data.pixels().chunks(PIXELS).zip(data.labels()) {
            let distance = |mean: &[f32]| -> f32 {
                mean.iter().zip(image).map(|(mean, &pixel)| (mean - f32::from(pixel) / 255.0).powi(2)).sum()
            };
            let distances: Vec<f32> = means.iter().map(|mean| distance(mean)).collect();
            let best = (0..10).min_by(|&a, &b| distances[a].total_cmp(&distances[b])).unwrap();
            right += usize::from(best == usize::from(label));
        }
        assert!((500..985).contains(&right), "{right} of 1,000");
    }
}
