//! Subscribers that are read by people or by other systems, each against a stand-in on loopback, on the
//! virtual clock.

#![allow(clippy::unwrap_used)]

mod sinks_support;
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use server::alerts::{Alert, AlertsConfig, Kind};
use server::app::{App, Settings};
use server::services::Environment;
use server::topics::{Publish, SubscriberConfig, TopicConfig};
use sinks_support::{Mails, Secrecy};
use support::whole::Server;
use support::{Endpoint, Received};

const EXECUTION: &str = "arn:aws:states:us-east-1:123456789012:execution:Loans:loan-1";
const TOPIC: &str = "arn:aws:sns:us-east-1:123456789012:errors";

fn settings(subscriber: Value) -> Settings {
    let subscriber: SubscriberConfig = serde_json::from_value(subscriber).unwrap();
    let topic = TopicConfig {
        subscribers: vec![subscriber],
        retention_days: None,
    };
    Settings {
        topics: [("errors".to_owned(), topic)].into(),
        alerts: AlertsConfig {
            topic: Some("errors".to_owned()),
            console_url: Some("https://ops.example.com/console/".to_owned()),
            ..AlertsConfig::default()
        },
        ..Server::settings()
    }
}

async fn server(subscriber: Value) -> Server {
    Server::open_as(settings(subscriber)).await
}

/// An alert with most of what one may have.
fn alert(resolved: bool) -> Alert {
    let text = |text: &str| Some(text.to_owned());
    Alert {
        resolved,
        execution_arn: text(EXECUTION),
        execution_name: text("loan-1"),
        state_name: text("RequestValuation"),
        reference: text("<val&1>"),
        route: text("valuation"),
        ..Alert::new(
            Kind::StuckWait,
            "rejoin gateway",
            "Stuck wait: nobody answers <val&1>.",
        )
    }
    .with_event_body("{\"euro\": \"€\"}", 13)
}

async fn raise(server: &Server, alert: Alert) {
    server.0.alerts.raise(None, alert).await.unwrap();
    pass(server, 0).await;
}

async fn publish(server: &Server, message: Value, subject: Option<&str>) {
    let message = match message {
        Value::String(text) => text,
        other => other.to_string(),
    };
    let publish = Publish {
        message,
        subject: subject.map(str::to_owned),
        attributes: None,
        trace: None,
    };
    let published = server.0.topics.publish("errors", publish).await;
    published.unwrap().unwrap();
    pass(server, 0).await;
}

async fn pass(server: &Server, seconds: i64) {
    let clock = &server.0.clock;
    drop(clock.advance(clock.now().plus_seconds(seconds)).await);
}

/// How the newest message has come along; not one that says that this subscriber fails, which it is not told.
async fn delivery(server: &Server) -> Value {
    let page = server.0.topics.messages("errors", 10, None).await;
    let messages = page.unwrap().unwrap().messages;
    let told = messages
        .iter()
        .find_map(|message| message.deliveries.first());
    json!(told.unwrap())
}

async fn endpoint(status: u16) -> Endpoint {
    Endpoint::start(Arc::new(move |_: &str| {
        Some((status, &[][..], "{}".to_owned()))
    }))
    .await
}

fn body(received: &Received) -> Value {
    serde_json::from_str(&received.body).unwrap()
}

fn email(mails: &Mails, more: Value) -> Value {
    let mut config = json!({
        "server": "localhost",
        "port": mails.port,
        "security": "none",
        "from": "Rejoin <rejoin@example.com>",
        "to": ["On call <oncall@example.com>", "ops@example.com"],
    });
    let members = config.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    json!({ "email": config })
}

#[tokio::test]
async fn a_mailbox_gets_a_letter_that_can_be_read() {
    let mut mails = Mails::start(Secrecy::Plain, &[]).await;
    let server = server(email(
        &mails,
        json!({ "user": "rejoin", "password": "secret" }),
    ))
    .await;
    raise(&server, alert(false)).await;
    let mail = mails.next().await;
    assert_eq!(mail.from, "rejoin@example.com");
    assert_eq!(mail.to, ["oncall@example.com", "ops@example.com"]);
    assert_eq!(mail.signed_in.as_deref(), Some("\0rejoin\0secret"));
    let header = |name: &str| mail.header(name);
    assert_eq!(header("Subject"), "[error] Stuck wait on route valuation");
    assert_eq!(header("From"), "Rejoin <rejoin@example.com>");
    assert_eq!(header("Auto-Submitted"), "auto-generated");
    assert_eq!(header("Date"), "Fri, 02 Jan 2026 03:04:05 +0000");
    assert!(header("Message-ID").ends_with("@rejoin>"));
    let text = mail.text();
    for line in [
        "Stuck wait: nobody answers <val&1>.",
        "Execution: loan-1",
        "Body:      {\"euro\": \"€\"}",
        "Look further:",
        &format!("https://ops.example.com/console/executions/{EXECUTION}"),
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    assert_eq!(delivery(&server).await["status"], "delivered");
    // What a workflow publishes comes the same way.
    publish(
        &server,
        json!({ "description": "It timed out", "source": "m" }),
        None,
    )
    .await;
    let mail = mails.next().await;
    assert_eq!(mail.header("Subject"), "[error] It timed out");
    publish(&server, "plain text".into(), Some("A subject")).await;
    let mail = mails.next().await;
    assert_eq!(mail.header("Subject"), "[error] A subject");
    assert!(mail.text().starts_with("plain text"));
}

#[tokio::test]
async fn a_mail_server_may_be_reached_over_tls_and_must_be_if_that_is_said() {
    let ca = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/certificates/authority.pem"
    );
    for (secrecy, security) in [(Secrecy::Starttls, "starttls"), (Secrecy::Tls, "tls")] {
        let mut mails = Mails::start(secrecy, &[]).await;
        let server = server(email(&mails, json!({ "security": security, "ca": ca }))).await;
        raise(&server, alert(false)).await;
        let mail = mails.next().await;
        assert!(mail.secret, "{security}");
    }
    // Nothing goes out in the open because the other side can't do better, nor to whom nobody vouches for.
    for (secrecy, more) in [
        (Secrecy::Plain, json!({ "security": "starttls", "ca": ca })),
        (Secrecy::Starttls, json!({ "security": "starttls" })),
    ] {
        let mut mails = Mails::start(secrecy, &[]).await;
        let server = server(email(&mails, more)).await;
        raise(&server, alert(false)).await;
        let delivery = delivery(&server).await;
        assert_eq!(delivery["status"], "pending", "{delivery}");
        assert!(mails.none_yet());
    }
}

#[tokio::test]
async fn a_mail_server_that_is_busy_is_asked_again_and_one_that_refuses_is_not() {
    let rows = [
        ("450 4.2.0 come back later", "pending"),
        ("550 5.1.1 no such mailbox", "given up"),
    ];
    for (answer, expected) in rows {
        let mut mails = Mails::start(Secrecy::Plain, &[answer]).await;
        let server = server(email(&mails, json!({}))).await;
        raise(&server, alert(false)).await;
        let first = delivery(&server).await;
        assert_eq!(first["status"], expected, "{first}");
        let error = first["last_error"].as_str().unwrap();
        assert!(error.contains(&answer[10..]), "{error}");
        if expected == "pending" {
            pass(&server, 10).await;
            assert_eq!(delivery(&server).await["status"], "delivered");
            mails.next().await;
        }
    }
}

#[tokio::test]
async fn slack_gets_blocks_within_its_limits() {
    let mut slack = endpoint(200).await;
    let server = server(json!({ "slack": { "url": slack.url("/services/T0/B0/secret") } })).await;
    raise(&server, alert(false)).await;
    let received = slack.received.recv().await.unwrap();
    assert_eq!(received.path, "/services/T0/B0/secret");
    assert_eq!(received.headers["content-type"], "application/json");
    let sent = body(&received);
    let text = sent["text"].as_str().unwrap();
    assert!(text.contains("nobody answers &lt;val&amp;1&gt;."), "{text}");
    let blocks = sent["blocks"].as_array().unwrap();
    assert_eq!(blocks[0]["type"], "header");
    assert_eq!(
        blocks[0]["text"]["text"],
        ":red_circle: Stuck wait on route valuation"
    );
    for block in blocks {
        let fields = block["fields"].as_array().map_or(0, Vec::len);
        assert!(fields <= 10);
    }
    assert!(received.body.contains("|Open in the console>"));
    // Its URL is a secret, wherever the subscriber is named.
    let named = server.0.topics.list()[0].subscribers[0].clone();
    assert!(
        named.starts_with(&format!("slack:{}#", slack.address)),
        "{named}"
    );
    // A message as long as a topic takes is cut to what Slack takes.
    publish(&server, "<".repeat(200_000).into(), Some("long")).await;
    let sent = body(&slack.received.recv().await.unwrap());
    let longest = sent["blocks"][1]["text"]["text"].as_str().unwrap();
    assert_eq!(longest.chars().count(), 3000);
}

#[tokio::test]
async fn a_secret_url_is_not_in_what_went_wrong() {
    let slack = endpoint(404).await;
    let server = server(json!({ "slack": { "url": slack.url("/services/secret") } })).await;
    raise(&server, alert(false)).await;
    let found = delivery(&server).await;
    assert_eq!(found["status"], "given up");
    assert!(!found.to_string().contains("secret"), "{found}");
    drop(slack);
    let gone = support::closed_port().await;
    let url = format!("http://{gone}/services/secret");
    let server = self::server(json!({ "slack": { "url": url } })).await;
    raise(&server, alert(false)).await;
    let found = delivery(&server).await;
    assert_eq!(found["status"], "pending");
    assert!(!found.to_string().contains("secret"), "{found}");
}

#[tokio::test]
async fn pagerduty_is_triggered_once_for_a_thing_and_resolved() {
    let mut pagerduty = endpoint(202).await;
    let config = json!({ "routing_key": "0123456789abcdef0123456789abcdef", "url": pagerduty.url("/v2/enqueue") });
    let server = server(json!({ "pagerduty": config })).await;
    raise(&server, alert(false)).await;
    let event = body(&pagerduty.received.recv().await.unwrap());
    assert_eq!(event["routing_key"], "0123456789abcdef0123456789abcdef");
    assert_eq!(event["event_action"], "trigger");
    let payload = &event["payload"];
    assert_eq!(payload["severity"], "error");
    assert_eq!(payload["source"], "rejoin gateway");
    assert_eq!(payload["class"], "stuck-wait");
    assert_eq!(payload["component"], EXECUTION);
    assert_eq!(payload["custom_details"]["stateName"], "RequestValuation");
    let summary = payload["summary"].as_str().unwrap();
    assert!(
        summary.ends_with("Stuck wait: nobody answers <val&1>."),
        "{summary}"
    );
    raise(&server, alert(true)).await;
    let over = body(&pagerduty.received.recv().await.unwrap());
    assert_eq!(over["event_action"], "resolve");
    assert_eq!(over["dedup_key"], event["dedup_key"]);
    // It is not known by its key.
    let named = server.0.topics.list()[0].subscribers[0].clone();
    assert!(!named.contains("0123456789abcdef"), "{named}");
    // A failed execution that is run again is an incident that is over.
    for (status, action) in [("FAILED", "trigger"), ("SUCCEEDED", "resolve")] {
        let event = json!({ "source": "aws.states", "detail-type": "Step Functions Execution Status Change", "detail": {
            "executionArn": EXECUTION, "stateMachineArn": "arn:aws:states:us-east-1:123456789012:stateMachine:Loans",
            "name": "loan-1", "status": status,
        } });
        publish(&server, event, None).await;
        let event = body(&pagerduty.received.recv().await.unwrap());
        assert_eq!(event["event_action"], action);
        assert_eq!(event["dedup_key"], EXECUTION);
    }
}

#[tokio::test]
async fn cloudevents_are_structured_or_binary() {
    let mut structured = endpoint(200).await;
    let server = server(json!({ "cloudevents": { "url": structured.url("/") } })).await;
    raise(&server, alert(false)).await;
    let received = structured.received.recv().await.unwrap();
    let kind = received.headers["content-type"].to_str().unwrap();
    assert!(kind.starts_with("application/cloudevents+json"), "{kind}");
    let event = body(&received);
    let id = event["id"].clone();
    for (name, expected) in [
        ("specversion", json!("1.0")),
        ("source", json!(TOPIC)),
        ("type", json!("rejoin.alert.stuck-wait")),
        ("subject", json!(EXECUTION)),
        ("time", json!("2026-01-02T03:04:05.678Z")),
        ("datacontenttype", json!("application/json")),
        ("dataschema", json!("urn:rejoin:schema:alert")),
    ] {
        assert_eq!(event[name], expected, "{name}");
    }
    assert!(id.is_string());
    assert_eq!(event["data"]["reference"], "<val&1>");
    publish(&server, "text".into(), None).await;
    let event = body(&structured.received.recv().await.unwrap());
    assert_eq!(
        (&event["type"], &event["data"]),
        (&"rejoin.message".into(), &"text".into())
    );

    let mut binary = endpoint(200).await;
    let config = json!({ "url": binary.url("/"), "mode": "binary" });
    let server = self::server(json!({ "cloudevents": config })).await;
    raise(&server, alert(false)).await;
    let received = binary.received.recv().await.unwrap();
    assert_eq!(received.headers["ce-specversion"], "1.0");
    assert_eq!(received.headers["ce-subject"], EXECUTION);
    assert_eq!(received.headers["content-type"], "application/json");
    assert_eq!(body(&received)["kind"], "stuck-wait");
}

#[tokio::test]
async fn sns_and_eventbridge_are_called_with_signed_requests() {
    let answer = "<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>";
    let mut sns = Endpoint::start(Arc::new(move |_: &str| {
        Some((200, &[][..], answer.to_owned()))
    }))
    .await;
    let failed = Arc::new(AtomicU32::new(1));
    let count = failed.clone();
    let mut bus = Endpoint::start(Arc::new(move |_: &str| {
        let failed = count.swap(0, Ordering::Relaxed);
        let entry = match failed {
            0 => json!({ "EventId": "1" }),
            _ => json!({ "ErrorCode": "ThrottlingException", "ErrorMessage": "slow down" }),
        };
        Some((
            200,
            &[][..],
            json!({ "FailedEntryCount": failed, "Entries": [entry] }).to_string(),
        ))
    }))
    .await;
    let variables = [
        ("AWS_ENDPOINT_URL_SNS", sns.url("")),
        ("AWS_ENDPOINT_URL_EVENTBRIDGE", bus.url("")),
        ("AWS_ACCESS_KEY_ID", "AKID".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "secret".to_owned()),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value));
    let open = async |subscriber: Value| {
        let mut settings = settings(subscriber);
        settings.environment = Environment::of(variables.clone());
        Server::open_as(settings).await
    };
    let elsewhere = "arn:aws:sns:eu-west-1:210987654321:alerts";
    let server = open(json!({ "sns": elsewhere })).await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let alert = |resolved| Alert {
        trace_id: Some(trace.to_owned()),
        ..alert(resolved)
    };
    raise(&server, alert(false)).await;
    let received = sns.received.recv().await.unwrap();
    let parent = received.headers["traceparent"].to_str().unwrap();
    assert!(parent.starts_with(&format!("00-{trace}-")), "{parent}");
    assert!(received.headers.contains_key("authorization"));
    for part in [
        "Action=Publish",
        "TopicArn=arn%3Aaws%3Asns%3Aeu-west-1%3A210987654321%3Aalerts",
        "Subject=Stuck%20wait%20on%20route%20valuation",
        "MessageAttributes.entry.1.Name=kind",
        &format!("Value.StringValue={parent}"),
    ] {
        assert!(received.body.contains(part), "{part}: {}", received.body);
    }
    assert_eq!(delivery(&server).await["status"], "delivered");

    let server = open(json!({ "eventbridge": { "bus": "ops" } })).await;
    raise(&server, alert(false)).await;
    let found = delivery(&server).await;
    assert_eq!(found["status"], "pending", "{found}");
    assert!(
        found["last_error"]
            .as_str()
            .unwrap()
            .contains("ThrottlingException"),
        "{found}"
    );
    pass(&server, 10).await;
    assert_eq!(delivery(&server).await["status"], "delivered");
    bus.received.recv().await.unwrap();
    let received = bus.received.recv().await.unwrap();
    assert_eq!(received.headers["x-amz-target"], "AWSEvents.PutEvents");
    let entry = body(&received)["Entries"][0].clone();
    assert_eq!(entry["EventBusName"], "ops");
    assert_eq!(entry["Source"], "rejoin");
    assert_eq!(entry["DetailType"], "Rejoin Alert");
    let header = format!("Root=1-{}-{};Parent=", &trace[..8], &trace[8..]);
    let said = entry["TraceHeader"].as_str().unwrap();
    assert!(said.starts_with(&header), "{said}");
    assert_eq!(received.headers["x-amzn-trace-id"], said);
    assert_eq!(entry["Resources"], json!([EXECUTION]));
    let detail: Value = serde_json::from_str(entry["Detail"].as_str().unwrap()).unwrap();
    assert_eq!(detail["kind"], "stuck-wait");
}

#[tokio::test]
async fn a_wrong_subscriber_says_what_is_wrong_and_shows_no_secret() {
    let rows = [
        (
            json!({ "email": { "server": "mail.example.com", "security": "none", "from": "a@b.c", "to": ["d@e.f"] } }),
            "without TLS",
        ),
        (
            json!({ "email": { "server": "mail.example.com", "from": "a@b.c", "to": [] } }),
            "without `to`",
        ),
        (
            json!({ "email": { "server": "mail.example.com", "from": "nobody", "to": ["d@e.f"] } }),
            "has the e-mail address \"nobody\", which is none",
        ),
        (
            json!({ "email": { "server": "mail.example.com", "from": "a@b.c", "to": ["d@e.f"], "user": "u" } }),
            "only one of `user` and `password`",
        ),
        (json!({ "slack": { "url": "topsecret" } }), "is no URL"),
        (
            json!({ "pagerduty": { "routing_key": "env:NO_SUCH_VARIABLE_OF_REJOIN" } }),
            "is the environment variable NO_SUCH_VARIABLE_OF_REJOIN, which is not set",
        ),
        (
            json!({ "cloudevents": { "url": "ftp://x" } }),
            "is not a URL of a server",
        ),
        (json!({ "sns": "errors" }), "is no topic of SNS"),
    ];
    for (subscriber, said) in rows {
        let opened = App::open(settings(subscriber.clone())).await;
        let why = opened.map(drop).unwrap_err();
        assert!(why.contains(said), "{subscriber}: {why}");
        assert!(!why.contains("topsecret"), "{why}");
    }
}
