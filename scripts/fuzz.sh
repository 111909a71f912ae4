#!/usr/bin/env bash
# Runs every fuzz target for a while: scripts/fuzz.sh [seconds], 60 by default. Needs nightly Rust and cargo-fuzz.
set -euo pipefail
cd "$(dirname "$0")/../fuzz"
seconds="${1:-60}"
for tool in "cargo +nightly --version" "cargo fuzz --version"; do
  if ! $tool >/dev/null 2>&1; then
    echo "skipped: $tool does not work"
    exit 0
  fi
done
for target in $(cargo +nightly fuzz list); do
  echo "== $target, $seconds s"
  cargo +nightly fuzz run "$target" -- -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 2>&1 |
    grep -E "^(stat::|Done|SUMMARY|==[0-9]+==|artifact_prefix)|panicked" || true
  if compgen -G "artifacts/$target/*" >/dev/null; then
    echo "found: $(ls artifacts/"$target")"
    exit 1
  fi
done
