//! A password in a header: HTTP's basic and bearer authentication, and keys in a header of their own.

use base64::Engine as _;
use hyper::header::{AUTHORIZATION, HeaderName};

use super::mac::{BASE64, Secret};
use super::{Unverified, Verified, header, same};
use crate::http::Call;

/// The schemes, with what is accepted.
pub(in super::super) struct Credentials {
    pub(super) secrets: Vec<Secret<String>>,
    pub(super) header: HeaderName,
    pub(super) form: Form,
}

/// How the password is written.
pub(super) enum Form {
    /// `Basic`, and `USER:PASSWORD` in base64.
    Basic,
    /// After a prefix, whose letters may be large or small, as HTTP has it for `Bearer`.
    After(String),
}

impl Credentials {
    pub(super) fn header(&self) -> &HeaderName {
        &self.header
    }

    pub(super) fn challenge(&self) -> Option<&'static str> {
        match self.form {
            Form::Basic => Some("Basic realm=\"callbacks\""),
            Form::After(_) => (self.header == AUTHORIZATION).then_some("Bearer"),
        }
    }

    pub(super) fn check(&self, call: &Call) -> Result<Verified, Unverified> {
        let name = &self.header;
        let value = header(&call.headers, name)?;
        let sent = match &self.form {
            Form::Basic => after(value, "Basic ")
                .and_then(|encoded| BASE64.decode(encoded.trim()).ok())
                .ok_or_else(|| format!("Its header {name} is not basic authentication."))?,
            Form::After(prefix) => after(value, prefix)
                .ok_or_else(|| format!("Its header {name} does not begin with {prefix:?}."))?
                .as_bytes()
                .to_vec(),
        };
        // Every secret is looked at, so that the time says nothing of which it was.
        let mut fits = None;
        for secret in &self.secrets {
            if same(&sent, secret.key.as_bytes()) {
                fits = fits.or(Some(&secret.name));
            }
        }
        match fits {
            Some(by) => Ok(Verified {
                by: Some(by.clone()),
                id: None,
            }),
            None => Err(Unverified::forged(format!(
                "Its header {name} has another secret than the route's."
            ))),
        }
    }
}

fn after<'a>(value: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, rest) = value.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}
