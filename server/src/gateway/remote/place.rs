//! Who waits, as far as a worker says: a token of an engine elsewhere tells nothing itself.

use engine::TraceId;
use engine::token::fingerprint;
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::Remote;
use crate::gateway::Gateway;
use crate::gateway::record::{Holder, Place};
use crate::http::{Call, Reply};
use crate::trace::Given;

/// The longest token that AWS takes.
const TOKEN_BYTES_MAX: usize = 2048;
/// And the longest ARN and name.
const ARN_BYTES_MAX: usize = 256;
/// A wait can't be open for longer than its execution, which AWS ends after a year.
const WAIT_SECONDS_MAX: i64 = 366 * 86_400;

/// What a worker may say of a wait when it registers a reference for it.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Told {
    /// The execution's ARN, `$$.Execution.Id`: names it in alerts, and lets its history be looked up.
    pub execution_arn: Option<String>,
    /// The state's name, `$$.State.Name`.
    pub state_name: Option<String>,
    /// How long it waits from now on.
    pub timeout_seconds: Option<u32>,
    /// Until when it waits, RFC 3339; instead of `timeout_seconds`.
    pub deadline: Option<String>,
    /// The trace that its request belongs to, which is the execution's if the task was told of it.
    #[serde(skip)]
    pub trace: Option<TraceId>,
}

/// The trace that a worker's request belongs to.
pub(in crate::gateway) fn trace_told(call: &Call) -> Option<TraceId> {
    let context = Given::by(call).context(None);
    context.map(|context| context.trace)
}

impl Gateway {
    /// Who waits with a token of an engine elsewhere.
    pub(in crate::gateway) fn holder_elsewhere(
        &self,
        engine: &str,
        token: String,
        told: Told,
    ) -> Result<Holder, Reply> {
        if token.is_empty() || token.len() > TOKEN_BYTES_MAX {
            return Err(invalid(
                "InvalidToken",
                format!("the task token has {} bytes", token.len()),
                "send it exactly as the task got it from $$.Task.Token; AWS's have at most 2048",
            ));
        }
        let now = self.0.clock.now();
        let deadline = match (told.timeout_seconds, &told.deadline) {
            (Some(_), Some(_)) => {
                return Err(invalid(
                    "InvalidBody",
                    "there are both `timeoutSeconds` and `deadline`".into(),
                    "send one of them: how long the task waits from now on, or until when",
                ));
            }
            (Some(seconds), None) => Some(now.plus_seconds(seconds.into())),
            (None, Some(text)) => {
                let moment = text.parse::<jiff::Timestamp>().map_err(|why| {
                    invalid(
                        "InvalidBody",
                        format!("`deadline` is {text:?}, which is no moment: {why}"),
                        "write RFC 3339, for example 2030-01-31T12:00:00Z",
                    )
                })?;
                Some(asl::Timestamp(moment.as_millisecond()))
            }
            (None, None) => None,
        };
        let arn = told.execution_arn.unwrap_or_default();
        let (machine_arn, name) = match arn.is_empty() {
            true => (String::new(), String::new()),
            false => execution(&arn).ok_or_else(|| {
                invalid(
                    "InvalidBody",
                    format!("`executionArn` is {arn:?}, which is no ARN of an execution"),
                    "send $$.Execution.Id, for example arn:aws:states:eu-west-1:123456789012:execution:MACHINE:NAME; or leave it out",
                )
            })?,
        };
        let state_name = told.state_name.unwrap_or_default();
        if state_name.len() > ARN_BYTES_MAX {
            return Err(invalid(
                "InvalidBody",
                format!("`stateName` has {} bytes", state_name.len()),
                "send $$.State.Name, or leave it out",
            ));
        }
        Ok(Holder {
            token,
            registered_at: now,
            place: Place {
                execution_arn: arn,
                execution_name: name,
                state_machine_arn: machine_arn,
                state_name,
                wait_began_at: now,
                wait_deadline: deadline,
                trace_id: told.trace.map(|trace| trace.to_string()),
            },
            engine: Some(engine.to_owned()),
            over_at: None,
            stuck_told_at: None,
        })
    }

    /// Whether a wait elsewhere is open, as far as that can be known: if its execution is not known either,
    /// it is until its deadline, or until a year is over.
    pub(in crate::gateway) async fn is_open_elsewhere(&self, holder: &Holder) -> bool {
        let now = self.0.clock.now();
        if holder.over_at.is_some() || now >= last_moment(holder) {
            return false;
        }
        let engine = holder.engine.as_deref().unwrap_or_default();
        match self.0.engines.named(engine) {
            Some(remote) => remote.may_run(&holder.place.execution_arn).await,
            None => true,
        }
    }
}

impl Remote {
    /// Whether an execution may still be open; it may if nobody says that it is not.
    async fn may_run(&self, arn: &str) -> bool {
        if arn.is_empty() {
            return true;
        }
        let request = json!({ "executionArn": arn });
        match self.api.ask("DescribeExecution", &request).await {
            Ok(said) => said["status"]
                .as_str()
                .is_none_or(|status| ["RUNNING", "PENDING_REDRIVE"].contains(&status)),
            Err(_) => true,
        }
    }
}

/// The moment from which on a wait elsewhere is over in any case.
pub(in crate::gateway) fn last_moment(holder: &Holder) -> asl::Timestamp {
    let longest = holder.registered_at.plus_seconds(WAIT_SECONDS_MAX);
    holder.place.wait_deadline.unwrap_or(longest)
}

/// For people: whose wait it is, for the beginning of a sentence.
pub(super) fn whose(holder: &Holder) -> String {
    let place = &holder.place;
    let task = match place.state_name.is_empty() {
        true => format!("the task of the token {}", fingerprint(&holder.token)),
        false => place.state_name.clone(),
    };
    match place.execution_name.is_empty() {
        true => task,
        false => format!("{task} of the execution {}", place.execution_name),
    }
}

/// The machine's ARN and the execution's name in `arn:aws:states:REGION:ACCOUNT:execution:MACHINE:NAME`.
fn execution(arn: &str) -> Option<(String, String)> {
    if arn.len() > ARN_BYTES_MAX * 4 {
        return None;
    }
    let parts: Vec<&str> = arn.splitn(8, ':').collect();
    let &[
        "arn",
        partition,
        "states",
        region,
        account,
        "execution",
        machine,
        name,
    ] = parts.as_slice()
    else {
        return None;
    };
    // A child of a Map Run has its label after the machine's name.
    let machine = machine.split('/').next().unwrap_or(machine);
    let machine = format!("arn:{partition}:states:{region}:{account}:stateMachine:{machine}");
    Some((machine, name.to_owned()))
}

fn invalid(error: &str, message: String, hint: &str) -> Reply {
    Reply::refusal(StatusCode::BAD_REQUEST, error, message, hint)
}
