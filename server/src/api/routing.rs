//! `routingConfiguration`: where an alias leads, as it comes in and goes out.

use serde::{Deserialize, Serialize};

use crate::machines::Machine;
use crate::versions::{Qualifier, Route};

use super::arn;
use super::error::ApiError;
use super::request::Text;
use super::validation::{self, Check};
use super::versions;

/// How many versions an alias leads to at most.
const ROUTES_MAX: usize = 2;
/// What the weights of an alias make, together.
const WEIGHT_SUM: i64 = 100;

/// `RoutingConfigurationListItem`, unchecked.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawRoute<'a> {
    #[serde(borrow)]
    state_machine_version_arn: Option<Text<'a>>,
    weight: Option<i64>,
}

impl RawRoute<'_> {
    fn arn(&self) -> &str {
        self.state_machine_version_arn.as_deref().unwrap_or("null")
    }

    fn weight(&self) -> i64 {
        self.weight.unwrap_or(0)
    }
}

/// `RoutingConfigurationListItem`, as it is told.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Item {
    state_machine_version_arn: String,
    weight: u8,
}

impl Item {
    pub(super) fn of(machine: &Machine, route: &Route) -> Item {
        Item {
            state_machine_version_arn: versions::arn(&machine.arn, route.version),
            weight: route.weight,
        }
    }
}

/// What the service model says of `routingConfiguration`.
pub(super) fn constraints(routes: &[RawRoute<'_>], check: &mut Check) {
    let at = "routingConfiguration";
    if routes.is_empty() {
        check.violation(Some("[]"), at, "have length greater than or equal to 1");
    }
    if routes.len() > ROUTES_MAX {
        // As Java shows a list of such items (recorded in `test_error_create_alias_invalid_router_configs`).
        let shown = list(routes.iter().map(|route| {
            format!(
                "RoutingConfigurationListItem(stateMachineVersionArn={}, weight={})",
                route.arn(),
                route.weight()
            )
        }));
        let constraint = format!("have length less than or equal to {ROUTES_MAX}");
        check.violation(Some(shown), at, &constraint);
    }
    for (i, route) in routes.iter().enumerate() {
        let at = |member| format!("{at}.{}.member.{member}", i + 1);
        match &route.state_machine_version_arn {
            Some(arn) => check.length(&at("stateMachineVersionArn"), arn, validation::ARN),
            None => check.missing(&at("stateMachineVersionArn")),
        }
        match route.weight {
            Some(weight) => check.range(&at("weight"), weight, 0, WEIGHT_SUM),
            None => check.missing(&at("weight")),
        }
    }
}

/// The machine whose versions the routes lead to, and the routes. That there is such a machine and that it
/// has these versions is for the caller to see.
pub(super) fn accept<'a>(routes: &'a [RawRoute<'_>]) -> Result<(&'a str, Vec<Route>), ApiError> {
    let arns = || list(routes.iter().map(|route| route.arn().to_owned()));
    let mut accepted: Vec<(&str, Route)> = Vec::with_capacity(routes.len());
    for route in routes {
        arn::check(route.arn(), &[arn::Resource::StateMachine])?;
        let (machine, Some(Qualifier::Version(version))) = arn::qualified(route.arn()) else {
            return Err(ApiError::validation(format!(
                "Routing configuration must contain state machine version ARNs. Received: {}",
                arns()
            )));
        };
        let weight = route.weight() as u8;
        accepted.push((machine, Route { version, weight }));
    }
    let (machine, first) = accepted[0];
    if accepted.iter().any(|(other, _)| *other != machine) {
        return Err(ApiError::validation(format!(
            "Routing configuration must contain versions of one state machine. Received: {}",
            arns()
        )));
    }
    if accepted[1..]
        .iter()
        .any(|(_, r)| r.version == first.version)
    {
        return Err(ApiError::validation(format!(
            "Routing configuration must contain distinct state machine version ARNs. Received: {}",
            arns()
        )));
    }
    if routes.iter().map(RawRoute::weight).sum::<i64>() != WEIGHT_SUM {
        return Err(ApiError::validation(format!(
            "Sum of routing configuration weights must equal {WEIGHT_SUM}. Received: {}",
            list(routes.iter().map(|route| route.weight().to_string()))
        )));
    }
    Ok((machine, accepted.into_iter().map(|(_, r)| r).collect()))
}

/// Checks that a machine has the versions that routes lead to.
pub(super) fn check_versions(machine: &Machine, routes: &[Route]) -> Result<(), ApiError> {
    let known = |route: &Route| machine.version(route.version).is_some();
    match routes.iter().all(known) {
        true => Ok(()),
        false => Err(ApiError::no_such_reference()),
    }
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(", "))
}
