//! Weights that others trained, from their files into models.

mod efficientnet;
mod weight_files;
