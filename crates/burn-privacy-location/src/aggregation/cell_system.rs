//! Hierarchies of cells that cover the globe: H3 and S2, by number.

use std::collections::BTreeSet;

use h3o::{CellIndex, LatLng, Resolution};
use s2::cell::Cell;
use s2::cellid::CellID;

use super::super::error::LocationError;
use super::super::place::Place;

/// The most cells of one level that counts are made for.
pub const MOST_PUBLIC_CELLS: usize = 2_000_000;

/// Which cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CellSystem {
    /// Uber's hexagons: levels 0 to 15; a cell of level 7 has about 5 square kilometers.
    H3,
    /// Google's squares on a cube: levels 0 to 30; a cell of level 13 has about 1.3 square kilometers.
    S2,
}

impl CellSystem {
    /// The finest level.
    pub fn finest(self) -> u8 {
        match self {
            Self::H3 => 15,
            Self::S2 => 30,
        }
    }

    /// Checks a level.
    ///
    /// # Errors
    ///
    /// [`LocationError::Parameter`] for one beyond the finest.
    pub fn check(self, level: u8) -> Result<u8, LocationError> {
        if level <= self.finest() {
            Ok(level)
        } else {
            Err(LocationError::parameter("the level", level, format!("from 0 to {}", self.finest())))
        }
    }

    /// The number of the cell of a place at a level.
    ///
    /// # Errors
    ///
    /// As [`Self::check`].
    pub fn cell(self, place: Place, level: u8) -> Result<u64, LocationError> {
        self.check(level)?;
        Ok(match self {
            Self::H3 => u64::from(hexagon(place)?.to_cell(resolution(level)?)),
            Self::S2 => {
                let at = s2::latlng::LatLng::from_degrees(place.latitude(), place.longitude());
                CellID::from(at).parent(u64::from(level)).0
            }
        })
    }

    /// The cell of a coarser level that a cell belongs to.
    ///
    /// # Errors
    ///
    /// [`LocationError::Parameter`] for a number that is no cell, or a level that is finer than it.
    pub fn parent(self, cell: u64, level: u8) -> Result<u64, LocationError> {
        let refused = || LocationError::parameter("a cell's level", level, "at most that of the cell");
        match self {
            Self::H3 => Ok(u64::from(h3(cell)?.parent(resolution(level)?).ok_or_else(refused)?)),
            Self::S2 => {
                let cell = square(cell)?;
                let is_finer = u64::from(level) > cell.level();
                if is_finer { Err(refused()) } else { Ok(cell.parent(u64::from(level)).0) }
            }
        }
    }

    /// The cells of the next level that a cell is divided into.
    ///
    /// # Errors
    ///
    /// [`LocationError::Parameter`] for a number that is no cell, or one of the finest level.
    pub fn children(self, cell: u64) -> Result<Vec<u64>, LocationError> {
        match self {
            Self::H3 => {
                let cell = h3(cell)?;
                let finer = resolution(u8::from(cell.resolution()) + 1)?;
                Ok(cell.children(finer).map(u64::from).collect())
            }
            Self::S2 => {
                let cell = square(cell)?;
                if cell.is_leaf() {
                    return Err(LocationError::parameter("a cell", "of the finest level", "one that is divided"));
                }
                Ok(cell.children().iter().map(|child| child.0).collect())
            }
        }
    }

    /// The cells of `level` that places are in: a public set, if the places are public.
    ///
    /// # Errors
    ///
    /// As [`Self::check`].
    pub fn cells_of(self, places: impl Iterator<Item = Place>, level: u8) -> Result<BTreeSet<u64>, LocationError> {
        places.map(|place| self.cell(place, level)).collect()
    }

    /// How a cell is written: H3's hexadecimal index, S2's token.
    pub fn name(self, cell: u64) -> String {
        match self {
            Self::H3 => format!("{cell:x}"),
            Self::S2 => CellID(cell).to_token(),
        }
    }

    /// The corners of a cell, in order.
    ///
    /// # Errors
    ///
    /// [`LocationError::Parameter`] for a number that is no cell.
    pub fn corners(self, cell: u64) -> Result<Vec<Place>, LocationError> {
        match self {
            Self::H3 => h3(cell)?.boundary().iter().map(|corner| Place::new(corner.lat(), corner.lng())).collect(),
            Self::S2 => {
                let cell = Cell::from(square(cell)?);
                let corner = |corner| {
                    let at = s2::latlng::LatLng::from(cell.vertex(corner));
                    Place::new(at.lat.deg(), at.lng.deg())
                };
                (0..4).map(corner).collect()
            }
        }
    }
}

fn resolution(level: u8) -> Result<Resolution, LocationError> {
    Resolution::try_from(level).map_err(|_| LocationError::parameter("the level", level, "from 0 to 15"))
}

fn h3(cell: u64) -> Result<CellIndex, LocationError> {
    CellIndex::try_from(cell).map_err(|_| LocationError::parameter("a cell", format!("{cell:x}"), "an index of H3"))
}

fn square(cell: u64) -> Result<CellID, LocationError> {
    let id = CellID(cell);
    if id.is_valid() { Ok(id) } else { Err(LocationError::parameter("a cell", format!("{cell:x}"), "a cell of S2")) }
}

fn hexagon(place: Place) -> Result<LatLng, LocationError> {
    LatLng::new(place.latitude(), place.longitude())
        .map_err(|_| LocationError::parameter("a place", format!("{place:?}"), "finite"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_the_known_ones_and_parents_have_their_children() {
        let place = Place::new(37.775_938_728_915_946, -122.417_954_063_253_7).unwrap();
        // The example of H3's own documentation.
        assert_eq!(CellSystem::H3.name(CellSystem::H3.cell(place, 9).unwrap()), "8928308280fffff");
        let pole = Place::new(90.0, 0.0).unwrap();
        let fiji = Place::new(-17.0, 180.0).unwrap();
        for system in [CellSystem::H3, CellSystem::S2] {
            for at in [place, pole, fiji] {
                let (fine, coarse) = (system.cell(at, 8).unwrap(), system.cell(at, 7).unwrap());
                assert_eq!(system.parent(fine, 7).unwrap(), coarse);
                assert!(system.children(coarse).unwrap().contains(&fine));
                assert!(system.corners(fine).unwrap().len() >= 4);
            }
            assert!(system.cell(place, system.finest() + 1).is_err());
        }
        assert!(CellSystem::H3.children(7).is_err() && CellSystem::S2.children(0).is_err());
    }
}
