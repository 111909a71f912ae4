//! The secrets of sessions for those who debug them (the NSS key log format of SSLKEYLOGFILE).

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;

use rustls::KeyLog;

/// Appends to a file that only its owner can read. What cannot be written is not: nothing depends on it.
#[derive(Debug)]
pub(super) struct KeyLogFile {
    pub(super) path: PathBuf,
}

impl KeyLog for KeyLogFile {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let mut line = label.to_owned();
        for bytes in [client_random, secret] {
            line.push(' ');
            for byte in bytes {
                let _ = write!(line, "{byte:02x}");
            }
        }
        line.push('\n');
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let _ = options.open(&self.path).and_then(|mut file| file.write_all(line.as_bytes()));
    }
}
