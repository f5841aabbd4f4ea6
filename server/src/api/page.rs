//! `nextToken`: a place in a list, opaque to the client.
//!
//! The token carries a checksum over the place and over which list it is a place of, so that garbage
//! and a token of another list are told (`InvalidToken`) instead of leading to a wrong page. It is no
//! secret: whoever may have the next page may have any.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::error::ApiError;

const CHECKSUM_BYTES: usize = 8;

/// Which list a token belongs to: the operation and everything of the request that chooses the items.
pub(super) type List<'a> = &'a [&'a str];

/// A token for `place` in `list`.
pub(super) fn token(list: List<'_>, place: &str) -> String {
    let mut bytes = checksum(list, place).to_vec();
    bytes.extend_from_slice(place.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The place that a token stands for.
pub(super) fn place(list: List<'_>, token: &str) -> Result<String, ApiError> {
    let read = || {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (sum, place) = bytes.split_at_checked(CHECKSUM_BYTES)?;
        let place = std::str::from_utf8(place).ok()?;
        (sum == checksum(list, place)).then(|| place.to_owned())
    };
    read().ok_or_else(ApiError::invalid_token)
}

/// The place that a token stands for, if it is a number.
pub(super) fn number(list: List<'_>, token: &str) -> Result<u64, ApiError> {
    place(list, token)?
        .parse()
        .map_err(|_| ApiError::invalid_token())
}

fn checksum(list: List<'_>, place: &str) -> [u8; CHECKSUM_BYTES] {
    let mut hash = Sha256::new();
    for part in list.iter().chain([&place]) {
        // The length keeps ("ab", "c") apart from ("a", "bc").
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let digest = hash.finalize();
    std::array::from_fn(|i| digest[i])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_leads_back_to_its_place() {
        let list = ["ListExecutions", "arn"];
        assert_eq!(
            place(&list, &token(&list, "place")).expect("it is accepted"),
            "place"
        );
        assert_eq!(
            number(&list, &token(&list, "17")).expect("it is accepted"),
            17
        );
    }

    #[test]
    fn garbage_and_tokens_of_other_lists_are_refused() {
        let list = ["ListExecutions", "arn"];
        let good = token(&list, "17");
        let mut bent = good.clone().into_bytes();
        bent[3] = if bent[3] == b'A' { b'B' } else { b'A' };
        let bent = String::from_utf8(bent).expect("it is accepted");
        for bad in [
            "",
            "garbage",
            "ä",
            &bent,
            &token(&["ListExecutions", "other"], "17"),
        ] {
            let error = place(&list, bad).expect_err("it is refused");
            assert_eq!(error.kind, "InvalidToken");
            assert_eq!(error.message, "Invalid Token: 'Invalid token'");
        }
        assert!(number(&list, &token(&list, "x")).is_err());
    }
}
