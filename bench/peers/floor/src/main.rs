//! The floor: what the kernel and the server leave to any client.
//!
//! A blocking socket, one prepared statement, the same bytes as oxpg sends, and every byte of the answer read once.
//! The protocol with the runner is that of `slices.mjs`.

mod session;

use std::io::{BufRead, Write};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use session::Session;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().expect("the server's URL");
    let mut session = Session::open(&url);
    answer(&json!({ "version": env!("CARGO_PKG_VERSION") }));
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("the runner's request");
        let request: Value = serde_json::from_str(&line).expect("a request in JSON");
        answer(&slice(&mut session, &request));
    }
}

fn answer(message: &Value) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{message}").expect("the runner reads");
    out.flush().expect("the runner reads");
}

fn slice(session: &mut Session, request: &Value) -> Value {
    let sql = request["sql"].as_str().expect("sql");
    let parameters = request["parameters"].as_array().expect("parameters");
    let duration = Duration::from_millis(request["durationMs"].as_u64().expect("durationMs"));
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || -> Vec<i32> {
        parameters
            .iter()
            .map(|parameter| match (parameter["fixed"].as_i64(), parameter["from"].as_i64(), parameter["to"].as_i64()) {
                (Some(fixed), ..) => fixed as i32,
                (None, Some(from), Some(to)) => {
                    seed ^= seed << 13;
                    seed ^= seed >> 7;
                    seed ^= seed << 17;
                    (from + (seed % (to - from) as u64) as i64) as i32
                }
                _ => panic!("a parameter is fixed or random"),
            })
            .collect()
    };
    session.prepare(sql);
    session.query(&next());
    let (started_cpu, started) = (cpu_microseconds(), Instant::now());
    let mut ends = vec![Duration::ZERO];
    while ends[ends.len() - 1] < duration {
        session.query(&next());
        ends.push(started.elapsed());
    }
    let cpu = cpu_microseconds() - started_cpu;
    let mut latencies: Vec<f64> = ends.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64() * 1000.0).collect();
    latencies.sort_by(f64::total_cmp);
    let quantile = |share: f64| latencies[(latencies.len() as f64 * share).ceil() as usize - 1];
    json!({
        "queries": latencies.len(),
        "elapsedMs": ends[ends.len() - 1].as_secs_f64() * 1000.0,
        "latencyMs": { "p50": quantile(0.5), "p99": quantile(0.99), "p999": quantile(0.999), "max": quantile(1.0) },
        "cpuMicroseconds": cpu,
        "peakRssBytes": usage().ru_maxrss * 1024,
    })
}

fn usage() -> libc::rusage {
    // SAFETY: getrusage fills the zeroed structure, for which all-zero bytes are a valid value.
    unsafe {
        let mut usage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        usage
    }
}

fn cpu_microseconds() -> f64 {
    let usage = usage();
    let of = |time: libc::timeval| time.tv_sec as f64 * 1e6 + time.tv_usec as f64;
    of(usage.ru_utime) + of(usage.ru_stime)
}
