//! The subcommands, one a file.

pub mod anonymize;
pub mod audit;
pub mod compose;
pub mod cost;
pub mod curve;
pub mod ledger;
pub mod perturb;
pub mod query;
pub mod recommend;
pub mod search;
#[cfg(feature = "serve")]
pub mod serve;
pub mod shell;
pub mod statement;
