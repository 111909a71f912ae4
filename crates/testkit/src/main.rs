//! The testkit for tests in other languages: lines of JSON on the standard input and output, see `control`.

fn main() -> std::io::Result<()> {
    oxpg_testkit::control::run(std::io::BufReader::new(std::io::stdin()), std::io::stdout())
}
