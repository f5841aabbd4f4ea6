//! A stored callback goes to a wait that an operator names: by the reference that it is registered under, by
//! its task token, or by its execution and state.
//!
//! It is a replay with another goal ([`super::replay`]): a delivery of its own, which names its origin. If the
//! wait can't take it (it is over, or has had its answer), that is said, and nothing is stored.

use engine::{ExecutionKey, WaitKind};
use hyper::StatusCode;
use serde::Deserialize;

use super::super::receive::how_it_ended;
use super::super::record::{Holder, Standing};
use super::super::remote::Told;
use super::replay::{Goal, Wish, answer, told_before};
use super::{Gateway, asked, no_such_delivery};
use crate::http::{Call, Reply};

/// The body: which wait, and how.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
struct Rematch {
    route: Option<String>,
    reference: Option<String>,
    task_token: Option<String>,
    /// Its ARN.
    execution: Option<String>,
    /// May be left out if the execution waits in one state only.
    state: Option<String>,
    trust: bool,
    allow_redacted: bool,
    again: bool,
    dry_run: bool,
    by: Option<String>,
    note: Option<String>,
    key: Option<String>,
}

const EXAMPLE: &str = r#"{"route": "valuation", "reference": "REF-1"}"#;

impl Gateway {
    /// `POST /rejoin/deliveries/{id}/rematch`.
    pub(super) async fn rematch(&self, id: &str, call: &Call) -> Result<Reply, String> {
        let asked: Rematch = match asked(call, EXAMPLE) {
            Ok(asked) => asked,
            Err(refusal) => return Ok(refusal),
        };
        let wish = Wish {
            trust: asked.trust,
            allow_redacted: asked.allow_redacted,
            again: asked.again,
            dry_run: asked.dry_run,
            by: asked.by.clone(),
            note: asked.note.clone(),
            key: asked.key.clone(),
        };
        let Some((_, origin)) = self.delivery(id).await? else {
            return Ok(no_such_delivery(id));
        };
        // Before the wait is looked at: it is over once the first request has been heard.
        if let Some(made) = self.made_before(&origin, &wish).await? {
            return Ok(told_before(made));
        }
        let goal = match self.goal(asked, &origin.route).await? {
            Ok(goal) => goal,
            Err(refusal) => return Ok(refusal),
        };
        let replayed = self.again(id, wish, goal).await?;
        Ok(answer(id, replayed))
    }

    /// The wait that is meant, if it is open.
    async fn goal(&self, asked: Rematch, route: &str) -> Result<Result<Goal, Reply>, String> {
        match asked {
            Rematch {
                task_token: Some(token),
                reference: None,
                execution: None,
                route: named,
                ..
            } => {
                let (name, routes) = (named.as_deref().unwrap_or(route), self.routes());
                let Some(route) = routes.named(name) else {
                    return Ok(Err(super::super::manage::no_such_route(name, &routes)));
                };
                // Whose token it is, the route says: this server's, or its engine's.
                let holder = match self.holder_on(&route, token, Told::default()).await {
                    Ok((holder, _)) => holder,
                    Err(refusal) => return Ok(Err(refusal)),
                };
                let over = self.over(&holder).await?;
                Ok(over.map_or(Ok(Goal::Wait(Box::new(holder))), Err))
            }
            Rematch {
                execution: Some(arn),
                state,
                reference: None,
                task_token: None,
                ..
            } => self.wait_in(&arn, state.as_deref()).await,
            Rematch {
                reference: Some(name),
                route: named,
                task_token: None,
                execution: None,
                ..
            } => {
                self.registered(named.as_deref().unwrap_or(route), name)
                    .await
            }
            _ => Ok(Err(Reply::refusal(
                StatusCode::BAD_REQUEST,
                "InvalidBody",
                "the body does not say which wait is meant, or says it in two ways",
                "name one: `reference` (and `route`, if it is another), `taskToken`, or `execution` (its ARN, and `state`)",
            ))),
        }
    }

    /// The wait that is registered under a reference.
    async fn registered(&self, route: &str, name: String) -> Result<Result<Goal, Reply>, String> {
        let routes = self.routes();
        let Some(route) = routes.named(route) else {
            return Ok(Err(super::super::manage::no_such_route(route, &routes)));
        };
        let standing = match self.reference(&route.name, &name).await? {
            Some((_, reference)) => reference.standing,
            None => return Ok(Err(nobody(&route.name, &name))),
        };
        let refusal = match &standing {
            Standing::Kept { .. } | Standing::Started(_) => nobody(&route.name, &name),
            Standing::Waiting { holder } => match self.over(holder).await? {
                None => return Ok(Ok(Goal::Reference(route, name))),
                Some(refusal) => refusal,
            },
            Standing::Delivering {
                holder, delivery, ..
            }
            | Standing::Answered {
                holder, delivery, ..
            } => conflict(
                "Answered",
                format!(
                    "execution {} has had an answer for {name:?} in {}: delivery {delivery}",
                    holder.place.execution_name, holder.place.state_name
                ),
                "a wait is answered once; name another one",
            ),
        };
        Ok(Err(refusal))
    }

    /// The wait of an execution, in a state.
    async fn wait_in(&self, arn: &str, state: Option<&str>) -> Result<Result<Goal, Reply>, String> {
        if !arn.starts_with("arn:") {
            return Ok(Err(Reply::refusal(
                StatusCode::BAD_REQUEST,
                "InvalidBody",
                format!("`execution` is {arn:?}, which is no ARN"),
                "give the execution's ARN: several machines may have executions of one name; `rejoin waits --json` shows it as executionArn",
            )));
        }
        let Some(open) = self.0.engine.open_waits(ExecutionKey::of(arn)).await? else {
            return Ok(Err(conflict(
                "WaitsNotKnown",
                "the engine behind this gateway does not tell which waits are open".to_owned(),
                "name the wait by its `reference` or `taskToken`",
            )));
        };
        let (mut there, others): (Vec<_>, Vec<_>) = open
            .into_iter()
            .filter(|(_, wait, _)| state.is_none_or(|state| *wait.state_name == *state))
            .partition(|(_, _, kind)| matches!(kind, WaitKind::Callback | WaitKind::Activity));
        let refusal = match (there.pop(), there.len()) {
            (Some((token, ..)), 0) => {
                return Ok(match self.holder(token).await {
                    Ok((holder, _)) => Ok(Goal::Wait(Box::new(holder))),
                    Err(refusal) => Err(refusal),
                });
            }
            (None, _) if !others.is_empty() => {
                let (_, wait, kind) = &others[0];
                conflict(
                    "NoCallbackTask",
                    format!(
                        "{} of the execution {arn} waits for {}, which nobody else can give it",
                        wait.state_name,
                        waits_for(*kind)
                    ),
                    "a callback can be the result of a task with .waitForTaskToken, or of an activity's; name one that is open",
                )
            }
            (None, _) => conflict(
                "NoSuchWait",
                match state {
                    Some(state) => format!("no execution {arn} waits in {state}"),
                    None => format!("no execution {arn} waits for anything"),
                },
                "give the execution's ARN and the name of the state that it waits in; its history shows both",
            ),
            (Some((_, last, _)), others) => {
                let mut states: Vec<&str> =
                    there.iter().map(|(_, wait, _)| &*wait.state_name).collect();
                states.push(&last.state_name);
                states.sort_unstable();
                states.dedup();
                conflict(
                    "SeveralWaits",
                    format!(
                        "the execution has {} open waits, in {}",
                        others + 1,
                        states.join(", ")
                    ),
                    "give `state`; if several waits are in the same state, only a `reference` or a `taskToken` tells them apart",
                )
            }
        };
        Ok(Err(refusal))
    }

    /// The refusal if a wait is over.
    async fn over(&self, holder: &Holder) -> Result<Option<Reply>, String> {
        let place = &holder.place;
        let gone = || {
            conflict(
                "WaitOver",
                format!("execution {} is no longer kept", place.execution_name),
                "name a wait that is open",
            )
        };
        // An engine elsewhere says so itself when it hears the callback.
        if holder.engine.is_some() {
            return Ok(None);
        }
        let Ok(token) = self.0.engine.check(&holder.token) else {
            return Ok(Some(gone()));
        };
        let Some(view) = self.0.engine.wait(token).await? else {
            return Ok(Some(gone()));
        };
        Ok(view.wait.err().map(|ended| {
            let (_, how) = how_it_ended(&ended);
            conflict(
                "WaitOver",
                format!(
                    "execution {} no longer waits in {}: {how}, at {}",
                    place.execution_name, place.state_name, ended.ended_at
                ),
                "name a wait that is open; a redrive of the execution opens another one",
            )
        }))
    }
}

/// What a wait that takes no callback is for.
fn waits_for(kind: WaitKind) -> &'static str {
    match kind {
        WaitKind::Callback => "a callback",
        WaitKind::Activity => "a worker of its activity",
        WaitKind::Answer => "the answer of the resource that it called",
        WaitKind::Sync => "the end of the job that it started (.sync)",
        WaitKind::MapRun => "the end of its Map Run",
    }
}

fn nobody(route: &str, name: &str) -> Reply {
    conflict(
        "UnknownReference",
        format!("nobody has registered {name:?} on the route \"{route}\""),
        "register it (PUT /rejoin/references/ROUTE/REFERENCE), or name the wait by its `taskToken` or `execution`",
    )
}

fn conflict(error: &str, message: String, hint: &str) -> Reply {
    Reply::refusal(StatusCode::CONFLICT, error, message, hint)
}
