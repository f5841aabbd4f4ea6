//! Task tokens: opaque, unforgeable, and enough to find the wait they stand for.
//!
//! A token is base64url of: a format byte, the execution's key, the wait's number, and the first 16
//! bytes of an HMAC-SHA256 over these under the server's own key. No index of tokens is needed, and
//! a token from another server fails the check. Tokens are never logged; a fingerprint is.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::identity::{ExecutionKey, WaitId};

/// The first byte of every token; another layout gets another byte.
const FORMAT: u8 = 1;
const MAC_BYTES: usize = 16;
const BODY_BYTES: usize = 1 + 16 + 4;

/// The secret that makes tokens; one per store, made when the store is.
#[derive(Clone)]
pub struct TokenKey(Hmac<Sha256>);

/// A token that was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// Whose wait.
    pub execution: ExecutionKey,
    /// Which wait.
    pub wait: WaitId,
}

impl TokenKey {
    /// A key from 32 secret bytes.
    pub fn new(secret: &[u8; 32]) -> TokenKey {
        TokenKey(Hmac::new_from_slice(secret).expect("HMAC takes a key of any length"))
    }

    /// The text of a token.
    pub fn mint(&self, token: Token) -> String {
        let mut bytes = [0; BODY_BYTES + MAC_BYTES];
        bytes[0] = FORMAT;
        bytes[1..17].copy_from_slice(&token.execution.0.to_be_bytes());
        bytes[17..BODY_BYTES].copy_from_slice(&token.wait.0.to_be_bytes());
        let mac = self.mac(&bytes[..BODY_BYTES]).finalize().into_bytes();
        bytes[BODY_BYTES..].copy_from_slice(&mac[..MAC_BYTES]);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The token behind a text, if this server made it.
    pub fn check(&self, text: &str) -> Option<Token> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        if bytes.len() != BODY_BYTES + MAC_BYTES || bytes[0] != FORMAT {
            return None;
        }
        self.mac(&bytes[..BODY_BYTES])
            .verify_truncated_left(&bytes[BODY_BYTES..])
            .ok()?;
        let execution = bytes[1..17].try_into().expect("the length was checked");
        let wait = bytes[17..BODY_BYTES]
            .try_into()
            .expect("the length was checked");
        Some(Token {
            execution: ExecutionKey(u128::from_be_bytes(execution)),
            wait: WaitId(u32::from_be_bytes(wait)),
        })
    }

    fn mac(&self, bytes: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        mac.update(bytes);
        mac
    }
}

/// What a log or an alert may say of a token: the first 8 hex digits of its SHA-256.
pub fn fingerprint(token: &str) -> String {
    Sha256::digest(token.as_bytes())[..4]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
