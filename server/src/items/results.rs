//! `ResultWriter`: what becomes of the children's outputs.
//!
//! What is exported goes to `PREFIX/MAP_RUN/` in a bucket: files of those that succeeded, failed and
//! were never started, `SUCCEEDED_0.json` and so on, and a `manifest.json` that names them. The names
//! and contents depend on the Map Run alone, so writing them twice, after a crash, changes nothing.

use asl::{Data, Failure, ResultWriter, Timestamp, Transformation};
use bytes::Bytes;
use engine::Status;
use serde_json::{Map, Value, json};

use crate::services::Services;

/// The error of a Map whose results cannot be written.
pub const RESULT_WRITER_FAILED: &str = "States.ResultWriterFailed";

/// A file that has become so long is written, and another one begun. AWS writes longer ones (5 GB); it
/// does not hold them in memory.
const FILE_BYTES: usize = 16 * 1024 * 1024;

/// A child, as its result tells of it.
#[derive(Debug, Clone, Copy)]
pub struct Child<'a> {
    /// The execution's ARN.
    pub arn: &'a str,
    /// Its name.
    pub name: &'a str,
    /// `arn:aws:states:REGION:ACCOUNT:stateMachine:MACHINE/LABEL`.
    pub state_machine_arn: &'a str,
    /// Its input.
    pub input: &'a Data,
    /// How it ended; nothing if it was never started.
    pub status: Option<Status>,
    /// If it succeeded.
    pub output: Option<&'a Data>,
    /// If it did not.
    pub failure: Option<&'a Failure>,
    /// When it was started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub stopped_at: Option<Timestamp>,
    /// How often it was redriven.
    pub redrives: u32,
}

impl Child<'_> {
    /// What it gives to the results. One that did not succeed is shown whole, whatever the form.
    pub fn results(&self, form: Transformation) -> Vec<Value> {
        match (
            form,
            self.output
                .filter(|_| self.status == Some(Status::Succeeded)),
        ) {
            (Transformation::None, _) | (_, None) => vec![self.described()],
            (Transformation::Compact, Some(output)) => vec![output.value().clone()],
            (Transformation::Flatten, Some(output)) => match output.value() {
                Value::Array(elements) => elements.clone(),
                other => vec![other.clone()],
            },
        }
    }

    fn described(&self) -> Value {
        let mut members = Map::new();
        let mut add = |name: &str, value: Value| drop(members.insert(name.to_owned(), value));
        if let Some(failure) = self.failure {
            if let Some(cause) = &failure.cause {
                add("Cause", cause.as_str().into());
            }
            if let Some(error) = &failure.error {
                add("Error", error.as_ref().into());
            }
        }
        add("ExecutionArn", self.arn.into());
        add("Input", self.input.text().into());
        add("InputDetails", json!({"Included": true}));
        add("Name", self.name.into());
        if let Some(output) = self.output {
            add("Output", output.text().into());
        }
        if self.status.is_some() {
            add("OutputDetails", json!({"Included": true}));
        }
        let (redrivable, why) = match self.status {
            Some(Status::Succeeded) => (false, "Execution is SUCCEEDED and cannot be redriven"),
            None | Some(Status::Running) => (false, "Execution is RUNNING and cannot be redriven"),
            Some(Status::Failed | Status::TimedOut | Status::Aborted) => (true, ""),
        };
        add("RedriveCount", self.redrives.into());
        match redrivable {
            true => add("RedriveStatus", "REDRIVABLE".into()),
            false => {
                add("RedriveStatus", "NOT_REDRIVABLE".into());
                add("RedriveStatusReason", why.into());
            }
        }
        if let Some(at) = self.started_at {
            add("StartDate", at.to_string().into());
        }
        add("StateMachineArn", self.state_machine_arn.into());
        add("Status", self.status.map_or("PENDING", Status::name).into());
        if let Some(at) = self.stopped_at {
            add("StopDate", at.to_string().into());
        }
        Value::Object(members)
    }
}

/// Writes results to where a `ResultWriter` says.
pub struct Writer {
    services: Services,
    map_run_arn: String,
    bucket: String,
    /// With the Map Run's UUID and a slash at the end.
    prefix: String,
    form: Transformation,
    json_lines: bool,
    kinds: [Kind; 3],
}

/// The files of those children that have ended alike.
struct Kind {
    name: &'static str,
    /// The file that is being made.
    file: Vec<u8>,
    written: Vec<Value>,
}

impl Writer {
    /// A writer for a Map Run; `destination` are the arguments of the `ResultWriter`.
    ///
    /// # Errors
    /// `States.ResultWriterFailed`: no bucket is named.
    pub fn new(
        services: &Services,
        writer: &ResultWriter,
        destination: &Data,
        map_run_arn: &str,
    ) -> Result<Writer, Failure> {
        let text = |name: &str| destination.value()[name].as_str();
        let bucket = text("Bucket").ok_or_else(|| {
            failed("The parameter 'Bucket' of the ResultWriter is required but was missing")
        })?;
        let (_, run) = map_run_arn.rsplit_once(':').unwrap_or(("", map_run_arn));
        let prefix = match text("Prefix").unwrap_or_default() {
            "" => format!("{run}/"),
            prefix => format!("{}/{run}/", prefix.trim_end_matches('/')),
        };
        Ok(Writer {
            services: services.clone(),
            map_run_arn: map_run_arn.to_owned(),
            bucket: bucket.to_owned(),
            prefix,
            form: writer.transformation,
            json_lines: writer.json_lines,
            kinds: ["FAILED", "PENDING", "SUCCEEDED"].map(|name| Kind {
                name,
                file: Vec::new(),
                written: Vec::new(),
            }),
        })
    }

    /// Takes a child's result.
    ///
    /// # Errors
    /// `States.ResultWriterFailed`: a file that has become long enough cannot be written.
    pub async fn push(&mut self, child: &Child<'_>) -> Result<(), Failure> {
        let kind = match child.status {
            Some(Status::Succeeded) => 2,
            None | Some(Status::Running) => 1,
            Some(Status::Failed | Status::TimedOut | Status::Aborted) => 0,
        };
        let between: &[u8] = if self.json_lines { b"\n" } else { b"," };
        let file = &mut self.kinds[kind].file;
        for result in child.results(self.form) {
            match (file.is_empty(), self.json_lines) {
                (true, true) => {}
                (true, false) => file.push(b'['),
                (false, _) => file.extend_from_slice(between),
            }
            serde_json::to_writer(&mut *file, &result).expect("a JSON value can always be written");
        }
        if file.len() >= FILE_BYTES {
            self.write(kind).await?;
        }
        Ok(())
    }

    /// Writes what is left, and the manifest; gives the Map's result.
    ///
    /// # Errors
    /// `States.ResultWriterFailed`.
    pub async fn finish(mut self) -> Result<Data, Failure> {
        for kind in 0..self.kinds.len() {
            self.write(kind).await?;
        }
        let files = self.kinds.iter_mut();
        let files = files.map(|kind| {
            (
                kind.name.to_owned(),
                std::mem::take(&mut kind.written).into(),
            )
        });
        let manifest = json!({
            "DestinationBucket": self.bucket,
            "MapRunArn": self.map_run_arn,
            "ResultFiles": Map::from_iter(files),
        });
        let key = format!("{}manifest.json", self.prefix);
        self.put(&key, manifest.to_string().into_bytes()).await?;
        Ok(Data::from(json!({
            "MapRunArn": self.map_run_arn,
            "ResultWriterDetails": {"Bucket": self.bucket, "Key": key},
        })))
    }

    async fn write(&mut self, kind: usize) -> Result<(), Failure> {
        let Kind {
            name,
            file,
            written,
        } = &mut self.kinds[kind];
        if file.is_empty() {
            return Ok(());
        }
        let mut content = std::mem::take(file);
        let end = if self.json_lines { b'\n' } else { b']' };
        content.push(end);
        let extension = if self.json_lines { "jsonl" } else { "json" };
        let key = format!("{}{name}_{}.{extension}", self.prefix, written.len());
        written.push(json!({"Key": key, "Size": content.len()}));
        self.put(&key, content).await
    }

    async fn put(&self, key: &str, content: Vec<u8>) -> Result<(), Failure> {
        let content = Bytes::from(content);
        let kind = "application/json";
        let put = self.services.put_object(&self.bucket, key, kind, content);
        put.await
            .map_err(|failure| failed(failure.cause.unwrap_or_default()))
    }
}

fn failed(cause: impl Into<String>) -> Failure {
    Failure::new(RESULT_WRITER_FAILED, cause)
}
