//! Says what connection strings come to, for `scripts/libpq-differential.mjs`: a JSON array of them on standard input,
//! for each `{"pairs": [[keyword, value], …]}` or `{"error": message}` on standard output.

use std::error::Error;
use std::io;

use serde_json::{Value, json};

fn main() -> Result<(), Box<dyn Error>> {
    let strings: Vec<String> = serde_json::from_reader(io::stdin().lock())?;
    let said = strings.iter().map(|text| match oxpg_client::open::parse_dsn(text) {
        Ok(pairs) => json!({ "pairs": pairs }),
        Err(error) => json!({ "error": error.to_string() }),
    });
    serde_json::to_writer(io::stdout().lock(), &said.collect::<Vec<Value>>())?;
    Ok(())
}
