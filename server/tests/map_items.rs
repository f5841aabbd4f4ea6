//! Items that distributed Maps read, and results that they write: in an S3 that is made of a map of
//! texts, and in folders.

mod map_runs_support;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use map_runs_support::{Server, distributed, output};
use serde_json::{Value, json};
use server::services::Environment;

/// Objects, and what was asked of them.
#[derive(Clone, Default)]
struct Objects(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    /// By `/BUCKET/KEY`.
    objects: BTreeMap<String, Vec<u8>>,
    /// Methods and paths.
    asked: Vec<String>,
}

impl Objects {
    fn put(&self, path: &str, content: impl Into<Vec<u8>>) {
        let mut inner = self.0.lock().expect("nobody panicked");
        inner.objects.insert(path.to_owned(), content.into());
    }

    fn json(&self, path: &str) -> Value {
        let inner = self.0.lock().expect("nobody panicked");
        let content = inner
            .objects
            .get(path)
            .unwrap_or_else(|| panic!("no {path}"));
        serde_json::from_slice(content).expect("JSON")
    }

    fn asked(&self) -> Vec<String> {
        self.0.lock().expect("nobody panicked").asked.clone()
    }

    /// As much of S3 as Maps use. A list has two objects a page.
    fn answer(&self, method: &Method, uri: &hyper::Uri, body: Bytes) -> (u16, Vec<u8>) {
        let Kept { objects, asked } = &mut *self.0.lock().expect("nobody panicked");
        asked.push(format!("{method} {uri}"));
        let query: BTreeMap<&str, &str> = uri
            .query()
            .unwrap_or_default()
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .collect();
        let path = uri.path().replace("%20", " ");
        if method == Method::PUT {
            objects.insert(path, body.to_vec());
            return (200, Vec::new());
        }
        if query.contains_key("list-type") {
            let start = format!(
                "{path}/{}",
                query.get("prefix").unwrap_or(&"").replace("%2F", "/")
            );
            let after = query
                .get("continuation-token")
                .map(|t| t.replace("%2F", "/"));
            let mut left = objects
                .iter()
                .filter(|(name, _)| name.starts_with(&start))
                .filter(|(name, _)| after.as_ref().is_none_or(|after| *name > after));
            let mut xml = String::from("<ListBucketResult>");
            let mut last = None;
            for (name, content) in left.by_ref().take(2) {
                let key = &name[path.len() + 1..];
                let size = content.len();
                let _ = write!(
                    xml,
                    "<Contents><Key>{key}</Key><LastModified>2022-11-17T15:44:41.000Z</LastModified>\
                     <ETag>&quot;e&quot;</ETag><Size>{size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
                );
                last = Some(name);
            }
            if left.next().is_some() {
                let last = last.expect("there was one before");
                let _ = write!(xml, "<NextContinuationToken>{last}</NextContinuationToken>");
            }
            return (200, (xml + "</ListBucketResult>").into_bytes());
        }
        match objects.get(&path) {
            Some(content) => (200, content.clone()),
            None => {
                let error = "<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.\
                             </Message><RequestId>R</RequestId></Error>";
                (404, error.as_bytes().to_vec())
            }
        }
    }

    /// Serves them until the test's process ends.
    fn serve(&self) -> SocketAddr {
        let objects = self.clone();
        let (tell, address) = mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.expect("a runtime").block_on(async move {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
                    .await
                    .expect("a port");
                tell.send(listener.local_addr().expect("an address"))
                    .expect("the test waits");
                while let Ok((stream, _)) = listener.accept().await {
                    let objects = objects.clone();
                    let service = service_fn(move |request: Request<Incoming>| {
                        let objects = objects.clone();
                        async move {
                            let (head, body) = request.into_parts();
                            let body = body.collect().await.expect("a body").to_bytes();
                            let (status, content) = objects.answer(&head.method, &head.uri, body);
                            let mut response = Response::new(Full::new(Bytes::from(content)));
                            *response.status_mut() =
                                StatusCode::from_u16(status).expect("a status");
                            Ok::<_, Infallible>(response)
                        }
                    });
                    let connection = hyper::server::conn::http1::Builder::new();
                    tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
                }
            });
        });
        address.recv().expect("the endpoint starts")
    }

    /// A server whose S3 this is.
    fn server(&self) -> Server {
        let variables = [
            ("AWS_ENDPOINT_URL_S3", format!("http://{}", self.serve())),
            ("AWS_ACCESS_KEY_ID", "id".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "secret".to_owned()),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value));
        Server::start_in(Environment::of(variables))
    }
}

fn pass() -> Value {
    json!({"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}})
}

/// `ItemReader` of an object in `b`.
fn object(key: &str, config: Value) -> Value {
    json!({"ItemReader": {"Resource": "arn:aws:states:::s3:getObject",
        "Parameters": {"Bucket": "b", "Key": key}, "ReaderConfig": config}})
}

fn listed(prefix: &str, config: Value) -> Value {
    json!({"ItemReader": {"Resource": "arn:aws:states:::s3:listObjectsV2",
        "Parameters": {"Bucket": "b", "Prefix": prefix}, "ReaderConfig": config}})
}

/// How the execution of a Map with these fields ends.
fn ended(server: &Server, fields: Value) -> Value {
    ended_with(server, fields, json!({}))
}

fn ended_with(server: &Server, fields: Value, input: Value) -> Value {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let name = format!("m{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    server.machine(&name, &distributed(pass(), fields));
    let execution = server.start_execution(&name, input);
    server.ended(&execution)
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    std::io::Write::write_all(&mut encoder, text.as_bytes()).expect("memory");
    encoder.finish().expect("memory")
}

#[test]
fn items_are_read_from_objects_of_every_kind() {
    let objects = Objects::default();
    let server = objects.server();
    objects.put("/b/rows.csv", "a,b\n1,x\n2,y\n");
    objects.put("/b/rows.csv.gz", gzip("a,b\n1,x\n2,y\n"));
    objects.put("/b/rows.jsonl", "{\"a\": 1}\n[2]\n");
    objects.put(
        "/b/deep.json",
        r#"{"in": {"here": [1, {"x": 2}], "map": {"k": "v"}}}"#,
    );
    objects.put("/b/in/1.json", "[1, 2]");
    objects.put("/b/in/2.json", "[]");
    objects.put("/b/in/3.json", "[3]");
    objects.put("/b/athena.csv", "s3://b/in/3.json\ns3://b/in/1.json\n");
    objects.put("/b/inventory.json", json!({"sourceBucket": "s", "destinationBucket": "arn:aws:s3:::b",
        "fileFormat": "CSV", "fileSchema": "Bucket, Key, Size", "files": [{"key": "inventory/0.csv.gz"}]}).to_string());
    objects.put(
        "/b/inventory/0.csv.gz",
        gzip("\"s\",\"k1\",\"3\"\n\"s\",\"k2\",\"4\"\n"),
    );
    let csv = |more: Value| {
        let mut config = json!({"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"});
        let more = more.as_object().expect("fields").clone();
        config.as_object_mut().expect("fields").extend(more);
        config
    };
    let rows = json!([{"a": "1", "b": "x"}, {"a": "2", "b": "y"}]);
    let json_input = json!({"InputType": "JSON"});
    let at = |pointer: &str| json!({"InputType": "JSON", "ItemsPointer": pointer});
    let list = |key: &str, size: u64| {
        json!({"Etag": "\"e\"", "Key": key, "LastModified": 1_668_699_881,
        "Size": size, "StorageClass": "STANDARD"})
    };
    for (fields, expected) in [
        (object("rows.csv", csv(json!({}))), rows.clone()),
        (object("rows.csv.gz", csv(json!({}))), rows),
        (
            object("rows.csv", csv(json!({"MaxItems": 1}))),
            json!([{"a": "1", "b": "x"}]),
        ),
        (
            object(
                "rows.csv",
                json!({"InputType": "CSV", "CSVHeaderLocation": "GIVEN", "CSVHeaders": ["h"]}),
            ),
            json!([{"h": "a"}, {"h": "1"}, {"h": "2"}]),
        ),
        (
            object("rows.jsonl", json!({"InputType": "JSONL"})),
            json!([{"a": 1}, [2]]),
        ),
        (object("deep.json", at("/in/here")), json!([1, {"x": 2}])),
        (
            object("deep.json", at("/in/map")),
            json!([{"Key": "k", "Value": "v"}]),
        ),
        (
            object(
                "athena.csv",
                json!({"ManifestType": "ATHENA_DATA", "InputType": "JSON"}),
            ),
            json!([3, 1, 2]),
        ),
        (
            object("inventory.json", json!({"ManifestType": "S3_INVENTORY"})),
            json!([{"Bucket": "s", "Key": "k1", "Size": "3"}, {"Bucket": "s", "Key": "k2", "Size": "4"}]),
        ),
        (
            object(
                "inventory.json",
                json!({"InputType": "MANIFEST", "MaxItems": 1}),
            ),
            json!([{"Bucket": "s", "Key": "k1", "Size": "3"}]),
        ),
        (
            listed("in/", json!({})),
            json!([
                list("in/1.json", 6),
                list("in/2.json", 2),
                list("in/3.json", 3)
            ]),
        ),
        (
            listed(
                "in/",
                json!({"Transformation": "LOAD_AND_FLATTEN", "InputType": "JSON"}),
            ),
            json!([1, 2, 3]),
        ),
        (listed("nothing/", json!({})), json!([])),
        (object("in/2.json", json_input), json!([])),
    ] {
        let ended = ended(&server, fields.clone());
        assert_eq!(output(&ended), expected, "{fields}");
    }
}

#[test]
fn the_context_says_where_an_item_is_from() {
    let objects = Objects::default();
    let server = objects.server();
    objects.put("/b/in/1.json", "[1]");
    objects.put("/b/in/2.json", r#"{"of": {"k": "v", "l": null}}"#);
    objects.put("/b/in.csv", "s3://b/in/1.json\n");
    let json_input = json!({"InputType": "JSON"});
    let shown = |fields: Value| {
        let mut fields = fields;
        fields["ItemSelector"] = json!({"i.$": "$$.Map.Item"});
        let items = output(&ended_with(&server, fields, json!(["x"])));
        let items = items.as_array().expect("a list").iter();
        items.map(|item| item["i"].clone()).collect::<Vec<_>>()
    };
    let item = |index: u32, value: Value, source: &str| json!({"Index": index, "Value": value, "Source": source});
    assert_eq!(shown(json!({})), [item(0, json!("x"), "STATE_DATA")]);
    assert_eq!(
        shown(object("in/1.json", json_input.clone())),
        [item(0, json!(1), "S3://b/in/1.json")]
    );
    let of = json!({"InputType": "JSON", "ItemsPointer": "/of"});
    let member = |index: u32, key: &str, value: Value| {
        json!({"Index": index, "Key": key, "Value": value,
        "Source": "S3://b/in/2.json"})
    };
    assert_eq!(
        shown(object("in/2.json", of)),
        [member(0, "k", json!("v")), member(1, "l", Value::Null)]
    );
    let athena = json!({"ManifestType": "ATHENA_DATA", "InputType": "JSON"});
    assert_eq!(
        shown(object("in.csv", athena)),
        [item(0, json!(1), "S3://b/in/1.json")]
    );
    let sources: Vec<_> = shown(listed("in/", json!({})))
        .iter()
        .map(|item| item["Source"].clone())
        .collect();
    assert_eq!(sources, ["S3://b", "S3://b"]);
}

#[test]
fn items_that_cannot_be_read_fail_the_map() {
    let objects = Objects::default();
    let server = objects.server();
    objects.put("/b/object.json", "{}");
    objects.put("/b/broken.json", "[1, 2, }");
    objects.put("/b/twice.csv", "a,a\n1,2\n");
    let inventory = json!({"destinationBucket": "arn:aws:s3:::b", "fileFormat": "Parquet",
        "fileSchema": "message s3.inventory {}", "files": []});
    objects.put("/b/manifest.json", inventory.to_string());
    let json_input = json!({"InputType": "JSON"});
    for (fields, cause) in [
        (
            object("none.json", json_input.clone()),
            "The specified key does not exist. (Service: S3, Status Code: 404",
        ),
        (
            object("object.json", json_input.clone()),
            "Attempting to map over non-iterable node.",
        ),
        (
            object("broken.json", json_input),
            "The object is not valid JSON",
        ),
        (
            object(
                "twice.csv",
                json!({"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"}),
            ),
            "CSV headers cannot contain duplicates.",
        ),
        (
            object(
                "manifest.json",
                json!({"InputType": "MANIFEST", "ManifestType": "S3_INVENTORY"}),
            ),
            "S3://b/manifest.json is the manifest of an inventory in Parquet, which this version does not read",
        ),
    ] {
        let ended = ended(&server, fields.clone());
        assert_eq!(
            ended["error"], "States.ItemReaderFailed",
            "{fields}: {ended}"
        );
        let found = ended["cause"].as_str().expect("a cause");
        assert!(found.starts_with(cause), "{fields}: {found}");
    }
}

/// A thousand times more items than fit into the pieces that are read.
#[test]
fn items_are_read_as_children_need_them() {
    let objects = Objects::default();
    let server = objects.server();
    for index in 0..40 {
        objects.put(&format!("/b/many/{index:02}.json"), "[1]");
    }
    let mut fields = listed(
        "many/",
        json!({"Transformation": "LOAD_AND_FLATTEN", "InputType": "JSON", "MaxItems": 3}),
    );
    fields["MaxConcurrency"] = json!(1);
    assert_eq!(output(&ended(&server, fields)), json!([1, 1, 1]));
    let asked = objects.asked();
    let gets = asked
        .iter()
        .filter(|asked| asked.contains("many/") && !asked.contains("list-type"));
    assert_eq!(gets.count(), 3, "{asked:?}");
}

#[test]
fn batches_have_items_that_were_selected_and_their_own_input() {
    let server = Server::start();
    let definition = distributed(
        pass(),
        json!({
        "ItemsPath": "$.list",
        "ItemSelector": {"v.$": "$$.Map.Item.Value"},
        "ItemBatcher": {"MaxItemsPerBatchPath": "$.most", "BatchInput": {"all.$": "$.most"}}}),
    );
    server.machine("m", &definition);
    let execution = server.start_execution("m", json!({"list": [1, 2, 3], "most": 2}));
    assert_eq!(
        output(&server.ended(&execution)),
        json!([{"BatchInput": {"all": 2}, "Items": [{"v": 1}, {"v": 2}]},
            {"BatchInput": {"all": 2}, "Items": [{"v": 3}]}])
    );
    let run = server.describe(&server.map_run(&execution));
    assert_eq!(
        (
            &run["itemCounts"]["succeeded"],
            &run["executionCounts"]["succeeded"]
        ),
        (&json!(3), &json!(2))
    );
}

#[test]
fn results_are_exported_with_a_manifest() {
    let objects = Objects::default();
    let server = objects.server();
    let picky = json!({"StartAt": "Look", "States": {
        "Look": {"Type": "Choice", "Default": "Good", "Choices": [
            {"Variable": "$", "StringEquals": "bad", "Next": "Bad"}]},
        "Good": {"Type": "Succeed"},
        "Bad": {"Type": "Fail", "Error": "Bad", "Cause": "it was bad"}}});
    let writer = json!({"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": "out", "Prefix": "jobs"}});
    let definition = distributed(
        picky,
        json!({"Label": "l", "ResultWriter": writer,
        "ToleratedFailureCountPath": "$.most", "ItemsPath": "$.items", "MaxConcurrency": 1}),
    );
    server.machine("m", &definition);
    let execution = server.start_execution("m", json!({"items": ["x", "bad", "y"], "most": 1}));
    let ended = server.ended(&execution);
    let run = server.map_run(&execution);
    let uuid = run.rsplit(':').next().expect("a UUID");
    let result = json!({"MapRunArn": run, "ResultWriterDetails":
        {"Bucket": "out", "Key": format!("jobs/{uuid}/manifest.json")}});
    assert_eq!(output(&ended), result);
    let path = |name: &str| format!("/out/jobs/{uuid}/{name}");
    let succeeded = objects.json(&path("SUCCEEDED_0.json"));
    let failed = objects.json(&path("FAILED_0.json"));
    let key = |name: &str, content: &Value| json!([{"Key": format!("jobs/{uuid}/{name}"), "Size": content.to_string().len()}]);
    assert_eq!(
        objects.json(&path("manifest.json")),
        json!({"DestinationBucket": "out", "MapRunArn": run, "ResultFiles": {
            "FAILED": key("FAILED_0.json", &failed), "PENDING": [],
            "SUCCEEDED": key("SUCCEEDED_0.json", &succeeded)}})
    );
    let children = server.children(&run);
    let arn_of = |name: &Value| {
        let child = children.iter().find(|child| child["name"] == *name);
        child.expect("a child")["executionArn"].clone()
    };
    let first = &succeeded[0];
    assert_eq!(
        *first,
        json!({"ExecutionArn": arn_of(&first["Name"]), "Input": "\"x\"", "InputDetails": {"Included": true},
            "Name": first["Name"], "Output": "\"x\"", "OutputDetails": {"Included": true}, "RedriveCount": 0,
            "RedriveStatus": "NOT_REDRIVABLE", "RedriveStatusReason": "Execution is SUCCEEDED and cannot be redriven",
            "StartDate": "2023-11-14T22:13:20.000Z",
            "StateMachineArn": "arn:aws:states:us-east-1:123456789012:stateMachine:m/l", "Status": "SUCCEEDED",
            "StopDate": "2023-11-14T22:13:20.000Z"})
    );
    assert_eq!(
        (&failed[0]["Error"], &failed[0]["Cause"]),
        (&json!("Bad"), &json!("it was bad"))
    );
    assert_eq!(
        (&failed[0]["Status"], &failed[0]["RedriveStatus"]),
        (&json!("FAILED"), &json!("REDRIVABLE"))
    );
    assert_eq!(
        (
            succeeded.as_array().map(Vec::len),
            failed.as_array().map(Vec::len)
        ),
        (Some(2), Some(1))
    );

    // A Map Run that fails exports what was done, and names what was not.
    let execution = server.start_execution(
        "m",
        json!({"items": ["x", "bad", "bad", "y", "z"], "most": 1}),
    );
    let ended = server.ended(&execution);
    assert_eq!(ended["error"], "States.ExceedToleratedFailureThreshold");
    let run = server.map_run(&execution);
    let uuid = run.rsplit(':').next().expect("a UUID");
    let pending = objects.json(&format!("/out/jobs/{uuid}/PENDING_0.json"));
    let pending: Vec<_> = pending
        .as_array()
        .expect("a list")
        .iter()
        .map(|p| (&p["Status"], &p["Input"]))
        .collect();
    assert_eq!(
        pending,
        [
            (&json!("PENDING"), &json!("\"y\"")),
            (&json!("PENDING"), &json!("\"z\""))
        ]
    );
}

#[test]
fn results_have_the_form_that_is_asked_for() {
    let objects = Objects::default();
    let server = objects.server();
    let of = |config: Value| {
        json!({"ItemReader": {"Resource": "arn:aws:states:::s3:getObject",
        "Parameters": {"Bucket": "b", "Key": "lists.json"}, "ReaderConfig": {"InputType": "JSON"}},
        "ResultWriter": config})
    };
    objects.put("/b/lists.json", "[[1, 2], 3]");
    let here = |form: &str| {
        output(&ended(
            &server,
            of(json!({"WriterConfig": {"Transformation": form, "OutputType": "JSON"}})),
        ))
    };
    assert_eq!(here("COMPACT"), json!([[1, 2], 3]));
    assert_eq!(here("FLATTEN"), json!([1, 2, 3]));
    assert_eq!(here("NONE")[0]["Output"], "[1,2]");
    let exported = of(
        json!({"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": "out"},
        "WriterConfig": {"Transformation": "FLATTEN", "OutputType": "JSONL"}}),
    );
    let result = output(&ended(&server, exported));
    let manifest = result["ResultWriterDetails"]["Key"]
        .as_str()
        .expect("a key");
    let manifest = objects.json(&format!("/out/{manifest}"));
    let file = manifest["ResultFiles"]["SUCCEEDED"][0]["Key"]
        .as_str()
        .expect("a key");
    assert!(file.ends_with("/SUCCEEDED_0.jsonl"), "{file}");
    let inner = objects.0.lock().expect("nobody panicked");
    assert_eq!(inner.objects[&format!("/out/{file}")], b"1\n2\n3\n");
}

/// A folder that stands in for buckets.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let name = format!("map-items-{name}-{}", std::process::id());
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(folder.join("b/in")).expect("a folder");
        Folder(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_folder_stands_in_for_a_bucket() {
    let folder = Folder::new("bucket");
    std::fs::write(folder.0.join("b/in/rows.csv"), "a\n1\n2\n").expect("a file");
    std::fs::write(folder.0.join("secret.json"), "[1]").expect("a file");
    let environment = Environment::default().with_buckets(Some(folder.0.clone()));
    let server = Server::start_in(environment);
    let csv = json!({"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"});
    let mut fields = object("in/rows.csv", csv.clone());
    fields["ResultWriter"] = json!({"Resource": "arn:aws:states:::s3:putObject",
        "Parameters": {"Bucket": "b", "Prefix": "out"}});
    let result = output(&ended(&server, fields));
    let manifest = result["ResultWriterDetails"]["Key"]
        .as_str()
        .expect("a key");
    let manifest =
        std::fs::read_to_string(folder.0.join("b").join(manifest)).expect("the manifest");
    assert!(manifest.contains("SUCCEEDED_0.json"), "{manifest}");
    let load = json!({"Transformation": "LOAD_AND_FLATTEN", "InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"});
    assert_eq!(
        output(&ended(&server, listed("in/", load))),
        json!([{"a": "1"}, {"a": "2"}])
    );
    let ended = ended(
        &server,
        object("../secret.json", json!({"InputType": "JSON"})),
    );
    assert_eq!(ended["error"], "States.ItemReaderFailed");
    assert_eq!(ended["cause"], "The specified key does not exist.");
}

#[test]
fn a_test_of_a_map_shows_its_batches() {
    let server = Server::start();
    let batched = |fields: Value, inspected: Value| {
        let mut map: Value = serde_json::from_str(&distributed(pass(), fields)).expect("JSON");
        let state = map["States"]["Each"].take().to_string();
        let tested = server.ask(
            "TestState",
            json!({"definition": state, "input": json!({"items": [1, 2, 3], "of": "x"}).to_string(),
                "inspectionLevel": "DEBUG", "mock": {"result": "[]"}}),
        );
        let shown = tested["inspectionData"]["afterItemBatcher"].as_str();
        let shown = shown.map(|text| serde_json::from_str(text).expect("JSON"));
        assert_eq!(shown.unwrap_or(Value::Null), inspected, "{tested}");
    };
    let batcher = json!({"MaxItemsPerBatch": 2, "BatchInput": {"of.$": "$.of"}});
    let of = json!({"of": "x"});
    batched(
        json!({"ItemsPath": "$.items", "ItemBatcher": batcher,
            "ItemSelector": {"n.$": "$$.Map.Item.Value"}}),
        json!([{"BatchInput": of, "Items": [{"n": 1}, {"n": 2}]}, {"BatchInput": of, "Items": [{"n": 3}]}]),
    );
    batched(
        json!({"ItemsPath": "$.items", "ItemBatcher": {"MaxItemsPerBatch": 3}}),
        json!([{"Items": [1, 2, 3]}]),
    );
    batched(json!({"ItemsPath": "$.items"}), Value::Null);
}

#[test]
fn a_test_of_a_map_shows_its_items_in_either_language() {
    let server = Server::start();
    let inspected = |language: &str, fields: Value, read: Value| {
        let mut map: Value = serde_json::from_str(&distributed(pass(), fields)).expect("JSON");
        map["States"]["Each"]["QueryLanguage"] = language.into();
        let state = map["States"]["Each"].take().to_string();
        let configuration = json!({"mapItemReaderData": read.to_string()});
        let tested = server.ask(
            "TestState",
            json!({"definition": state, "inspectionLevel": "DEBUG", "mock": {"result": "[]"},
                "stateConfiguration": configuration}),
        );
        let shown = ["Pointer", "Path", "Selector", "Batcher"].map(|step| {
            let name = format!(
                "after{}{step}",
                if step == "Selector" || step == "Batcher" {
                    "Item"
                } else {
                    "Items"
                }
            );
            let text = tested["inspectionData"][name].as_str();
            text.map(|text| serde_json::from_str(text).expect("JSON"))
        });
        shown.map(|shown: Option<Value>| shown.unwrap_or(Value::Null))
    };
    let reader = |arguments: &str, config: Value| {
        json!({"Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": config,
            arguments: {"Bucket": "b", "Key": "k"}})
    };
    let pointed = json!({"InputType": "JSON", "ItemsPointer": "/in/it"});
    let read = json!({"in": {"it": {"a": 1, "b": 2}}});
    let items = json!({"a": 1, "b": 2});
    let selected = json!([{"k": "a", "v": 1}, {"k": "b", "v": 2}]);
    let batches = json!([{"Items": selected}]);
    let batcher = json!({"MaxItemsPerBatch": 2});
    let paths = json!({"ItemReader": reader("Parameters", pointed.clone()), "ItemBatcher": batcher,
        "ItemSelector": {"k.$": "$$.Map.Item.Key", "v.$": "$$.Map.Item.Value"}});
    assert_eq!(
        inspected("JSONPath", paths, read.clone()),
        [
            items.clone(),
            items.clone(),
            selected.clone(),
            batches.clone()
        ]
    );
    let expressions = json!({"ItemReader": reader("Arguments", pointed), "ItemBatcher": batcher,
        "ItemSelector": {"k": "{% $states.context.Map.Item.Key %}", "v": "{% $states.context.Map.Item.Value %}"}});
    assert_eq!(
        inspected("JSONata", expressions, read),
        [items, Value::Null, selected, batches]
    );
    let whole = json!({"ItemReader": reader("Parameters", json!({"InputType": "JSON"}))});
    assert_eq!(
        inspected("JSONPath", whole, json!([3])),
        [Value::Null, json!([3]), Value::Null, Value::Null]
    );
}
