//! Public images that look like the world a little: discs that cover one another.
//!
//! The dead-leaves model of natural images (Lee, Mumford and Huang, "Occlusion models for natural images", IJCV 41, 2001): discs of
//! random place, color and size, whose radii have density r^-3, until everything is covered. Edges at all scales give wavelets
//! the relative sizes that they have on photographs. The images belong to nobody, so that whatever is learned from them is free.

/// A small generator (SplitMix64): nothing private hangs on it.
struct Numbers(u64);

impl Numbers {
    /// From 0 to below 1.
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// `count` images, `[count, colors, side, side]`, a byte each; the same on every machine.
pub fn dead_leaves(count: usize, colors: usize, side: usize) -> Vec<u8> {
    let mut images = vec![0; count * colors * side * side];
    for (number, image) in images.chunks_exact_mut((colors * side * side).max(1)).enumerate() {
        let mut numbers = Numbers(number as u64);
        let mut covered = vec![false; side * side];
        // From front to back: a pixel is the first disc's that covers it.
        let mut open = covered.len();
        while open > 0 {
            // Radii from 1 to side, with density r^-3.
            let (least, most) = (1.0, 1.0 / (side * side) as f64);
            let radius = 1.0 / (least - numbers.next() * (least - most)).sqrt();
            let place = [0; 2].map(|_| numbers.next() * (side as f64 + 2.0 * radius) - radius);
            let color: Vec<u8> = (0..colors).map(|_| (numbers.next() * 256.0) as u8).collect();
            for row in 0..side {
                for column in 0..side {
                    let at = row * side + column;
                    let distance = (row as f64 - place[0]).powi(2) + (column as f64 - place[1]).powi(2);
                    if !covered[at] && distance <= radius * radius {
                        covered[at] = true;
                        open -= 1;
                        for (plane, value) in color.iter().enumerate() {
                            image[plane * side * side + at] = *value;
                        }
                    }
                }
            }
        }
    }
    images
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_covered_and_have_edges_and_areas() {
        let images = dead_leaves(40, 1, 28);
        assert_eq!(images, dead_leaves(40, 1, 28));
        assert_ne!(images[..784], images[784..1568]);
        let (mut same, mut pairs) = (0, 0);
        for image in images.chunks(784) {
            for pair in image.windows(2) {
                same += usize::from(pair[0] == pair[1]);
                pairs += 1;
            }
        }
        // Areas of one color, and edges between them.
        assert!(same * 2 > pairs && same * 100 < pairs * 99, "{same} of {pairs}");
        assert!(dead_leaves(0, 3, 32).is_empty());
    }
}
