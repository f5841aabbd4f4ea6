//! Mutual TLS that a proxy has ended: it says in headers whose certificate it has seen.
//!
//! Anybody can send these headers, so they count only if the request comes from the proxy's address.

use std::net::IpAddr;
use std::sync::Arc;

use hyper::header::HeaderName;

use super::{Unverified, Verified, header, quoted};
use crate::http::Call;

/// The scheme, with what is accepted.
pub(in super::super) struct Proxy {
    pub(super) trusted: Vec<Network>,
    /// Each header, and the values of which it must have one.
    pub(super) headers: Vec<(HeaderName, Vec<String>)>,
    pub(super) name: Arc<str>,
}

impl Proxy {
    pub(super) fn check(&self, call: &Call) -> Result<Verified, Unverified> {
        let peer = call.peer.ip();
        if !self.trusted.iter().any(|network| network.contains(peer)) {
            return Err(Unverified::forged(format!(
                "It comes from {peer}, which is not one of the route's trusted proxies."
            )));
        }
        for (name, accepted) in &self.headers {
            let value = header(&call.headers, name)?;
            if !accepted.iter().any(|accepted| accepted == value) {
                return Err(Unverified::forged(format!(
                    "Its header {name} is {}, which the route does not accept.",
                    quoted(value)
                )));
            }
        }
        Ok(Verified {
            by: Some(self.name.clone()),
            id: None,
        })
    }
}

/// An address, or all that begin alike: `10.0.0.0/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    /// Reads `ADDRESS` or `ADDRESS/BITS`.
    pub fn parse(text: &str) -> Option<Network> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse().ok()?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(most);
        (bits <= most).then_some(Network { address, bits })
    }

    /// Reads all that stand under `key`.
    ///
    /// # Errors
    /// One sentence that begins with the key.
    pub fn parse_all(key: &str, texts: &[String]) -> Result<Vec<Network>, String> {
        let all = texts.iter().map(|text| {
            Network::parse(text).ok_or_else(|| {
                format!("`{key}` has {text:?}; write an address, or ADDRESS/BITS, for example \"10.0.0.0/8\"")
            })
        });
        all.collect()
    }

    /// Whether `peer` is in it; one that came over IPv6 to an IPv4 socket is taken for what it is.
    pub fn contains(&self, peer: IpAddr) -> bool {
        let same = |one: u128, other: u128, width: u32| {
            let shift = width - self.bits;
            shift >= width || one >> shift == other >> shift
        };
        match (self.address, peer.to_canonical()) {
            (IpAddr::V4(one), IpAddr::V4(other)) => {
                same(u32::from(one).into(), u32::from(other).into(), 32)
            }
            (IpAddr::V6(one), IpAddr::V6(other)) => same(one.into(), other.into(), 128),
            _ => false,
        }
    }
}
