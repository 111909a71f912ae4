//! OAUTHBEARER: a token in place of a password (RFC 7628; manual, "OAuth Authorization/Authentication").
//!
//! The application gets the token; only a server that TLS has verified by its name is ever given it.

use serde_json::Value;

use super::error::ConfigError;
use super::hosts::Password;
use super::messages::quoted;

/// The mechanism's name in AuthenticationSASL.
pub(super) const OAUTHBEARER: &str = "OAUTHBEARER";

/// What the client says when the server has refused a token, so that the server ends the exchange (RFC 7628, 3.2.3).
const DUMMY_RESPONSE: &[u8] = b"\x01";

/// The tag of SASLInitialResponse and SASLResponse.
const SASL_RESPONSE: u8 = b'p';

/// A token that may be sent: `b64token` of RFC 6750, section 2.1. Anything else could not be told from the message
/// around it.
pub(super) fn check_token(text: &str, origin: &str) -> Result<Password, ConfigError> {
    let unpadded = text.trim_end_matches('=');
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    if unpadded.is_empty() || !unpadded.bytes().all(is_token) {
        return Err(ConfigError::new(format!(
            "{origin}: expected a bearer token of letters, digits and -._~+/, with = at its end only (RFC 6750), \
             without \"Bearer\" in front"
        )));
    }
    Ok(Password::new(text.to_owned()))
}

/// SASLInitialResponse with the token.
pub(super) fn initial_response(token: &Password) -> Vec<u8> {
    let said = format!("n,,\x01auth=Bearer {}\x01\x01", token.reveal());
    // It has passed through JavaScript as a string, and is far shorter than 2³¹.
    let length = u32::try_from(said.len()).unwrap_or_default();
    let body = [OAUTHBEARER.as_bytes(), b"\0", &length.to_be_bytes(), said.as_bytes()].concat();
    frame(&body)
}

/// SASLResponse that lets the server end an exchange which has failed.
pub(super) fn dummy_response() -> Vec<u8> {
    frame(DUMMY_RESPONSE)
}

fn frame(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap_or_default();
    [&[SASL_RESPONSE][..], &length.to_be_bytes(), body].concat()
}

/// What the server says of the token that it would take, from the JSON of its refusal (RFC 7628, section 3.2.2).
pub(super) fn wanted(refusal: &[u8]) -> Option<String> {
    let refusal: Value = serde_json::from_slice(refusal).ok()?;
    let get = |name: &str| refusal.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(quoted);
    let parts = [
        get("scope").map(|scope| format!("the scope {scope}")),
        get("openid-configuration").map(|url| format!("the issuer described at {url}")),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| format!("The server takes tokens with {}.", parts.join(" of ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_one_of_rfc_6750() {
        for good in ["a", "eyJhbGciOi.J9-_~+/", "abc=", "abc=="] {
            assert_eq!(check_token(good, "option oauthToken").unwrap().reveal(), good);
        }
        for bad in ["", "=", "a=b", "Bearer marked", "marked\u{1}auth=Bearer x", "marked\n", "märked"] {
            let error = check_token(bad, "option oauthToken").unwrap_err().to_string();
            assert!(error.starts_with("option oauthToken: expected a bearer token"), "{error}");
            assert!(!error.contains("marked"), "{error}");
        }
    }

    #[test]
    fn a_refusal_tells_which_tokens_are_taken() {
        let url = "https://id.example/.well-known/openid-configuration";
        let refusal = format!(r#"{{"status":"invalid_token","openid-configuration":"{url}","scope":"openid"}}"#);
        let told = format!("The server takes tokens with the scope openid of the issuer described at {url}.");
        assert_eq!(wanted(refusal.as_bytes()), Some(told));
        for nothing in ["", "{", "[]", "7", r#"{"status":"invalid_token"}"#, r#"{"scope":7}"#] {
            assert_eq!(wanted(nothing.as_bytes()), None, "{nothing}");
        }
    }
}
