//! What a class of the generated images looks like.

/// What a class looks like, around the origin, in units of the figure's half size.
#[derive(Clone, Copy)]
pub(super) enum Figure {
    /// Stripes across the direction `(x, y)`, or, with `crossed`, a checkerboard of two such.
    Stripes {
        across: (f32, f32),
        crossed: bool,
    },
    Disc,
    Ring,
    Square,
    Triangle,
    Cross,
}

/// Half the square root of two and its like.
const DIAGONAL: f32 = std::f32::consts::FRAC_1_SQRT_2;

impl Figure {
    pub(super) fn of(class: u8) -> Self {
        let stripes = |x, y| Self::Stripes { across: (x, y), crossed: false };
        match class {
            0 => stripes(0.0, 1.0),
            1 => stripes(1.0, 0.0),
            // Rows count downwards: rising to the right is along (1, -1), so across it is (1, 1).
            2 => stripes(DIAGONAL, DIAGONAL),
            3 => stripes(DIAGONAL, -DIAGONAL),
            4 => Self::Stripes { across: (1.0, 0.0), crossed: true },
            5 => Self::Disc,
            6 => Self::Ring,
            7 => Self::Square,
            8 => Self::Triangle,
            _ => Self::Cross,
        }
    }

    /// The signed distance of a point from the figure's outline, negative inside; for stripes, that of the patch
    /// they fill. Where a corner is near it is a lower bound, which only softens the corner.
    pub(super) fn distance(self, x: f32, y: f32) -> f32 {
        match self {
            Self::Stripes { .. } | Self::Disc => (x * x + y * y).sqrt() - 1.0,
            Self::Ring => ((x * x + y * y).sqrt() - 0.78).abs() - 0.22,
            Self::Square => x.abs().max(y.abs()) - 0.86,
            Self::Triangle => {
                // Equilateral, pointing up, its center of gravity at the origin.
                let slope = 0.866_025_4 * x.abs() - 0.5 * y;
                slope.max(y) - 0.58
            }
            Self::Cross => {
                let (long, short) = (x.abs().max(y.abs()), x.abs().min(y.abs()));
                (long - 1.0).max(short - 0.26)
            }
        }
    }
}
