//! What `parseDsn` shows.

use serde_json::{Value, json};

use super::explain::explain;

const SECRET: &str = "marked-Geheimnis";

fn explained(dsn: &str, options: Value, environment: Value) -> Value {
    let text = explain(&json!({ "dsn": dsn, "options": options, "environment": environment }).to_string()).unwrap();
    assert!(!text.contains(SECRET), "{text}");
    serde_json::from_str(&text).unwrap()
}

#[test]
fn every_value_has_its_source() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("services");
    std::fs::write(&file, format!("[shop]\npassword={SECRET}\nwork_mem=1MB\nconnect_timeout=3\n")).unwrap();
    let environment = json!({ "PGUSER": "ann", "PGTZ": "UTC", "PGSERVICEFILE": file, "PGSSLMODE": "disable" });
    let options = json!({ "port": [1, 2], "serverSettings": { "search_path": "app" } });
    let dsn = "postgres://a,b?service=shop&target_session_attrs=primary&hostaddr=1.1.1.1,";
    let service = format!("service shop of {}", file.display());
    assert_eq!(
        explained(dsn, options, environment),
        json!({
            "hosts": [{ "host": "a", "port": 1, "hostaddr": "1.1.1.1" }, { "host": "b", "port": 2 }],
            "user": "ann",
            "database": "ann",
            "hasPassword": true,
            "connectTimeoutMs": 3000.0,
            "serverSettings": { "TimeZone": "UTC", "work_mem": "1MB", "search_path": "app" },
            "keywords": {
                "service": "shop", "servicefile": file, "target_session_attrs": "primary", "sslmode": "disable"
            },
            "sources": {
                "host": "dsn", "hostaddr": "dsn", "port": "option port", "user": "PGUSER", "database": "default",
                "password": service, "connectTimeoutMs": service,
                "serverSettings.TimeZone": "PGTZ", "serverSettings.work_mem": service,
                "serverSettings.search_path": "option serverSettings",
                "service": "dsn", "servicefile": "PGSERVICEFILE", "target_session_attrs": "dsn", "sslmode": "PGSSLMODE"
            },
            "remarks": []
        })
    );
}

#[test]
fn no_secret_is_shown() {
    for dsn in [format!("postgres://u:{SECRET}@h"), format!("postgres://u@h/?sslpassword={SECRET}")] {
        explained(&dsn, json!({}), json!({ "PGPASSWORD": SECRET }));
    }
    assert_eq!(explained("host=h", json!({ "password": SECRET }), json!({ "USER": "u" }))["hasPassword"], true);
}

#[test]
fn defaults_are_shown_as_such() {
    let shown = explained("host=h fallback_application_name=app", json!({}), json!({ "USER": "system" }));
    let sources = json!({
        "host": "dsn", "port": "default", "user": "default", "database": "default", "connectTimeoutMs": "default",
        "fallback_application_name": "dsn", "serverSettings.application_name": "dsn"
    });
    assert_eq!(shown["sources"], sources);
    assert_eq!((&shown["user"], &shown["hasPassword"]), (&json!("system"), &json!(false)));
    #[cfg(unix)]
    {
        let shown = explained("port=7", json!({ "connectTimeoutMs": 0 }), json!({ "USER": "system" }));
        let first = json!({ "host": "/run/postgresql", "port": 7, "path": "/run/postgresql/.s.PGSQL.7" });
        assert_eq!((&shown["hosts"][0], &shown["connectTimeoutMs"]), (&first, &json!(0.0)));
    }
}

#[cfg(unix)]
#[test]
fn a_password_file_counts_where_it_has_a_line_and_may_be_read() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("passwords");
    std::fs::write(&file, format!("h:*:*:*:{SECRET}\n")).unwrap();
    let show = |host: &str| explained("", json!({ "host": host, "user": "u", "passfile": file }), json!({}));
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(show("h")["hasPassword"], true);
    assert_eq!(show("h")["sources"]["password"], format!("password file {}", file.display()));
    assert_eq!(show("other")["hasPassword"], false);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    let shown = show("h");
    assert_eq!(shown["hasPassword"], false);
    assert!(shown["remarks"][0].as_str().unwrap().contains("group or others have access"), "{shown}");
}

#[test]
fn beside_an_object_of_tls_no_other_source_has_a_say() {
    let dsn = "host=a user=ann dbname=shop sslmode=disable sslrootcert=/r sslcert=/c sslkey=/k sslpassword=x sslcrl=/l \
               sslcertmode=require ssl_min_protocol_version=TLSv1.3 sslsni=0 channel_binding=require";
    let environment = json!({ "PGSSLROOTCERT": "/r", "PGSSLCRLDIR": "/d", "PGREQUIRESSL": "1" });
    let ssl = json!({ "ca": "x", "maxVersion": "TLSv1.2" });
    let shown = explained(dsn, json!({ "ssl": ssl }), environment.clone());
    let expected = json!({
        "sslmode": "verify-full", "ssl_max_protocol_version": "TLSv1.2", "sslsni": "0", "channel_binding": "require"
    });
    assert_eq!(shown["keywords"], expected);
    assert_eq!(shown["sources"]["sslmode"], "option ssl");
    assert_eq!(shown["sources"].get("sslcert"), None);
    // The other forms of the option say the mode only.
    let shown = explained("sslcert=/c user=ann", json!({ "ssl": "require" }), environment);
    assert_eq!((&shown["keywords"]["sslcert"], &shown["keywords"]["sslrootcert"]), (&json!("/c"), &json!("/r")));
}
