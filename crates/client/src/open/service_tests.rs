//! Service files: what is read of them, where they are looked for, and what they mean beside other sources.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::config::Config;
use super::error::ConfigError;

const FILE: &str = "\
# comment = x
outside=y
[other]
host=other
[shop] trailing text
  host=shop.example
port=6000

 # comment
user=ann
dbname=store
host=second
password= p=w\u{20}
search_path=app
sslmode=disable
[shop]
connect_timeout=9
[last]
user=last";

fn parse(dsn: &str, options: &Value, environment: &Value) -> Result<Config, ConfigError> {
    Config::from_json(&json!({ "dsn": dsn, "options": options, "environment": environment }).to_string())
}

fn hosts(config: &Config) -> Vec<String> {
    config.hosts.iter().map(|host| host.address.to_string()).collect()
}

fn written(directory: &Path, name: &str, text: &str) -> String {
    let path = directory.join(name);
    fs::write(&path, text).unwrap();
    path.to_string_lossy().into_owned()
}

#[test]
fn a_section_stands_for_keywords() {
    let folder = tempfile::tempdir().unwrap();
    let file = written(folder.path(), "services", FILE);
    let config = parse("service=shop", &json!({ "servicefile": file }), &json!({})).unwrap();
    // The first line of a keyword counts, and the first section of a name.
    assert_eq!(hosts(&config), ["shop.example:6000"]);
    assert_eq!((&*config.user, &*config.database), ("ann", "store"));
    assert_eq!(config.settings, [("search_path".to_owned(), "app".to_owned())]);
    assert_eq!(config.connect_timeout.unwrap().as_secs(), 60);
    let super::passwords::PasswordSource::Given(password) = &config.password else { panic!("no password") };
    assert_eq!(password.reveal(), " p=w", "spaces at the end of a line are not part of it");
}

#[test]
fn it_is_weaker_than_the_dsn_and_stronger_than_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let file = written(folder.path(), "services", FILE);
    let environment = json!({
        "PGSERVICE": "shop", "PGSERVICEFILE": file, "PGHOST": "env", "PGDATABASE": "env", "PGCONNECT_TIMEOUT": "7"
    });
    let config = parse("postgres://bob@/", &json!({ "port": 1 }), &environment).unwrap();
    assert_eq!(hosts(&config), ["shop.example:1"]);
    assert_eq!((&*config.user, &*config.database), ("bob", "store"));
    assert_eq!(config.connect_timeout.unwrap().as_secs(), 7);
    // Options choose another section, and another file.
    let config = parse("service=shop", &json!({ "service": "last" }), &environment).unwrap();
    assert_eq!(config.user, "last");
}

#[test]
fn the_users_file_comes_before_the_systems() {
    let (home, system) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let variable = if cfg!(windows) { "APPDATA" } else { "HOME" };
    let environment = json!({ variable: home.path(), "PGSYSCONFDIR": system.path(), "PGSERVICE": "shop", "USER": "u" });
    let host = || parse("", &json!({}), &environment).map(|config| hosts(&config).concat());
    let missing = host().unwrap_err().to_string();
    assert_eq!(missing, "PGSERVICE: expected a section of the service file, and found no \"shop\"");

    written(system.path(), "pg_service.conf", "[shop]\nhost=system");
    assert_eq!(host().unwrap(), "system:5432");
    let folder = home.path().join(if cfg!(windows) { "postgresql" } else { "" });
    fs::create_dir_all(&folder).unwrap();
    written(&folder, ".pg_service.conf", "[other]\nhost=user");
    assert_eq!(host().unwrap(), "system:5432", "a section that the user's file lacks");
    written(&folder, ".pg_service.conf", "[shop]\nhost=user");
    assert_eq!(host().unwrap(), "user:5432");

    let file = written(home.path(), "named", "[other]\nhost=named");
    let config = parse("", &json!({ "servicefile": file }), &environment).unwrap();
    assert_eq!(hosts(&config), ["system:5432"], "a file that is named stands in place of the user's");
}

#[test]
fn mistakes_are_told_with_their_line_and_without_what_is_on_it() {
    let folder = tempfile::tempdir().unwrap();
    let error = |text: &str| {
        let file = written(folder.path(), "services", text);
        let error = parse("", &json!({ "service": "s", "servicefile": file }), &json!({ "USER": "u" })).unwrap_err();
        (error.to_string().replace(&file, "FILE"), error.is_unsupported())
    };
    for (text, expected) in [
        ("[s]\nmarked", "service file FILE, line 2: expected keyword=value, found no ="),
        ("[s]\nhost = marked", "service file FILE, line 2: expected keyword=value, without spaces around the ="),
        ("[s]\n=marked", "service file FILE, line 2: expected keyword=value, without spaces around the ="),
        ("[s]\nservice=marked", "service file FILE, line 2: a service cannot name another one"),
        ("[s]\nservicefile=marked", "service file FILE, line 2: a service cannot name another one"),
        (
            "[s]\nport=70000",
            "service file FILE: port: expected a port from 1 to 65535, got something else (which is not shown: it may be a \
             piece of a password, in which reserved characters must be percent-encoded)",
        ),
    ] {
        assert_eq!(error(text), (expected.to_owned(), false));
    }
    let ldap = error("[s]\nldap://marked/o=x");
    assert_eq!(ldap, ("service file FILE, line 2: LDAP look-ups are not supported".to_owned(), true));
    assert!(parse("", &json!({}), &json!({ "PGSERVICEFILE": "/no/such/file", "USER": "u" })).is_ok());
    let missing = parse("service=s", &json!({}), &json!({ "PGSERVICEFILE": "/no/such/file" })).unwrap_err().to_string();
    assert_eq!(missing, "PGSERVICEFILE: expected a service file, found none at /no/such/file");
    let folder = folder.path().to_string_lossy().into_owned();
    let error = parse("service=s", &json!({ "servicefile": folder }), &json!({})).unwrap_err().to_string();
    assert_eq!(error, format!("service file {folder}: cannot be read: it is not a regular file"));
}
