//! Topics on a real store, with endpoints on loopback; retries on the virtual clock.

#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use server::app::Place;
use server::client::Client;
use server::clock::Clock;
use server::functions::Functions;
use server::topics::{
    Publish, SubscriberConfig, TopicConfig, Topics, publish_parameters, publish_result,
    topic_not_found,
};
use store::{Due, Options, Store};
use support::*;

const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:alerts";

/// A server's topics, with a scheduler that hands out what is due.
struct World {
    clock: Clock,
    topics: Topics,
}

fn world(subscribers: Vec<SubscriberConfig>, store: &Store, clock: Clock) -> World {
    let functions = functions(program(&["works"]), &clock).unwrap();
    let topics = topics(subscribers, store, &clock, &functions).unwrap();
    clock.attach(Arc::new(store.clone()));
    let (handed, store, time) = (topics.clone(), store.clone(), clock.clone());
    tokio::spawn(async move {
        loop {
            let _busy = time.until_due(&store).await;
            for due in store.take_due(time.now(), 16) {
                match due {
                    Due::Document(_, key) => handed.attend(&key).await,
                    Due::Execution(_) => unreachable!("there are only messages"),
                }
            }
        }
    });
    World { clock, topics }
}

fn topics(
    subscribers: Vec<SubscriberConfig>,
    store: &Store,
    clock: &Clock,
    functions: &Functions,
) -> Result<Topics, String> {
    let place = Place {
        region: "eu-west-1".to_owned(),
        account: "123456789012".to_owned(),
    };
    let config = TopicConfig {
        subscribers,
        retention_days: Some(1),
    };
    Topics::new(
        BTreeMap::from([("alerts".to_owned(), config)]),
        place,
        clock.clone(),
        store.clone(),
        functions.clone(),
        Client::new(),
    )
}

fn in_memory() -> Store {
    open(None)
}

fn open(directory: Option<PathBuf>) -> Store {
    let options = Options { directory };
    Store::open(options).unwrap().0
}

fn text(message: &str) -> Publish {
    Publish {
        message: message.to_owned(),
        subject: None,
        attributes: None,
        trace: None,
    }
}

impl World {
    async fn publish(&self, publish: Publish) -> String {
        self.topics.publish(TOPIC, publish).await.unwrap().unwrap()
    }

    /// Lets virtual time go on; returns when it is there and nothing is in flight.
    async fn pass(&self, seconds: i64) {
        drop(
            self.clock
                .advance(self.clock.now().plus_seconds(seconds))
                .await,
        );
    }

    async fn messages(&self) -> Value {
        let page = self.topics.messages("alerts", 100, None).await.unwrap();
        serde_json::to_value(page.unwrap().messages).unwrap()
    }
}

#[tokio::test]
async fn an_endpoint_gets_snss_envelope() {
    let mut endpoint =
        Endpoint::start(Arc::new(|_: &str| Some((204, &[][..], String::new())))).await;
    let subscribers = vec![SubscriberConfig::Http(endpoint.url("/hear"))];
    let world = world(subscribers, &in_memory(), Clock::standing_at(NOW));
    let id = world
        .publish(Publish {
            message: r#"{"a":1}"#.to_owned(),
            subject: Some("trouble".to_owned()),
            attributes: Some(json!({"kind": {"DataType": "String", "StringValue": "late"}})),
            trace: None,
        })
        .await;
    world.pass(0).await;

    let received = endpoint.received.recv().await.unwrap();
    assert_eq!(received.path, "/hear");
    let headers = &received.headers;
    assert_eq!(headers["content-type"], "text/plain; charset=UTF-8");
    assert_eq!(headers["x-amz-sns-message-type"], "Notification");
    assert_eq!(headers["x-amz-sns-message-id"], id.as_str());
    assert_eq!(headers["x-amz-sns-topic-arn"], TOPIC);
    let subscription = headers["x-amz-sns-subscription-arn"].to_str().unwrap();
    assert!(subscription.starts_with(TOPIC), "{subscription}");
    let envelope: Value = serde_json::from_str(&received.body).unwrap();
    let unsubscribe =
        format!("http://localhost/?Action=Unsubscribe&SubscriptionArn={subscription}");
    let expected = json!({
        "Type": "Notification", "MessageId": id, "TopicArn": TOPIC, "Subject": "trouble",
        "Message": r#"{"a":1}"#, "Timestamp": "2026-01-02T03:04:05.678Z",
        "SignatureVersion": "1", "Signature": "", "SigningCertURL": "",
        "UnsubscribeURL": unsubscribe,
        "MessageAttributes": {"kind": {"Type": "String", "Value": "late"}}
    });
    assert_eq!(envelope.to_string(), expected.to_string());
    let delivery = &world.messages().await[0]["deliveries"][0];
    assert_eq!(delivery["status"], "delivered");
    assert_eq!(delivery["attempts"], 1);
}

#[tokio::test]
async fn a_failed_delivery_is_tried_50_times_in_about_six_hours() {
    let asked = Arc::new(AtomicU32::new(0));
    let count = asked.clone();
    let endpoint = Endpoint::start(Arc::new(move |_: &str| {
        count.fetch_add(1, Ordering::Relaxed);
        Some((503, &[][..], String::new()))
    }))
    .await;
    let subscribers = vec![SubscriberConfig::Http(endpoint.url("/"))];
    let world = world(subscribers, &in_memory(), Clock::standing_at(NOW));
    world.publish(text("hello")).await;
    for (seconds, attempts) in [(0, 1), (9, 1), (1, 2), (10, 3), (10, 4), (16, 5)] {
        world.pass(seconds).await;
        assert_eq!(asked.load(Ordering::Relaxed), attempts);
    }
    let delivery = &world.messages().await[0]["deliveries"][0];
    assert_eq!(delivery["status"], "pending");
    assert_eq!(
        delivery["last_error"],
        "the endpoint answered 503 Service Unavailable"
    );
    assert_eq!(delivery["next_attempt_at"], "2026-01-02T03:05:16.678Z");

    world.pass(7 * 3600).await;
    assert_eq!(asked.load(Ordering::Relaxed), 50);
    let delivery = &world.messages().await[0]["deliveries"][0];
    assert_eq!(delivery["status"], "given up");
    let given_up_at = delivery["given_up_at"].as_str().unwrap();
    assert!(given_up_at.starts_with("2026-01-02T09:"), "{given_up_at}");
}

#[tokio::test]
async fn what_an_endpoint_refuses_for_good_is_not_sent_again() {
    let rows = [
        (400, "given up"),
        (404, "given up"),
        (429, "pending"),
        (500, "pending"),
    ];
    for (status, expected) in rows {
        let answers = move |_: &str| Some((status, &[][..], String::new()));
        let endpoint = Endpoint::start(Arc::new(answers)).await;
        let subscribers = vec![SubscriberConfig::Http(endpoint.url("/"))];
        let world = world(subscribers, &in_memory(), Clock::standing_at(NOW));
        world.publish(text("hello")).await;
        world.pass(0).await;
        assert_eq!(
            world.messages().await[0]["deliveries"][0]["status"],
            expected,
            "{status}"
        );
    }
}

#[tokio::test]
async fn a_pending_delivery_goes_on_after_a_restart() {
    let directory = std::env::temp_dir().join(format!("rejoin-topics-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let (answers, up) = (Arc::new(AtomicU32::new(503)), Arc::new(AtomicU32::new(0)));
    let (status, count) = (answers.clone(), up.clone());
    let endpoint = Endpoint::start(Arc::new(move |_: &str| {
        count.fetch_add(1, Ordering::Relaxed);
        Some((
            status.load(Ordering::Relaxed) as u16,
            &[][..],
            String::new(),
        ))
    }))
    .await;
    let subscribers = vec![SubscriberConfig::Http(endpoint.url("/"))];
    let (file, at) = (directory.join("store"), NOW.plus_seconds(3));
    let first = {
        let subscribers = subscribers.clone();
        let file = file.clone();
        // A runtime of its own, whose end is the end of all that runs on it.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(async {
                let world = world(subscribers, &open(Some(file)), Clock::standing_at(NOW));
                let id = world.publish(text("hello")).await;
                world.pass(3).await;
                id
            })
        })
    };
    let id = tokio::task::spawn_blocking(|| first.join().unwrap())
        .await
        .unwrap();
    assert_eq!(up.load(Ordering::Relaxed), 1);
    answers.store(200, Ordering::Relaxed);

    let world = world(subscribers, &open(Some(file)), Clock::standing_at(at));
    world.pass(6).await;
    assert_eq!(up.load(Ordering::Relaxed), 1, "not before it is due");
    world.pass(1).await;
    let message = &world.messages().await[0];
    assert_eq!(message["message_id"], id);
    assert_eq!(message["deliveries"][0]["status"], "delivered");
    assert_eq!(message["deliveries"][0]["attempts"], 2);
    drop(world);
    std::fs::remove_dir_all(&directory).unwrap();
}

#[tokio::test]
async fn a_function_and_a_file_and_the_log_hear_it_too() {
    let path = std::env::temp_dir().join(format!("rejoin-lines-{}", std::process::id()));
    std::fs::write(&path, "cut off by a cra").unwrap();
    let subscribers = vec![
        SubscriberConfig::Function("f".to_owned()),
        SubscriberConfig::File(path.clone()),
        SubscriberConfig::Log("warn".to_owned()),
    ];
    let world = world(subscribers, &in_memory(), Clock::standing_at(NOW));
    let ids = [
        world.publish(text(r#"{"a":1}"#)).await,
        world.publish(text("two\nlines")).await,
    ];
    world.pass(0).await;

    let messages = world.messages().await;
    for message in messages.as_array().unwrap() {
        for delivery in message["deliveries"].as_array().unwrap() {
            assert_eq!(delivery["status"], "delivered", "{delivery}");
        }
    }
    let written = std::fs::read_to_string(&path).unwrap();
    let mut lines: Vec<&str> = written.lines().collect();
    assert_eq!(lines.remove(0), "cut off by a cra");
    let mut heard: Vec<Value> = lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    heard.sort_by_key(|line| line["message_id"].to_string());
    assert_eq!(
        heard,
        [
            json!({"message_id": ids[0], "topic_arn": TOPIC, "published_at": "2026-01-02T03:04:05.678Z", "message": {"a": 1}}),
            json!({"message_id": ids[1], "topic_arn": TOPIC, "published_at": "2026-01-02T03:04:05.678Z", "message": "two\nlines"}),
        ]
    );
    std::fs::remove_file(&path).unwrap();
}

#[tokio::test]
async fn messages_are_listed_newest_first_in_pages_and_old_ones_go() {
    let world = world(Vec::new(), &in_memory(), Clock::standing_at(NOW));
    let mut ids = Vec::new();
    for number in 0..5 {
        ids.push(world.publish(text(&number.to_string())).await);
    }
    ids.reverse();
    let first = world
        .topics
        .messages("alerts", 2, None)
        .await
        .unwrap()
        .unwrap();
    let seen: Vec<_> = first
        .messages
        .iter()
        .map(|m| m.message_id.clone())
        .collect();
    assert_eq!(seen, ids[..2]);
    let next = first.next.as_deref();
    let rest = world
        .topics
        .messages(TOPIC, 100, next)
        .await
        .unwrap()
        .unwrap();
    let seen: Vec<_> = rest.messages.iter().map(|m| m.message_id.clone()).collect();
    assert_eq!(seen, ids[2..]);
    assert!(rest.next.is_none());
    assert!(
        world
            .topics
            .messages("nobody", 1, None)
            .await
            .unwrap()
            .is_none()
    );

    world.pass(25 * 3600).await;
    let newest = world.publish(text("new")).await;
    world.pass(0).await;
    let left = world.messages().await;
    assert_eq!(left.as_array().unwrap().len(), 1);
    assert_eq!(left[0]["message_id"], newest);
}

#[tokio::test]
async fn a_topic_has_to_be_configured_or_ensured() {
    let world = world(Vec::new(), &in_memory(), Clock::standing_at(NOW));
    let other = "arn:aws:sns:eu-west-1:123456789012:other";
    assert_eq!(world.topics.arn("alerts").as_deref(), Some(TOPIC));
    assert_eq!(world.topics.publish(other, text("x")).await.unwrap(), None);
    let elsewhere = "arn:aws:sns:eu-west-1:000000000000:alerts";
    assert_eq!(
        world.topics.publish(elsewhere, text("x")).await.unwrap(),
        None
    );
    assert_eq!(world.topics.ensure("other").unwrap(), other);
    assert!(
        world
            .topics
            .publish(other, text("x"))
            .await
            .unwrap()
            .is_some()
    );
    assert!(world.topics.ensure("no spaces").is_err());
}

#[tokio::test]
async fn a_wrong_subscriber_is_one_sentence() {
    let log = |level: &str| SubscriberConfig::Log(level.to_owned());
    let rows = [
        (
            vec![SubscriberConfig::Http("nowhere".into())],
            "is not a URL",
        ),
        (
            vec![SubscriberConfig::Function("g".into())],
            "add [functions.g]",
        ),
        (
            vec![log("loud")],
            "it has to be one of error, warn, info, debug",
        ),
        (
            vec![SubscriberConfig::File("/no/such/folder/f".into())],
            "can't be opened",
        ),
        (
            vec![log("warn"), log("warn")],
            "has the subscriber log:warn twice",
        ),
    ];
    let (store, clock) = (in_memory(), Clock::standing_at(NOW));
    let functions = functions(program(&["works"]), &clock).unwrap();
    for (subscribers, sentence) in rows {
        let made = topics(subscribers, &store, &clock, &functions);
        let error = made.err().expect(sentence);
        assert!(
            error.starts_with("the topic \"alerts\" ") && error.contains(sentence),
            "{error}"
        );
    }
}

#[test]
fn publish_parameters_are_read_and_refused_as_sns_does() {
    let (topic, publish) = publish_parameters(&json!({
        "TopicArn": TOPIC, "Message": {"b": 1, "a": [true]}, "Subject": "s"
    }))
    .unwrap();
    assert_eq!(
        (&*topic, &*publish.message),
        (TOPIC, r#"{"b":1,"a":[true]}"#)
    );
    let message = |value: Value| {
        let parameters = json!({"TopicArn": TOPIC, "Message": value});
        publish_parameters(&parameters).unwrap().1.message
    };
    assert_eq!(message(json!("text")), "text");
    assert_eq!(message(json!(1)), "1");
    assert_eq!(message(json!(true)), "true");
    let structured = json!({"TopicArn": TOPIC, "MessageStructure": "json", "Message": {"default": "d", "http": "h"}});
    assert_eq!(publish_parameters(&structured).unwrap().1.message, "d");

    let fifo = "arn:aws:sns:eu-west-1:123456789012:t.fifo";
    let rows = [
        (
            json!({"TopicArn": fifo, "Message": "m"}),
            "The MessageGroupId parameter is required for FIFO topics",
        ),
        (json!({"TopicArn": TOPIC, "Message": ""}), "Empty message"),
        (
            json!({"TopicArn": TOPIC, "Message": "x".repeat(262_145)}),
            "Message too long",
        ),
        (
            json!({"TopicArn": TOPIC, "Message": "m", "Subject": "x".repeat(101)}),
            "Subject",
        ),
        (
            json!({"Message": "m"}),
            "TopicArn or TargetArn Reason: no value for required parameter",
        ),
    ];
    for (parameters, what) in rows {
        let (error, cause) = publish_parameters(&parameters).unwrap_err();
        assert_eq!(error, "SNS.InvalidParameterException");
        let begin = format!(
            "Invalid parameter: {what} (Service: AmazonSNS; Status Code: 400; Error Code: InvalidParameter; Request ID: "
        );
        assert!(
            cause.starts_with(&begin) && cause.ends_with("; Proxy: null)"),
            "{cause}"
        );
    }
    let (error, cause) = topic_not_found();
    assert_eq!(error, "SNS.NotFoundException");
    assert!(cause.starts_with("Topic does not exist (Service: AmazonSNS; Status Code: 404; Error Code: NotFound; Request ID: "), "{cause}");
}

/// The recorded case `test_publish_base`; what AWS makes up anew each time is put in from our own.
#[test]
fn a_publish_result_has_the_recorded_shape() {
    let result = publish_result("an-id");
    let headers = &result["SdkHttpMetadata"]["HttpHeaders"];
    let (date, request) = (&headers["Date"], &headers["x-amzn-RequestId"]);
    let recorded = json!({
        "MessageId": "an-id",
        "SdkHttpMetadata": {
            "AllHttpHeaders": {
                "x-amzn-RequestId": [request], "connection": ["keep-alive"],
                "Content-Length": ["294"], "Date": [date], "Content-Type": ["text/xml"]
            },
            "HttpHeaders": {
                "connection": "keep-alive", "Content-Length": "294", "Content-Type": "text/xml",
                "Date": date, "x-amzn-RequestId": request
            },
            "HttpStatusCode": 200
        },
        "SdkResponseMetadata": {"RequestId": request}
    });
    assert_eq!(result.to_string(), recorded.to_string());
}
