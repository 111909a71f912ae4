//! Authentication, method by method, against a scripted server.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "helpers of tests")]

mod open_server;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use open_server::*;
use oxpg_client::open::OpenErrorKind;

/// Pipes that hold so many bytes: messages arrive byte by byte, in odd pieces, and glued.
const BUFFERS: [usize; 4] = [1, 3, 17, 64 << 10];

#[test]
fn trust_needs_no_password() {
    for buffer in BUFFERS {
        let options = r#"{"host":"localhost","user":"ann","database":"shop"}"#;
        let (result, ()) = play(config(options), buffer, |mut server| async move {
            server.startup().await;
            server.send(&welcome()).await;
        });
        assert_welcome(&result.unwrap());
    }
}

#[test]
fn cleartext_sends_the_password() {
    for buffer in BUFFERS {
        let (result, password) = play(plain_config(), buffer, |mut server| async move {
            server.startup().await;
            server.send(&authentication(3, &[])).await;
            let password = server.password_message().await;
            server.send(&welcome()).await;
            password
        });
        assert_eq!(password, format!("{SECRET}\0").as_bytes());
        assert_welcome(&result.unwrap());
    }
}

#[test]
fn md5_sends_the_salted_hash() {
    for buffer in BUFFERS {
        let (result, password) = play(plain_config(), buffer, |mut server| async move {
            server.startup().await;
            server.send(&authentication(5, &[9, 8, 7, 6])).await;
            let password = server.password_message().await;
            server.send(&welcome()).await;
            password
        });
        let hash = postgres_protocol::authentication::md5_hash(b"ann", SECRET.as_bytes(), [9, 8, 7, 6]);
        assert_eq!(password, format!("{hash}\0").as_bytes());
        assert_welcome(&result.unwrap());
    }
}

#[test]
fn scram_proves_the_password_both_ways() {
    for buffer in BUFFERS {
        let (result, ()) = play(plain_config(), buffer, |mut server| async move {
            server.startup().await;
            let signature = Scram::default().exchange(&mut server, SECRET).await.unwrap();
            server.send(&[server_final(&signature), welcome()].concat()).await;
        });
        assert_welcome(&result.unwrap());
    }
}

#[test]
fn scram_takes_the_extremes_of_iterations() {
    for iterations in [1, 100_000] {
        let (result, ()) = play(plain_config(), 1024, move |mut server| async move {
            server.startup().await;
            let signature = Scram { iterations, ..Scram::default() }.exchange(&mut server, SECRET).await.unwrap();
            server.send(&[server_final(&signature), welcome()].concat()).await;
        });
        assert_welcome(&result.unwrap());
    }
}

#[test]
fn scram_with_other_iterations_is_refused_before_any_key_is_derived() {
    for iterations in ["0", "-1", "100001", "2147483647", "99999999999999999999", "", "x"] {
        let (result, rest) = play(plain_config(), 1024, move |mut server| async move {
            server.startup().await;
            server.send(&sasl(&["SCRAM-SHA-256"])).await;
            let (_, nonce) = client_first(&server.password_message().await).unwrap();
            let first = format!("r={nonce}x,s={},i={iterations}", STANDARD.encode(b"salt"));
            server.send(&authentication(11, first.as_bytes())).await;
            server.rest().await
        });
        let error = result.unwrap_err();
        assert_eq!(error.kind, OpenErrorKind::Protocol);
        assert!(error.message.contains("SCRAM iterations; expected 1 to 100000"), "{error}");
        assert_eq!(rest, b"", "no proof may be sent");
    }
}

#[test]
fn scram_with_a_foreign_nonce_is_refused() {
    let (result, rest) = play(plain_config(), 1024, |mut server| async move {
        server.startup().await;
        server.send(&sasl(&["SCRAM-SHA-256"])).await;
        server.password_message().await;
        server.send(&authentication(11, b"r=somebody-elses,s=c2FsdA==,i=4096")).await;
        server.rest().await
    });
    let error = result.unwrap_err();
    assert_eq!(error.kind, OpenErrorKind::Protocol);
    assert!(error.message.contains("invalid nonce"), "{error}");
    assert_eq!(rest, b"");
}

#[test]
fn scram_with_a_wrong_server_signature_is_refused() {
    let (result, ()) = play(plain_config(), 1024, |mut server| async move {
        server.startup().await;
        let mut signature = Scram::default().exchange(&mut server, SECRET).await.unwrap();
        signature[0] ^= 1;
        server.send(&[server_final(&signature), welcome()].concat()).await;
    });
    let error = result.unwrap_err();
    assert_eq!(error.kind, OpenErrorKind::Protocol);
    assert!(error.message.contains("SCRAM verification error"), "{error}");
}

#[test]
fn scram_must_not_end_without_the_servers_proof() {
    let (result, ()) = play(plain_config(), 1024, |mut server| async move {
        server.startup().await;
        Scram::default().exchange(&mut server, SECRET).await.unwrap();
        server.send(&welcome()).await;
    });
    let error = result.unwrap_err();
    assert_eq!(error.kind, OpenErrorKind::Protocol);
    assert!(error.message.contains("without proving"), "{error}");

    let (result, ()) = play(plain_config(), 1024, |mut server| async move {
        server.startup().await;
        server.send(&[sasl(&["SCRAM-SHA-256"]), welcome()].concat()).await;
    });
    assert!(result.unwrap_err().message.contains("without proving"));
}

#[test]
fn messages_out_of_order_are_refused() {
    let twice = [authentication(0, &[]), authentication(0, &[])].concat();
    let asked_twice = [authentication(3, &[]), authentication(3, &[])].concat();
    for bytes in [authentication(11, b"r=x,s=x,i=1"), authentication(12, b"v=x"), twice, asked_twice] {
        let (result, _) = play_bytes(plain_config(), bytes);
        assert_eq!(result.unwrap_err().kind, OpenErrorKind::Protocol);
    }
}

#[test]
fn malformed_authentication_is_refused() {
    let bodies: [&[u8]; 8] = [
        b"",
        &[0, 0, 0],
        &[0, 0, 0, 0, 1],
        &[0, 0, 0, 3, 1],
        &[0, 0, 0, 5, 1, 2, 3],
        &[0, 0, 0, 10],
        b"\0\0\0\x0aSCRAM-SHA-256",
        b"\0\0\0\x0aSCRAM-SHA-256\0\0more",
    ];
    for body in bodies {
        let (result, said) = play_bytes(plain_config(), message(b'R', body));
        assert_eq!(result.unwrap_err().kind, OpenErrorKind::Protocol, "{body:?}");
        assert_eq!(said, b"");
    }
}

#[test]
fn a_missing_password_is_told_without_asking_the_server() {
    for asked in [authentication(3, &[]), authentication(5, &[1, 2, 3, 4]), sasl(&["SCRAM-SHA-256"])] {
        for password in ["", r#","password":"""#] {
            let options = format!(r#"{{"host":"localhost","user":"ann"{password}}}"#);
            let (result, said) = play_bytes(config(&options), asked.clone());
            let error = result.unwrap_err();
            assert_eq!(error.kind, OpenErrorKind::Configuration);
            assert!(error.message.contains("expected the option password"), "{error}");
            assert_eq!(said, b"");
        }
    }
}

#[test]
fn unknown_methods_are_named() {
    let cases = [
        (authentication(2, &[]), "Kerberos V5"),
        (authentication(6, &[0, 0]), "SCM credentials"),
        (authentication(7, &[]), "GSSAPI"),
        (authentication(9, &[]), "SSPI"),
        (authentication(77, &[]), "number 77"),
        (sasl(&["SCRAM-SHA-512", "X\n\u{1b}[31m"]), "SCRAM-SHA-512, X\\n\\u{1b}[31m"),
        (sasl(&[]), "SASL"),
    ];
    for (bytes, name) in cases {
        let (result, said) = play_bytes(plain_config(), bytes);
        let error = result.unwrap_err();
        assert_eq!(error.kind, OpenErrorKind::Unsupported);
        assert!(error.message.contains(name), "{error}");
        assert!(!error.is_transient());
        assert_eq!(said, b"");
    }
}

#[test]
fn binding_to_tls_is_not_offered_where_there_is_none() {
    for mechanisms in [&["SCRAM-SHA-256-PLUS"][..], &["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"]] {
        let (result, said) = play_bytes(plain_config(), sasl(mechanisms));
        let error = result.unwrap_err();
        assert_eq!(error.kind, OpenErrorKind::Protocol);
        assert!(error.message.contains("without TLS"), "{error}");
        assert_eq!(said, b"");
    }
}

#[test]
fn a_warning_after_the_password_is_a_notice_of_the_startup() {
    // PostgreSQL 19 warns of MD5 passwords.
    let (result, _) = play(plain_config(), 64 << 10, |mut server| async move {
        server.startup().await;
        server.send(&authentication(5, &[1, 2, 3, 4])).await;
        server.password_message().await;
        let warning = report(b'N', &[(b'S', "WARNING"), (b'C', "01000"), (b'M', "received a password of MD5")]);
        server.send(&[authentication(0, &[]), warning, key_data(1, &[1, 2, 3, 4]), ready(b'I')].concat()).await;
    });
    let notices = result.unwrap().notices;
    assert_eq!(notices.len(), 1);
    assert!(notices[0].contains(&(b'M', "received a password of MD5".to_owned())));
}

#[test]
fn require_auth_forbids_before_a_secret_is_sent() {
    let require = |list: &str| {
        config(&format!(r#"{{"host":"localhost","user":"ann","password":"{SECRET}","requireAuth":{list}}}"#))
    };
    let refused = [
        (r#""scram-sha-256""#, authentication(3, &[])),
        (r#""scram-sha-256""#, authentication(5, &[1, 2, 3, 4])),
        (r#""scram-sha-256""#, authentication(0, &[])),
        (r#""scram-sha-256""#, authentication(7, &[])),
        (r#"["!password","!md5"]"#, authentication(3, &[])),
        (r#""!none""#, authentication(0, &[])),
        (r#""none""#, sasl(&["SCRAM-SHA-256"])),
    ];
    for (list, asked) in refused {
        let (result, said) = play_bytes(require(list), asked);
        let error = result.unwrap_err();
        assert_eq!((error.kind, error.sqlstate.as_deref()), (OpenErrorKind::Connection, Some("28000")), "{list}");
        assert!(error.message.contains("requireAuth"), "{error}");
        assert!(!error.is_transient());
        assert_eq!(said, b"");
    }
    for (list, bytes) in [(r#""none,md5""#, welcome()), (r#"["!password"]"#, welcome())] {
        assert!(play_bytes(require(list), bytes).0.is_ok(), "{list}");
    }
}

#[test]
fn a_server_that_repeats_the_password_does_not_bring_it_into_errors() {
    let tell = |number: u32, rest: &'static [u8]| {
        play(plain_config(), 1024, move |mut server| async move {
            server.startup().await;
            server.send(&authentication(number, rest)).await;
            server.password_message().await;
            let notice = report(b'N', &[(b'S', "WARNING"), (b'C', "01000"), (b'M', SECRET)]);
            let text = format!("bad password {SECRET}");
            let why = report(b'E', &[(b'S', "FATAL"), (b'C', "28P01"), (b'M', &text), (b'D', SECRET)]);
            server.send(&[notice, why].concat()).await;
        })
        .0
        .unwrap_err()
    };
    let error = tell(3, &[]);
    assert_eq!(error.message, "bad password [hidden]");
    assert!(!format!("{error:?}").contains(SECRET), "{error:?}");
    // Of a hash nobody can tell the password: this server had it from elsewhere.
    assert!(tell(5, &[1, 2, 3, 4]).message.contains(SECRET));
}
