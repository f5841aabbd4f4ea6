//! AWS Signature Version 4: what a request carries so that the service knows who sent it.

use std::fmt::Write;

use asl::Timestamp;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::environment::Credentials;

/// A request as far as the signature covers it.
pub struct Signable<'a> {
    /// `POST`.
    pub method: &'a str,
    /// Percent-encoded.
    pub path: &'a str,
    /// Names and values, not encoded.
    pub query: &'a [(&'a str, &'a str)],
    /// Lower-case names, among them `host`; all are signed.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body's, in hexadecimal.
    pub body_hash: &'a str,
}

/// For what a signature holds.
pub struct Scope<'a> {
    /// For example `us-east-1`.
    pub region: &'a str,
    /// For example `sqs`.
    pub service: &'a str,
    /// `20150830T123600Z`.
    pub time: &'a str,
}

/// The value of the header `Authorization`.
pub fn authorization(request: &Signable<'_>, scope: &Scope<'_>, who: &Credentials) -> String {
    let mut headers: Vec<_> = request.headers.to_vec();
    headers.sort_unstable();
    let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
    let signed = names.join(";");
    let mut canonical = format!("{}\n{}\n", request.method, request.path);
    canonical.push_str(&query(request.query));
    canonical.push('\n');
    for (name, value) in &headers {
        let _ = writeln!(canonical, "{name}:{}", value.trim());
    }
    let _ = write!(canonical, "\n{signed}\n{}", request.body_hash);

    let Scope {
        region,
        service,
        time,
    } = scope;
    let date = time.get(..8).unwrap_or(time);
    let scope = format!("{date}/{region}/{service}/aws4_request");
    let text = format!(
        "AWS4-HMAC-SHA256\n{time}\n{scope}\n{}",
        hash(canonical.as_bytes())
    );
    let key = signing_key(&who.secret_access_key, date, region, service);
    let signature = hexadecimal(&mac(&key, text.as_bytes()));
    format!(
        "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={signed}, Signature={signature}",
        who.access_key_id
    )
}

fn signing_key(secret: &str, date: &str, region: &str, service: &str) -> [u8; 32] {
    [date, region, service, "aws4_request"]
        .iter()
        .fold(None, |key: Option<[u8; 32]>, part| {
            Some(match key {
                None => mac(format!("AWS4{secret}").as_bytes(), part.as_bytes()),
                Some(key) => mac(&key, part.as_bytes()),
            })
        })
        .expect("there are four parts")
}

/// The query, sorted and encoded; also what stands in the URL.
pub fn query(pairs: &[(&str, &str)]) -> String {
    let mut encoded: Vec<_> = pairs
        .iter()
        .map(|(name, value)| (encode(name, ""), encode(value, "")))
        .collect();
    encoded.sort_unstable();
    let parts: Vec<String> = encoded
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    parts.join("&")
}

/// Percent-encodes what is neither unreserved nor in `keep`.
pub fn encode(text: &str, keep: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        let unreserved = byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
        if unreserved || keep.as_bytes().contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// SHA-256 in hexadecimal.
pub fn hash(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

/// A moment as signatures write it: `20150830T123600Z`.
pub fn time(moment: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(moment.0)
        .map(|instant| instant.strftime("%Y%m%dT%H%M%SZ").to_string())
        .unwrap_or_default()
}

fn mac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The vectors are AWS's: of its Signature Version 4 test suite, and of the S3 API reference.
#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn credentials(id: &str, secret: &str) -> Credentials {
        Credentials {
            access_key_id: id.to_owned(),
            secret_access_key: secret.to_owned(),
            session_token: None,
        }
    }

    #[test]
    fn the_suite_of_aws() {
        let who = credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
        let scope = Scope {
            region: "us-east-1",
            service: "service",
            time: "20150830T123600Z",
        };
        let headers = &[
            ("x-amz-date", "20150830T123600Z"),
            ("host", "example.amazonaws.com"),
        ];
        let two = vec![("Param2", "value2"), ("Param1", "value1")];
        let rows = [
            // get-vanilla, get-vanilla-query-order-key-case, post-vanilla
            (
                "GET",
                vec![],
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                "GET",
                two,
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
            (
                "POST",
                vec![],
                "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            ),
        ];
        for (method, query, signature) in rows {
            let request = Signable {
                method,
                path: "/",
                query: &query,
                headers,
                body_hash: EMPTY,
            };
            assert_eq!(
                authorization(&request, &scope, &who),
                format!(
                    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
                     SignedHeaders=host;x-amz-date, Signature={signature}"
                )
            );
        }
    }

    #[test]
    fn the_object_of_the_s3_reference() {
        let who = credentials(
            "AKIAIOSFODNN7EXAMPLE",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        );
        let request = Signable {
            method: "GET",
            path: "/test.txt",
            query: &[],
            headers: &[
                ("host", "examplebucket.s3.amazonaws.com"),
                ("range", "bytes=0-9"),
                ("x-amz-content-sha256", EMPTY),
                ("x-amz-date", "20130524T000000Z"),
            ],
            body_hash: EMPTY,
        };
        let scope = Scope {
            region: "us-east-1",
            service: "s3",
            time: "20130524T000000Z",
        };
        let signature = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41";
        assert!(authorization(&request, &scope, &who).ends_with(signature));
    }

    #[test]
    fn encoding_keeps_what_is_unreserved() {
        assert_eq!(encode("a b/c~d:e", "/"), "a%20b/c~d%3Ae");
        assert_eq!(encode("ü", ""), "%C3%BC");
        assert_eq!(time(Timestamp(1_440_938_160_000)), "20150830T123600Z");
        assert_eq!(hash(b""), EMPTY);
    }
}
