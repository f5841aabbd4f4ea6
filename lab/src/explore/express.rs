//! The children of an Express Map Run are kept nowhere, so that nothing could be said of them: here they are run as Standard
//! ones, which come to the same states with the same documents.

use serde_json::Value;

use super::finding::listed;

/// The definition in which such children are kept, and what should be known of that; none if there are no such children.
pub(super) fn kept(definition: &str) -> Option<(String, String)> {
    let mut definition: Value = serde_json::from_str(definition).ok()?;
    let mut maps = Vec::new();
    keep(&mut definition, &mut maps);
    let note = format!(
        "the items of {} are played as Standard executions, since those of Express ones are kept nowhere",
        listed(&maps)
    );
    (!maps.is_empty()).then(|| (definition.to_string(), note))
}

fn keep(region: &mut Value, maps: &mut Vec<String>) {
    let states = region.get_mut("States").and_then(Value::as_object_mut);
    for (name, state) in states.into_iter().flatten() {
        if let Some(processor) = state.get_mut("ItemProcessor") {
            if let Some(kind) = processor.pointer_mut("/ProcessorConfig/ExecutionType")
                && *kind == "EXPRESS"
            {
                *kind = "STANDARD".into();
                maps.push(name.clone());
            }
            keep(processor, maps);
        }
        let branches = state.get_mut("Branches").and_then(Value::as_array_mut);
        for branch in branches.into_iter().flatten() {
            keep(branch, maps);
        }
    }
}
