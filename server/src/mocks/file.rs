//! The mock configuration file, checked: every reference leads somewhere, every invocation has one response.
//!
//! What this does not know is passed over, as Step Functions Local does, but for what a mistyped word would do:
//! a response says `Return` or `Throw` and nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;

use asl::{Data, Failure};
use serde_json::{Map, Value};

use super::{Range, Responses, Said, TestCase, listed};

type Machines = BTreeMap<String, BTreeMap<String, TestCase>>;

/// Where in the file something is: a JSON pointer.
#[derive(Clone)]
struct Place(String);

impl Place {
    fn of(&self, name: &str) -> Place {
        let name = name.replace('~', "~0").replace('/', "~1");
        Place(format!("{}/{name}", self.0))
    }

    /// What is wrong here, and what to do.
    fn fault(&self, what: impl std::fmt::Display) -> String {
        let place = if self.0.is_empty() { "/" } else { &self.0 };
        format!("at {place}, {what}")
    }

    fn object<'a>(&self, value: &'a Value) -> Result<&'a Map<String, Value>, String> {
        value
            .as_object()
            .ok_or_else(|| self.fault("there has to be an object {...}"))
    }

    /// A member that has to be there.
    fn member<'a>(
        &self,
        object: &'a Map<String, Value>,
        name: &str,
    ) -> Result<(&'a Value, Place), String> {
        let found = object.get(name).ok_or_else(|| {
            self.fault(format_args!(
                "'{name}' is missing; there are {}",
                listed(object.keys())
            ))
        })?;
        Ok((found, self.of(name)))
    }
}

/// The test cases of each machine.
pub(super) fn machines(text: &str) -> Result<Machines, String> {
    let document: Value = serde_json::from_str(text).map_err(|e| format!("it is not JSON: {e}"))?;
    let root = Place(String::new());
    let members = root.object(&document)?;
    let (responses, place) = root.member(members, "MockedResponses")?;
    let responses = place
        .object(responses)?
        .iter()
        .map(|(name, value)| {
            let read = responses_of(name, value, &place.of(name))?;
            Ok((name.as_str(), Arc::new(read)))
        })
        .collect::<Result<BTreeMap<_, _>, String>>()?;
    let (machines, place) = root.member(members, "StateMachines")?;
    let machines = place.object(machines)?.iter();
    machines
        .map(|(name, machine)| {
            let place = place.of(name);
            let (cases, place) = place.member(place.object(machine)?, "TestCases")?;
            let cases = place.object(cases)?.iter();
            let cases = cases.map(|(name, case)| {
                Ok((name.clone(), test_case(case, &place.of(name), &responses)?))
            });
            Ok((name.clone(), cases.collect::<Result<_, String>>()?))
        })
        .collect()
}

fn test_case(
    value: &Value,
    place: &Place,
    responses: &BTreeMap<&str, Arc<Responses>>,
) -> Result<TestCase, String> {
    let states = place.object(value)?.iter();
    states
        .map(|(state, named)| {
            let place = place.of(state);
            let named = named.as_str().ok_or_else(|| {
                place.fault("there has to be the name of one of MockedResponses, as text")
            })?;
            let found = responses.get(named).ok_or_else(|| {
                let there: Vec<String> = responses.keys().map(|name| name.to_string()).collect();
                place.fault(format_args!(
                    "MockedResponses has no '{named}'; it has {}",
                    listed(there.iter())
                ))
            })?;
            Ok((state.clone(), found.clone()))
        })
        .collect()
}

fn responses_of(name: &str, value: &Value, place: &Place) -> Result<Responses, String> {
    let mut ranges = place
        .object(value)?
        .iter()
        .map(|(key, value)| range(key, value, &place.of(key)))
        .collect::<Result<Vec<Range>, String>>()?;
    ranges.sort_by_key(|range| range.first);
    let mut next = Some(0);
    for range in &ranges {
        if next != Some(range.first) {
            let place = place.of(&range.to_string());
            return Err(match next {
                Some(next) if next < range.first => place.fault(format_args!(
                    "invocation {next} has no response; number them from 0 on and leave none out"
                )),
                _ => place
                    .fault("the range overlaps another one; give every invocation one response"),
            });
        }
        next = range.last.checked_add(1);
    }
    if ranges.is_empty() {
        return Err(place.fault("there is no response; add \"0\": { \"Return\": ... }"));
    }
    Ok(Responses {
        name: name.to_owned(),
        ranges,
    })
}

fn range(key: &str, value: &Value, place: &Place) -> Result<Range, String> {
    let bounds = match key.split_once('-') {
        Some((first, last)) => number(first).zip(number(last)),
        None => number(key).map(|one| (one, one)),
    };
    let (first, last) = bounds
        .filter(|(first, last)| first <= last)
        .ok_or_else(|| {
            place
                .fault("the key is no number of an invocation; write \"0\", or \"0-2\" for a range")
        })?;
    Ok(Range {
        first,
        last,
        said: said(place.object(value)?, place)?,
    })
}

fn number(text: &str) -> Option<u32> {
    let text = text.trim();
    // `parse` takes a sign, too.
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

fn said(members: &Map<String, Value>, place: &Place) -> Result<Said, String> {
    let one = || {
        place.fault(format_args!(
            "there has to be either 'Return' or 'Throw' and nothing else; there is {}",
            listed(members.keys())
        ))
    };
    let mut each = members.iter();
    let (Some((name, value)), None) = (each.next(), each.next()) else {
        return Err(one());
    };
    match name.as_str() {
        "Return" => Ok(Said::Return(Data::from(value.clone()))),
        "Throw" => {
            let place = place.of(name);
            let members = place.object(value)?;
            let text = |name| {
                let (value, place) = place.member(members, name)?;
                let text = value.as_str().map(str::to_owned);
                text.ok_or_else(|| place.fault("there has to be text"))
            };
            Ok(Said::Throw(Failure {
                error: Some(text("Error")?.into()),
                cause: Some(text("Cause")?),
            }))
        }
        _ => Err(one()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fault(document: Value) -> String {
        machines(&document.to_string()).expect_err("it is refused")
    }

    /// A file of one response, which a test case names.
    fn with(responses: Value) -> Value {
        json!({
            "StateMachines": { "M": { "TestCases": { "C": { "S": "R" } } } },
            "MockedResponses": { "R": responses },
        })
    }

    #[test]
    fn a_fault_is_told_with_its_place_and_what_to_do() {
        let good = json!({ "Return": 1 });
        for (document, told) in [
            (json!([]), "at /, there has to be an object {...}"),
            (
                // AWS's own text calls it so in one place.
                json!({ "StateMachines": {}, "MockedResponse": {} }),
                "at /, 'MockedResponses' is missing; there are StateMachines, MockedResponse",
            ),
            (
                json!({ "StateMachines": { "a/b": { "Cases": {} } }, "MockedResponses": {} }),
                "at /StateMachines/a~1b, 'TestCases' is missing; there are Cases",
            ),
            (
                json!({
                    "StateMachines": { "M": { "TestCases": { "C": { "S": "Q" } } } },
                    "MockedResponses": { "R": { "0": good } },
                }),
                "at /StateMachines/M/TestCases/C/S, MockedResponses has no 'Q'; it has R",
            ),
            (
                with(json!({})),
                "at /MockedResponses/R, there is no response; add \"0\": { \"Return\": ... }",
            ),
            (
                with(json!({ "0": good, "2": good })),
                "at /MockedResponses/R/2, invocation 1 has no response; number them from 0 on and leave none out",
            ),
            (
                with(json!({ "0-2": good, "2-3": good })),
                "at /MockedResponses/R/2-3, the range overlaps another one; give every invocation one response",
            ),
            (
                with(json!({ "first": good })),
                "at /MockedResponses/R/first, the key is no number of an invocation; write \"0\", or \"0-2\" for a range",
            ),
            (
                with(json!({ "2-0": good })),
                "at /MockedResponses/R/2-0, the key is no number of an invocation; write \"0\", or \"0-2\" for a range",
            ),
            (
                with(json!({ "+0": good })),
                "at /MockedResponses/R/+0, the key is no number of an invocation; write \"0\", or \"0-2\" for a range",
            ),
            (
                with(json!({ "0": { "Retrun": 1 } })),
                "at /MockedResponses/R/0, there has to be either 'Return' or 'Throw' and nothing else; there is Retrun",
            ),
            (
                with(json!({ "0": { "Throw": { "Error": "E" } } })),
                "at /MockedResponses/R/0/Throw, 'Cause' is missing; there are Error",
            ),
            (
                with(json!({ "0": { "Throw": { "Error": 1, "Cause": "" } } })),
                "at /MockedResponses/R/0/Throw/Error, there has to be text",
            ),
        ] {
            assert_eq!(fault(document), told);
        }
        let torn = machines("{\n  \"StateMachines\": }").expect_err("it is refused");
        assert_eq!(torn, "it is not JSON: expected value at line 2 column 20");
    }

    #[test]
    fn invocations_are_numbered_one_by_one_and_in_ranges() {
        let document = with(json!({
            "3": { "Return": null },
            "1 - 2": { "Throw": { "Error": "B", "Cause": "c" } },
            "0": { "Throw": { "Error": "A", "Cause": "" } },
            "4-4294967295": { "Return": [1] },
        }));
        let machines = machines(&document.to_string()).expect("it is right");
        let ranges = &machines["M"]["C"]["S"].ranges;
        let told: Vec<String> = ranges.iter().map(Range::to_string).collect();
        assert_eq!(told, ["0", "1-2", "3", "4-4294967295"]);
    }
}
