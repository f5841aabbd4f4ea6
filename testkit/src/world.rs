//! What every execution in a test needs: a machine, an identity, a key for tokens.

use std::sync::Arc;

use asl::{Data, StateMachine, Timestamp};
use engine::{Identity, TokenKey};

/// When executions in tests begin: the first moment of 2026.
pub const STARTED_AT: Timestamp = Timestamp(1_767_225_600_000);

/// The ARN of executions in tests.
pub const EXECUTION_ARN: &str = "arn:aws:states:us-east-1:123456789012:execution:Machine:run";

/// The machine behind a definition.
///
/// # Errors
/// All faults, if the definition is refused.
pub fn machine(definition: &str) -> Result<Arc<StateMachine>, String> {
    let parsed = asl::parse(definition);
    parsed.machine.map(Arc::new).ok_or_else(|| {
        let faults: Vec<String> = parsed.diagnostics.iter().map(ToString::to_string).collect();
        format!("the definition is refused: {}", faults.join("; "))
    })
}

/// The identity of an execution with this input.
pub fn identity(input: Data) -> Identity {
    Identity {
        arn: EXECUTION_ARN.into(),
        name: "run".into(),
        state_machine_arn: "arn:aws:states:us-east-1:123456789012:stateMachine:Machine".into(),
        state_machine_name: "Machine".into(),
        definition: "0".repeat(64).into(),
        role_arn: "arn:aws:iam::123456789012:role/Role".into(),
        input,
        started_at: STARTED_AT,
        version: None,
        alias: None,
        map_run: None,
        test_case: None,
        trace_context: None,
        trace_header: None,
    }
}

/// The key that tokens in tests are made with.
pub fn tokens() -> TokenKey {
    TokenKey::new(&[7; 32])
}
