//! What happens to a column's cells.

use std::collections::HashMap;
use std::io::Write;

use burn_privacy_accounting::round_up_for_display;

use super::number_format::NumberFormat;
use super::statement::ColumnGuarantee;
use burn_privacy_mechanisms::local::{CellRandomness, Duchi, IntegerNoise, Piecewise, RandomizedResponse, RealNoise};

/// A column of the schema.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(super) label: bool,
    pub(crate) treatment: Treatment,
}

/// What happens to it.
#[derive(Debug, Clone)]
pub(crate) enum Treatment {
    Drop,
    Keep,
    Perturb(Perturbed),
}

/// A mechanism and what it needs to read and write cells.
#[derive(Debug, Clone)]
pub(crate) enum Perturbed {
    Real { mechanism: RealMechanism, name: &'static str, default: f64, clamp: bool, format: NumberFormat },
    Integer { mechanism: IntegerNoise, name: &'static str, default: i64, clamp: bool, format: NumberFormat },
    Category(Categories),
}

/// Mechanisms for reals.
#[derive(Debug, Clone)]
pub(crate) enum RealMechanism {
    Noise(RealNoise),
    Piecewise(Piecewise),
    Duchi(Duchi),
}

/// Categories by name.
#[derive(Debug, Clone)]
pub(crate) struct Categories {
    response: RandomizedResponse,
    names: Vec<String>,
    places: HashMap<Vec<u8>, u32>,
    other: u32,
}

impl Categories {
    /// `other` is the place of the category for all other cells.
    pub(super) fn new(response: RandomizedResponse, names: Vec<String>, other: u32) -> Self {
        let places = names.iter().zip(0..).map(|(name, place)| (name.clone().into_bytes(), place)).collect();
        Self { response, names, places, other }
    }

    /// What is released, and whether the cell was one of the categories.
    fn perturb(&self, cell: &[u8], randomness: &CellRandomness) -> (&str, bool) {
        let place = self.places.get(cell.trim_ascii()).copied();
        let released = self.response.perturb(place.unwrap_or(self.other), randomness);
        (self.names.get(released as usize).map_or("", String::as_str), place.is_some())
    }
}

impl RealMechanism {
    fn bounds(&self) -> (f64, f64) {
        match self {
            Self::Noise(noise) => noise.bounds(),
            Self::Piecewise(piecewise) => piecewise.bounds(),
            Self::Duchi(duchi) => duchi.bounds(),
        }
    }

    fn guarantee(&self) -> (f64, f64) {
        match self {
            Self::Noise(noise) => (noise.epsilon(), noise.delta()),
            Self::Piecewise(piecewise) => (piecewise.epsilon(), 0.0),
            Self::Duchi(duchi) => (duchi.epsilon(), 0.0),
        }
    }

    fn perturb(&self, value: f64, randomness: &CellRandomness) -> f64 {
        match self {
            Self::Noise(noise) => noise.perturb(value, randomness),
            Self::Piecewise(piecewise) => piecewise.perturb(value, randomness),
            Self::Duchi(duchi) => duchi.perturb(value, randomness),
        }
    }

    fn decimals(&self) -> Option<usize> {
        match self {
            Self::Noise(noise) => noise.decimals(),
            Self::Piecewise(piecewise) => piecewise.decimals(),
            Self::Duchi(duchi) => duchi.decimals(),
        }
    }
}

impl Perturbed {
    /// Whether the mechanism draws normal values.
    pub(crate) fn needs_normals(&self) -> bool {
        matches!(self, Self::Real { mechanism: RealMechanism::Noise(_), .. } | Self::Integer { .. })
    }

    /// Writes what is released instead of a cell. Whatever the cell holds, something is; the answer, whether the cell
    /// could be read, is as private as the cell.
    pub(crate) fn perturb(&self, cell: &[u8], randomness: &CellRandomness, out: &mut Vec<u8>) -> bool {
        // Writing to memory cannot fail.
        let (readable, _) = match self {
            Self::Real { mechanism, default, clamp, format, .. } => {
                let number = format.number(cell);
                let mut value = mechanism.perturb(number.unwrap_or(*default), randomness);
                if *clamp {
                    let (lo, hi) = mechanism.bounds();
                    value = value.clamp(lo, hi);
                }
                let written = match mechanism.decimals() {
                    Some(decimals) if value.abs() < 1e15 => write!(out, "{value:.decimals$}"),
                    _ => write!(out, "{value:e}"),
                };
                (number.is_some(), written)
            }
            Self::Integer { mechanism, default, clamp, format, .. } => {
                let number = format.integer(cell);
                let mut value = mechanism.perturb(number.unwrap_or(*default), randomness);
                if *clamp {
                    let (lo, hi) = mechanism.bounds();
                    value = value.clamp(lo.into(), hi.into());
                }
                (number.is_some(), write!(out, "{value}"))
            }
            Self::Category(categories) => {
                let (released, known) = categories.perturb(cell, randomness);
                (known, out.write_all(released.as_bytes()))
            }
        };
        readable
    }

    /// True if it releases numbers.
    pub(crate) fn is_number(&self) -> bool {
        !matches!(self, Self::Category(_))
    }

    /// What the column contributes to the statement.
    pub(super) fn guarantee(&self, column: &str, label: bool) -> ColumnGuarantee {
        let clamped = |clamp: bool| if clamp { ", output clamped" } else { "" };
        let deviation = |deviation: f64| format!("standard deviation {}", round_up_for_display(deviation));
        let (mechanism, (epsilon, delta)) = match self {
            Self::Real { mechanism, name, clamp, .. } => {
                let (lo, hi) = mechanism.bounds();
                let parameters = match mechanism {
                    RealMechanism::Noise(noise) => deviation(noise.standard_deviation()),
                    RealMechanism::Piecewise(piecewise) => {
                        let (smallest, largest) = piecewise.range();
                        format!("outputs from {smallest:.4} to {largest:.4}")
                    }
                    RealMechanism::Duchi(duchi) => {
                        let (small, large) = duchi.outputs();
                        format!("outputs {small:.4} and {large:.4}")
                    }
                };
                (format!("{name}, {parameters}, bounds {lo} to {hi}{}", clamped(*clamp)), mechanism.guarantee())
            }
            Self::Integer { mechanism, name, clamp, .. } => {
                let (lo, hi) = mechanism.bounds();
                let mut text = format!("{name}, {}", deviation(mechanism.standard_deviation()));
                text.push_str(&format!(", bounds {lo} to {hi}{}", clamped(*clamp)));
                if mechanism.step() > 1 {
                    text.push_str(&format!(", in steps of {}", mechanism.step()));
                }
                (text, (mechanism.epsilon(), mechanism.delta()))
            }
            Self::Category(Categories { response, .. }) => {
                let (count, keep) = (response.categories(), response.keep_probability());
                let text = format!("randomized response over {count} categories, kept with probability {keep:.6}");
                (text, (response.epsilon(), 0.0))
            }
        };
        ColumnGuarantee { column: column.to_owned(), label, mechanism, epsilon, delta }
    }
}
