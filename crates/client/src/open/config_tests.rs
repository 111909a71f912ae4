//! What options, DSN and environment mean together.

use std::time::Duration;

use serde_json::{Value, json};

use super::config::Config;
use super::error::ConfigError;
use super::passwords::PasswordSource;
use super::tls::SslMode;
use crate::session::{PoolerSearch, QueryProtocol};

const SECRET: &str = "marked-Geheimnis";

fn parse(dsn: &str, options: Value, environment: Value) -> Result<Config, ConfigError> {
    let dsn = if dsn.is_empty() { Value::Null } else { Value::from(dsn) };
    Config::from_json(&json!({ "dsn": dsn, "options": options, "environment": environment }).to_string())
}

fn from_dsn(dsn: &str) -> Config {
    parse(dsn, json!({}), json!({ "USER": "system" })).unwrap()
}

fn from_options(options: Value) -> Result<Config, ConfigError> {
    parse("", options, json!({ "USER": "system" }))
}

fn hosts(config: &Config) -> Vec<String> {
    config.hosts.iter().map(|host| host.address.to_string()).collect()
}

fn password(config: &Config) -> Option<&str> {
    match &config.password {
        PasswordSource::Given(password) => Some(password.reveal()),
        PasswordSource::File(_) | PasswordSource::Nowhere => None,
    }
}

fn setting<'a>(config: &'a Config, name: &str) -> Option<&'a str> {
    config.settings.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

#[test]
fn defaults() {
    let config = from_options(json!({})).unwrap();
    assert_eq!((config.user.as_str(), config.database.as_str()), ("system", "system"));
    assert_eq!(config.connect_timeout, Some(Duration::from_secs(60)));
    assert_eq!(hosts(&config).last().unwrap(), "localhost:5432");
    assert!(config.settings.is_empty());
    assert_eq!(password(&config), None);
    #[cfg(unix)]
    assert_eq!(hosts(&config)[0], "/run/postgresql/.s.PGSQL.5432");
    assert_eq!(config.hosts.iter().filter(|host| !host.is_guess).count(), 1);
}

#[test]
fn options_of_the_session_are_kept_for_it() {
    let cache_size = |options| from_options(options).map(|config| config.session_options().statement_cache_size);
    assert_eq!(cache_size(json!({})).unwrap(), 100);
    assert_eq!(cache_size(json!({ "statementCacheSize": null })).unwrap(), 100);
    assert_eq!(cache_size(json!({ "statementCacheSize": 7 })).unwrap(), 7);
    for wrong in [json!(-1), json!(1.5), json!("7"), json!([7])] {
        let error = cache_size(json!({ "statementCacheSize": wrong })).unwrap_err().to_string();
        assert!(error.starts_with("option statementCacheSize: expected a whole number from 0, got "), "{error}");
    }
}

#[test]
fn the_statement_mode_says_how_queries_are_sent() {
    let session = |options| from_options(options).map(|config| config.session_options());
    let plain = session(json!({})).unwrap();
    assert_eq!((plain.query_protocol, plain.pooler_search), (QueryProtocol::Extended, PoolerSearch::ByIdentity));
    for same in [json!({ "statementMode": null }), json!({ "statementMode": "cache" })] {
        assert_eq!(session(same).unwrap(), plain);
    }
    let sized = session(json!({ "statementMode": "cache", "statementCacheSize": 5 })).unwrap();
    assert_eq!((sized.statement_cache_size, sized.pooler_search), (5, PoolerSearch::ByErrors));
    let unnamed = session(json!({ "statementMode": "unnamed" })).unwrap();
    assert_eq!(unnamed, session(json!({ "statementCacheSize": 0 })).unwrap());
    let simple = session(json!({ "statementMode": "simple", "statementCacheSize": 0 })).unwrap();
    assert_eq!((simple.query_protocol, simple.statement_cache_size), (QueryProtocol::Simple, 0));
    for (options, expected) in [
        (json!({ "statementMode": "named" }), "option statementMode: expected one of cache, unnamed, simple, got "),
        (json!({ "statementMode": true }), "option statementMode: expected one of cache, unnamed, simple, got "),
        (
            json!({ "statementMode": "simple", "statementCacheSize": 100 }),
            "option statementCacheSize: expected 0 with statementMode 'simple', got 100",
        ),
        (
            json!({ "statementMode": "cache", "statementCacheSize": 0 }),
            "option statementCacheSize: expected at least 1 with statementMode 'cache', got 0",
        ),
    ] {
        let error = session(options).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn the_user_of_the_system_has_several_names() {
    for name in ["USER", "LOGNAME", "USERNAME"] {
        assert_eq!(parse("", json!({}), json!({ name: "ann" })).unwrap().user, "ann");
    }
    let error = parse("", json!({}), json!({})).unwrap_err().to_string();
    assert!(error.starts_with("option user: expected a user name"), "{error}");
}

#[test]
fn options_win_over_dsn_over_environment() {
    let environment = json!({
        "PGHOST": "env", "PGPORT": "1", "PGUSER": "env", "PGPASSWORD": "env", "PGDATABASE": "env",
        "PGAPPNAME": "env", "PGOPTIONS": "-c a=b", "PGTZ": "UTC", "PGCONNECT_TIMEOUT": "7", "USER": "system"
    });
    let config = parse("", json!({}), environment.clone()).unwrap();
    assert_eq!(hosts(&config), ["env:1"]);
    assert_eq!((&*config.user, &*config.database, password(&config)), ("env", "env", Some("env")));
    assert_eq!(config.connect_timeout, Some(Duration::from_secs(7)));
    assert_eq!(setting(&config, "application_name"), Some("env"));
    assert_eq!(setting(&config, "options"), Some("-c a=b"));
    assert_eq!(setting(&config, "TimeZone"), Some("UTC"));

    let dsn = "postgres://dsn:dsn@dsn:2/dsn?application_name=dsn&connect_timeout=0&timezone=Asia/Tokyo";
    let config = parse(dsn, json!({}), environment.clone()).unwrap();
    assert_eq!(hosts(&config), ["dsn:2"]);
    assert_eq!((&*config.user, &*config.database, password(&config)), ("dsn", "dsn", Some("dsn")));
    assert_eq!(config.connect_timeout, None);
    assert_eq!(setting(&config, "application_name"), Some("dsn"));
    assert_eq!((setting(&config, "timezone"), setting(&config, "TimeZone")), (Some("Asia/Tokyo"), None));

    let options = json!({
        "host": "opt", "port": 3, "user": "opt", "password": "opt", "database": "opt", "connectTimeoutMs": 1500,
        "serverSettings": { "APPLICATION_NAME": "opt" }
    });
    let config = parse(dsn, options, environment).unwrap();
    assert_eq!(hosts(&config), ["opt:3"]);
    assert_eq!((&*config.user, &*config.database, password(&config)), ("opt", "opt", Some("opt")));
    assert_eq!(config.connect_timeout, Some(Duration::from_millis(1500)));
    let names = config.settings.iter().filter(|(name, _)| name.eq_ignore_ascii_case("application_name"));
    assert_eq!(names.map(|(_, value)| &**value).collect::<Vec<_>>(), ["opt"]);
}

#[test]
fn empty_values_count_as_not_given() {
    let config = parse("", json!({ "host": "", "user": "" }), json!({ "PGHOST": "env", "PGUSER": "", "USER": "u" }));
    let config = config.unwrap();
    assert_eq!((hosts(&config), &*config.user), (vec!["env:5432".to_owned()], "u"));
}

#[test]
fn uris() {
    let config = from_dsn("postgresql://a%40b:p%3Aq%2Fr%25@h%6Fst:1234/d%20b?search_path=x%2Cy&application_name=a+b");
    assert_eq!((&*config.user, &*config.database, password(&config)), ("a@b", "d b", Some("p:q/r%")));
    assert_eq!(hosts(&config), ["host:1234"]);
    assert_eq!(setting(&config, "search_path"), Some("x,y"));
    assert_eq!(setting(&config, "application_name"), Some("a b"));

    let config = from_dsn("postgres://u:p@ss@[::1]:1,h2,[fe80::1%25eth0]:3/?dbname=d");
    assert_eq!(hosts(&config), ["[::1]:1", "h2:5432", "[fe80::1%eth0]:3"]);
    assert_eq!((&*config.database, password(&config)), ("d", Some("p@ss")));

    assert_eq!(hosts(&from_dsn("postgres:///?host=a,b&port=1,2")), ["a:1", "b:2"]);
    assert_eq!(hosts(&from_dsn("postgres://:77/d")).last().unwrap(), "localhost:77");
    #[cfg(unix)]
    assert_eq!(hosts(&from_dsn("postgres://%2Frun%2Fpg:77")), ["/run/pg/.s.PGSQL.77"]);
}

#[test]
fn pairs() {
    let config = from_dsn(r"host=h port = 1  user='a b' password='it\'s \\ here' dbname=d\ b work_mem='1 MB'");
    assert_eq!(hosts(&config), ["h:1"]);
    assert_eq!((&*config.user, &*config.database, password(&config)), ("a b", "d b", Some(r"it's \ here")));
    assert_eq!(setting(&config, "work_mem"), Some("1 MB"));
    assert_eq!(from_dsn("user=x user=y").user, "y");
    assert_eq!(from_dsn("user=x password=''").user, "x");
}

#[test]
fn fallback_names_are_the_weakest() {
    let dsn = "fallback_application_name=fallback";
    assert_eq!(setting(&from_dsn(dsn), "application_name"), Some("fallback"));
    let config = parse(dsn, json!({}), json!({ "USER": "u", "PGAPPNAME": "env" })).unwrap();
    assert_eq!(setting(&config, "application_name"), Some("env"));
}

#[test]
fn hosts_and_ports_are_paired() {
    let config = from_options(json!({ "host": ["a", "b"], "port": [1, "2"] })).unwrap();
    assert_eq!(hosts(&config), ["a:1", "b:2"]);
    assert_eq!(hosts(&from_options(json!({ "host": "a, b", "port": 9 })).unwrap()), ["a:9", "b:9"]);
    for options in [
        json!({ "host": ["a", "b"], "port": [1, 2, 3] }),
        json!({ "host": ["a", ""] }),
        json!({ "host": ["a,b"] }),
        json!({ "host": [] }),
        json!({ "host": 5 }),
        json!({ "port": [1, 2] }),
    ] {
        assert!(from_options(options.clone()).is_err(), "{options}");
    }
    for port in [json!(0), json!(65536), json!(-1), json!(1.5), json!("x"), json!(true)] {
        let error = from_options(json!({ "port": port })).unwrap_err().to_string();
        assert!(error.starts_with("option port: expected a port from 1 to 65535"), "{error}");
        assert!(error.contains(port.as_str().unwrap_or(&port.to_string())), "{error}");
    }
}

#[test]
fn addresses_stand_for_names_that_need_not_be_looked_up() {
    let addresses = |config: &Config| -> Vec<(String, Option<String>)> {
        config.hosts.iter().map(|host| (host.address.to_string(), host.hostaddr.clone())).collect()
    };
    let pair = |host: &str, address: &str| (host.to_owned(), Some(address.to_owned()));
    let config = from_options(json!({ "host": ["a", "b"], "hostaddr": ["1.1.1.1", "::2"], "port": 9 })).unwrap();
    assert_eq!(addresses(&config), [pair("a:9", "1.1.1.1"), pair("b:9", "::2")]);
    let config = from_dsn("hostaddr=127.0.0.1,fe80::1%eth0 port=1,2");
    assert_eq!(addresses(&config), [pair("127.0.0.1:1", "127.0.0.1"), pair("[fe80::1%eth0]:2", "fe80::1%eth0")]);
    let config = from_dsn("host=a,b hostaddr=,1.1.1.1");
    assert_eq!(addresses(&config), [("a:5432".to_owned(), None), pair("b:5432", "1.1.1.1")]);
}

#[test]
fn an_empty_name_in_a_list_stands_for_the_default() {
    let config = from_dsn("host=a,,b port=7");
    let config_of_none = from_dsn("port=7");
    let expected = [vec!["a:7".to_owned()], hosts(&config_of_none), vec!["b:7".to_owned()]].concat();
    assert_eq!(hosts(&config), expected);
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn abstract_sockets_begin_with_an_at_sign() {
    assert_eq!(hosts(&from_dsn("host=@pg port=7")), ["@pg/.s.PGSQL.7"]);
}

#[test]
fn liveness_is_in_the_units_of_its_source() {
    let options = json!({
        "keepalives": true, "keepalivesIdleMs": 1001, "keepalivesIntervalMs": 2000, "keepalivesCount": 4,
        "tcpUserTimeoutMs": 1500
    });
    let keepalive = parse("keepalives=0 keepalives_idle=99", options, json!({ "USER": "u" })).unwrap().keepalive;
    assert!(keepalive.is_on);
    assert_eq!((keepalive.idle, keepalive.interval), (Some(Duration::from_secs(2)), Some(Duration::from_secs(2))));
    assert_eq!((keepalive.count, keepalive.user_timeout), (Some(4), Some(Duration::from_millis(1500))));

    let keepalive = from_dsn("keepalives=0 keepalives_idle=7 keepalives_interval=-1 tcp_user_timeout=0").keepalive;
    assert!(!keepalive.is_on);
    assert_eq!((keepalive.idle, keepalive.interval), (Some(Duration::from_secs(7)), None));
    assert_eq!((keepalive.count, keepalive.user_timeout), (None, None));
    for wrong in ["keepalives=on", "keepalives_idle=x", "keepalives_count=1.5", "tcp_user_timeout=1s"] {
        let error = parse(wrong, json!({}), json!({ "USER": "u" })).unwrap_err().to_string();
        assert!(error.starts_with(&format!("dsn: {}: expected a", wrong.split_once('=').unwrap().0)), "{error}");
    }
}

#[test]
fn an_old_demand_for_encryption_is_heard() {
    for (dsn, environment) in
        [("host=h requiressl=1", json!({ "USER": "u" })), ("host=h", json!({ "USER": "u", "PGREQUIRESSL": "1" }))]
    {
        assert_eq!(parse(dsn, json!({}), environment).unwrap().tls.mode, SslMode::Require);
    }
    let both = json!({ "USER": "u", "PGREQUIRESSL": "1", "PGSSLMODE": "prefer" });
    assert_eq!(parse("host=h", json!({}), both).unwrap().tls.mode, SslMode::Prefer);
}

#[test]
fn timeouts() {
    let timeout =
        |value: Value| from_options(json!({ "connectTimeoutMs": value })).map(|config| config.connect_timeout);
    assert_eq!(timeout(json!(0)).unwrap(), None);
    assert_eq!(timeout(json!(0.5)).unwrap(), Some(Duration::from_micros(500)));
    assert_eq!(timeout(json!(1e300)).unwrap(), None);
    for wrong in [json!(-1), json!("1"), json!(true)] {
        let error = timeout(wrong.clone()).unwrap_err().to_string();
        assert!(error.contains("connectTimeoutMs") && error.contains(&wrong.to_string()), "{error}");
    }
    assert!(parse("", json!({}), json!({ "USER": "u", "PGCONNECT_TIMEOUT": "1.5" })).is_err());
}

#[test]
fn what_is_not_built_is_refused_by_name() {
    let cases = [
        ("postgres://h/?ssl_max_protocol_version=TLSv1.1", json!({}), "ssl_max_protocol_version"),
        ("postgres://h/?replication=database", json!({}), "replication"),
        ("postgres://h/?client_encoding=latin1", json!({}), "client_encoding"),
        ("", json!({ "serverSettings": { "_pq_.x": "1" } }), "_pq_.x"),
    ];
    for (dsn, options, name) in cases {
        let error = parse(dsn, options, json!({ "USER": "u" })).unwrap_err();
        assert!(error.is_unsupported(), "{error}");
        assert!(error.to_string().contains(name), "{error}");
    }
    assert!(parse("postgres://h/?replication=off", json!({}), json!({ "USER": "u" })).is_ok());
}

#[test]
fn settings_of_tls_that_contradict_each_other_are_refused() {
    for (dsn, options, text) in [
        ("postgres://h/?sslnegotiation=direct", json!({}), "expected require, verify-ca or verify-full"),
        ("postgres://h/?sslnegotiation=direct&sslmode=allow", json!({}), "dsn: sslmode: expected require"),
        (
            "postgres://h/?sslnegotiation=soon",
            json!({}),
            "expected one of postgres, direct, got something else (which is not shown",
        ),
        ("postgres://h/?sslrootcert=system&sslmode=require", json!({}), "expected verify-full with sslrootcert=system"),
        ("postgres://h/?sslcertmode=require&sslmode=disable", json!({}), "expected TLS with sslcertmode=require"),
        ("postgres://h/?ssl_min_protocol_version=TLSv1.3&ssl_max_protocol_version=TLSv1.2", json!({}), "TLSv1.3"),
        ("postgres://h/?ssl_min_protocol_version=SSLv3", json!({}), "expected TLSv1.2 or TLSv1.3"),
        ("postgres://h/?sslsni=maybe", json!({}), "expected one of 1, 0"),
        ("", json!({ "channelBinding": "always" }), "expected one of disable, prefer, require"),
        ("", json!({ "ssl": { "cert": "x" } }), "option ssl.key: expected one with option ssl.cert"),
        ("", json!({ "ssl": { "ca": [] } }), "option ssl.ca: expected a string in PEM"),
        ("", json!({ "ssl": { "cypher": "x" } }), "option ssl.cypher: there is no such option of TLS"),
        ("", json!({ "ssl": { "rejectUnauthorized": "no" } }), "expected a boolean, got \"no\""),
        ("", json!({ "ssl": { "rejectUnauthorized": false, "mode": "verify-ca" } }), "expected true with a mode"),
        ("", json!({ "ssl": { "minVersion": "1" } }), "option ssl.minVersion: expected TLSv1.2 or TLSv1.3"),
    ] {
        let error = parse(dsn, options, json!({ "USER": "u" })).unwrap_err();
        assert!(error.to_string().contains(text), "{error}");
    }
    let secret = parse("", json!({ "ssl": { "key": 1, "passphrase": 2 } }), json!({ "USER": "u" })).unwrap_err();
    assert!(!secret.to_string().contains('1') && !secret.to_string().contains('2'), "{secret}");
    for dsn in [
        "postgres://h/?sslrootcert=system",
        "postgres://h/?sslmode=require&sslnegotiation=direct",
        "postgres://h/?ssl_min_protocol_version=tlsv1&ssl_max_protocol_version=TLSv1.3",
    ] {
        assert!(parse(dsn, json!({}), json!({ "USER": "u" })).is_ok(), "{dsn}");
    }
}

#[test]
fn nodes_roots_are_wanted_where_servers_are_verified_by_no_others() {
    for (options, is_wanted) in [
        (json!({}), false),
        (json!({ "ssl": "require" }), false),
        (json!({ "ssl": true }), true),
        (json!({ "ssl": "verify-ca" }), true),
        (json!({ "ssl": {} }), true),
        (json!({ "ssl": { "ca": "x" } }), false),
        (json!({ "ssl": { "rejectUnauthorized": false } }), false),
        (json!({ "ssl": { "mode": "verify-ca" } }), true),
    ] {
        let config = parse("", options.clone(), json!({ "USER": "u" })).unwrap();
        assert_eq!(config.are_node_roots_wanted(), is_wanted, "{options}");
    }
    let given = parse("sslmode=verify-full sslrootcert=/x", json!({}), json!({ "USER": "u" })).unwrap();
    assert!(!given.are_node_roots_wanted());
}

#[test]
fn wrong_values_are_told_with_what_was_expected() {
    let cases = [
        (
            json!({ "ssl": "maybe" }),
            "option ssl: expected disable, allow, prefer, require, verify-ca or verify-full, got \"maybe\"",
        ),
        (json!({ "ssl": 1 }), "option ssl: expected a boolean, an object or one of libpq's sslmodes, got 1"),
        (json!({ "user": 1 }), "option user: expected a string, got 1"),
        (json!({ "hots": "x" }), "option hots: expected the name of an option, and there is none like it"),
        (json!({ "password": 12345 }), "option password: expected a string, got a number"),
        (json!({ "serverSettings": [] }), "option serverSettings: expected an object, got an array"),
        (
            json!({ "serverSettings": { "a": [] } }),
            "option serverSettings: a: expected a string, a number or a boolean, got an array",
        ),
        (
            json!({ "serverSettings": { "": "x" } }),
            "option serverSettings: expected the name of a server setting, got an empty one",
        ),
        (
            json!({ "serverSettings": { "user": "x" } }),
            "option serverSettings: user is not a server setting; expected the option user",
        ),
        (
            json!({ "targetSessionAttrs": "main" }),
            "option targetSessionAttrs: expected one of any, \
             read-write, read-only, primary, standby, prefer-standby, got \"main\"",
        ),
        (json!({ "loadBalanceHosts": "yes" }), "option loadBalanceHosts: expected disable or random, got \"yes\""),
        (json!({ "keepalives": 1 }), "option keepalives: expected a boolean, got 1"),
        (json!({ "keepalivesCount": 1.5 }), "option keepalivesCount: expected a whole number from 0, got 1.5"),
        (json!({ "minProtocolVersion": "3.1" }), "option minProtocolVersion: expected 3.0, 3.2 or latest, got \"3.1\""),
        (
            json!({ "minProtocolVersion": "3.2", "maxProtocolVersion": "3.0" }),
            "option minProtocolVersion: expected a version that is not above maxProtocolVersion (3.0), got \"3.2\"",
        ),
        (
            json!({ "host": ["a", "b"], "hostaddr": "1.1.1.1" }),
            "option hostaddr: expected an address for each of the 2 hosts, got 1",
        ),
        (
            json!({ "hostaddr": "example.org" }),
            "option hostaddr: expected IP addresses, one for each host, got \"example.org\"",
        ),
        (
            json!({ "requireAuth": "md5,scram" }),
            "option requireAuth: expected a list of none, \
             password, md5, scram-sha-256, gss, sspi, oauth, each may have a ! in front; got \"scram\"",
        ),
        (
            json!({ "requireAuth": "md5,!none" }),
            "option requireAuth: expected methods all with or all without a ! in front, got \"md5,!none\"",
        ),
        (
            json!({ "applicationName": "a", "serverSettings": { "Application_Name": "b" } }),
            "option applicationName: serverSettings.application_name is given as well",
        ),
    ];
    for (options, expected) in cases {
        assert_eq!(from_options(options).unwrap_err().to_string(), expected);
    }
    for text in ["", "[", "1", r#"{"dsn":1}"#, r#"{"options":1}"#, r#"{"environment":{"PGPORT":1}}"#] {
        assert!(Config::from_json(text).is_err(), "{text}");
    }
    let error = from_options(json!({ "serverSettings": { "x": "y".repeat(10_000) } })).unwrap_err().to_string();
    assert!(error.contains("expected at most 10000 bytes"), "{error}");
}

#[test]
fn nul_bytes_are_refused() {
    for options in [
        json!({ "user": "a\0b" }),
        json!({ "password": "a\0b" }),
        json!({ "host": "a\0b" }),
        json!({ "serverSettings": { "a\0b": "" } }),
        json!({ "serverSettings": { "a": "b\0" } }),
        json!({ "applicationName": "\0" }),
    ] {
        let error = from_options(options).unwrap_err().to_string();
        assert!(error.contains("NUL"), "{error}");
    }
    for dsn in ["postgres://u%00@h/", "user='a\0'", "postgres://h/?x=%00", "postgres://h/?%00=x", "postgres://h/d%00"] {
        let error = parse(dsn, json!({}), json!({ "USER": "u" })).unwrap_err().to_string();
        assert!(error.contains("NUL"), "{error}");
    }
    assert!(parse("", json!({}), json!({ "USER": "u\0" })).is_err());
}

#[test]
fn a_wrong_dsn_shows_nothing_of_itself() {
    for dsn in [
        format!("mysql://u:{SECRET}@h/d"),
        format!("postgres://u:{SECRET}%zz@h/d"),
        format!("postgres://u:{SECRET}%ff@h/d"),
        format!("postgres://u:{SECRET}%00@h/d"),
        format!("postgres://u:{SECRET}/x@h/d"),
        format!("postgres://u:1/{SECRET}@h/d"),
        format!("postgres://u:{SECRET}?x@h/d"),
        format!("postgres://u:1?{SECRET}"),
        format!("postgres://[::1{SECRET}/d"),
        format!("postgres://[::1]{SECRET}/d"),
        format!("postgres://h:{SECRET}/d"),
        format!("password={SECRET} {SECRET}"),
        format!("password='{SECRET}"),
        SECRET.to_owned(),
    ] {
        let error = parse(&dsn, json!({}), json!({ "USER": "u" })).unwrap_err();
        assert!(!format!("{error} {error:?}").contains(SECRET), "{error}");
        assert!(error.to_string().starts_with("dsn: "), "{error}");
    }
}

#[test]
fn debug_shows_no_password() {
    let dsn = format!("postgres://u:{SECRET}@h/d");
    let text = format!("{:?}", from_dsn(&dsn));
    assert!(!text.contains(SECRET) && text.contains("[hidden]"), "{text}");
}

#[test]
fn the_lowest_version_alone_is_the_one_that_is_asked_for() {
    for said in ["3.2", "latest"] {
        let lowest = from_options(json!({ "minProtocolVersion": said })).unwrap();
        let both = from_options(json!({ "minProtocolVersion": "3.2", "maxProtocolVersion": "latest" })).unwrap();
        assert_eq!(lowest.versions, both.versions);
    }
    assert_eq!(
        from_options(json!({ "minProtocolVersion": "3.0" })).unwrap().versions,
        from_options(json!({})).unwrap().versions
    );
    assert!(from_options(json!({ "minProtocolVersion": "3.2", "maxProtocolVersion": "3.0" })).is_err());
}
