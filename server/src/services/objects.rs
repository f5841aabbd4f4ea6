//! Objects for distributed Maps: read in pieces, listed in pages, written whole.
//!
//! An object is S3's, or a file of the [`Directory`] that stands in for its bucket. What is not there
//! is told in S3's words in both cases.

use asl::Failure;
use bytes::Bytes;
use hyper::Method;
use serde_json::{Map, Value, json};

use super::Services;
use super::directory::{self, Directory};
use super::http::Call;
use super::parameters::{members, required, text};
use super::service::S3;
use super::{s3, sign};
use crate::actors::Actors;
use crate::client::Opened;

/// The content of an object, piece by piece.
pub(crate) enum Content {
    /// From S3.
    Answer(Box<Opened>),
    /// From a file.
    File(directory::Content),
}

impl Content {
    /// The next piece; nothing at the end.
    ///
    /// # Errors
    /// One sentence: why it can't be read.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, String> {
        match self {
            Content::Answer(answer) => answer.chunk().await,
            Content::File(file) => file.chunk().await,
        }
    }
}

/// A part of a list of objects.
pub(crate) struct Page {
    /// Each as `s3:listObjectsV2` shows it to a Map: `Etag`, `Key`, `LastModified`, `Size`, `StorageClass`.
    pub(crate) objects: Vec<Map<String, Value>>,
    /// `ContinuationToken` of the next page, if there is one.
    pub(crate) next: Option<String>,
}

impl Services {
    /// `s3:getObject` with these parameters.
    ///
    /// # Errors
    /// The failure of a task that asks for it.
    pub(crate) async fn open_object(&self, parameters: &Value) -> Result<Content, Failure> {
        let parameters = members(parameters)?;
        let bucket = required(&parameters, "Bucket")?;
        let key = required(&parameters, "Key")?;
        if let Some(directory) = self.directory_of(bucket) {
            let file = directory.open(key).await?;
            return Ok(Content::File(file));
        }
        let version = text(&parameters, "VersionId");
        let query: Vec<(&str, &str)> = version.map(|id| ("versionId", id)).into_iter().collect();
        let call = Call {
            service: &S3,
            prefix: S3.id,
            method: Method::GET,
            path: &path(bucket, key),
            query: &query,
            headers: &[],
            body: Bytes::new(),
        };
        let inner = &self.0;
        let opened = call.open(&inner.client, &inner.environment).await?;
        if opened.status.is_success() {
            return Ok(Content::Answer(Box::new(opened)));
        }
        let answer = opened.whole().await;
        let answer = answer.map_err(|what| super::failure::unreachable(S3.id, &what))?;
        Err(s3::error(&answer))
    }

    /// A page of `s3:listObjectsV2` with these parameters.
    ///
    /// # Errors
    /// The failure of a task that asks for it.
    pub(crate) async fn list_objects(
        &self,
        parameters: &Value,
        page: Option<&str>,
    ) -> Result<Page, Failure> {
        let mut parameters = members(parameters)?;
        let bucket = required(&parameters, "Bucket")?;
        if let Some(directory) = self.directory_of(bucket) {
            let prefix = text(&parameters, "Prefix").unwrap_or_default();
            let after = page.or(text(&parameters, "StartAfter"));
            return directory.list(prefix, after.unwrap_or_default()).await;
        }
        if let Some(page) = page {
            parameters.insert("ContinuationToken".to_owned(), page.into());
        }
        let parameters = Value::Object(parameters);
        let listed = self.sdk_s3("listObjectsV2", &parameters).await;
        let listed = listed.expect("it is one of S3's operations here")?;
        let listed = listed.value();
        let objects = listed["Contents"].as_array();
        Ok(Page {
            objects: objects.into_iter().flatten().map(shown).collect(),
            next: listed["NextContinuationToken"].as_str().map(str::to_owned),
        })
    }

    /// `s3:putObject`.
    ///
    /// # Errors
    /// The failure of a task that asks for it.
    pub(crate) async fn put_object(
        &self,
        bucket: &str,
        key: &str,
        content_type: &str,
        content: Bytes,
    ) -> Result<(), Failure> {
        if self.actors().is_some_and(Actors::takes_objects) {
            return Ok(());
        }
        if let Some(directory) = self.directory_of(bucket) {
            return directory.put(key, content).await;
        }
        let call = Call {
            service: &S3,
            prefix: S3.id,
            method: Method::PUT,
            path: &path(bucket, key),
            query: &[],
            headers: &[("content-type", content_type)],
            body: content,
        };
        let answer = self.send(call).await?;
        match answer.status.is_success() {
            true => Ok(()),
            false => Err(s3::error(&answer)),
        }
    }

    fn directory_of(&self, bucket: &str) -> Option<Directory> {
        Directory::of(self.0.environment.buckets()?, bucket)
    }
}

fn path(bucket: &str, key: &str) -> String {
    format!("/{}/{}", sign::encode(bucket, ""), sign::encode(key, "/"))
}

/// An object of a list as a Map has it, which is neither as S3 writes it nor as `aws-sdk:s3` does.
fn shown(object: &Value) -> Map<String, Value> {
    let modified = object["LastModified"].as_str();
    let modified: Option<jiff::Timestamp> = modified.and_then(|text| text.parse().ok());
    let members = json!({
        "Etag": object["ETag"],
        "Key": object["Key"],
        "LastModified": modified.map(jiff::Timestamp::as_second),
        "Size": object["Size"],
        "StorageClass": object["StorageClass"],
    });
    let Value::Object(mut members) = members else {
        unreachable!("it was written as an object")
    };
    members.retain(|_, value| !value.is_null());
    members
}
