//! Where items are: in a list of objects, or in the objects of a list.

use std::collections::VecDeque;
use std::sync::Arc;

use asl::{Data, Failure, InputType, ItemReader, ItemSource, ManifestType, ReaderConfig};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::csv::Csv;
use super::gzip::Unpacked;
use super::rows::{Fault, Ready, Rows};
use crate::services::Services;

/// The longest manifest of an inventory, which names a file for about a million objects.
const MANIFEST_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Where items come from.
pub(super) enum Source {
    /// The objects of a list are the items.
    Listed(Listing),
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
            next: Next::First,
        };
        let named = || Object {
            parameters: arguments.value().clone(),
        };
        let inventory = config.manifest == Some(ManifestType::S3Inventory)
            || (config.manifest.is_none() && config.input == Some(InputType::Manifest));
        let objects = match reader.source {
            ItemSource::ListObjects if !config.load_and_flatten => {
                return Ok(Source::Listed(listing()));
            }
            ItemSource::ListObjects => Objects::Listed {
                listing: listing(),
                page: VecDeque::new(),
            },
            ItemSource::GetObject if inventory => Objects::Inventory(named()),
            ItemSource::GetObject if config.manifest == Some(ManifestType::AthenaData) => {
                Objects::Athena {
                    manifest: Manifest::Named(named()),
                    lines: VecDeque::new(),
                }
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

    /// The next items; none after the last.
    pub(super) async fn portion(&mut self) -> Result<VecDeque<Value>, Fault> {
        match self {
            Source::Listed(listing) => {
                let page = listing.page().await?;
                Ok(page.into_iter().map(Value::Object).collect())
            }
            Source::Within(within) => within.portion().await,
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
            name: self.name(),
            content: Unpacked::new(content.map_err(told)?),
            rows,
            ready: Ready::default(),
            ended: false,
        })
    }

    fn name(&self) -> String {
        let text = |name: &str| self.parameters[name].as_str().unwrap_or_default();
        format!("s3://{}/{}", text("Bucket"), text("Key"))
    }
}

/// The cause of a failure to get an object is that of the Map Run's.
fn told(failure: Failure) -> Fault {
    Fault(failure.cause.unwrap_or_default())
}

/// An object that is being read.
struct Open {
    name: String,
    content: Unpacked,
    rows: Rows,
    ready: Ready,
    ended: bool,
}

impl Open {
    /// The next items; none after the last.
    async fn portion(&mut self) -> Result<VecDeque<Value>, Fault> {
        while self.ready.is_empty() && !self.ended {
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
        Ok(self.ready.take())
    }
}

/// A list of objects, page by page.
pub(super) struct Listing {
    services: Services,
    parameters: Data,
    next: Next,
}

enum Next {
    First,
    Page(String),
    None,
}

impl Listing {
    /// The next objects; none after the last.
    async fn page(&mut self) -> Result<Vec<Map<String, Value>>, Fault> {
        loop {
            let token = match &self.next {
                Next::First => None,
                Next::Page(token) => Some(token.as_str()),
                Next::None => return Ok(Vec::new()),
            };
            let parameters = self.parameters.value();
            let page = self.services.list_objects(parameters, token).await;
            let page = page.map_err(told)?;
            self.next = page.next.map_or(Next::None, Next::Page);
            // S3 may give a page without objects before the last one.
            if !page.objects.is_empty() {
                return Ok(page.objects);
            }
        }
    }
}

/// Items in objects, one object after the other.
pub(super) struct Within {
    services: Services,
    objects: Objects,
    format: Format,
    /// The object that is being read.
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
    async fn portion(&mut self) -> Result<VecDeque<Value>, Fault> {
        loop {
            if let Some(open) = &mut self.open {
                let portion = open.portion().await?;
                if !portion.is_empty() {
                    return Ok(portion);
                }
                self.open = None;
            }
            let Some(object) = self.objects.next(&self.services, &mut self.format).await? else {
                return Ok(VecDeque::new());
            };
            let open = object.open(&self.services, self.format.rows()?).await?;
            self.open = Some(Box::new(open));
        }
    }
}

/// Which objects.
enum Objects {
    /// These.
    Rest(VecDeque<Object>),
    /// Those of a list.
    Listed {
        listing: Listing,
        page: VecDeque<Object>,
    },
    /// Those that Athena has written: a line of its manifest for each, `s3://BUCKET/KEY`.
    Athena {
        manifest: Manifest,
        lines: VecDeque<Value>,
    },
    /// The files of an inventory, which its manifest names together with their columns.
    Inventory(Object),
}

/// A manifest of Athena, before it is read and while it is.
enum Manifest {
    Named(Object),
    Open(Box<Open>),
}

/// The column of Athena's manifest.
const URI: &str = "uri";

impl Objects {
    async fn next(
        &mut self,
        services: &Services,
        format: &mut Format,
    ) -> Result<Option<Object>, Fault> {
        loop {
            match self {
                Objects::Rest(objects) => return Ok(objects.pop_front()),
                Objects::Listed { listing, page } => {
                    if let Some(object) = page.pop_front() {
                        return Ok(Some(object));
                    }
                    let listed = listing.page().await?;
                    if listed.is_empty() {
                        return Ok(None);
                    }
                    let bucket = listing.parameters.value()["Bucket"].as_str();
                    let bucket = bucket.unwrap_or_default();
                    // S3 shows a folder as an empty object whose key ends in a slash.
                    let keys = listed.iter().filter_map(|object| object["Key"].as_str());
                    let keys = keys.filter(|key| !key.ends_with('/'));
                    *page = keys.map(|key| Object::of(bucket, key)).collect();
                }
                Objects::Athena { manifest, lines } => {
                    if let Some(line) = lines.pop_front() {
                        return located(line[URI].as_str().unwrap_or_default()).map(Some);
                    }
                    match manifest {
                        Manifest::Named(object) => {
                            let rows = Csv::with_columns([URI].into_iter())?.into();
                            let open = object.open(services, rows).await?;
                            *manifest = Manifest::Open(Box::new(open));
                        }
                        Manifest::Open(open) => {
                            *lines = open.portion().await?;
                            if lines.is_empty() {
                                return Ok(None);
                            }
                        }
                    }
                }
                Objects::Inventory(manifest) => {
                    let inventory = inventory(services, manifest).await?;
                    *format = Format::Columns(inventory.columns);
                    *self = Objects::Rest(inventory.objects);
                }
            }
        }
    }
}

/// The object at `s3://BUCKET/KEY`.
fn located(uri: &str) -> Result<Object, Fault> {
    let uri = uri.trim();
    let parts = uri
        .strip_prefix("s3://")
        .and_then(|rest| rest.split_once('/'));
    let (bucket, key) =
        parts.ok_or_else(|| Fault(format!("The manifest names an object that is none: {uri}")))?;
    Ok(Object::of(bucket, key))
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
        return Err(wrong(format!("its files are {format}, and have to be CSV")));
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
