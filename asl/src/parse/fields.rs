//! Reading single fields of an object in a definition.

use serde_json::{Map, Value};

use super::near::nearest;
use super::reader::Reader;
use crate::intrinsic::Expression;
use crate::jsonata;
use crate::model::QueryLanguage;
use crate::path::{Path, ReferencePath};
use crate::template::Template;

/// The greatest number of seconds that AWS takes (over three years).
pub(super) const SECONDS_MAX: u64 = 99_999_999;

/// An object of the definition with its place.
pub(super) struct Fields<'v> {
    object: &'v Map<String, Value>,
    /// The place in AWS's form: `/States/Name/Retry[0]`; empty for the definition itself.
    pub(super) pointer: String,
}

impl<'v> Fields<'v> {
    /// `value` as an object; anything else is a fault.
    pub(super) fn of(reader: &mut Reader, value: &'v Value, pointer: &str) -> Option<Fields<'v>> {
        match value {
            Value::Object(object) => Some(Fields {
                object,
                pointer: pointer.to_owned(),
            }),
            _ => {
                reader.schema(pointer, "Expected value of type Object");
                None
            }
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&'v Value> {
        self.object.get(name)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.object.contains_key(name)
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = (&'v String, &'v Value)> {
        self.object.iter()
    }

    /// The place of the field `name`.
    pub(super) fn at(&self, name: &str) -> String {
        format!("{}/{name}", self.pointer)
    }

    /// Reports every field that is not in `known`.
    pub(super) fn only(&self, reader: &mut Reader, known: &[&str]) {
        for name in self
            .object
            .keys()
            .filter(|name| !known.contains(&name.as_str()))
        {
            let near = nearest(name, known.iter().copied());
            let hint = match near {
                Some(field) => format!("It is spelled '{field}'."),
                None => format!("The fields here are {}.", known.join(", ")),
            };
            reader.schema_hint(
                &self.pointer,
                format!("Field '{name}' is not supported"),
                hint,
            );
        }
    }

    /// Reports those of `names` that are not there; AWS names them all in one message.
    pub(super) fn require(&self, reader: &mut Reader, names: &[&str]) -> bool {
        let missing: Vec<&str> = names
            .iter()
            .copied()
            .filter(|name| !self.has(name))
            .collect();
        if !missing.is_empty() {
            reader.schema(
                &self.pointer,
                format!("These fields are required: [{}]", missing.join(", ")),
            );
        }
        missing.is_empty()
    }

    /// Reports if more than one of `names` is there; AWS names them all.
    pub(super) fn exclusive(&self, reader: &mut Reader, names: &[&str]) {
        if names.iter().filter(|name| self.has(name)).count() > 1 {
            reader.schema_hint(
                &self.pointer,
                format!(
                    "There should only be one of the following fields: [{}]",
                    names.join(", ")
                ),
                "Keep the one that is meant.",
            );
        }
    }

    /// Reports if none of `names` is there, or more than one; whether one is.
    pub(super) fn one_field(&self, reader: &mut Reader, names: &[&str]) -> bool {
        self.exclusive(reader, names);
        let any = names.iter().any(|name| self.has(name));
        if !any {
            reader.schema(
                &self.pointer,
                format!(
                    "This object should have only one of the following fields: [{}]",
                    names.join(", ")
                ),
            );
        }
        any
    }

    /// Reports a list without items.
    pub(super) fn not_empty(&self, reader: &mut Reader, name: &str, items: &[Value]) {
        if items.is_empty() {
            reader.schema(&self.at(name), "Value cannot be empty");
        }
    }

    pub(super) fn string(&self, reader: &mut Reader, name: &str) -> Option<&'v str> {
        match self.get(name)? {
            Value::String(text) => Some(text),
            _ => {
                reader.schema(&self.at(name), "Expected value of type String");
                None
            }
        }
    }

    pub(super) fn boolean(&self, reader: &mut Reader, name: &str) -> Option<bool> {
        let value = self.get(name)?;
        if value.as_bool().is_none() {
            reader.schema(&self.at(name), "Expected value of type Boolean");
        }
        value.as_bool()
    }

    pub(super) fn array(&self, reader: &mut Reader, name: &str) -> Option<&'v Vec<Value>> {
        let value = self.get(name)?;
        if value.as_array().is_none() {
            reader.schema(&self.at(name), "Expected value of type Array");
        }
        value.as_array()
    }

    /// A whole number from `least` to `most`.
    pub(super) fn integer(
        &self,
        reader: &mut Reader,
        name: &str,
        least: u64,
        most: u64,
    ) -> Option<u64> {
        let value = self.get(name)?;
        let fits = value
            .as_u64()
            .filter(|number| (least..=most).contains(number));
        if fits.is_none() {
            let too_small = value.as_i64().is_some_and(|number| number < 0)
                || value.as_u64().is_some_and(|number| number < least);
            let message = match too_small {
                true => format!("Minimum value is {least}"),
                false if value.is_u64() => format!("Maximum value is {most}"),
                false => "Expected value of type Integer".to_owned(),
            };
            reader.schema(&self.at(name), message);
        }
        fits
    }

    /// A number from `least` to `most`.
    pub(super) fn number(
        &self,
        reader: &mut Reader,
        name: &str,
        least: f64,
        most: f64,
    ) -> Option<f64> {
        let value = self.get(name)?;
        let fits = value
            .as_f64()
            .filter(|number| (least..=most).contains(number));
        if fits.is_none() {
            // AWS shows these limits as the fractions that they are: 0.0 and 100.0.
            let message = match value.as_f64() {
                Some(number) if number < least => format!("Minimum value is {least:?}"),
                Some(_) => format!("Maximum value is {most:?}"),
                None => "Expected value of type Number".to_owned(),
            };
            reader.schema(&self.at(name), message);
        }
        fits
    }

    /// A string that is one of `values`.
    pub(super) fn one_of(
        &self,
        reader: &mut Reader,
        name: &str,
        values: &[&str],
    ) -> Option<&'v str> {
        let value = self.string(reader, name)?;
        if values.contains(&value) {
            return Some(value);
        }
        reader.schema(&self.at(name), none_of(values));
        None
    }

    /// `InputPath` or `OutputPath`: `$` where it is absent, nothing where it is `null`.
    pub(super) fn document_path(&self, reader: &mut Reader, name: &str) -> Option<Path> {
        match self.get(name) {
            None => Some(Path::root()),
            Some(Value::Null) => None,
            Some(_) => Some(self.path(reader, name).unwrap_or_else(Path::root)),
        }
    }

    /// `ResultPath`: `$` where it is absent, nothing where it is `null`.
    pub(super) fn result_path(&self, reader: &mut Reader) -> Option<ReferencePath> {
        let name = "ResultPath";
        match self.get(name) {
            None => Some(ReferencePath::root()),
            Some(Value::Null) => None,
            Some(_) => {
                let text = self.string(reader, name)?;
                match ReferencePath::parse(text) {
                    Ok(path) => Some(path),
                    Err(why) if !text.starts_with('$') => {
                        reader.schema_hint(&self.at(name), NO_PATH, sentence(&why));
                        Some(ReferencePath::root())
                    }
                    Err(why) => {
                        reader.schema(
                            &self.at(name),
                            format!("Value is not a Reference Path: {why}"),
                        );
                        Some(ReferencePath::root())
                    }
                }
            }
        }
    }

    /// Any path.
    pub(super) fn path(&self, reader: &mut Reader, name: &str) -> Option<Path> {
        let text = self.string(reader, name)?;
        match Path::parse(text) {
            Ok(path) => {
                reader.refer(path.variable());
                Some(path)
            }
            Err(why) => {
                reader.schema_hint(&self.at(name), NO_PATH, sentence(&why));
                None
            }
        }
    }

    /// A path that names one place, of the input or of the context object.
    pub(super) fn reference(&self, reader: &mut Reader, name: &str) -> Option<Path> {
        let path = self.path(reader, name)?;
        if !path.is_reference() {
            let why = "a reference path has names and single indices only";
            reader.schema(
                &self.at(name),
                format!("Value is not a Reference Path: {why}"),
            );
        }
        Some(path)
    }

    /// A reference path or an intrinsic function, as `ErrorPath` and `CausePath` take.
    pub(super) fn expression(&self, reader: &mut Reader, name: &str) -> Option<Expression> {
        let text = self.string(reader, name)?;
        match Expression::parse(text, name) {
            Ok(expression) => {
                reader.refer(expression.variables());
                Some(expression)
            }
            Err(why) => {
                reader.schema_hint(&self.at(name), not_an_expression(name), sentence(&why));
                None
            }
        }
    }

    /// A payload template of a state with JSONata.
    pub(super) fn jsonata_template(&self, reader: &mut Reader, name: &str) -> Option<Template> {
        let value = self.get(name)?;
        // AWS names the field by its place below the state: `Choices[0]/Condition`.
        match Template::parse_jsonata(value, &reader.place_in_state(&self.at(name))) {
            Ok(template) => {
                reader.refer(template.variables());
                Some(template)
            }
            Err(faults) => {
                for (pointer, fault) in faults {
                    let place = format!("{}{pointer}", self.at(name));
                    reader.error(fault.code, &place, fault.message, None);
                }
                None
            }
        }
    }

    /// The expression that the field is, where the state has JSONata and it is one.
    pub(super) fn jsonata(&self, reader: &mut Reader, name: &str) -> Option<jsonata::Expression> {
        let text = self.jsonata_text(reader, name)?;
        match jsonata::Expression::parse(text, &reader.place_in_state(&self.at(name))) {
            Ok(expression) => {
                reader.refer(expression.names());
                Some(expression)
            }
            Err(faults) => {
                for fault in faults {
                    reader.error(fault.code, &self.at(name), fault.message, None);
                }
                None
            }
        }
    }

    /// Whether [`Fields::jsonata`] would read the field.
    pub(super) fn is_jsonata(&self, reader: &Reader, name: &str) -> bool {
        self.jsonata_text(reader, name).is_some()
    }

    fn jsonata_text(&self, reader: &Reader, name: &str) -> Option<&'v str> {
        match reader.language {
            QueryLanguage::Jsonata => self.get(name)?.as_str().and_then(jsonata::between_braces),
            QueryLanguage::JsonPath => None,
        }
    }

    /// A payload template.
    pub(super) fn template(&self, reader: &mut Reader, name: &str) -> Option<Template> {
        let value = self.get(name)?;
        let pointer = self.at(name);
        warn_no_dollar(reader, value, &pointer);
        match Template::parse(value) {
            Ok(template) => {
                reader.refer(template.variables());
                Some(template)
            }
            Err(faults) => {
                for fault in faults {
                    let place = format!("{pointer}{}", fault.pointer);
                    reader.schema_hint(
                        &place,
                        not_an_expression(&fault.field),
                        sentence(&fault.why),
                    );
                }
                None
            }
        }
    }

    /// `QueryLanguage`, if it is there.
    pub(super) fn query_language(&self, reader: &mut Reader) -> Option<QueryLanguage> {
        // What is neither is JSONata to AWS, which goes on with it (measured: floci-io/floci#2968).
        let message = match self.get("QueryLanguage")? {
            Value::String(name) if name == "JSONPath" => return Some(QueryLanguage::JsonPath),
            Value::String(name) if name == "JSONata" => return Some(QueryLanguage::Jsonata),
            Value::String(_) => none_of(&["JSONPath", "JSONata"]),
            _ => "Expected value of type [STRING]".to_owned(),
        };
        reader.schema(&self.at("QueryLanguage"), message);
        Some(QueryLanguage::Jsonata)
    }
}

/// AWS's words for a path that is none.
const NO_PATH: &str = "Value must be a valid JSONPath.";

/// AWS's words for a value that is none of `values`.
pub(super) fn none_of(values: &[&str]) -> String {
    format!(
        "Value should be one of the following: [{}]",
        values.join(", ")
    )
}

fn not_an_expression(field: &str) -> String {
    format!(
        "The value for the field '{field}' must be a valid JSONPath or a valid intrinsic function call"
    )
}

/// `why` as a hint: a sentence of its own.
fn sentence(why: &str) -> String {
    let mut chars = why.chars();
    match chars.next() {
        Some(first) => format!("{}{}.", first.to_uppercase(), chars.as_str()),
        None => String::new(),
    }
}

/// Whether text looks like something that is meant to be evaluated.
pub(super) fn looks_like_expression(text: &str) -> bool {
    text.starts_with("$.")
        || text.starts_with("$$.")
        || (text.starts_with("States.") && text.ends_with(')'))
}

/// A member that holds an expression and does not say so in its name, or is there under both names.
fn warn_no_dollar(reader: &mut Reader, value: &Value, pointer: &str) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                if let Some(short) = name
                    .strip_suffix(".$")
                    .filter(|short| members.contains_key(*short))
                {
                    reader.warning(
                        "REJOIN_REPEATED_FIELD",
                        &format!("{pointer}/{name}"),
                        format!(
                            "Fields '{name}' and '{short}' are the same one when this is evaluated"
                        ),
                        "Remove or rename one of them.",
                    );
                }
                match value {
                    Value::String(text) if !name.ends_with(".$") && looks_like_expression(text) => reader.warning(
                        "NO_DOLLAR",
                        &format!("{pointer}/{name}"),
                        format!("The value of '{name}' looks like a JSONPath or an intrinsic function, and is taken as text"),
                        &format!("Call the field '{name}.$' to have it evaluated."),
                    ),
                    _ => warn_no_dollar(reader, value, &format!("{pointer}/{name}")),
                }
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                warn_no_dollar(reader, item, &format!("{pointer}[{at}]"));
            }
        }
        _ => {}
    }
}
