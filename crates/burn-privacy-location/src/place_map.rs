//! A map of places before and after, without a network: what is drawn where, and a page that shows it.

use std::fmt::Write as _;

use super::aggregation::Area;
use super::attacks::averaged;
use super::geodesy::displaced;
use super::place::Place;

/// Corners of a circle.
const CORNERS: usize = 72;
/// Width of the drawing in its own units.
const WIDTH: f64 = 1_000.0;
/// The largest height of the drawing.
const HIGHEST: f64 = 1_500.0;
/// The most points of each kind that are drawn: every n-th beyond, and the page says so.
const MOST_POINTS: usize = 20_000;
/// The most circles and lines that are drawn.
const MOST_CIRCLES: usize = 300;

/// What is to be drawn. It holds true places: it is for those who may see them.
#[derive(Debug, Clone, Default)]
pub struct PlaceMap {
    /// The heading.
    pub title: String,
    /// True places.
    pub before: Vec<Place>,
    /// What was released for them; in the same order where there are as many.
    pub after: Vec<Place>,
    /// Radius of the circles around true places, in meters.
    pub radius: Option<f64>,
    /// Borders or coastlines.
    pub outlines: Vec<Area>,
}

/// The map in units of the drawing: x to the right and y down.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DrawnMap {
    /// Width and height.
    pub size: (f64, f64),
    /// Lines of the outlines.
    pub outlines: Vec<Vec<(f64, f64)>>,
    /// Circles around true places.
    pub circles: Vec<Vec<(f64, f64)>>,
    /// Lines from a true place to what was released for it.
    pub moves: Vec<[(f64, f64); 2]>,
    /// True places.
    pub before: Vec<(f64, f64)>,
    /// Released places.
    pub after: Vec<(f64, f64)>,
    /// Length and meters of the scale bar.
    pub scale: (f64, f64),
    /// Every how many of the points are drawn.
    pub every: usize,
}

impl PlaceMap {
    /// Where everything is drawn: degrees of longitude are shortened by the cosine of the middle latitude, so that distances
    /// near it are alike in all directions, and longitudes go on across the antimeridian. None without a place.
    pub fn drawn(&self) -> Option<DrawnMap> {
        let all: Vec<Place> = self.before.iter().chain(&self.after).copied().collect();
        let middle = averaged(&all)?;
        let shrink = middle.latitude().to_radians().cos().max(0.02);
        let flat = |place: Place| {
            let turned = (place.longitude() - middle.longitude() + 540.0).rem_euclid(360.0) - 180.0;
            (turned * shrink, -place.latitude())
        };
        let circle = |place: Place, radius: f64| -> Vec<(f64, f64)> {
            let turn = std::f64::consts::TAU / CORNERS as f64;
            (0..=CORNERS).map(|corner| flat(displaced(place, turn * (corner % CORNERS) as f64, radius))).collect()
        };
        let circles: Vec<Vec<(f64, f64)>> = self.radius.map_or(Vec::new(), |radius| {
            self.before.iter().take(MOST_CIRCLES).map(|place| circle(*place, radius)).collect()
        });
        let points: Vec<(f64, f64)> =
            all.iter().map(|place| flat(*place)).chain(circles.iter().flatten().copied()).collect();
        let range = |of: &dyn Fn(&(f64, f64)) -> f64| {
            points.iter().map(of).fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)))
        };
        let ((west, east), (north, south)) = (range(&|point| point.0), range(&|point| point.1));
        // A margin of a twentieth, and at least ten meters where all is one point.
        let margin = 0.05 * (east - west).max(south - north).max(2e-3);
        let (wide, high) = (east - west + 2.0 * margin, south - north + 2.0 * margin);
        let unit = (WIDTH / wide).min(HIGHEST / high);
        let height = (high * unit).max(0.2 * WIDTH);
        let (left, above) = (0.5 * (WIDTH - wide * unit), 0.5 * (height - high * unit));
        let at = |(x, y): (f64, f64)| (left + (x - west + margin) * unit, above + (y - north + margin) * unit);
        let meters_a_unit = 111_195.0 / unit;
        let meters = nice(meters_a_unit * WIDTH / 5.0);
        let every = all.len().div_ceil(2 * MOST_POINTS).max(1);
        let paired = self.before.len() == self.after.len();
        let place_at = |place: &Place| at(flat(*place));
        let moves = self.before.iter().zip(&self.after).take(if paired { MOST_CIRCLES } else { 0 });
        Some(DrawnMap {
            size: (WIDTH, height),
            outlines: self
                .outlines
                .iter()
                .flat_map(|area| area.polygons.iter().flatten())
                .flat_map(|ring| {
                    let corners: Vec<_> = ring.iter().map(|[x, y]| flat(Place::wrapped(*y, *x))).collect();
                    // An outline that leaves the map on one side comes in on the other: no line joins them.
                    let pieces = corners.chunk_by(|from, to| (from.0 - to.0).abs() < 180.0 * shrink);
                    pieces.map(|piece| piece.iter().copied().map(at).collect()).collect::<Vec<Vec<_>>>()
                })
                .collect(),
            circles: circles.into_iter().map(|circle| circle.into_iter().map(at).collect()).collect(),
            moves: moves.map(|(from, to)| [place_at(from), place_at(to)]).collect(),
            before: self.before.iter().step_by(every).map(place_at).collect(),
            after: self.after.iter().step_by(every).map(place_at).collect(),
            scale: (meters / meters_a_unit, meters),
            every,
        })
    }

    /// A page that shows the map and needs nothing else: no tiles, no scripts from elsewhere. None without a place.
    pub fn page(&self) -> Option<String> {
        let drawn = self.drawn()?;
        let (width, height) = drawn.size;
        let mut body = String::new();
        let path = |line: &[(f64, f64)]| {
            let mut path = String::new();
            for (number, (x, y)) in line.iter().enumerate() {
                let _ = write!(path, "{}{x:.2} {y:.2}", if number == 0 { 'M' } else { 'L' });
            }
            path
        };
        let layer = |body: &mut String, class: &str, paths: &mut dyn Iterator<Item = String>| {
            let _ = writeln!(body, "<g class=\"{class}\"><path d=\"{}\"/></g>", paths.collect::<String>());
        };
        layer(&mut body, "outlines", &mut drawn.outlines.iter().map(|line| path(line)));
        layer(&mut body, "circles", &mut drawn.circles.iter().map(|line| path(line)));
        layer(&mut body, "moves", &mut drawn.moves.iter().map(|line| path(line)));
        // A line of no length with round caps is a dot whose size does not change with the zoom.
        let dot = |(x, y): &(f64, f64)| format!("M{x:.2} {y:.2}h0");
        layer(&mut body, "before", &mut drawn.before.iter().map(dot));
        layer(&mut body, "after", &mut drawn.after.iter().map(dot));
        let scale = if drawn.scale.1 >= 1_000.0 {
            format!("{} km", drawn.scale.1 / 1_000.0)
        } else {
            format!("{} m", drawn.scale.1)
        };
        let every = if drawn.every > 1 { format!(" One of {} points is drawn.", drawn.every) } else { String::new() };
        let radius = self.radius.map_or(String::new(), |radius| format!(" Circles have a radius of {radius:.0} m."));
        let first = if self.before.len() > MOST_CIRCLES && drawn.circles.len() + drawn.moves.len() > 0 {
            format!(" Circles and moves are drawn of the first {MOST_CIRCLES} places.")
        } else {
            String::new()
        };
        Some(
            include_str!("place_map.html")
                .replace("{title}", &escaped(&self.title))
                .replace("{width}", &format!("{width:.0}"))
                .replace("{height}", &format!("{height:.0}"))
                .replace("{scale_length}", &format!("{:.2}", drawn.scale.0))
                .replace("{scale}", &scale)
                .replace("{before}", &self.before.len().to_string())
                .replace("{after}", &self.after.len().to_string())
                .replace("{notes}", &format!("{radius}{every}{first}"))
                .replace("{layers}", &body),
        )
    }
}

/// The largest of 1, 2 and 5 times a power of ten that is not above a number.
fn nice(most: f64) -> f64 {
    let power = 10_f64.powf(most.log10().floor());
    [5.0, 2.0, 1.0].into_iter().map(|step| step * power).find(|step| *step <= most).unwrap_or(power)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('{', "&#123;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_holds_every_layer_and_no_address() {
        let home = Place::new(-17.0, 179.999).unwrap();
        let map = PlaceMap {
            title: "Fiji <script>{layers}".to_owned(),
            before: vec![home, displaced(home, 1.0, 5_000.0)],
            after: vec![displaced(home, 2.0, 800.0), displaced(home, 3.0, 6_000.0)],
            radius: Some(1_000.0),
            outlines: vec![Area {
                name: String::new(),
                polygons: vec![vec![vec![[179.0, -18.0], [180.0, -16.0], [-179.0, -17.0]]]],
            }],
        };
        let drawn = map.drawn().unwrap();
        assert_eq!((drawn.circles.len(), drawn.moves.len(), drawn.outlines.len()), (2, 2, 1));
        // Across the antimeridian, everything is in the picture.
        assert!(
            drawn
                .before
                .iter()
                .chain(&drawn.after)
                .all(|(x, y)| (0.0..=drawn.size.0).contains(x) && (0.0..=drawn.size.1).contains(y))
        );
        // A circle is as wide as it is high.
        let range = |of: &dyn Fn(&(f64, f64)) -> f64| {
            let values: Vec<f64> = drawn.circles[0].iter().map(of).collect();
            values.iter().copied().fold(f64::MIN, f64::max) - values.iter().copied().fold(f64::MAX, f64::min)
        };
        assert!((range(&|p| p.0) / range(&|p| p.1) - 1.0).abs() < 0.01);
        let page = map.page().unwrap();
        assert!(
            !page.contains("<script>{") && page.contains("Fiji &lt;script&gt;") && !page.contains("http"),
            "{page}"
        );
        assert!(PlaceMap::default().page().is_none());
    }

    #[test]
    fn everything_is_in_the_picture_however_narrow_it_is() {
        for (latitude, longitude) in [(1.0, 0.0), (0.0, 1.0), (0.0, 0.0), (-70.0, 20.0), (40.0, 179.0)] {
            let places = vec![Place::new(0.0, 0.0).unwrap(), Place::new(latitude, longitude).unwrap()];
            let drawn = PlaceMap { before: places, ..PlaceMap::default() }.drawn().unwrap();
            let (width, height) = drawn.size;
            assert!(
                drawn.before.iter().all(|(x, y)| (0.0..=width).contains(x) && (0.0..=height).contains(y)),
                "{drawn:?}"
            );
        }
        // A border around the globe is cut where the map ends.
        let ring = (0..=36).map(|step| [f64::from(step) * 10.0 - 180.0, 20.0]).collect();
        let outlines = vec![Area { name: String::new(), polygons: vec![vec![ring]] }];
        let before = vec![Place::new(0.0, 100.0).unwrap(), Place::new(0.0, -100.0).unwrap()];
        let drawn = PlaceMap { before, outlines, ..PlaceMap::default() }.drawn().unwrap();
        let steps = drawn.outlines.iter().flat_map(|line| line.windows(2)).map(|pair| (pair[0].0 - pair[1].0).abs());
        assert!(drawn.outlines.len() >= 2 && steps.fold(0.0, f64::max) < 400.0, "{:?}", drawn.outlines);
    }

    #[test]
    fn scales_are_round() {
        assert_eq!([nice(1.0), nice(3.0), nice(7.9), nice(2_400.0)], [1.0, 2.0, 5.0, 2_000.0]);
    }
}
