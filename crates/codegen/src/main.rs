//! Writes the generated sources of oxpg, or with `--check` only says whether they are stale.
//!
//! `cargo run -p oxpg-codegen` writes `src/errors/sqlstate.ts` from `data/sqlstate.tsv`.

#![forbid(unsafe_code)]

mod facts;
mod typescript;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        [] => write_sources(),
        ["--check"] => check_sources(),
        _ => Err(format!("usage: oxpg-codegen [--check], not {}", arguments.join(" "))),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            // A closed standard error leaves nobody to tell.
            let _ = writeln!(std::io::stderr(), "{problem}");
            ExitCode::FAILURE
        }
    }
}

fn crate_folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn target() -> PathBuf {
    crate_folder().join("../../src/errors/sqlstate.ts")
}

fn generated() -> Result<String, String> {
    let path = crate_folder().join("data/sqlstate.tsv");
    let in_table = |problem: String| format!("{}: {problem}", path.display());
    let table = std::fs::read_to_string(&path).map_err(|error| in_table(error.to_string()))?;
    let facts = facts::parse(&table).map_err(in_table)?;
    Ok(typescript::sqlstate_classes(&facts::parents_first(&facts).map_err(in_table)?))
}

fn write_sources() -> Result<(), String> {
    let path = target();
    std::fs::write(&path, generated()?).map_err(|error| format!("{}: {error}", path.display()))
}

fn check_sources() -> Result<(), String> {
    let path = target();
    let present = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    if present == generated()? {
        return Ok(());
    }
    Err(format!("{} is stale: run `cargo run -p oxpg-codegen`", path.display()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_checked_in_source_is_the_generated_one() {
        super::check_sources().unwrap();
    }

    #[test]
    fn there_are_262_classes() {
        assert_eq!(super::generated().unwrap().matches("export class ").count(), 262);
    }
}
