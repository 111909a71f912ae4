//! Any connection string: it is read or refused without a panic, an error shows nothing of it, and what it comes to can be
//! shown without its password.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oxpg_client::open::{explain, parse_dsn};
use serde_json::json;

/// Where a secret may stand; the rest is the fuzzer's.
const SECRET: &str = "marked-Geheimnis";

fuzz_target!(|input: (&str, &str)| {
    let (before, after) = input;
    let dsn = format!("{before}{SECRET}{after}");
    let is_told = |text: &str| text.contains(SECRET) && !before.contains(SECRET) && !after.contains(SECRET);
    match parse_dsn(&dsn) {
        Ok(pairs) => assert!(pairs.iter().map(|(keyword, value)| keyword.len() + value.len()).sum::<usize>() <= dsn.len()),
        Err(error) => assert!(!is_told(&format!("{error} {error:?}"))),
    }
    let json = json!({ "dsn": format!("postgres://u:{SECRET}@{before}{after}"), "options": {}, "environment": {} });
    if let Ok(shown) = explain(&json.to_string()) {
        assert!(!is_told(&shown));
    }
});
