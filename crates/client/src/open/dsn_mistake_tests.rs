//! DSNs that are not what somebody meant: they are refused, and shown to nobody.

use serde_json::json;

use super::config::Config;
use super::error::ConfigError;

fn parse(dsn: &str) -> Result<Config, ConfigError> {
    Config::from_json(&json!({ "dsn": dsn, "options": {}, "environment": { "USER": "u" } }).to_string())
}

#[test]
fn a_policy_that_is_misspelt_is_not_dropped() {
    let cases = [
        ("requireAuth=scram-sha-256", "dsn: requireAuth: expected the keyword require_auth"),
        ("channelBinding=require", "expected the keyword channel_binding"),
        ("sslMode=verify-full", "expected the keyword sslmode"),
        ("SSLMODE=verify-full", "expected the keyword sslmode"),
        ("ssl_mode=verify-full", "expected the keyword sslmode"),
        ("sslmode%20=verify-full", "expected the keyword sslmode"),
        ("sslRootCert=/ca.crt", "expected the keyword sslrootcert"),
        ("Hostaddr=127.0.0.1", "expected the keyword hostaddr"),
        ("requirePeer=postgres", "expected the keyword requirepeer"),
        ("oauthToken=marked", "a DSN has no such keyword; expected the option oauthToken"),
        ("connectTimeoutMs=5", "a DSN has no such keyword; expected the option connectTimeoutMs"),
        ("applicationName=a", "expected the keyword application_name"),
        ("sslmod=verify-full", "libpq has no such keyword"),
        ("tls=require", "libpq has no such keyword"),
        ("requireSsl=1", "expected the keyword requiressl"),
        ("auth=scram", "libpq has no such keyword"),
    ];
    for (said, text) in cases {
        let error = parse(&format!("postgres://h/?{said}")).unwrap_err().to_string();
        assert!(error.contains(text) && !error.contains("marked"), "{said}: {error}");
    }
    for setting in ["timezone=UTC", "DATESTYLE=ISO", "auth.user=7", "search_path=a", "Work_Mem=64kB"] {
        assert!(parse(&format!("postgres://h/?{setting}")).is_ok(), "{setting}");
    }
}

#[test]
fn an_error_about_a_dsn_shows_nothing_of_it() {
    let cases = [
        "postgres://u:p@ss?sslmode=MARKED@h/d",
        "postgres://u@h/d?connect_timeout=MARKED",
        "postgres://u@h/d?hostaddr=MARKED",
        "host=h password=my sslmode=MARKED",
        "postgres://h/d?sslsni=MARKED",
        "postgres://h/d?client_encoding=MARKED",
        "postgres://h/d?target_session_attrs=MARKED",
        "postgres://h/d?load_balance_hosts=MARKED",
        "postgres://h/d?require_auth=MARKED",
        "postgres://h/d?require_auth=none,!MARKED",
        "postgres://h/d?ssl_min_protocol_version=MARKED",
        "postgres://h/d?min_protocol_version=MARKED",
        "postgres://h/d?keepalives=MARKED",
        "postgres://h/d?channel_binding=MARKED",
        "postgres://u:pass@MARKED/more@h/d",
        "postgres://u:MARKED@ss/word@h/d",
        "DATABASE_URL=postgres://u:MARKED@h/d",
        "export DATABASE_URL='postgresql://u:MARKED@h/d'",
    ];
    for dsn in cases {
        let error = parse(dsn).unwrap_err().to_string();
        assert!(error.starts_with("dsn: ") && !error.contains("MARKED"), "{dsn}: {error}");
    }
}
