//! What people and scripts ask about topics.
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /rejoin/topics` | all topics, with their subscribers and how they are doing |
//! | `GET /rejoin/topics/NAME/messages?since=&undelivered=&limit=N&after=ID` | what was published, newest first |

use hyper::{Method, StatusCode};
use serde_json::json;

use super::{Topics, Wanted};
use crate::http::{Call, Reply};
use crate::moment;

const MESSAGES: usize = 100;
const MESSAGES_MAX: usize = 1000;

impl Topics {
    /// Answers a call on `/rejoin/topics` and below; `None` if it is on another path.
    pub async fn handle(&self, call: &Call) -> Option<Reply> {
        let rest = call.path.strip_prefix("/rejoin/topics")?;
        let name = rest
            .strip_prefix('/')
            .and_then(|rest| rest.strip_suffix("/messages"));
        if !rest.is_empty() && name.is_none() {
            return None;
        }
        if call.method != Method::GET {
            let what = json!({ "message": "topics are read with GET; publish with sns:publish in a state machine" });
            return Some(Reply::json(StatusCode::METHOD_NOT_ALLOWED, &what));
        }
        match name {
            None => Some(self.overview().await),
            Some(name) => Some(self.page(name, call).await),
        }
    }

    async fn overview(&self) -> Reply {
        let mut topics = Vec::new();
        for topic in self.list() {
            let states = self.states(&topic.name).await;
            let mut shown = json!(topic);
            match states {
                Ok(states) => shown["states"] = json!(states),
                Err(what) => return unreadable(&topic.name, &what),
            }
            topics.push(shown);
        }
        Reply::json(StatusCode::OK, &json!({ "topics": topics }))
    }

    async fn page(&self, name: &str, call: &Call) -> Reply {
        let refused =
            |what: String| Reply::json(StatusCode::BAD_REQUEST, &json!({ "message": what }));
        let undelivered = match call.parameter("undelivered").as_deref() {
            None | Some("false") => false,
            Some("true") => true,
            Some(other) => {
                return refused(format!(
                    "`undelivered` is {other:?}; write true, for messages that somebody has not taken"
                ));
            }
        };
        let since = match call.parameter("since") {
            None => None,
            Some(text) => match moment::read(&text, self.now()) {
                None => return refused(format!("`since` is {text:?}; {}", moment::HINT)),
                since => since,
            },
        };
        let limit = match call.parameter("limit").map(|limit| limit.parse::<usize>()) {
            None => MESSAGES,
            Some(Ok(limit)) if (1..=MESSAGES_MAX).contains(&limit) => limit,
            Some(_) => {
                return refused(format!("limit has to be a number from 1 to {MESSAGES_MAX}"));
            }
        };
        let wanted = Wanted { since, undelivered };
        let after = call.parameter("after");
        match self
            .messages_that(name, wanted, limit, after.as_deref())
            .await
        {
            Ok(Some(page)) => Reply::json(StatusCode::OK, &page),
            Ok(None) => {
                let what = json!({
                    "message": format!("there is no topic {name}; GET /rejoin/topics lists those there are"),
                });
                Reply::json(StatusCode::NOT_FOUND, &what)
            }
            Err(what) => unreadable(name, &what),
        }
    }
}

fn unreadable(topic: &str, what: &str) -> Reply {
    crate::log::say!("the messages of the topic {topic} could not be read: {what}");
    let what = json!({ "message": "the messages could not be read; the server's log says why" });
    Reply::json(StatusCode::INTERNAL_SERVER_ERROR, &what)
}
