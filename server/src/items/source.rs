//! Where items are: in a list of objects, or in the objects of a list.

use std::collections::VecDeque;
use std::sync::Arc;

use asl::{Data, Failure, InputType, ItemReader, ItemSource, ManifestType, ReaderConfig};
use engine::map_run::{bucket_uri, object_uri};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Read;
use super::csv::Csv;
use super::gzip::Unpacked;
use super::rows::{Fault, Ready, Row, Rows};
use crate::services::Services;

/// The longest manifest of an inventory, which names a file for about a million objects.
const MANIFEST_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Where items come from.
pub(super) enum Source {
    /// The objects of a list are the items, all of one bucket.
    Listed(Listing, Arc<str>),
    /// The items are in objects.
    Within(Box<Within>),
}

impl Source {
    pub(super) fn new(
        services: Services,
        reader: &ItemReader,
        arguments: &Data,
    ) -> Result<Source, Fault> {
        let config = &reader.config;
        let listing = || Listing {
            services: services.clone(),
            parameters: arguments.clone(),
            page: VecDeque::new(),
            next: Next::First,
        };
        let named = || Object {
            parameters: arguments.value().clone(),
        };
        let inventory = config.manifest == Some(ManifestType::S3Inventory)
            || (config.manifest.is_none() && config.input == Some(InputType::Manifest));
        let objects = match reader.source {
            ItemSource::ListObjects if !config.load_and_flatten => {
                let bucket = arguments.value()["Bucket"].as_str();
                let bucket = bucket_uri(bucket.unwrap_or_default());
                return Ok(Source::Listed(listing(), bucket.into()));
            }
            ItemSource::ListObjects => Objects::Listed(listing()),
            ItemSource::GetObject if inventory => Objects::Inventory(Some(named())),
            ItemSource::GetObject if config.manifest == Some(ManifestType::AthenaData) => {
                Objects::Athena(Box::new(Athena {
                    manifest: Some(named()),
                    open: None,
                }))
            }
            ItemSource::GetObject => Objects::Rest(VecDeque::from([named()])),
        };
        let format = match inventory {
            true => Format::Columns(Arc::new([])),
            false => {
                let input = config.input.unwrap_or(InputType::Csv);
                let format = Format::Of(input, parts(config));
                // What is wrong with given headers is wrong before anything is read.
                format.rows()?;
                format
            }
        };
        Ok(Source::Within(Box::new(Within {
            services,
            objects,
            format,
            open: None,
        })))
    }

    /// The next item; nothing after the last one.
    pub(super) async fn next(&mut self) -> Result<Option<Read>, Fault> {
        match self {
            Source::Listed(listing, bucket) => Ok(listing.next().await?.map(|object| Read {
                key: None,
                value: Value::Object(object),
                source: bucket.clone(),
            })),
            Source::Within(within) => within.next().await,
        }
    }
}

/// As much of a reader's configuration as its parsers need.
fn parts(config: &ReaderConfig) -> ReaderConfig {
    ReaderConfig {
        items_pointer: config.items_pointer.clone(),
        headers: config.headers.clone(),
        delimiter: config.delimiter,
        ..ReaderConfig::default()
    }
}

/// An object, by the parameters that get it.
struct Object {
    parameters: Value,
}

impl Object {
    fn of(bucket: &str, key: &str) -> Object {
        Object {
            parameters: json!({"Bucket": bucket, "Key": key}),
        }
    }

    async fn open(&self, services: &Services, rows: Rows) -> Result<Open, Fault> {
        let content = services.open_object(&self.parameters).await;
        Ok(Open {
            name: self.name().into(),
            content: Unpacked::new(content.map_err(told)?),
            rows,
            ready: Ready::default(),
            ended: false,
        })
    }

    fn name(&self) -> String {
        let text = |name: &str| self.parameters[name].as_str().unwrap_or_default();
        object_uri(text("Bucket"), text("Key"))
    }
}

/// The cause of a failure to get an object is that of the Map Run's.
fn told(failure: Failure) -> Fault {
    Fault(failure.cause.unwrap_or_default())
}

/// An object that is being read.
struct Open {
    name: Arc<str>,
    content: Unpacked,
    rows: Rows,
    ready: Ready,
    ended: bool,
}

impl Open {
    async fn next(&mut self) -> Result<Option<Row>, Fault> {
        loop {
            if let Some(row) = self.ready.pop() {
                return Ok(Some(row));
            }
            if self.ended {
                return Ok(None);
            }
            let piece = self.content.chunk().await;
            let piece = piece.map_err(|why| Fault(format!("{}: {why}", self.name)))?;
            match piece {
                Some(piece) => self.rows.feed(&piece, &mut self.ready)?,
                None => {
                    self.ended = true;
                    self.rows.end(&mut self.ready)?;
                }
            }
        }
    }
}

/// A list of objects, page by page.
pub(super) struct Listing {
    services: Services,
    parameters: Data,
    page: VecDeque<Map<String, Value>>,
    next: Next,
}

enum Next {
    First,
    Page(String),
    None,
}

impl Listing {
    async fn next(&mut self) -> Result<Option<Map<String, Value>>, Fault> {
        loop {
            if let Some(object) = self.page.pop_front() {
                return Ok(Some(object));
            }
            let token = match &self.next {
                Next::First => None,
                Next::Page(token) => Some(token.as_str()),
                Next::None => return Ok(None),
            };
            let parameters = self.parameters.value();
            let page = self.services.list_objects(parameters, token).await;
            let page = page.map_err(told)?;
            self.page = page.objects.into();
            self.next = page.next.map_or(Next::None, Next::Page);
        }
    }
}

/// Items in objects, one object after the other.
pub(super) struct Within {
    services: Services,
    objects: Objects,
    format: Format,
    open: Option<Box<Open>>,
}

/// What objects hold.
enum Format {
    Of(InputType, ReaderConfig),
    /// CSV text without headers, whose columns have these names.
    Columns(Arc<[String]>),
}

impl Format {
    fn rows(&self) -> Result<Rows, Fault> {
        match self {
            Format::Of(input, config) => Rows::new(*input, config),
            Format::Columns(names) => {
                Ok(Csv::with_columns(names.iter().map(String::as_str))?.into())
            }
        }
    }
}

impl Within {
    async fn next(&mut self) -> Result<Option<Read>, Fault> {
        loop {
            if let Some(open) = &mut self.open {
                if let Some(Row { key, value }) = open.next().await? {
                    let source = open.name.clone();
                    return Ok(Some(Read { key, value, source }));
                }
                self.open = None;
            }
            let Some(object) = self.next_object().await? else {
                return Ok(None);
            };
            let open = object.open(&self.services, self.format.rows()?).await?;
            self.open = Some(Box::new(open));
        }
    }

    async fn next_object(&mut self) -> Result<Option<Object>, Fault> {
        match &mut self.objects {
            Objects::Rest(objects) => Ok(objects.pop_front()),
            Objects::Listed(listing) => {
                // S3 shows a folder as an empty object whose key ends in a slash.
                while let Some(object) = listing.next().await? {
                    let key = object.get("Key").and_then(Value::as_str);
                    let key = key.filter(|key| !key.ends_with('/'));
                    if let Some(key) = key {
                        let bucket = listing.parameters.value()["Bucket"].as_str();
                        return Ok(Some(Object::of(bucket.unwrap_or_default(), key)));
                    }
                }
                Ok(None)
            }
            Objects::Athena(athena) => athena.next(&self.services).await,
            Objects::Inventory(manifest) => {
                let Some(manifest) = manifest.take() else {
                    return Ok(None);
                };
                let inventory = inventory(&self.services, &manifest).await?;
                self.format = Format::Columns(inventory.columns);
                let mut objects = inventory.objects;
                let first = objects.pop_front();
                self.objects = Objects::Rest(objects);
                Ok(first)
            }
        }
    }
}

/// Which objects.
enum Objects {
    /// These.
    Rest(VecDeque<Object>),
    /// Those of a list.
    Listed(Listing),
    /// Those that Athena has written, named in its manifest.
    Athena(Box<Athena>),
    /// The files of an inventory; nothing once its manifest was read.
    Inventory(Option<Object>),
}

/// A manifest of Athena: a line for each object, `s3://BUCKET/KEY`.
struct Athena {
    manifest: Option<Object>,
    open: Option<Open>,
}

impl Athena {
    async fn next(&mut self, services: &Services) -> Result<Option<Object>, Fault> {
        const COLUMN: &str = "uri";
        if let Some(manifest) = self.manifest.take() {
            let rows = Csv::with_columns([COLUMN].into_iter())?.into();
            self.open = Some(manifest.open(services, rows).await?);
        }
        let Some(open) = &mut self.open else {
            return Ok(None);
        };
        let Some(row) = open.next().await? else {
            return Ok(None);
        };
        let uri = row.value[COLUMN].as_str().unwrap_or_default().trim();
        let parts = uri
            .strip_prefix("s3://")
            .and_then(|rest| rest.split_once('/'));
        let (bucket, key) = parts
            .ok_or_else(|| Fault(format!("The manifest names an object that is none: {uri}")))?;
        Ok(Some(Object::of(bucket, key)))
    }
}

/// What the manifest of an inventory says.
struct Inventory {
    objects: VecDeque<Object>,
    columns: Arc<[String]>,
}

async fn inventory(services: &Services, manifest: &Object) -> Result<Inventory, Fault> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Manifest {
        destination_bucket: String,
        file_format: String,
        file_schema: String,
        files: Vec<File>,
    }
    #[derive(Deserialize)]
    struct File {
        key: String,
    }
    let name = manifest.name();
    let wrong = |why: String| Fault(format!("{name} is no manifest of an inventory: {why}"));
    let content = services.open_object(&manifest.parameters).await;
    let mut content = Unpacked::new(content.map_err(told)?);
    let mut text = Vec::new();
    while let Some(piece) = content.chunk().await.map_err(wrong)? {
        text.extend_from_slice(&piece);
        if text.len() > MANIFEST_BYTES_MAX {
            return Err(wrong(format!(
                "it has more than {MANIFEST_BYTES_MAX} bytes"
            )));
        }
    }
    let found: Manifest = serde_json::from_slice(&text).map_err(|e| wrong(e.to_string()))?;
    if found.file_format != "CSV" {
        let format = found.file_format;
        return Err(Fault(format!(
            "{name} is the manifest of an inventory in {format}, which this version does not read; have S3 write it \
             in CSV"
        )));
    }
    // `arn:aws:s3:::BUCKET`
    let bucket = found
        .destination_bucket
        .rsplit(':')
        .next()
        .unwrap_or_default();
    let objects = found.files.iter().map(|file| Object::of(bucket, &file.key));
    let columns = found
        .file_schema
        .split(',')
        .map(|name| name.trim().to_owned());
    Ok(Inventory {
        objects: objects.collect(),
        columns: columns.collect(),
    })
}
