//! Callbacks on a stage: how they come, and the outline of what became of them.
//!
//! One line a callback (its number, when it came, how it was answered, what became of it, whether
//! somebody was alerted, its body), then why. The last line is how the execution stands.

use std::fmt::Write as _;

use engine::WaitId;
use hyper::Method;
use serde_json::{Value, json};
use testkit::world::{EXECUTION_ARN, STARTED_AT};

use super::{ALERTS, Stage};

/// What the third party proves itself with; every route of a scenario has `bearer`.
const SECRET: &str = "Bearer the-third-party";

/// How much of a body a line shows.
const BODY_CHARS_MAX: usize = 60;

impl Stage {
    /// The third party calls back, or somebody who does not know its secret.
    pub fn call_back(&mut self, body: &str, genuine: bool) -> Result<(), String> {
        let path = self.route_text("path");
        let secret = if genuine { SECRET } else { "Bearer a-guess" };
        let asked = self.request(
            Method::POST,
            &path,
            &[("authorization", secret)],
            body.to_owned(),
        );
        let (status, said) = self.wait_for(asked);
        let id = said["deliveryId"]
            .as_str()
            .ok_or(format!("it was not taken: {status} {said}"))?;
        self.answered.push((id.to_owned(), status));
        self.settle();
        Ok(())
    }

    /// A worker registers a reference; gives the refusal's name.
    pub fn register(&self, wait: WaitId, reference: &str) -> Result<Option<String>, String> {
        let token = json!({ "taskToken": self.token(wait) });
        self.at_reference(Method::PUT, reference, token.to_string())
    }

    /// Nobody answers to a reference any more.
    pub fn release(&self, reference: &str) -> Result<Option<String>, String> {
        self.at_reference(Method::DELETE, reference, String::new())
    }

    fn at_reference(
        &self,
        method: Method,
        reference: &str,
        body: String,
    ) -> Result<Option<String>, String> {
        let path = format!("/rejoin/references/{}/{reference}", self.route_text("name"));
        let asked = self.request(method, &path, &[], body);
        match self.wait_for(asked) {
            (200..=299, _) => Ok(None),
            (_, said) => Ok(Some(
                said["error"].as_str().ok_or(said.to_string())?.to_owned(),
            )),
        }
    }

    fn route_text(&self, name: &str) -> String {
        let route = self.route.as_ref().expect("the scenario has a route");
        route[name].as_str().expect("a route says it").to_owned()
    }

    /// The outline of the inbox.
    pub fn inbox(&self) -> Result<String, String> {
        let listed = self.get("/rejoin/deliveries?limit=1000")?;
        let mut deliveries: Vec<&Value> = listed["deliveries"]
            .as_array()
            .ok_or("no deliveries")?
            .iter()
            .collect();
        // Their ids sort by arrival, but within a millisecond not over a restart.
        let place = |delivery: &&Value| {
            let calls = self.answered.iter();
            calls
                .map(|(id, _)| id)
                .position(|id| delivery["id"] == **id)
        };
        deliveries.sort_by_key(place);
        let told = self.get(&format!("/rejoin/topics/{ALERTS}/messages?limit=1000"))?;
        let alerts = told["messages"].as_array().ok_or("no messages")?;
        let numbered = |text: &str| {
            let mut text = text.to_owned();
            for (number, delivery) in deliveries.iter().enumerate() {
                let id = delivery["id"].as_str().expect("an id");
                text = text.replace(id, &format!("#{}", number + 1));
            }
            text
        };
        let mut text = String::new();
        for (number, delivery) in deliveries.iter().enumerate() {
            let id = delivery["id"].as_str().ok_or("no id")?;
            let full = self.get(&format!("/rejoin/deliveries/{id}"))?;
            let (_, status) = self
                .answered
                .iter()
                .find(|(answered, _)| answered == id)
                .ok_or("it was answered")?;
            let body = full["body"]
                .as_str()
                .or(full["bodyBase64"].as_str())
                .unwrap_or_default();
            let shown: String = body.chars().take(BODY_CHARS_MAX).collect();
            let dots = if shown.len() < body.len() { "..." } else { "" };
            let came = since(&full["receivedAt"])?;
            let _ = writeln!(
                text,
                "#{:<2} {came:>6}  {status}  {shown}{dots}",
                number + 1
            );
            for step in full["dispositions"].as_array().ok_or("no dispositions")? {
                let disposition = step["disposition"].as_str().ok_or("no disposition")?;
                let alerted = alerts.iter().filter(|message| {
                    message["message"]["deliveryId"] == id
                        && message["message"]["disposition"] == disposition
                });
                let alerted = match alerted.count() {
                    0 => String::new(),
                    1 => ", alerted".to_owned(),
                    more => format!(", alerted {more} times"),
                };
                let at = since(&step["at"])?;
                let at = if at == came {
                    String::new()
                } else {
                    format!("{at}: ")
                };
                let note = numbered(step["note"].as_str().ok_or("no note")?);
                let _ = writeln!(text, "            {at}{disposition}{alerted}: {note}");
            }
        }
        let described = self.describe();
        text.push_str(&match described {
            Err(error) if error.contains("ExecutionDoesNotExist") => "forgotten".to_owned(),
            Err(error) => return Err(error),
            Ok(described) => {
                let members =
                    ["status", "output", "error", "cause"].map(|name| described[name].as_str());
                members.into_iter().flatten().collect::<Vec<_>>().join(" ")
            }
        });
        debug_assert!(
            !text.contains(EXECUTION_ARN),
            "notes name executions by their names"
        );
        Ok(text)
    }

    fn get(&self, path: &str) -> Result<Value, String> {
        match self.wait_for(self.request(Method::GET, path, &[], String::new())) {
            (200, said) => Ok(said),
            (status, said) => Err(format!("{path}: {status} {said}")),
        }
    }
}

/// How long after the start a moment is.
fn since(moment: &Value) -> Result<String, String> {
    let text = moment.as_str().ok_or("no moment")?;
    let at = asl::Timestamp::from_asl(text).ok_or(format!("{text} is no moment"))?;
    let millis = at.0 - STARTED_AT.0;
    Ok(match millis % 1000 {
        0 => format!("{}s", millis / 1000),
        _ => format!("{millis}ms"),
    })
}
