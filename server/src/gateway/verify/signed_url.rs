//! Callback URLs: one for each wait, signed by this server, good until a moment.
//!
//! The code in such a URL is base64url of: 12 random bytes, the second at which it expires (5 bytes), and
//! the first 12 bytes of an HMAC-SHA256 over the route's name and these, under a key of the server's own.
//! So one that was made up is told from one that is over without looking anything up. That it is good
//! once is the reference's business: the code is one.

use asl::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac::{Context, HMAC_SHA256, Key};
use subtle::ConstantTimeEq;

use super::{Unverified, Verified};

const RANDOM_BYTES: usize = 12;
const MOMENT_BYTES: usize = 5;
const BODY_BYTES: usize = RANDOM_BYTES + MOMENT_BYTES;
const MAC_BYTES: usize = 12;

/// Signs codes, and knows them again.
pub(in super::super) struct UrlKey(Key);

impl UrlKey {
    /// A key from 32 secret bytes.
    pub fn new(secret: &[u8; 32]) -> UrlKey {
        UrlKey(Key::new(HMAC_SHA256, secret))
    }

    /// A code for the route, good until `expires_at`.
    pub fn code(&self, route: &str, random: [u8; RANDOM_BYTES], expires_at: Timestamp) -> String {
        let mut bytes = [0; BODY_BYTES + MAC_BYTES];
        bytes[..RANDOM_BYTES].copy_from_slice(&random);
        let seconds = u64::try_from(expires_at.0 / 1000).unwrap_or_default();
        bytes[RANDOM_BYTES..BODY_BYTES].copy_from_slice(&seconds.to_be_bytes()[8 - MOMENT_BYTES..]);
        let mac = self.mac(route, &bytes[..BODY_BYTES]);
        bytes[BODY_BYTES..].copy_from_slice(&mac.as_ref()[..MAC_BYTES]);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Whether the code is one of this server's for this route, and still good.
    ///
    /// # Errors
    /// Why not, in a sentence for the operator.
    pub fn check(&self, route: &str, code: &str, now: Timestamp) -> Result<Verified, Unverified> {
        let foreign = || {
            let reason = "Its URL is none that this server has made for the route.";
            Unverified::forged(reason.to_owned())
        };
        let bytes = URL_SAFE_NO_PAD.decode(code).map_err(|_| foreign())?;
        if bytes.len() != BODY_BYTES + MAC_BYTES {
            return Err(foreign());
        }
        let mac = self.mac(route, &bytes[..BODY_BYTES]);
        let same: bool = mac.as_ref()[..MAC_BYTES].ct_eq(&bytes[BODY_BYTES..]).into();
        if !same {
            return Err(foreign());
        }
        let mut seconds = [0; 8];
        seconds[8 - MOMENT_BYTES..].copy_from_slice(&bytes[RANDOM_BYTES..BODY_BYTES]);
        let seconds = i64::try_from(u64::from_be_bytes(seconds)).expect("five bytes are no more");
        let expired = Timestamp(seconds * 1000);
        if now >= expired {
            return Err(Unverified::expired(format!(
                "It is expired: its URL was good until {expired}."
            )));
        }
        Ok(Verified {
            by: Some("signed-url".into()),
            id: None,
        })
    }

    fn mac(&self, route: &str, body: &[u8]) -> ring::hmac::Tag {
        let mut context = Context::with_key(&self.0);
        context.update(b"rejoin callback url\n");
        context.update(route.as_bytes());
        context.update(b"\n");
        context.update(body);
        context.sign()
    }
}
