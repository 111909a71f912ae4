//! Values from PostgreSQL's text format: parts of types that have no binary format as a whole. The cells are those of
//! the binary format.

pub(super) mod bytea;
pub(super) mod datetime;
pub(super) mod geometric;
pub(super) mod hstore;
pub(super) mod interval;
mod scanner;
pub(super) mod vector;

use std::str::FromStr;

use super::{Cell, Destination, Stop};

const NO_FLOAT: &str = "a floating-point number that is none";

/// A number's text; `problem` says what it is not.
pub(super) fn parse<T: FromStr>(text: &[u8], problem: &'static str) -> Result<T, Stop> {
    std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or(Stop::invalid(problem))
}

/// A floating-point number's text, of any length that JavaScript's number has.
pub(super) fn parse_float<T: FromStr>(text: &[u8]) -> Result<T, Stop> {
    parse(text, NO_FLOAT)
}
