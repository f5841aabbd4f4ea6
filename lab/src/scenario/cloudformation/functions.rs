//! CloudFormation's functions, and the conditions that `Fn::If` asks.

use serde_json::{Map, Value};

use super::{DEPTH_MAX, Template, listed};

/// The function that an object is, if it is one.
pub(super) fn function(members: &Map<String, Value>) -> Option<(&str, &Value)> {
    let (name, argument) = members.iter().next().filter(|_| members.len() == 1)?;
    (name == "Ref" || name.starts_with("Fn::")).then_some((name.as_str(), argument))
}

impl Template<'_> {
    /// What a function gives.
    pub(super) fn call(&self, name: &str, argument: &Value, depth: usize) -> Result<Value, String> {
        let text = match (name, argument) {
            ("Ref", Value::String(id)) => self.reference(id, depth)?,
            ("Fn::GetAtt", Value::String(path)) => {
                let (id, attribute) = path.split_once('.').unwrap_or((path, "Arn"));
                self.attribute(id, attribute)?
            }
            ("Fn::GetAtt", Value::Array(path)) => {
                let part = |at: usize| path.get(at).and_then(Value::as_str);
                let id = part(0).unwrap_or_default();
                self.attribute(id, part(1).unwrap_or("Arn"))?
            }
            ("Fn::Join", Value::Array(of)) => {
                let separator = of.first().and_then(Value::as_str).unwrap_or_default();
                self.list(of.get(1), depth)?.join(separator)
            }
            ("Fn::Sub", Value::String(text)) => self.sub(text, &Map::new(), depth)?,
            ("Fn::Sub", Value::Array(of)) => {
                let text = of.first().and_then(Value::as_str).unwrap_or_default();
                let none = Map::new();
                let own = of.get(1).and_then(Value::as_object).unwrap_or(&none);
                self.sub(text, own, depth)?
            }
            ("Fn::ImportValue", exported) => self.text(exported, depth)?,
            ("Fn::ToJsonString", value) => self.value(value, depth)?.to_string(),
            ("Fn::If", Value::Array(of)) => {
                let condition = of.first().and_then(Value::as_str).unwrap_or_default();
                let branch = if self.condition(condition, depth)? {
                    1
                } else {
                    2
                };
                return self.value(of.get(branch).unwrap_or(&Value::Null), depth);
            }
            ("Fn::FindInMap", Value::Array(of)) => return self.find_in_map(of, depth),
            ("Fn::Split", Value::Array(of)) => {
                let separator = of.first().and_then(Value::as_str).unwrap_or_default();
                let text = self.text(of.get(1).unwrap_or(&Value::Null), depth)?;
                return Ok(text.split(separator).collect());
            }
            ("Fn::Select", Value::Array(of)) => {
                let index = self.text(of.first().unwrap_or(&Value::Null), depth)?;
                let list = self.list(of.get(1), depth)?;
                let item = index
                    .parse()
                    .ok()
                    .and_then(|at: usize| list.get(at).cloned());
                item.ok_or_else(|| format!("Fn::Select asks for item {index} of {}", list.len()))?
            }
            _ => return Err(format!("the function {name} is not known here")),
        };
        Ok(Value::String(text))
    }

    /// The texts of a list, which may be what a function gives.
    fn list(&self, given: Option<&Value>, depth: usize) -> Result<Vec<String>, String> {
        let value = self.value(given.unwrap_or(&Value::Null), depth)?;
        let items = value.as_array().into_iter().flatten();
        let text = |item: &Value| {
            item.as_str()
                .map_or_else(|| item.to_string(), str::to_owned)
        };
        Ok(items.map(text).collect())
    }

    fn find_in_map(&self, of: &[Value], depth: usize) -> Result<Value, String> {
        let mut found = &self.root["Mappings"];
        let mut way = Vec::new();
        for key in of.iter().take(3) {
            let key = self.text(key, depth)?;
            found = found.get(&key).unwrap_or(&Value::Null);
            way.push(key);
        }
        match found {
            Value::Null => Err(format!("its Mappings have no {}", way.join("."))),
            found => Ok(found.clone()),
        }
    }

    /// `Conditions.NAME`.
    fn condition(&self, name: &str, depth: usize) -> Result<bool, String> {
        let conditions = &self.root["Conditions"];
        let condition = conditions.get(name).ok_or_else(|| {
            let known = conditions.as_object().into_iter().flatten();
            let known: Vec<&str> = known.map(|(name, _)| name.as_str()).collect();
            format!("it has no condition {name}; there are {}", listed(&known))
        })?;
        self.holds(condition, depth + 1)
    }

    fn holds(&self, condition: &Value, depth: usize) -> Result<bool, String> {
        if depth > DEPTH_MAX {
            return Err("its conditions refer to each other for ever".to_owned());
        }
        let mut members = condition.as_object().into_iter().flatten();
        let (Some((name, argument)), None) = (members.next(), members.next()) else {
            return Err(format!("{condition} is no condition"));
        };
        let of = argument.as_array().map(Vec::as_slice).unwrap_or_default();
        match (name.as_str(), of) {
            ("Condition", _) => self.condition(argument.as_str().unwrap_or_default(), depth),
            ("Fn::Equals", [a, b]) => Ok(self.text(a, depth)? == self.text(b, depth)?),
            ("Fn::Not", [one]) => Ok(!self.holds(one, depth + 1)?),
            ("Fn::And", all) => {
                all.iter().try_fold(
                    true,
                    |before, one| Ok(before && self.holds(one, depth + 1)?),
                )
            }
            ("Fn::Or", all) => all.iter().try_fold(false, |before, one| {
                Ok(before || self.holds(one, depth + 1)?)
            }),
            _ => Err(format!("the condition {name} is not known here")),
        }
    }

    fn sub(&self, text: &str, own: &Map<String, Value>, depth: usize) -> Result<String, String> {
        let mut made = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            let Some(end) = rest[at..].find('}') else {
                break;
            };
            made.push_str(&rest[..at]);
            let name = rest[at + 2..at + end].trim();
            match (name.strip_prefix('!'), own.get(name), name.split_once('.')) {
                (Some(literal), ..) => made.push_str(&format!("${{{literal}}}")),
                (_, Some(value), _) => made.push_str(&self.text(value, depth + 1)?),
                (.., Some((id, attribute))) => made.push_str(&self.attribute(id, attribute)?),
                _ => made.push_str(&self.reference(name, depth)?),
            }
            rest = &rest[at + end + 1..];
        }
        made.push_str(rest);
        Ok(made)
    }
}
