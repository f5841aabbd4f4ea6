//! What the client says when a request comes to nothing.

#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::Method;
use server::client::Client;
use support::*;

async fn error(url: &str, limit: Duration) -> String {
    let client = Client::new();
    let sent = client.send(Method::GET, url, &[], Bytes::new(), limit);
    sent.await.unwrap_err()
}

#[tokio::test]
async fn an_error_is_one_sentence_without_the_query() {
    let port = closed_port().await;
    let minute = Duration::from_secs(60);
    assert_eq!(
        error(&format!("http://{port}/a?key=secret"), minute).await,
        format!("http://{port}/a refused the connection: nothing listens there")
    );
    // The same over TLS, for which the machine's root certificates are read.
    assert_eq!(
        error(&format!("https://{port}/a"), minute).await,
        format!("https://{port}/a refused the connection: nothing listens there")
    );
    let unknown = error("http://no..host/", minute).await;
    let begin = "the host of http://no..host/ is not known: ";
    assert!(unknown.starts_with(begin), "{unknown}");
    let wrong = error("localhost:80", minute).await;
    assert!(
        wrong.contains("has to begin with http:// or https://"),
        "{wrong}"
    );

    let silent = Endpoint::start(Arc::new(|_: &str| None)).await;
    assert_eq!(
        error(&silent.url("/a"), Duration::from_millis(1)).await,
        format!("{} did not answer within 0.001 s", silent.url("/a"))
    );
    // An endpoint that speaks plain HTTP where TLS is asked for.
    let plain = error(&silent.url("/a").replace("http:", "https:"), minute).await;
    assert!(
        plain.starts_with("https://") && plain.contains(" can't be reached: "),
        "{plain}"
    );
}
