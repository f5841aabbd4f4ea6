//! The demo is the promise to a newcomer: every row of DESIGN.md's table, in moments.

use std::process::Command;

use serde_json::Value;

#[test]
fn every_row_of_the_demo_is_as_it_must_be_in_virtual_time() {
    let output = Command::new(env!("CARGO_BIN_EXE_rejoin"))
        .args(["demo", "--json"])
        .output()
        .expect("the demo runs");
    let text = String::from_utf8(output.stdout).expect("the demo prints text");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{errors}");
    let rows: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("a row is JSON"))
        .collect();
    assert!(rows.len() > 10, "more than ten scenarios: {}", rows.len());
    for row in &rows {
        assert_eq!(row["ok"], true, "{row}");
        for member in [
            "scenario",
            "status",
            "error",
            "dispositions",
            "alerts",
            "virtual_seconds",
            "real_ms",
        ] {
            assert!(row.get(member).is_some(), "{member} is missing: {row}");
        }
    }
    // The late callback comes 15 s after its deadline, and the alert says so and whose it was.
    let late = rows
        .iter()
        .find(|row| row["scenario"] == "late")
        .expect("there is a late row");
    assert_eq!(late["virtual_seconds"], 45.0);
    let alert = &late["alerts"][1];
    assert_eq!(alert["lateBySeconds"], 15.0);
    assert_eq!(alert["stateName"], "RequestValuation");
    for member in [
        "source",
        "description",
        "eventRequestId",
        "eventBody",
        "executionArn",
        "waitBeganAt",
        "deliveryId",
    ] {
        assert!(alert[member].is_string(), "{member} is missing: {alert}");
    }
}
