//! Colors that stay apart for the color-blind and in print (Okabe and Ito, "Color Universal Design", 2008).

use plotters::style::RGBColor;

/// Accuracy.
pub const BLUE: RGBColor = RGBColor(0, 114, 178);

/// Epsilon.
pub const VERMILION: RGBColor = RGBColor(213, 94, 0);

/// Text and axes.
pub const INK: RGBColor = RGBColor(40, 40, 40);

/// Lesser text.
pub const GRAY: RGBColor = RGBColor(105, 105, 105);

/// The grid.
pub const PALE: RGBColor = RGBColor(225, 225, 225);

/// What must not be overlooked.
pub const RED: RGBColor = RGBColor(190, 0, 0);

/// The paper.
pub const WHITE: RGBColor = RGBColor(255, 255, 255);

/// Colors of series, in turn.
pub const SERIES: [RGBColor; 6] =
    [BLUE, VERMILION, RGBColor(0, 158, 115), RGBColor(204, 121, 167), RGBColor(86, 180, 233), RGBColor(150, 120, 0)];
