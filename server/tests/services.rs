//! Tasks that call other services, against an endpoint that stands in for AWS; and tasks that start
//! executions of the same server, across a crash.

mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::ExecutionKey;
use hyper::{HeaderMap, Method};
use serde_json::{Value, json};
use server::app::{App, Place, Settings};
use server::clock::Clock;
use server::http::Call;
use server::services::Environment;
use support::{Endpoint, NOW, closed_port};

const CALLEE: &str = "arn:aws:states:us-east-1:123456789012:stateMachine:Callee";
const CHILD: &str = "arn:aws:states:us-east-1:123456789012:execution:Callee:child";

struct Server(App);

impl Server {
    async fn open(environment: Environment, directory: Option<PathBuf>) -> Server {
        let settings = Settings {
            place: Place {
                region: "us-east-1".to_owned(),
                account: "123456789012".to_owned(),
            },
            clock: Clock::standing_at(NOW),
            directory,
            retention_days: 90,
            quotas: Default::default(),
            functions: Default::default(),
            topics: Default::default(),
            routes: Vec::new(),
            alerts: Default::default(),
            status_changes: Vec::new(),
            address: ([127, 0, 0, 1], 1).into(),
            stuck_waits: Default::default(),
            environment,
        };
        Server(App::open(settings).await.expect("the server opens").0)
    }

    /// A server whose services are all at one place.
    async fn with_services_at(url: String) -> Server {
        let variables = [
            ("AWS_ENDPOINT_URL".to_owned(), url),
            ("AWS_ACCESS_KEY_ID".to_owned(), "AKID".to_owned()),
            ("AWS_SECRET_ACCESS_KEY".to_owned(), "secret".to_owned()),
            ("AWS_SESSION_TOKEN".to_owned(), "session".to_owned()),
        ];
        Server::open(Environment::of(variables), None).await
    }

    async fn ask(&self, operation: &str, request: Value) -> Value {
        let mut headers = HeaderMap::new();
        let target = format!("AWSStepFunctions.{operation}");
        headers.insert("x-amz-target", target.parse().expect("a header"));
        let call = Call {
            method: Method::POST,
            path: "/".to_owned(),
            query: String::new(),
            headers,
            body: request.to_string().into(),
            peer: ([127, 0, 0, 1], 4000).into(),
            busy: self.0.clock.busy(),
        };
        let reply = server::api::handle(&self.0, call).await;
        let answer = serde_json::from_slice(&reply.body).expect("JSON");
        assert!(reply.status.is_success(), "{operation}: {answer}");
        answer
    }

    async fn machine(&self, name: &str, states: Value) {
        let start = states.as_object().and_then(|states| states.keys().next());
        let definition = json!({ "StartAt": start, "States": states });
        let request = json!({
            "name": name,
            "definition": definition.to_string(),
            "roleArn": "arn:aws:iam::123456789012:role/any",
        });
        self.ask("CreateStateMachine", request).await;
    }

    /// Starts an execution of a machine that consists of one task.
    async fn start_task(&self, resource: &str, parameters: Value) -> String {
        let task = json!({
            "Type": "Task",
            "Resource": format!("arn:aws:states:::{resource}"),
            "Parameters": parameters,
            "End": true,
        });
        self.machine("Caller", json!({ "Call": task })).await;
        let machine = "arn:aws:states:us-east-1:123456789012:stateMachine:Caller";
        let request = json!({ "stateMachineArn": machine });
        let started = self.ask("StartExecution", request).await;
        started["executionArn"].as_str().expect("an ARN").to_owned()
    }

    /// How an execution ended.
    async fn ended(&self, arn: &str) -> Value {
        let ended = self.0.runner.until_ended(ExecutionKey::of(arn)).await;
        let _busy = ended.expect("the server runs");
        self.ask("DescribeExecution", json!({ "executionArn": arn }))
            .await
    }

    async fn task(&self, resource: &str, parameters: Value) -> Value {
        let arn = self.start_task(resource, parameters).await;
        self.ended(&arn).await
    }

    /// How many of an execution's events are of this type.
    async fn count(&self, arn: &str, event_type: &str) -> usize {
        let history = self
            .ask("GetExecutionHistory", json!({ "executionArn": arn }))
            .await;
        let events = history["events"].as_array().expect("a list");
        events
            .iter()
            .filter(|event| event["type"] == event_type)
            .count()
    }
}

fn output(execution: &Value) -> Value {
    let text = execution["output"].as_str().expect("an output");
    serde_json::from_str(text).expect("JSON")
}

#[tokio::test]
async fn a_message_goes_signed_to_the_endpoint_and_its_answer_is_the_result() {
    let answer =
        json!({ "MessageId": "id", "MD5OfMessageBody": "md5", "MD5OfMessageAttributes": null });
    let answer = answer.to_string();
    let mut sqs = Endpoint::start(Arc::new(move |_| {
        Some((200, &[("x-amzn-requestid", "R")][..], answer.clone()))
    }))
    .await;
    let server = Server::with_services_at(sqs.url("")).await;
    let parameters =
        json!({ "QueueUrl": "http://sqs/1/q", "MessageBody": { "a": 1 }, "DelaySeconds": null });
    let execution = server.task("sqs:sendMessage", parameters).await;

    let received = sqs.received.recv().await.expect("a request");
    assert_eq!(received.path, "/");
    let header = |name: &str| received.headers[name].to_str().expect("text").to_owned();
    assert_eq!(header("x-amz-target"), "AmazonSQS.SendMessage");
    assert_eq!(header("content-type"), "application/x-amz-json-1.0");
    assert_eq!(header("x-amz-security-token"), "session");
    let authorization = header("authorization");
    assert!(authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKID/"));
    assert!(authorization.contains(
        "/us-east-1/sqs/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, "
    ));
    let body: Value = serde_json::from_str(&received.body).expect("JSON");
    assert_eq!(
        body,
        json!({ "QueueUrl": "http://sqs/1/q", "MessageBody": "{\"a\":1}" })
    );

    let result = output(&execution);
    assert_eq!(result["MessageId"], "id");
    assert_eq!(result["MD5OfMessageAttributes"], Value::Null);
    assert_eq!(result["SdkHttpMetadata"]["HttpStatusCode"], 200);
    assert_eq!(
        result["SdkHttpMetadata"]["AllHttpHeaders"]["x-amzn-RequestId"],
        json!(["R"])
    );
    assert_eq!(result["SdkResponseMetadata"]["RequestId"], "R");
}

#[tokio::test]
async fn errors_have_the_names_of_their_service() {
    let error = r#"{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException","message":"The conditional request failed"}"#;
    let service = Endpoint::start(Arc::new(move |_| {
        Some((400, &[("x-amzn-requestid", "R")][..], error.to_owned()))
    }))
    .await;
    let rows = [
        (
            "dynamodb:putItem",
            json!({ "TableName": "t", "Item": {} }),
            "DynamoDB.ConditionalCheckFailedException",
            "The conditional request failed (Service: AmazonDynamoDBv2; Status Code: 400; Error Code: \
             ConditionalCheckFailedException; Request ID: R; Proxy: null)",
        ),
        (
            "aws-sdk:dynamodb:putItem",
            json!({ "TableName": "t", "Item": {} }),
            "DynamoDb.ConditionalCheckFailedException",
            "The conditional request failed (Service: DynamoDb, Status Code: 400, Request ID: R)",
        ),
        (
            "sqs:sendMessage",
            json!({ "QueueUrl": "http://nowhere", "MessageBody": "m" }),
            "SQS.SdkClientException",
            "Unable to execute HTTP request: nowhere: Name or service not known",
        ),
        (
            "aws-sdk:sfn:sendTaskFailure",
            json!({ "TaskToken": "NoSuchTaskToken" }),
            "Sfn.InvalidTokenException",
            "Invalid Token: 'Invalid token' (Service: Sfn, Status Code: 400, Request ID: ",
        ),
        (
            "aws-sdk:ec2:describeInstances",
            json!({}),
            "Rejoin.UnsupportedResource",
            "this version of Rejoin can't call aws-sdk:ec2:describeInstances",
        ),
    ];
    for (resource, parameters, error, cause) in rows {
        let server = Server::with_services_at(service.url("")).await;
        let execution = server.task(resource, parameters).await;
        assert_eq!(execution["error"], error, "{resource}");
        let said = execution["cause"].as_str().expect("a cause");
        assert!(said.starts_with(cause), "{resource}: {said}");
    }
}

#[tokio::test]
async fn a_function_of_nobody_here_is_asked_of_lambda() {
    let mut lambda = Endpoint::start(Arc::new(|path| {
        let failed = path.contains("broken");
        let headers: &[_] = match failed {
            true => &[("x-amz-function-error", "Unhandled")],
            false => &[("x-amz-executed-version", "$LATEST")],
        };
        let body = match failed {
            true => r#"{"errorType":"Broken","errorMessage":"m"}"#,
            false => r#"{"answer":42}"#,
        };
        Some((200, headers, body.to_owned()))
    }))
    .await;
    let server = Server::with_services_at(lambda.url("")).await;
    let parameters = json!({ "FunctionName": "f", "Payload": "{\"a\":1}", "LogType": "Tail" });
    let execution = server.task("lambda:invoke", parameters).await;
    let received = lambda.received.recv().await.expect("a request");
    assert_eq!(received.path, "/2015-03-31/functions/f/invocations");
    assert_eq!(received.body, "{\"a\":1}");
    assert_eq!(received.headers["x-amz-log-type"], "Tail");
    let result = output(&execution);
    assert_eq!(result["Payload"], json!({ "answer": 42 }));
    assert_eq!(result["ExecutedVersion"], "$LATEST");
    assert_eq!(result["StatusCode"], 200);

    let server = Server::with_services_at(lambda.url("")).await;
    let execution = server
        .task("lambda:invoke", json!({ "FunctionName": "broken" }))
        .await;
    assert_eq!(execution["error"], "Broken");
    assert_eq!(
        execution["cause"],
        r#"{"errorType":"Broken","errorMessage":"m"}"#
    );
}

#[tokio::test]
async fn a_service_that_is_nowhere_fails_the_task_and_says_what_to_do() {
    let server = Server::open(Environment::default(), None).await;
    let parameters = json!({ "TableName": "t", "Key": {} });
    let execution = server.task("dynamodb:getItem", parameters.clone()).await;
    assert_eq!(execution["error"], "DynamoDB.SdkClientException");
    let cause = execution["cause"].as_str().expect("a cause");
    assert!(cause.contains("AWS_ENDPOINT_URL_DYNAMODB"), "{cause}");

    let server = Server::with_services_at(format!("http://{}", closed_port().await)).await;
    let execution = server.task("dynamodb:getItem", parameters).await;
    assert_eq!(execution["error"], "DynamoDB.SdkClientException");
    let cause = execution["cause"].as_str().expect("a cause");
    assert!(
        cause.starts_with("Unable to execute HTTP request: "),
        "{cause}"
    );
}

#[tokio::test]
async fn any_endpoint_may_be_asked() {
    let mut api = Endpoint::start(Arc::new(|path| {
        let json = &[("content-type", "application/json")][..];
        Some(match path {
            "/good" => (201, json, r#"{"made":1}"#.to_owned()),
            _ => (404, json, "nothing".to_owned()),
        })
    }))
    .await;
    let request = |path: &str| {
        json!({
            "ApiEndpoint": api.url(path),
            "Method": "POST",
            "Headers": { "x-a": "b" },
            "RequestBody": { "c": 1 },
        })
    };
    let (good, bad) = (request("/good"), request("/bad"));
    let server = Server::open(Environment::default(), None).await;
    let result = output(&server.task("http:invoke", good).await);
    assert_eq!(result["ResponseBody"], json!({ "made": 1 }));
    assert_eq!(result["StatusCode"], 201);
    assert_eq!(result["StatusText"], "Created");
    assert_eq!(
        result["Headers"]["content-type"],
        json!(["application/json"])
    );
    let received = api.received.recv().await.expect("a request");
    assert_eq!(
        (&*received.body, &received.headers["x-a"]),
        ("{\"c\":1}", &"b".parse().expect("a header"))
    );

    let server = Server::open(Environment::default(), None).await;
    let execution = server.task("http:invoke", bad).await;
    assert_eq!(execution["error"], "States.Http.StatusCode.404");
    assert_eq!(execution["cause"], "nothing");
}

/// What goes over the wire, in the form of the example in AWS's documentation.
#[tokio::test]
async fn a_test_shows_the_request_and_the_response_of_an_endpoint() {
    let mut api = Endpoint::start(Arc::new(|path| {
        let told = &[("content-type", "text/plain"), ("x-told", "t")][..];
        Some((
            if path.contains("bad") { 404 } else { 200 },
            told,
            "as it is".to_owned(),
        ))
    }))
    .await;
    let server = Server::open(Environment::default(), None).await;
    let url = api.url("");
    let request = |path: &str, level: &str| {
        let state = json!({
            "Type": "Task",
            "Resource": "arn:aws:states:::http:invoke",
            "Parameters": {
                "ApiEndpoint": format!("{url}{path}"),
                "Method": "POST",
                "Authentication": { "ConnectionArn": "arn:aws:events:us-east-1:123456789012:connection/c/1" },
                "Headers": { "definitionHeader": "h1", "Authorization": "Basic eA==", "user-agent": "x" },
                "QueryParameters": { "q": "a b" },
                "RequestBody": { "m": 1 },
            },
            "End": true,
        });
        json!({
            "definition": state.to_string(),
            "roleArn": "arn:aws:iam::123456789012:role/r",
            "inspectionLevel": level,
            "revealSecrets": false,
        })
    };
    let told = server.ask("TestState", request("/good", "TRACE")).await;
    assert_eq!(told["status"], "SUCCEEDED", "{told}");
    let inspected = &told["inspectionData"];
    assert_eq!(
        inspected["request"],
        json!({
            "protocol": "http",
            "method": "POST",
            "url": format!("{url}/good?q=a%20b"),
            "headers": "[definitionHeader: h1, Authorization: Basic eA==, content-type: application/json, \
                User-Agent: Amazon|StepFunctions|HttpInvoke|us-east-1, Range: bytes=0-262144]",
            "body": "{\"m\":1}",
        })
    );
    let received = api.received.recv().await.expect("a request");
    assert_eq!((&*received.path, &*received.body), ("/good", "{\"m\":1}"));
    // Who asks, and for how much, a definition can't say.
    assert_eq!(
        ["user-agent", "range"].map(|name| received.headers[name].to_str().ok()),
        [
            Some("Amazon|StepFunctions|HttpInvoke|us-east-1"),
            Some("bytes=0-262144")
        ]
    );
    let response = &inspected["response"];
    assert_eq!(
        ["protocol", "statusCode", "statusMessage", "body"].map(|name| response[name].clone()),
        ["http", "200", "OK", "as it is"].map(Value::from)
    );
    let headers = response["headers"].as_str().expect("a text");
    assert!(
        headers.starts_with('[') && headers.ends_with(']'),
        "{headers}"
    );
    assert!(
        headers.contains("content-type: text/plain, x-told: t"),
        "{headers}"
    );

    // A failure has them as well, and no other level does.
    let told = server.ask("TestState", request("/bad", "TRACE")).await;
    assert_eq!(told["error"], "States.Http.StatusCode.404");
    assert_eq!(told["inspectionData"]["response"]["statusCode"], "404");
    let told = server.ask("TestState", request("/good", "DEBUG")).await;
    assert!(told["inspectionData"].get("result").is_some());
    for member in ["request", "response"] {
        assert_eq!(told["inspectionData"].get(member), None);
    }
}

#[tokio::test]
async fn a_service_that_hangs_does_not_hold_virtual_time_for_good() {
    let sqs = Endpoint::start(Arc::new(|_| None)).await;
    let server = Server::with_services_at(sqs.url("")).await;
    let task = json!({
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage",
        "Parameters": { "QueueUrl": "http://sqs/1/q", "MessageBody": "m" },
        "TimeoutSeconds": 3600,
        "End": true,
    });
    server.machine("Callee", json!({ "Send": task })).await;
    let request = json!({ "stateMachineArn": CALLEE, "name": "child" });
    server.ask("StartExecution", request).await;
    server.0.clock.set_automatic(true);
    assert_eq!(server.ended(CHILD).await["error"], "States.Timeout");
}

#[tokio::test]
async fn an_execution_is_started_and_waited_for() {
    let rows = [
        ("states:startExecution", Value::Null, 0),
        ("states:startExecution.sync", json!("{\"b\":2}"), 1),
        ("states:startExecution.sync:2", json!({ "b": 2 }), 1),
    ];
    for (resource, expected, submitted) in rows {
        let server = Server::open(Environment::default(), None).await;
        let pass = json!({ "Pass": { "Type": "Pass", "Result": { "b": 2 }, "End": true } });
        server.machine("Callee", pass).await;
        let parameters = json!({ "StateMachineArn": CALLEE, "Name": "child", "Input": { "a": 1 } });
        let arn = server.start_task(resource, parameters).await;
        let result = output(&server.ended(&arn).await);
        assert_eq!(result["ExecutionArn"], CHILD);
        assert_eq!(result["Output"], expected, "{resource}");
        assert_eq!(server.count(&arn, "TaskSubmitted").await, submitted);
        let child = server
            .ask("DescribeExecution", json!({ "executionArn": CHILD }))
            .await;
        assert_eq!(child["input"], "{\"a\":1}");
    }
}

#[tokio::test]
async fn an_execution_that_fails_fails_the_task_that_waits_for_it() {
    let server = Server::open(Environment::default(), None).await;
    let fail = json!({ "Fail": { "Type": "Fail", "Error": "E", "Cause": "C" } });
    server.machine("Callee", fail).await;
    let parameters = json!({ "StateMachineArn": CALLEE });
    let execution = server.task("states:startExecution.sync", parameters).await;
    assert_eq!(execution["error"], "States.TaskFailed");
    let cause = execution["cause"].as_str().expect("a cause");
    let cause: Value = serde_json::from_str(cause).expect("JSON");
    assert_eq!(
        (&cause["Error"], &cause["Status"]),
        (&json!("E"), &json!("FAILED"))
    );

    let server = Server::open(Environment::default(), None).await;
    let parameters = json!({ "StateMachineArn": CALLEE });
    let execution = server.task("states:startExecution", parameters).await;
    assert_eq!(
        execution["error"],
        "StepFunctions.StateMachineDoesNotExistException"
    );
}

/// Parks a child on an activity and a parent on the child; gives the parent's ARN.
async fn parked(server: &Server) -> String {
    let activity = server
        .ask("CreateActivity", json!({ "name": "work" }))
        .await;
    let work = json!({ "Type": "Task", "Resource": activity["activityArn"], "End": true });
    server.machine("Callee", json!({ "Work": work })).await;
    let parameters = json!({ "StateMachineArn": CALLEE, "Name": "child" });
    let parent = server
        .start_task("states:startExecution.sync:2", parameters)
        .await;
    while server.count(&parent, "TaskSubmitted").await == 0 {
        tokio::task::yield_now().await;
    }
    parent
}

#[tokio::test]
async fn a_task_that_waits_for_an_execution_does_so_after_a_crash() {
    let directory = scratch();
    let server = Server::open(Environment::default(), Some(directory.clone())).await;
    let parent = parked(&server).await;
    let copy = scratch();
    copy_all(&directory, &copy);

    let server = Server::open(Environment::default(), Some(copy.clone())).await;
    let activity = "arn:aws:states:us-east-1:123456789012:activity:work";
    let task = server
        .ask("GetActivityTask", json!({ "activityArn": activity }))
        .await;
    let done = json!({ "taskToken": task["taskToken"], "output": "{\"done\":true}" });
    server.ask("SendTaskSuccess", done).await;
    let result = output(&server.ended(&parent).await);
    assert_eq!(result["Output"], json!({ "done": true }));
    assert_eq!(server.count(&parent, "TaskSubmitted").await, 1);
    for directory in [directory, copy] {
        let _ = std::fs::remove_dir_all(directory);
    }
}

#[tokio::test]
async fn who_gives_up_a_task_stops_the_execution_that_it_waits_for() {
    let server = Server::open(Environment::default(), None).await;
    let parent = parked(&server).await;
    server
        .ask("StopExecution", json!({ "executionArn": parent }))
        .await;
    assert_eq!(server.ended(CHILD).await["status"], "ABORTED");
}

#[tokio::test]
async fn the_execution_of_a_task_that_was_given_up_is_stopped_after_a_crash() {
    let directory = scratch();
    let server = Server::open(Environment::default(), Some(directory.clone())).await;
    let parent = parked(&server).await;
    server
        .ask("StopExecution", json!({ "executionArn": parent }))
        .await;
    // At once: that the child is to be stopped is durable, that it was is perhaps not.
    let copy = scratch();
    copy_all(&directory, &copy);

    let server = Server::open(Environment::default(), Some(copy.clone())).await;
    assert_eq!(server.ended(CHILD).await["status"], "ABORTED");
    for directory in [directory, copy] {
        let _ = std::fs::remove_dir_all(directory);
    }
}

fn scratch() -> PathBuf {
    std::env::temp_dir().join(format!("rejoin-services-{}", uuid::Uuid::new_v4()))
}

/// What a crash leaves at this moment.
fn copy_all(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory");
    for entry in std::fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy_all(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("a file");
        }
    }
}
