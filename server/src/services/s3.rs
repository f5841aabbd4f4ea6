//! Amazon S3 by `aws-sdk:s3:*`: objects in and out, and lists of them.
//!
//! Buckets are named in the path, which every stand-in and S3 itself understands.

use asl::{Data, Failure};
use bytes::Bytes;
use hyper::Method;
use serde_json::{Map, Value, json};

use super::Services;
use super::failure::Reported;
use super::http::{Call, header, request_id};
use super::parameters::{members, required, text};
use super::service::S3;
use super::{sign, xml};
use crate::client::Answer;

/// Parameters that go into headers.
const HEADERS: &[(&str, &str)] = &[
    ("CacheControl", "cache-control"),
    ("ContentDisposition", "content-disposition"),
    ("ContentEncoding", "content-encoding"),
    ("ContentLanguage", "content-language"),
    ("ContentType", "content-type"),
    ("CopySource", "x-amz-copy-source"),
    ("IfMatch", "if-match"),
    ("IfNoneMatch", "if-none-match"),
    ("Range", "range"),
    ("ServerSideEncryption", "x-amz-server-side-encryption"),
    ("StorageClass", "x-amz-storage-class"),
    ("Tagging", "x-amz-tagging"),
];

/// Parameters that go into the query.
const QUERY: &[(&str, &str)] = &[
    ("ContinuationToken", "continuation-token"),
    ("Delimiter", "delimiter"),
    ("Marker", "marker"),
    ("MaxKeys", "max-keys"),
    ("Prefix", "prefix"),
    ("StartAfter", "start-after"),
    ("VersionId", "versionId"),
];

/// Headers that come back as members.
const ANSWERED: &[(&str, &str)] = &[
    ("accept-ranges", "AcceptRanges"),
    ("cache-control", "CacheControl"),
    ("content-disposition", "ContentDisposition"),
    ("content-encoding", "ContentEncoding"),
    ("content-language", "ContentLanguage"),
    ("content-range", "ContentRange"),
    ("content-type", "ContentType"),
    ("etag", "ETag"),
    ("x-amz-checksum-crc32", "ChecksumCRC32"),
    ("x-amz-checksum-type", "ChecksumType"),
    ("x-amz-server-side-encryption", "ServerSideEncryption"),
    ("x-amz-storage-class", "StorageClass"),
    ("x-amz-version-id", "VersionId"),
];

const METADATA: &str = "x-amz-meta-";

/// What is known of an operation.
struct Operation {
    method: Method,
    /// Whether it is about an object, and not about a bucket.
    object: bool,
    /// In every query of it.
    query: &'static [(&'static str, &'static str)],
    result: fn(&Answer) -> Map<String, Value>,
}

fn operation(name: &str) -> Option<Operation> {
    let (method, object, query, result): (_, _, &'static [_], fn(&Answer) -> _) = match name {
        "getObject" => (Method::GET, true, &[], got as fn(&Answer) -> _),
        "headObject" => (Method::HEAD, true, &[], headed),
        "putObject" => (Method::PUT, true, &[], done),
        "deleteObject" => (Method::DELETE, true, &[], done),
        "headBucket" => (Method::HEAD, false, &[], done),
        "createBucket" => (Method::PUT, false, &[], done),
        "deleteBucket" => (Method::DELETE, false, &[], done),
        "listObjects" => (Method::GET, false, &[], listed),
        "listObjectsV2" => (Method::GET, false, &[("list-type", "2")], listed),
        _ => return None,
    };
    Some(Operation {
        method,
        object,
        query,
        result,
    })
}

impl Services {
    /// `aws-sdk:s3:*`; `None` if the operation is not one of those here.
    pub(super) async fn sdk_s3(
        &self,
        name: &str,
        parameters: &Value,
    ) -> Option<Result<Data, Failure>> {
        let operation = operation(name)?;
        Some(self.s3(operation, parameters).await)
    }

    async fn s3(&self, operation: Operation, parameters: &Value) -> Result<Data, Failure> {
        let parameters = members(parameters)?;
        let bucket = required(&parameters, "Bucket")?;
        let mut path = format!("/{}", sign::encode(bucket, ""));
        if operation.object {
            path.push('/');
            path.push_str(&sign::encode(required(&parameters, "Key")?, "/"));
        }
        let given: Vec<(&str, String)> = QUERY
            .iter()
            .filter_map(|(member, name)| Some((*name, plain(parameters.get(*member)?))))
            .collect();
        let mut query = operation.query.to_vec();
        query.extend(given.iter().map(|(name, value)| (*name, value.as_str())));
        let metadata: Vec<(String, String)> = metadata(&parameters);
        let mut headers: Vec<(&str, &str)> = HEADERS
            .iter()
            .filter_map(|(member, name)| Some((*name, text(&parameters, member)?)))
            .collect();
        headers.extend(metadata.iter().map(|(n, v)| (n.as_str(), v.as_str())));
        // A text is written as JSON too, in quotes (recorded case `test_s3_put_object[str]`).
        let body = parameters.get("Body").map(Value::to_string);
        if body.is_some() && !parameters.contains_key("ContentType") {
            headers.push(("content-type", "text/plain; charset=UTF-8"));
        }
        let answer = self
            .send(Call {
                service: &S3,
                prefix: S3.id,
                method: operation.method,
                path: &path,
                query: &query,
                headers: &headers,
                body: Bytes::from(body.unwrap_or_default()),
            })
            .await?;
        if !answer.status.is_success() {
            return Err(error(&answer));
        }
        Ok(Value::Object((operation.result)(&answer)).into())
    }
}

/// A text as it is, anything else as JSON text.
fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn metadata(parameters: &Map<String, Value>) -> Vec<(String, String)> {
    let Some(Value::Object(metadata)) = parameters.get("Metadata") else {
        return Vec::new();
    };
    let header = |(name, value): (&String, &Value)| {
        (
            format!("{METADATA}{}", name.to_ascii_lowercase()),
            plain(value),
        )
    };
    metadata.iter().map(header).collect()
}

fn done(answer: &Answer) -> Map<String, Value> {
    let member = |(name, member): &(&str, &str)| {
        let value = header(&answer.headers, name)?;
        Some(((*member).to_owned(), Value::from(value)))
    };
    ANSWERED
        .iter()
        // Of an answer without an object it is the type of nothing.
        .filter(|(name, _)| *name != "content-type")
        .filter_map(member)
        .collect()
}

fn headed(answer: &Answer) -> Map<String, Value> {
    let mut result = done(answer);
    let headers = &answer.headers;
    if let Some(content_type) = header(headers, "content-type") {
        result.insert("ContentType".to_owned(), content_type.into());
    }
    if let Some(length) = header(headers, "content-length").and_then(|l| l.parse::<u64>().ok()) {
        result.insert("ContentLength".to_owned(), length.into());
    }
    if let Some(modified) = header(headers, "last-modified") {
        let moment = jiff::fmt::rfc2822::parse(modified).map(|moment| moment.timestamp());
        let moment = moment.map_or_else(|_| modified.to_owned(), |moment| moment.to_string());
        result.insert("LastModified".to_owned(), moment.into());
    }
    let metadata: Map<String, Value> = headers
        .iter()
        .filter_map(|(name, value)| {
            let name = name.as_str().strip_prefix(METADATA)?;
            Some((name.to_owned(), value.to_str().ok()?.into()))
        })
        .collect();
    result.insert("Metadata".to_owned(), metadata.into());
    result
}

fn got(answer: &Answer) -> Map<String, Value> {
    let mut result = headed(answer);
    let length = answer.body.len();
    result.insert("ContentLength".to_owned(), length.into());
    let body = String::from_utf8_lossy(&answer.body);
    result.insert("Body".to_owned(), body.into());
    result
}

fn listed(answer: &Answer) -> Map<String, Value> {
    let body = String::from_utf8_lossy(&answer.body);
    let object = |inside: &str| {
        let mut object: Map<String, Value> = ["ETag", "Key", "LastModified", "StorageClass"]
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), xml::text(inside, name)?.into())))
            .collect();
        object.extend(number(inside, "Size"));
        Value::Object(object)
    };
    let contents: Vec<Value> = xml::elements(&body, "Contents").map(object).collect();
    let common: Vec<Value> = xml::elements(&body, "CommonPrefixes")
        .filter_map(|inside| Some(json!({ "Prefix": xml::text(inside, "Prefix")? })))
        .collect();
    // The list's own members stand before and after what it lists.
    let own = xml::without(&body, &["Contents", "CommonPrefixes"]);
    let mut result: Map<String, Value> = [
        "ContinuationToken",
        "Delimiter",
        "Marker",
        "Name",
        "NextContinuationToken",
        "NextMarker",
        "Prefix",
        "StartAfter",
    ]
    .into_iter()
    .filter_map(|name| Some((name.to_owned(), xml::text(&own, name)?.into())))
    .collect();
    for name in ["KeyCount", "MaxKeys"] {
        result.extend(number(&own, name));
    }
    let truncated = xml::text(&own, "IsTruncated").as_deref() == Some("true");
    result.insert("IsTruncated".to_owned(), truncated.into());
    result.insert("Contents".to_owned(), contents.into());
    if !common.is_empty() {
        result.insert("CommonPrefixes".to_owned(), common.into());
    }
    result
}

fn number(xml: &str, name: &str) -> Option<(String, Value)> {
    let number: u64 = xml::text(xml, name)?.parse().ok()?;
    Some((name.to_owned(), number.into()))
}

/// The failure of a task to which S3 answered with an error.
pub(super) fn error(answer: &Answer) -> Failure {
    let body = String::from_utf8_lossy(&answer.body);
    // An answer to HEAD has no body.
    let code = xml::text(&body, "Code").unwrap_or_else(|| match answer.status.as_u16() {
        404 => "NoSuchKey".to_owned(),
        _ => "UnknownError".to_owned(),
    });
    let message = xml::text(&body, "Message").unwrap_or_else(|| "null".to_owned());
    Reported {
        status: answer.status.as_u16(),
        code,
        message,
        request_id: xml::text(&body, "RequestId").unwrap_or_else(|| request_id(&answer.headers)),
        extended_request_id: Some(
            header(&answer.headers, "x-amz-id-2")
                .unwrap_or("null")
                .to_owned(),
        ),
        ..Reported::default()
    }
    .newer(S3.id)
}

#[cfg(test)]
mod tests {
    use hyper::{HeaderMap, StatusCode};

    use super::*;

    #[test]
    fn a_list_is_read() {
        let body = "<ListBucketResult><Name>b</Name><Prefix>p/</Prefix><KeyCount>1</KeyCount>\
                    <IsTruncated>false</IsTruncated><Contents><Key>p/k</Key><Size>3</Size>\
                    <ETag>&quot;e&quot;</ETag></Contents><CommonPrefixes><Prefix>p/q/</Prefix>\
                    </CommonPrefixes></ListBucketResult>";
        let answer = Answer {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: Bytes::from(body),
        };
        assert_eq!(
            Value::Object(listed(&answer)),
            json!({
                "Name": "b",
                "Prefix": "p/",
                "KeyCount": 1,
                "IsTruncated": false,
                "Contents": [{ "ETag": "\"e\"", "Key": "p/k", "Size": 3 }],
                "CommonPrefixes": [{ "Prefix": "p/q/" }],
            })
        );
    }
}
