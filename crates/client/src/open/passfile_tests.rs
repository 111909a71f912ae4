//! Lines and permissions of password files.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::config::Config;
use super::hosts::HostAddress;
use super::passfile::find;
use super::passwords::Passwords;

fn find_tcp(text: &str, name: &str, port: u16, database: &str, user: &str) -> Option<String> {
    let address = HostAddress::Tcp { name: name.to_owned(), port };
    find(text, &address, database, user).map(|password| password.reveal().to_owned())
}

#[test]
fn the_first_line_that_matches_counts() {
    let text = "# h:5432:d:u:comment\n\nshort:line\nh:5432:d:u:first\nh:*:d:u:second\n*:*:*:u:third\r\n*:*:*:*:last";
    assert_eq!(find_tcp(text, "h", 5432, "d", "u").as_deref(), Some("first"));
    assert_eq!(find_tcp(text, "h", 1, "d", "u").as_deref(), Some("second"));
    assert_eq!(find_tcp(text, "x", 1, "d", "u").as_deref(), Some("third"));
    assert_eq!(find_tcp(text, "x", 1, "d", "v").as_deref(), Some("last"));
    assert_eq!(find_tcp("h:5432:d:u:first", "H", 5432, "d", "u"), None);
}

#[test]
fn backslashes_protect_colons_and_themselves() {
    let text = r"\:\:1:5432:a\\b:\*:p\:q\\r:s";
    let found = find_tcp(text, "::1", 5432, r"a\b", "*");
    assert_eq!(found.as_deref(), Some(r"p:q\r"), "a password ends at a colon of its own, as in libpq");
    assert_eq!(find_tcp(text, "::1", 5432, r"a\b", "u"), None, "an escaped star is a star");
}

#[cfg(unix)]
#[test]
fn a_socket_counts_as_localhost_and_by_its_directory() {
    let directory = Path::new("/run/pg").to_owned();
    let address = HostAddress::Unix { path: directory.join(".s.PGSQL.5432"), directory, port: 5432 };
    for text in ["localhost:5432:*:*:x", "/run/pg:5432:*:*:x"] {
        assert!(find(text, &address, "d", "u").is_some());
    }
    assert!(find("/run:5432:*:*:x", &address, "d", "u").is_none());
}

/// The passwords of a session that is opened now, by host.
fn passwords(config: &Config) -> Vec<Option<String>> {
    let passwords = Passwords::of(config);
    let found = config.hosts.iter().map(|host| passwords.for_host(config, &host.address));
    found.map(|password| password.map(|password| password.reveal().to_owned())).collect()
}

fn config(passfile: &Path) -> Config {
    let options = json!({ "host": ["a", "b", "c"], "user": "u", "passfile": passfile });
    Config::from_json(&json!({ "dsn": null, "options": options, "environment": {} }).to_string()).unwrap()
}

/// Why the password file is not used.
fn remark(config: &Config) -> Option<String> {
    Passwords::of(config).remark().map(str::to_owned)
}

#[cfg(unix)]
fn write(path: &Path, text: &[u8], mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(unix)]
#[test]
fn each_host_has_its_own_password() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("pgpass");
    write(&path, b"a:*:*:*:one\nb:*:*:*:two\n", 0o600);
    let config = config(&path);
    assert_eq!(passwords(&config), [Some("one".to_owned()), Some("two".to_owned()), None]);
}

#[cfg(unix)]
#[test]
fn the_file_is_read_for_each_session() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("pgpass");
    let config = config(&path);
    assert_eq!(passwords(&config), [None, None, None]);
    for password in ["before", "after"] {
        write(&path, format!("*:*:*:*:{password}\n").as_bytes(), 0o600);
        assert!(passwords(&config).iter().all(|found| found.as_deref() == Some(password)));
    }
}

#[cfg(unix)]
#[test]
fn the_home_directory_has_one() {
    let directory = tempfile::tempdir().unwrap();
    write(&directory.path().join(".pgpass"), b"*:*:*:u:home", 0o600);
    let environment = json!({ "HOME": directory.path(), "PGUSER": "u" });
    let config = Config::from_json(&json!({ "environment": environment }).to_string()).unwrap();
    assert!(passwords(&config).iter().all(|found| found.as_deref() == Some("home")));
}

#[cfg(unix)]
#[test]
fn a_file_that_must_not_be_used_is_ignored_and_remembered() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("pgpass");
    for (text, mode, why) in [
        (&b"*:*:*:*:x"[..], 0o640, "group or others"),
        (b"*:*:*:*:x", 0o604, "group or others"),
        (b"*:*:*:*:\xff", 0o600, "not UTF-8"),
        (&b"#".repeat(1 << 20 | 1), 0o600, "larger than 1 MiB"),
    ] {
        write(&path, text, mode);
        let config = config(&path);
        assert!(passwords(&config).iter().all(Option::is_none));
        let remark = remark(&config);
        assert!(remark.as_ref().unwrap().contains(why), "{remark:?}");
    }
    assert!(remark(&config(directory.path())).unwrap().contains("not a regular file"));
    assert_eq!(remark(&config(&directory.path().join("absent"))), None);
}

#[test]
fn a_password_given_for_one_session_is_checked_and_empty_is_none() {
    let config = config(Path::new("absent"));
    let given = |text: &str| {
        Passwords::given(text.to_owned()).map(|passwords| passwords.for_host(&config, &config.hosts[0].address))
    };
    assert_eq!(given("x").unwrap().map(|password| password.reveal().to_owned()).as_deref(), Some("x"));
    assert!(given("").unwrap().is_none());
    let error = given("marked\0secret").unwrap_err().to_string();
    assert!(error.contains("NUL") && !error.contains("marked"), "{error}");
}

#[test]
fn an_empty_password_ends_the_search() {
    let text = "h:5432:d:u:\nh:5432:d:u:later\n";
    let address = HostAddress::Tcp { name: "h".to_owned(), port: 5432 };
    assert!(find(text, &address, "d", "u").is_none());
    assert_eq!(find("x:*:*:*:\n*:*:*:*:p", &address, "d", "u").unwrap().reveal(), "p");
}
