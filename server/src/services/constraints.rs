//! What DynamoDB asks of an item operation's parameters, checked before anything is sent: stand-ins have
//! other words for it, or none (recorded cases `TestTaskServiceDynamoDB`).

use serde_json::{Map, Value};

use super::parameters::text;

/// What DynamoDB would say, if it would object.
pub fn item(operation: &str, request: &Map<String, Value>) -> Option<String> {
    let mut wrong = Vec::new();
    match text(request, "TableName") {
        None => wrong.push(missing("tableName")),
        Some(name) if !is_table_name(name) => wrong.push(format!(
            "Value '{name}' at 'tableName' failed to satisfy constraint: Member must satisfy regular \
             expression pattern: [a-zA-Z0-9_.-]+"
        )),
        Some(_) => {}
    }
    let (member, shown) = match operation {
        "putItem" => ("Item", "item"),
        _ => ("Key", "key"),
    };
    if !request.contains_key(member) {
        wrong.push(missing(shown));
    }
    let plural = if wrong.len() == 1 { "" } else { "s" };
    let said = format!(
        "{} validation error{plural} detected: {}",
        wrong.len(),
        wrong.join("; ")
    );
    (!wrong.is_empty()).then_some(said)
}

fn missing(member: &str) -> String {
    format!("Value null at '{member}' failed to satisfy constraint: Member must not be null")
}

/// A table may be named by its ARN as well.
fn is_table_name(name: &str) -> bool {
    let name = name.rsplit_once(":table/").map_or(name, |(_, name)| name);
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn constraints_are_told_in_the_words_of_aws() {
        let rows = [
            ("putItem", json!({ "TableName": "t", "Item": {} }), None),
            (
                "putItem",
                json!({ "TableName": "t" }),
                Some(
                    "1 validation error detected: Value null at 'item' failed to satisfy constraint: \
                     Member must not be null",
                ),
            ),
            (
                "getItem",
                json!({ "TableName": "/t" }),
                Some(
                    "2 validation errors detected: Value '/t' at 'tableName' failed to satisfy constraint: \
                     Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+; Value null at 'key' \
                     failed to satisfy constraint: Member must not be null",
                ),
            ),
        ];
        for (operation, request, said) in rows {
            let Value::Object(request) = request else {
                unreachable!("a row has an object");
            };
            assert_eq!(item(operation, &request).as_deref(), said);
        }
        assert!(is_table_name("arn:aws:dynamodb:us-east-1:1:table/t"));
    }
}
