//! Colours that stay apart for the colour-blind and in print (Okabe and Ito, "Color Universal Design", 2008).

use plotters::style::RGBColor;

/// Accuracy.
pub(super) const BLUE: RGBColor = RGBColor(0, 114, 178);

/// Epsilon.
pub(super) const VERMILION: RGBColor = RGBColor(213, 94, 0);

/// Text and axes.
pub(super) const INK: RGBColor = RGBColor(40, 40, 40);

/// Lesser text.
pub(super) const GREY: RGBColor = RGBColor(105, 105, 105);

/// The grid.
pub(super) const PALE: RGBColor = RGBColor(225, 225, 225);

/// What must not be overlooked.
pub(super) const RED: RGBColor = RGBColor(190, 0, 0);

/// The paper.
pub(super) const WHITE: RGBColor = RGBColor(255, 255, 255);
