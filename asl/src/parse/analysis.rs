//! What runs, and probably not as it was meant: warnings about whole states.
//!
//! AWS has three such warnings, which stand where their fields are read. These are ours, and their
//! codes begin with `REJOIN_`. They are about waiting that nobody ends, handlers that nobody reaches
//! and names that nobody raises; each is certain, but for the Choice without a `Default`, which is
//! right as often as not and therefore only a note.

use std::collections::HashSet;

use serde_json::Value;

use super::fields::Fields;
use super::near::nearest;
use super::reader::Reader;
use crate::model::{Pattern, QueryLanguage, Resource};

/// Error names that the language has itself.
const ERROR_NAMES: &[&str] = &[
    "States.ALL",
    "States.BranchFailed",
    "States.DataLimitExceeded",
    "States.ExceedToleratedFailureThreshold",
    "States.HeartbeatTimeout",
    "States.Http.Socket",
    "States.IntrinsicFailure",
    "States.ItemReaderFailed",
    "States.NoChoiceMatched",
    "States.ParameterPathFailure",
    "States.Permissions",
    "States.QueryEvaluationError",
    "States.ResultPathMatchFailure",
    "States.ResultWriterFailed",
    "States.Runtime",
    "States.TaskFailed",
    "States.Timeout",
];

/// Up to how many rules are compared with each other.
const RULES_COMPARED_MAX: usize = 100;

/// Services whose tasks raise the service's own errors alone: no code of the user's runs in them.
const OWN_ERRORS_ONLY: &[&str] = &["dynamodb", "sns", "sqs"];

/// A Task state.
pub(super) fn task(reader: &mut Reader, fields: &Fields<'_>, resource: &Resource) {
    let is_callback = matches!(
        resource,
        Resource::Service {
            pattern: Pattern::WaitForTaskToken,
            ..
        }
    );
    let has_heartbeat = fields.has("HeartbeatSeconds") || fields.has("HeartbeatSecondsPath");
    let has_timeout = fields.has("TimeoutSeconds") || fields.has("TimeoutSecondsPath");
    if !has_heartbeat && !has_timeout {
        let waits = match resource {
            Resource::Activity { .. } => Some("an activity's worker"),
            _ => is_callback.then_some("its task token"),
        };
        if let Some(waits) = waits {
            reader.warning(
                "REJOIN_CALLBACK_WITHOUT_TIMEOUT",
                &fields.pointer,
                format!("The state waits for {waits} with neither TimeoutSeconds nor HeartbeatSeconds"),
                "If the answer never comes the execution waits for ever: give TimeoutSeconds, and catch States.Timeout.",
            );
        }
    }
    if is_callback && !passes_token(reader.language, fields) {
        let (field, token) = match reader.language {
            QueryLanguage::JsonPath => ("Parameters", "\"TaskToken.$\": \"$$.Task.Token\""),
            QueryLanguage::Jsonata => (
                "Arguments",
                "\"TaskToken\": \"{% $states.context.Task.Token %}\"",
            ),
        };
        reader.warning(
            "REJOIN_TOKEN_NOT_PASSED",
            &fields.pointer,
            "The state waits for its task token and does not pass it to anybody",
            &format!("Nobody can answer without it: put {token} into '{field}'."),
        );
    }
    for field in ["Retry", "Catch"] {
        for (pointer, names) in entries(fields, field) {
            for (at, name) in names.iter().enumerate() {
                if let Some((message, hint)) = never_raised(name, &names, resource, has_heartbeat) {
                    let pointer = format!("{pointer}/ErrorEquals[{at}]");
                    reader.warning("REJOIN_ERROR_NEVER_RAISED", &pointer, message, &hint);
                }
            }
        }
    }
}

/// Why a task never fails with `name`, which stands among `names`, and what to do; nothing if it may.
fn never_raised(
    name: &str,
    names: &[&str],
    resource: &Resource,
    has_heartbeat: bool,
) -> Option<(String, String)> {
    let known = ERROR_NAMES.contains(&name) || name.starts_with("States.Http.StatusCode.");
    if name.starts_with("States.") && !known {
        let hint = match nearest(name, ERROR_NAMES.iter().copied()) {
            Some(near) => format!("It is spelled '{near}'."),
            None => "Names that begin with 'States.' are the language's own.".to_owned(),
        };
        return Some((format!("There is no error '{name}'"), hint));
    }
    // Beside States.Timeout it says that both are meant, and does no harm.
    if name == "States.HeartbeatTimeout" && !has_heartbeat && !names.contains(&"States.Timeout") {
        return Some((
            "The state has no HeartbeatSeconds, so it never fails with States.HeartbeatTimeout"
                .to_owned(),
            "Give HeartbeatSeconds, or remove the name.".to_owned(),
        ));
    }
    let Resource::Service {
        service,
        pattern: Pattern::RequestResponse,
        ..
    } = resource
    else {
        return None;
    };
    let own = |(prefix, _): (&str, &str)| prefix.eq_ignore_ascii_case(service);
    let foreign = !name.starts_with("States.") && !name.split_once('.').is_some_and(own);
    (foreign && OWN_ERRORS_ONLY.contains(&&**service)).then(|| {
        (
            format!("A task of '{service}' never fails with '{name}'"),
            "The names of its errors begin with the service's and a dot; or use States.TaskFailed."
                .to_owned(),
        )
    })
}

/// `Retry` and `Catch`: what the entry before has taken does not come to the next.
pub(super) fn handlers(reader: &mut Reader, fields: &Fields<'_>) {
    for field in ["Retry", "Catch"] {
        let mut taken: HashSet<&str> = HashSet::new();
        for (pointer, names) in entries(fields, field) {
            let late: Vec<&str> = names
                .iter()
                .copied()
                .filter(|name| covered(&taken, name))
                .collect();
            if !late.is_empty() {
                let message = match late.len() == names.len() {
                    true => format!("This entry of '{field}' is never reached"),
                    false => format!("'{}' never reaches this entry", late.join("', '")),
                };
                reader.warning(
                    "REJOIN_HANDLER_NOT_REACHED",
                    &format!("{pointer}/ErrorEquals"),
                    message,
                    &format!("An entry before it takes '{}' already.", late.join("', '")),
                );
            }
            taken.extend(names);
        }
    }
}

/// A Choice state without `Default` fails with `States.Runtime` if no rule applies, which no Catch takes but one that names it.
pub(super) fn choice(reader: &mut Reader, fields: &Fields<'_>) {
    let rules = fields.get("Choices").and_then(Value::as_array);
    let rules = rules.map_or(&[][..], Vec::as_slice);
    if !fields.has("Default") && !rules.is_empty() && !is_complete(rules) {
        reader.note(
            "REJOIN_CHOICE_WITHOUT_DEFAULT",
            &fields.pointer,
            "If no rule applies, the execution fails with States.Runtime",
            "Give a 'Default', unless the rules cover everything.",
        );
    }
}

/// Whether entries that have `taken` these leave nothing for one of `name`.
fn covered(taken: &HashSet<&str>, name: &str) -> bool {
    // States.ALL that is not the last is an error of its own.
    name != "States.ALL" && taken.contains(name)
        || taken.contains("States.TaskFailed")
            && !matches!(
                name,
                "States.ALL"
                    | "States.Timeout"
                    | "States.HeartbeatTimeout"
                    | "States.Runtime"
                    | "States.DataLimitExceeded"
            )
        // A missing heartbeat is a States.Timeout too.
        || name == "States.HeartbeatTimeout" && taken.contains("States.Timeout")
}

/// The entries of `Retry` or `Catch`: where, and which errors.
fn entries<'v>(fields: &Fields<'v>, field: &str) -> Vec<(String, Vec<&'v str>)> {
    let entries = fields.get(field).and_then(Value::as_array);
    let entries = entries.map_or(&[][..], Vec::as_slice);
    let each = entries.iter().enumerate().map(|(at, entry)| {
        let names = entry.get("ErrorEquals").and_then(Value::as_array);
        let names = names.into_iter().flatten().filter_map(Value::as_str);
        (format!("{}[{at}]", fields.at(field)), names.collect())
    });
    each.collect()
}

/// Whether the task token, or something around it, goes into the payload.
fn passes_token(language: QueryLanguage, fields: &Fields<'_>) -> bool {
    let (field, context) = match language {
        QueryLanguage::JsonPath => ("Parameters", "$$"),
        QueryLanguage::Jsonata => ("Arguments", "$states.context"),
    };
    fields.get(field).is_some_and(|value| reads(value, context))
}

/// Whether text somewhere in `value` reads the context object, other than a field of it that is not
/// the task. What comes by a computed name (`$states.context[...]`) counts: this must not warn wrongly.
fn reads(value: &Value, context: &str) -> bool {
    match value {
        Value::String(text) => {
            text.match_indices(context).any(|(at, _)| {
                let rest = text[at + context.len()..].trim_start();
                match rest.strip_prefix('.') {
                    Some(field) => field.trim_start().starts_with("Task"),
                    None => true,
                }
            }) || (context.starts_with("$states") && passes_states(text))
        }
        Value::Array(items) => items.iter().any(|item| reads(item, context)),
        Value::Object(members) => members.values().any(|member| reads(member, context)),
        _ => false,
    }
}

/// Whether `$states` is used as a whole.
fn passes_states(text: &str) -> bool {
    let mut found = text.match_indices("$states");
    found.any(|(at, name)| {
        let rest = text[at + name.len()..].trim_start();
        !rest.starts_with('.') && !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_')
    })
}

/// Whether one of the rules always applies: a constant, or a rule and its opposite.
fn is_complete(rules: &[Value]) -> bool {
    let compared = rules.iter().take(RULES_COMPARED_MAX);
    let conditions: Vec<Value> = compared.map(condition).collect();
    let is_true = |rule: &Value| match rule.get("Condition") {
        Some(Value::Bool(flag)) => *flag,
        Some(Value::String(text)) => text.trim_matches(['{', '}', '%', ' ', '\t', '\n']) == "true",
        _ => false,
    };
    rules.iter().any(is_true)
        || conditions
            .iter()
            .any(|one| opposite(one).is_some_and(|opposite| conditions.contains(&opposite)))
}

/// A rule without what does not decide.
fn condition(rule: &Value) -> Value {
    let mut condition = rule.clone();
    if let Some(members) = condition.as_object_mut() {
        members
            .retain(|name, _| !matches!(name.as_str(), "Next" | "Comment" | "Assign" | "Output"));
    }
    condition
}

/// The rule that applies where this one does not, if it is of a kind that has one.
fn opposite(condition: &Value) -> Option<Value> {
    let members = condition.as_object()?;
    if let (1, Some(inner)) = (members.len(), members.get("Not")) {
        return Some(inner.clone());
    }
    let (name, flag) = members
        .iter()
        .find_map(|(name, value)| Some((name, value.as_bool()?)))?;
    let mut opposite = members.clone();
    opposite.insert(name.clone(), Value::Bool(!flag));
    Some(Value::Object(opposite))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::{Severity, parse};

    const CALLBACK: &str = "arn:aws:states:::sqs:sendMessage.waitForTaskToken";
    const PUBLISH: &str = "arn:aws:states:::sns:publish";
    const INVOKE: &str = "arn:aws:states:::lambda:invoke";

    /// What is said of a state that runs.
    fn said(state: Value, top: Value) -> Vec<String> {
        let mut definition =
            json!({"StartAt": "S", "States": {"S": state, "Done": {"Type": "Succeed"}}});
        for (name, value) in top.as_object().expect("an object") {
            definition[name] = value.clone();
        }
        let parsed = parse(&definition.to_string());
        assert!(parsed.machine.is_some(), "{:?}", parsed.diagnostics);
        let found = parsed.diagnostics.iter();
        assert!(found.clone().all(|d| d.severity != Severity::Error));
        assert!(found.clone().all(|d| d.hint.is_some()));
        found
            .map(|d| {
                format!(
                    "{} {}",
                    &d.code["REJOIN_".len()..],
                    d.pointer.replacen("/States/S", "", 1)
                )
            })
            .collect()
    }

    fn task(resource: &str, more: Value) -> Value {
        let mut state =
            json!({"Type": "Task", "Resource": resource, "Parameters": {}, "Next": "Done"});
        for (name, value) in more.as_object().expect("an object") {
            state[name] = value.clone();
        }
        let parameters = match state.get("Arguments").is_some() {
            true => "Arguments",
            false => "Parameters",
        };
        if state.get("Arguments").is_some() {
            state.as_object_mut().expect("a state").remove("Parameters");
        }
        for needed in [
            "FunctionName",
            "QueueUrl",
            "MessageBody",
            "Message",
            "StateMachineArn",
        ] {
            let given = &mut state[parameters];
            if given.is_object()
                && given.get(format!("{needed}.$")).is_none()
                && given.get(needed).is_none()
            {
                given[needed] = "x".into();
            }
        }
        state
    }

    fn caught(resource: &str, entries: &[&[&str]]) -> Value {
        let entries: Vec<Value> = entries
            .iter()
            .map(|names| json!({"ErrorEquals": names, "Next": "Done"}))
            .collect();
        task(resource, json!({ "Catch": entries }))
    }

    #[test]
    fn waiting_that_nobody_ends_is_warned_of() {
        let token = json!({"MessageBody": {"t.$": "$$.Task.Token"}});
        for (state, expected) in [
            (
                task(CALLBACK, json!({"Parameters": token})),
                vec!["CALLBACK_WITHOUT_TIMEOUT "],
            ),
            (
                task(
                    CALLBACK,
                    json!({"Parameters": token, "TimeoutSecondsPath": "$.t"}),
                ),
                vec![],
            ),
            (
                task(
                    CALLBACK,
                    json!({"Parameters": token, "HeartbeatSeconds": 5}),
                ),
                vec![],
            ),
            (
                task(
                    "arn:aws:states:us-east-1:123456789012:activity:a",
                    json!({}),
                ),
                vec!["CALLBACK_WITHOUT_TIMEOUT "],
            ),
            (task(PUBLISH, json!({})), vec![]),
        ] {
            assert_eq!(said(state.clone(), json!({})), expected, "{state}");
        }
    }

    #[test]
    fn a_token_that_nobody_gets_is_warned_of() {
        let jsonata = json!({"QueryLanguage": "JSONata"});
        for (payload, top, passed) in [
            (json!({}), json!({}), false),
            (
                json!({"Parameters": {"id.$": "$$.Execution.Id"}}),
                json!({}),
                false,
            ),
            (
                json!({"Parameters": {"t.$": "$$.Task.Token"}}),
                json!({}),
                true,
            ),
            (
                json!({"Parameters": {"t.$": "$$['Task']['Token']"}}),
                json!({}),
                true,
            ),
            (
                json!({"Parameters": {"a": [{"t.$": "States.Format('{}', $$.Task.Token)"}]}}),
                json!({}),
                true,
            ),
            (json!({"Parameters": {"all.$": "$$"}}), json!({}), true),
            (
                json!({"Arguments": {"id": "{% $states.context.Execution.Id %}"}}),
                jsonata.clone(),
                false,
            ),
            (
                json!({"Arguments": {"id": "{% $states.input %}"}}),
                jsonata.clone(),
                false,
            ),
            (
                json!({"Arguments": {"t": "{% $states.context.Task.Token %}"}}),
                jsonata.clone(),
                true,
            ),
            (
                json!({"Arguments": "{% {'t': $states.context . Task.Token} %}"}),
                jsonata.clone(),
                true,
            ),
            (
                json!({"Arguments": {"all": "{% $states.context %}"}}),
                jsonata.clone(),
                true,
            ),
            (
                json!({"Arguments": "{% $string($states) %}"}),
                jsonata,
                true,
            ),
        ] {
            let mut more = payload.clone();
            more["TimeoutSeconds"] = json!(5);
            let expected = if passed {
                vec![]
            } else {
                vec!["TOKEN_NOT_PASSED "]
            };
            assert_eq!(said(task(CALLBACK, more), top), expected, "{payload}");
        }
    }

    #[test]
    fn a_handler_that_nothing_reaches_is_warned_of() {
        for (entries, expected) in [
            (&[&["A"][..], &["B"]][..], vec![]),
            (
                &[&["A"], &["A"]],
                vec!["HANDLER_NOT_REACHED /Catch[1]/ErrorEquals"],
            ),
            (
                &[&["A", "B"], &["C", "B"]],
                vec!["HANDLER_NOT_REACHED /Catch[1]/ErrorEquals"],
            ),
            (
                &[&["States.TaskFailed"], &["A"]],
                vec!["HANDLER_NOT_REACHED /Catch[1]/ErrorEquals"],
            ),
            (
                &[&["States.TaskFailed"], &["States.Timeout"], &["States.ALL"]],
                vec![],
            ),
            (&[&["A"], &["States.ALL"]], vec![]),
        ] {
            assert_eq!(
                said(caught(INVOKE, entries), json!({})),
                expected,
                "{entries:?}"
            );
        }
        let state = task(
            INVOKE,
            json!({"HeartbeatSeconds": 5, "Retry": [{"ErrorEquals": ["States.Timeout"]}, {"ErrorEquals": ["States.HeartbeatTimeout"]}]}),
        );
        assert_eq!(
            said(state, json!({})),
            ["HANDLER_NOT_REACHED /Retry[1]/ErrorEquals"]
        );
    }

    #[test]
    fn an_error_that_nobody_raises_is_warned_of() {
        let never = |at: &str| vec![format!("ERROR_NEVER_RAISED /Catch[0]/ErrorEquals[{at}]")];
        for (resource, names, expected) in [
            (INVOKE, &["Lambda.Unknown", "Mine"][..], vec![]),
            (INVOKE, &["States.HeartbeatTimeout"], never("0")),
            (
                INVOKE,
                &["States.Timeout", "States.HeartbeatTimeout"],
                vec![],
            ),
            (INVOKE, &["States.Taskfailed"], never("0")),
            (INVOKE, &["States.Http.StatusCode.404"], vec![]),
            (
                PUBLISH,
                &[
                    "SNS.NotFoundException",
                    "Sns.NotFoundException",
                    "States.TaskFailed",
                ],
                vec![],
            ),
            (PUBLISH, &["States.Timeout", "Lambda.Unknown"], never("1")),
            (PUBLISH, &["NotFoundException"], never("0")),
            // Somebody else answers for it, with any name.
            (
                "arn:aws:states:::states:startExecution.sync",
                &["Mine"],
                vec![],
            ),
        ] {
            assert_eq!(
                said(caught(resource, &[names]), json!({})),
                expected,
                "{resource} {names:?}"
            );
        }
    }

    #[test]
    fn a_choice_that_may_miss_is_noted() {
        let miss = || vec!["CHOICE_WITHOUT_DEFAULT "];
        for (rules, expected) in [
            (
                json!([{"Variable": "$.a", "StringEquals": "b", "Next": "Done"}]),
                miss(),
            ),
            (
                json!([{"Variable": "$.a", "BooleanEquals": true, "Next": "Done"}, {"Variable": "$.a", "BooleanEquals": false, "Next": "Done"}]),
                vec![],
            ),
            (
                json!([{"Variable": "$.a", "IsPresent": true, "Next": "Done"}, {"Variable": "$.b", "IsPresent": false, "Next": "Done"}]),
                miss(),
            ),
            (
                json!([{"Not": {"Variable": "$.a", "NumericEquals": 1}, "Next": "Done"}, {"Variable": "$.a", "NumericEquals": 1, "Next": "Done"}]),
                vec![],
            ),
        ] {
            let state = json!({"Type": "Choice", "Choices": rules});
            assert_eq!(said(state.clone(), json!({})), expected, "{state}");
            let mut state = state;
            state["Default"] = json!("Done");
            assert_eq!(said(state, json!({})), [""; 0]);
        }
        let state = json!({"Type": "Choice", "QueryLanguage": "JSONata", "Choices": [{"Condition": "{% true %}", "Next": "Done"}]});
        assert_eq!(said(state, json!({})), [""; 0]);
    }
}
