//! The constraints of the service model: what AWS checks of a request before it looks at anything else.
//!
//! All violations of a request are reported together, in the order of its members:
//! `2 validation errors detected: Value '' at 'name' failed to satisfy constraint: ...; Value null at ...`.
//! Members that the model marks as sensitive are not quoted.

use std::fmt::Display;

use super::error::ApiError;
use super::request::Text;
use crate::quotas::Quotas;

/// How long a text may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Length {
    min: usize,
    max: usize,
    measure: Measure,
    quoted: bool,
}

/// What of a text is counted.
#[derive(Debug, Clone, Copy)]
enum Measure {
    Characters,
    /// And nothing but ASCII.
    AsciiCharacters,
    /// Payloads are limited in bytes of UTF-8, as [`Quotas::payload_bytes`] says.
    Payload,
    /// [`Quotas::definition_bytes`].
    Definition,
}

const fn characters(min: usize, max: usize, quoted: bool) -> Length {
    Length {
        min,
        max,
        measure: Measure::Characters,
        quoted,
    }
}

/// A length in bytes that a quota limits; such texts are sensitive.
const fn bytes(min: usize, measure: Measure) -> Length {
    Length {
        min,
        max: 0,
        measure,
        quoted: false,
    }
}

/// `Arn`.
pub(super) const ARN: Length = characters(1, 256, true);
/// `LongArn`.
pub(super) const LONG_ARN: Length = characters(1, 2000, true);
/// `Name`.
pub(super) const NAME: Length = characters(1, 80, true);
/// `TaskToken`. A token is a secret, so it is not quoted.
pub(super) const TASK_TOKEN: Length = characters(1, 2048, false);
/// `ClientToken`.
pub(super) const CLIENT_TOKEN: Length = characters(1, 64, true);
/// `PageToken`.
pub(super) const PAGE_TOKEN: Length = characters(1, 1024, true);
/// `ListExecutionsPageToken`.
pub(super) const LIST_EXECUTIONS_PAGE_TOKEN: Length = characters(1, 3096, true);
/// `TraceHeader`.
pub(super) const TRACE_HEADER: Length = Length {
    measure: Measure::AsciiCharacters,
    ..characters(0, 256, true)
};
/// `VersionDescription`.
pub(super) const VERSION_DESCRIPTION: Length = characters(0, 256, false);
/// `AliasDescription`.
pub(super) const ALIAS_DESCRIPTION: Length = characters(0, 256, false);
/// `TestStateStateName`.
pub(super) const STATE_NAME: Length = characters(1, 80, false);
/// `TagKey`.
pub(super) const TAG_KEY: Length = characters(1, 128, true);
/// `TagValue`.
pub(super) const TAG_VALUE: Length = characters(0, 256, true);
/// `KmsKeyId`.
pub(super) const KMS_KEY_ID: Length = characters(1, 2048, true);
/// `SensitiveError`.
pub(super) const ERROR: Length = characters(0, 256, false);
/// `SensitiveCause`.
pub(super) const CAUSE: Length = characters(0, 32_768, false);
/// `SensitiveData`: inputs and outputs.
pub(super) const DATA: Length = bytes(0, Measure::Payload);
/// `Definition`.
pub(super) const DEFINITION: Length = bytes(1, Measure::Definition);

/// `PageSize`; 0 stands for [`PAGE_SIZE_DEFAULT`].
const PAGE_SIZE_MAX: i64 = 1000;
/// How many items a page has if the request does not say.
const PAGE_SIZE_DEFAULT: i64 = 100;

/// `StateMachineType`.
pub(super) const STATE_MACHINE_TYPES: &[&str] = &["STANDARD", "EXPRESS"];
/// `IncludedData`.
pub(super) const INCLUDED_DATA: &[&str] = &["ALL_DATA", "METADATA_ONLY"];
/// `ExecutionStatus`, in the order of AWS's message (recorded in `test_state_machine_status_filter`).
pub(super) const EXECUTION_STATUSES: &[&str] = &[
    "SUCCEEDED",
    "TIMED_OUT",
    "PENDING_REDRIVE",
    "ABORTED",
    "FAILED",
    "RUNNING",
];

/// The violations found so far.
#[derive(Debug)]
pub(super) struct Check {
    violations: Vec<String>,
    payload_bytes: usize,
    definition_bytes: usize,
}

impl Check {
    /// For requests that carry no payload and no definition.
    pub(super) fn new() -> Check {
        Check::within(&Quotas::default())
    }

    /// For any request.
    pub(super) fn within(quotas: &Quotas) -> Check {
        Check {
            violations: Vec::new(),
            payload_bytes: quotas.payload_bytes,
            definition_bytes: quotas.definition_bytes,
        }
    }

    /// A text that has to be there. If it is not, the empty text stands in until [`Check::done`].
    pub(super) fn required<'t>(
        &mut self,
        at: &'static str,
        text: &'t Option<Text<'_>>,
        length: Length,
    ) -> &'t str {
        match text {
            Some(text) => {
                self.length(at, text, length);
                text
            }
            None => {
                self.missing(at);
                ""
            }
        }
    }

    /// A text that may be left out.
    pub(super) fn optional<'t>(
        &mut self,
        at: &'static str,
        text: &'t Option<Text<'_>>,
        length: Length,
    ) -> Option<&'t str> {
        let text = text.as_deref()?;
        self.length(at, text, length);
        Some(text)
    }

    /// A text that may be left out and is one of a few.
    pub(super) fn one_of<'t>(
        &mut self,
        at: &'static str,
        text: &'t Option<Text<'_>>,
        set: &[&str],
    ) -> Option<&'t str> {
        let text = text.as_deref()?;
        self.member_of(at, text, set);
        Some(text)
    }

    /// `maxResults`.
    pub(super) fn page_size(&mut self, number: Option<i64>) -> usize {
        let at = "maxResults";
        let number = number.unwrap_or(0);
        self.range(at, number, 0, PAGE_SIZE_MAX);
        let size = if number == 0 {
            PAGE_SIZE_DEFAULT
        } else {
            number
        };
        size.clamp(1, PAGE_SIZE_MAX) as usize
    }

    pub(super) fn range(&mut self, at: &str, number: i64, min: i64, max: i64) {
        if number < min {
            let constraint = format!("have value greater than or equal to {min}");
            self.violation(Some(&number), at, &constraint);
        }
        if number > max {
            let constraint = format!("have value less than or equal to {max}");
            self.violation(Some(&number), at, &constraint);
        }
    }

    pub(super) fn fraction(&mut self, at: &str, number: f32, min: i64, max: i64) {
        if number < min as f32 {
            let constraint = format!("have value greater than or equal to {min}");
            self.violation(Some(format!("{number:?}")), at, &constraint);
        }
        if number > max as f32 {
            let constraint = format!("have value less than or equal to {max}");
            self.violation(Some(format!("{number:?}")), at, &constraint);
        }
    }

    pub(super) fn length(&mut self, at: &str, text: &str, length: Length) {
        let max = match length.measure {
            Measure::Characters | Measure::AsciiCharacters => length.max,
            Measure::Payload => self.payload_bytes,
            Measure::Definition => self.definition_bytes,
        };
        // There are never more characters than bytes, so most texts need no counting.
        let long = text.len() > max
            && match length.measure {
                Measure::Payload | Measure::Definition => true,
                Measure::Characters | Measure::AsciiCharacters => text.chars().count() > max,
            };
        let shown = length.quoted.then_some(text);
        if long {
            let constraint = format!("have length less than or equal to {max}");
            self.violation(shown, at, &constraint);
        }
        if text.len() < length.min {
            let constraint = format!("have length greater than or equal to {}", length.min);
            self.violation(shown, at, &constraint);
        }
        if matches!(length.measure, Measure::AsciiCharacters) && !text.is_ascii() {
            let constraint = r"satisfy regular expression pattern: \p{ASCII}*";
            self.violation(shown, at, constraint);
        }
    }

    pub(super) fn member_of(&mut self, at: &str, text: &str, set: &[&str]) {
        if !set.contains(&text) {
            let constraint = format!("satisfy enum value set: [{}]", set.join(", "));
            self.violation(Some(text), at, &constraint);
        }
    }

    /// `CharacterRestrictedName`.
    pub(super) fn restricted_characters(&mut self, at: &str, text: &str) {
        let mark = |c: char| matches!(c, '_' | '-' | '.');
        let allowed = |c: char| c.is_ascii_alphanumeric() || mark(c);
        let is_number = !text.contains(|c: char| c.is_ascii_alphabetic() || mark(c));
        if is_number || !text.chars().all(allowed) {
            let constraint = "satisfy regular expression pattern: \
                              ^(?=.*[a-zA-Z_\\-\\.])[a-zA-Z0-9_\\-\\.]+$";
            self.violation(Some(text), at, constraint);
        }
    }

    /// `ClientToken`.
    pub(super) fn visible_ascii(&mut self, at: &str, text: &str) {
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            let constraint = "satisfy regular expression pattern: [!-~]+";
            self.violation(Some(text), at, constraint);
        }
    }

    pub(super) fn missing(&mut self, at: &str) {
        self.violations.push(format!(
            "Value null at '{at}' failed to satisfy constraint: Member must not be null"
        ));
    }

    pub(super) fn violation(&mut self, value: Option<impl Display>, at: &str, constraint: &str) {
        let value = value.map_or_else(String::new, |value| format!(" '{value}'"));
        self.violations.push(format!(
            "Value{value} at '{at}' failed to satisfy constraint: Member must {constraint}"
        ));
    }

    /// Whether the request may go on.
    pub(super) fn done(self) -> Result<(), ApiError> {
        match self.violations.len() {
            0 => Ok(()),
            1 => Err(ApiError::validation(format!(
                "1 validation error detected: {}",
                self.violations[0]
            ))),
            count => Err(ApiError::validation(format!(
                "{count} validation errors detected: {}",
                self.violations.join("; ")
            ))),
        }
    }
}

/// Checks a name of a state machine, an execution or an activity for characters that AWS forbids.
/// The length has been checked.
pub(super) fn name(name: &str) -> Result<(), ApiError> {
    let forbidden = |c: char| {
        c.is_whitespace()
            || "<>{}[]?*\"#%\\^|~`$&,;:/".contains(c)
            || matches!(c, '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{fffe}'..='\u{ffff}' | '\u{10ffff}')
    };
    if name.contains(forbidden) {
        return Err(ApiError::invalid_name(name));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Option<Text<'_>> {
        let json = serde_json::to_string(text).expect("it is accepted");
        serde_json::from_str::<Text>(Box::leak(json.into_boxed_str())).ok()
    }

    fn message(check: Check) -> String {
        check.done().expect_err("it is refused").message
    }

    #[test]
    fn violations_are_told_in_the_words_of_aws() {
        let long = "n".repeat(81);
        let mut check = Check::new();
        check.required("name", &text(&long), NAME);
        assert_eq!(
            message(check),
            format!(
                "1 validation error detected: Value '{long}' at 'name' failed to satisfy \
                 constraint: Member must have length less than or equal to 80"
            )
        );

        let mut check = Check::new();
        check.one_of("statusFilter", &text("succeeded"), EXECUTION_STATUSES);
        assert_eq!(
            message(check),
            "1 validation error detected: Value 'succeeded' at 'statusFilter' failed to satisfy \
             constraint: Member must satisfy enum value set: [SUCCEEDED, TIMED_OUT, \
             PENDING_REDRIVE, ABORTED, FAILED, RUNNING]"
        );

        let mut check = Check::new();
        check.page_size(Some(1001));
        assert_eq!(
            message(check),
            "1 validation error detected: Value '1001' at 'maxResults' failed to satisfy \
             constraint: Member must have value less than or equal to 1000"
        );
    }

    #[test]
    fn several_violations_are_told_together() {
        let mut check = Check::new();
        check.required("name", &text(""), NAME);
        check.required("definition", &None, DEFINITION);
        assert_eq!(
            message(check),
            "2 validation errors detected: Value '' at 'name' failed to satisfy constraint: \
             Member must have length greater than or equal to 1; Value null at 'definition' \
             failed to satisfy constraint: Member must not be null"
        );
    }

    #[test]
    fn payloads_are_measured_in_bytes_and_not_quoted() {
        let mut check = Check::new();
        check.optional("input", &text(&"é".repeat(131_073)), DATA);
        assert_eq!(
            message(check),
            "1 validation error detected: Value at 'input' failed to satisfy constraint: \
             Member must have length less than or equal to 262144"
        );
        let mut check = Check::new();
        check.optional("input", &text(&"é".repeat(131_072)), DATA);
        assert!(check.done().is_ok());
    }

    #[test]
    fn names_are_measured_in_characters() {
        let mut check = Check::new();
        check.required("name", &text(&"é".repeat(80)), NAME);
        assert!(check.done().is_ok());
    }

    #[test]
    fn a_page_has_100_items_unless_asked_otherwise() {
        let mut check = Check::new();
        assert_eq!(check.page_size(None), 100);
        assert_eq!(check.page_size(Some(0)), 100);
        assert_eq!(check.page_size(Some(7)), 7);
        assert!(check.done().is_ok());
    }

    #[test]
    fn names_with_forbidden_characters_are_refused() {
        for good in ["activity.name", "a-b_c", "größe", "a@b", "(x)=y!"] {
            assert!(name(good).is_ok(), "{good}");
        }
        for bad in [
            "a b", "a#b", "a&b", "a*b", "a,b", "a;b", "a<b", "a\\b", "a\u{1f}", "a\u{7f}", "a]b",
            "a^b", "a|b", "a~b", "a/b", "a:b", "a\"b", "a$b", "a?b", "a`b", "a%b", "a\u{9f}",
        ] {
            let error = name(bad).expect_err("it is refused");
            assert_eq!(error.kind, "InvalidName");
            assert_eq!(error.message, format!("Invalid Name: '{bad}'"));
        }
    }
}
