//! ARNs of the service: made from the server's place, and checked for their form when they come in.
//!
//! An ARN of another region or account has a good form; what it names just does not exist here.

use crate::app::Place;
use crate::versions::Qualifier;

use super::error::ApiError;

/// `arn:aws:states:REGION:ACCOUNT:stateMachine:NAME`.
const COLONS_OF_A_MACHINE: usize = 6;

/// What an ARN of the service can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resource {
    /// `stateMachine:NAME`, perhaps with a version or an alias behind it.
    StateMachine,
    /// `execution:MACHINE:NAME`.
    Execution,
    /// `activity:NAME`.
    Activity,
    /// `mapRun:MACHINE/LABEL:UUID`.
    MapRun,
    /// `express:MACHINE:NAME:UUID`.
    Express,
}

impl Resource {
    const ALL: [Resource; 5] = [
        Resource::StateMachine,
        Resource::Execution,
        Resource::Activity,
        Resource::MapRun,
        Resource::Express,
    ];

    fn word(self) -> &'static str {
        match self {
            Resource::StateMachine => "stateMachine",
            Resource::Execution => "execution",
            Resource::Activity => "activity",
            Resource::MapRun => "mapRun",
            Resource::Express => "express",
        }
    }
}

/// Checks that `arn` has the form of an ARN for one of `expected`, and says for which.
pub(super) fn check(arn: &str, expected: &[Resource]) -> Result<Resource, ApiError> {
    let Some(rest) = arn.strip_prefix("arn:") else {
        return Err(ApiError::invalid_arn(format_args!(
            "Invalid ARN prefix: {arn}"
        )));
    };
    let malformed = || ApiError::invalid_arn(format_args!("Invalid ARN: {arn}"));
    let mut parts = rest.split(':');
    let mut part = || parts.next().ok_or_else(malformed);
    let (_partition, service, _region, _account) = (part()?, part()?, part()?, part()?);
    let (word, name) = (part()?, part()?);
    let execution = parts.next();
    if service != "states" || name.is_empty() {
        return Err(malformed());
    }
    let found = Resource::ALL
        .into_iter()
        .find(|resource| resource.word() == word && expected.contains(resource));
    let Some(resource) = found else {
        return Err(ApiError::invalid_arn(format_args!(
            "Resource type not valid in this context: {word}"
        )));
    };
    let has_two_names = matches!(
        resource,
        Resource::Execution | Resource::MapRun | Resource::Express
    );
    if has_two_names && execution.is_none_or(str::is_empty) {
        return Err(malformed());
    }
    Ok(resource)
}

/// Checks an ARN of a state machine, for an operation that a part of one means nothing to: what names a
/// Distributed Map state (`stateMachine:NAME/LABEL`, as its child executions have it) is refused, as AWS documents it.
pub(super) fn check_machine(arn: &str) -> Result<(), ApiError> {
    check(arn, &[Resource::StateMachine])?;
    match arn.split(':').nth(COLONS_OF_A_MACHINE) {
        Some(name) if name.contains('/') => Err(ApiError::validation(format!(
            "The ARN refers to a Distributed Map state, and not to a state machine: {arn}"
        ))),
        _ => Ok(()),
    }
}

/// Takes a state machine's ARN apart, whose form was checked: the machine's own ARN, and what stands
/// behind it in that of a version or an alias.
pub(crate) fn qualified(arn: &str) -> (&str, Option<Qualifier<'_>>) {
    let mut colons = arn.bytes().enumerate().filter(|(_, byte)| *byte == b':');
    match colons.nth(COLONS_OF_A_MACHINE) {
        None => (arn, None),
        Some((at, _)) => (&arn[..at], Some(Qualifier::of(&arn[at + 1..]))),
    }
}

/// The machine's ARN and the name in an alias's.
pub(super) fn alias(arn: &str) -> Result<(&str, &str), ApiError> {
    match qualified(arn) {
        (machine, Some(Qualifier::Alias(name))) => Ok((machine, name)),
        _ => Err(ApiError::invalid_arn(format_args!("Invalid ARN: {arn}"))),
    }
}

/// The ARN of a state machine of this server.
pub(super) fn state_machine(place: &Place, name: &str) -> String {
    format!(
        "arn:aws:states:{}:{}:stateMachine:{name}",
        place.region, place.account
    )
}

/// The ARN of an execution of this server.
pub(super) fn execution(place: &Place, machine: &str, name: &str) -> String {
    format!(
        "arn:aws:states:{}:{}:execution:{machine}:{name}",
        place.region, place.account
    )
}

/// The ARN of an Express execution of this server. Names may come again, so what is started has a number
/// behind its name; what is only tried has none.
pub(super) fn express_execution(place: &Place, machine: &str, name: &str) -> String {
    format!(
        "arn:aws:states:{}:{}:express:{machine}:{name}",
        place.region, place.account
    )
}

/// The ARN of an activity of this server.
pub(super) fn activity(place: &Place, name: &str) -> String {
    format!(
        "arn:aws:states:{}:{}:activity:{name}",
        place.region, place.account
    )
}

/// Checks that a role's ARN has the form of one; whether the role exists is nobody's business here.
pub(super) fn check_role(arn: &str) -> Result<(), ApiError> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    match parts[..] {
        ["arn", _, "iam", "", _, resource] if resource.starts_with("role/") => Ok(()),
        _ => Err(ApiError::invalid_role_arn(arn)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_is_told_by_its_form() {
        let here = "arn:aws:states:us-east-1:123456789012";
        let any = Resource::ALL;
        for (arn, expected, outcome) in [
            (
                format!("{here}:stateMachine:m"),
                &any[..],
                Ok(Resource::StateMachine),
            ),
            (
                format!("{here}:stateMachine:m:1"),
                &any,
                Ok(Resource::StateMachine),
            ),
            (
                format!("{here}:execution:m:e"),
                &any,
                Ok(Resource::Execution),
            ),
            (format!("{here}:activity:a"), &any, Ok(Resource::Activity)),
            (
                "no_an_activity_arn".to_owned(),
                &[Resource::Activity],
                Err("Invalid ARN prefix: no_an_activity_arn".to_owned()),
            ),
            (
                format!("{here}:stateMachine:m"),
                &[Resource::Execution],
                Err("Resource type not valid in this context: stateMachine".to_owned()),
            ),
            (
                format!("{here}:execution:m"),
                &[Resource::Execution],
                Err(format!("Invalid ARN: {here}:execution:m")),
            ),
            (
                "arn:aws".to_owned(),
                &any,
                Err("Invalid ARN: arn:aws".to_owned()),
            ),
            (
                "arn:aws:sns:r:a:activity:n".to_owned(),
                &any,
                Err("Invalid ARN: arn:aws:sns:r:a:activity:n".to_owned()),
            ),
        ] {
            let outcome = outcome.map_err(|what| format!("Invalid Arn: '{what}'"));
            assert_eq!(check(&arn, expected).map_err(|e| e.message), outcome);
        }
    }

    #[test]
    fn a_map_state_is_no_machine() {
        let machine = "arn:aws:states:us-east-1:123456789012:stateMachine:m";
        assert!(check_machine(machine).is_ok());
        assert!(check_machine(&format!("{machine}:1")).is_ok());
        let error = check_machine(&format!("{machine}/label")).expect_err("it is refused");
        assert_eq!(error.kind, "ValidationException");
        assert_eq!(check_machine("m").expect_err("no ARN").kind, "InvalidArn");
    }

    #[test]
    fn an_arn_may_name_a_version_or_an_alias() {
        let machine = "arn:aws:states:us-east-1:123456789012:stateMachine:m";
        assert_eq!(qualified(machine), (machine, None));
        let version = format!("{machine}:12");
        let expected = (machine, Some(Qualifier::Version(12)));
        assert_eq!(qualified(&version), expected);
        assert!(alias(&version).is_err() && alias(machine).is_err());
        let prod = format!("{machine}:prod");
        assert_eq!(qualified(&prod), (machine, Some(Qualifier::Alias("prod"))));
        assert_eq!(alias(&prod).ok(), Some((machine, "prod")));
    }

    #[test]
    fn a_role_is_told_by_its_form() {
        assert!(check_role("arn:aws:iam::123456789012:role/service-role/r").is_ok());
        for bad in ["role", "arn:aws:iam::1:user/u", "arn:aws:s3:::role/r"] {
            let error = check_role(bad).expect_err("it is refused");
            assert_eq!(error.message, format!("Invalid Role Arn: '{bad}'"));
        }
    }
}
