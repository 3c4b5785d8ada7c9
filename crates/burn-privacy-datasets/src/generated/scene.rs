//! A generated image: its background, its figure, its noise.

use super::figure::Figure;
use super::stream::Stream;
use crate::{IMAGE_BYTES, IMAGE_SHAPE};

// How hard the set is. Turn these, and measure again (the data card says how).

/// Half the size of a shape in pixels, from and to. Smaller is harder.
const SHAPE_SIZE: (f32, f32) = (7.0, 13.0);
/// Half the size of a striped or checkered patch in pixels. Smaller is harder.
const PATCH_SIZE: (f32, f32) = (8.0, 14.0);
/// The length of one light and one dark stripe together in pixels. A wider range is harder.
const PERIOD: (f32, f32) = (4.0, 8.0);
/// How far a figure is turned either way, in radians. More than pi / 8 makes stripes of two classes alike.
const TURN: f32 = 0.2;
/// The difference between figure and ground, in 0..1. Lower is harder.
const CONTRAST: (f32, f32) = (0.25, 0.55);
/// How often a figure is lighter than its ground. One half is hardest: nothing is lighter on average, a linear
/// model learns next to nothing, and a network learns nothing for its first few hundred steps. The further off,
/// the sooner training gets going, and the more a linear model finds.
const LIGHTER: f32 = 0.7;
/// How far the color of figure and ground may be off gray, in 0..1.
const TINT: f32 = 0.15;
/// How many blots lie about, at most. More is harder.
const BLOTS: u32 = 5;
/// The radius of a blot in pixels.
const BLOT_SIZE: (f32, f32) = (2.0, 5.0);
/// How strong a blot is at most, in 0..1.
const BLOT_STRENGTH: f32 = 0.25;
/// How much the ground changes from one side to the other at most, in 0..1.
const SHADE: f32 = 0.15;
/// The standard deviation of the noise on every value, in 0..1. More is harder.
const NOISE: f32 = 0.08;

const SIDE: usize = IMAGE_SHAPE[1];
const PIXELS: usize = SIDE * SIDE;

/// Draws one image of `class` into `image` (`[3, 32, 32]` flattened).
pub(super) fn draw(class: u8, stream: &mut Stream, image: &mut [u8]) {
    debug_assert_eq!(image.len(), IMAGE_BYTES);
    let contrast = stream.within(CONTRAST.0, CONTRAST.1);
    let sign = if stream.within(0.0, 1.0) < LIGHTER { 1.0 } else { -1.0 };
    // Figure and ground lie on either side of a middle tone.
    let middle = stream.within(0.35, 0.65);
    let ground_level = middle - 0.5 * sign * contrast;
    let ground: [f32; 3] = std::array::from_fn(|_| ground_level + stream.within(-TINT, TINT));
    let figure: [f32; 3] = std::array::from_fn(|_| ground_level + sign * contrast + stream.within(-TINT, TINT));

    let mut cover = [0.0; PIXELS];
    cover_figure(Figure::of(class), stream, &mut cover);
    let mut shade = [0.0; PIXELS];
    shade_ground(stream, &mut shade);

    for ((plane, from), to) in image.chunks_exact_mut(PIXELS).zip(ground).zip(figure) {
        let places = plane.chunks_exact_mut(2).zip(cover.chunks_exact(2)).zip(shade.chunks_exact(2));
        for ((pair, cover), shade) in places {
            let noise = stream.nearly_normal();
            for place in 0..2 {
                let value = from + (to - from) * cover[place] + shade[place] + NOISE * noise[place];
                pair[place] = (value * 255.0 + 0.5).clamp(0.0, 255.0) as u8;
            }
        }
    }
}

/// How much of each pixel the figure covers, 0..1.
fn cover_figure(figure: Figure, stream: &mut Stream, cover: &mut [f32; PIXELS]) {
    let (from, to) = if matches!(figure, Figure::Stripes { .. }) { PATCH_SIZE } else { SHAPE_SIZE };
    let size = stream.within(from, to);
    let reach = (SIDE as f32 / 2.0 - size).max(0.0) + 2.0;
    let (left, top) = (15.5 + stream.within(-reach, reach), 15.5 + stream.within(-reach, reach));
    let (cos, sin) = turn(stream.within(-TURN, TURN));
    let period = stream.within(PERIOD.0, PERIOD.1);
    let (phase_x, phase_y) = (stream.within(0.0, 1.0), stream.within(0.0, 1.0));

    for (index, cover) in cover.iter_mut().enumerate() {
        let (column, row) = ((index % SIDE) as f32 - left, (index / SIDE) as f32 - top);
        let (x, y) = (cos * column + sin * row, cos * row - sin * column);
        let inside = (0.5 - figure.distance(x / size, y / size) * size).clamp(0.0, 1.0);
        *cover = match figure {
            _ if inside == 0.0 => 0.0,
            Figure::Stripes { across, crossed } => {
                let along = wave((x * across.0 + y * across.1) / period + phase_x, period);
                let other = if crossed { wave(y / period + phase_y, period) } else { 1.0 };
                inside * (0.5 + 0.5 * along * other)
            }
            _ => inside,
        };
    }
}

/// A square wave of period 1 between -1 and 1, its edges a pixel wide where `period` is the period in pixels.
fn wave(phase: f32, period: f32) -> f32 {
    let triangle = 1.0 - 4.0 * (phase - phase.floor() - 0.5).abs();
    (triangle * period * 0.5).clamp(-1.0, 1.0)
}

/// Cosine and sine of a small angle, by their series: the same on every machine, as a mathematical library's
/// last bit is not.
fn turn(angle: f32) -> (f32, f32) {
    let square = angle * angle;
    (1.0 - square / 2.0 + square * square / 24.0, angle * (1.0 - square / 6.0 + square * square / 120.0))
}

/// A slope and some blots, on all colors alike.
fn shade_ground(stream: &mut Stream, shade: &mut [f32; PIXELS]) {
    let (right, down) = (stream.within(-SHADE, SHADE) / SIDE as f32, stream.within(-SHADE, SHADE) / SIDE as f32);
    for (index, shade) in shade.iter_mut().enumerate() {
        *shade = right * ((index % SIDE) as f32 - 15.5) + down * ((index / SIDE) as f32 - 15.5);
    }
    for _ in 0..stream.below(BLOTS + 1) {
        let (left, top) = (stream.within(0.0, 31.0), stream.within(0.0, 31.0));
        let radius = stream.within(BLOT_SIZE.0, BLOT_SIZE.1);
        let strength = stream.sign() * stream.within(0.5, 1.0) * BLOT_STRENGTH;
        for (index, shade) in shade.iter_mut().enumerate() {
            let (x, y) = ((index % SIDE) as f32 - left, (index / SIDE) as f32 - top);
            let near = (1.0 - (x * x + y * y) / (radius * radius)).max(0.0);
            *shade += strength * near;
        }
    }
}
