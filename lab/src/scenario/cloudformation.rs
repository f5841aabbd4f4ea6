//! A state machine in a template, as CloudFormation, SAM and the CDK (`cdk synth`) write it, with what stands in it
//! for things that are not there yet: ARNs and names are made up as AWS would make them, from logical ids.
//!
//! | property | the definition is |
//! | --- | --- |
//! | `DefinitionString` | the text: a string, `Fn::Join`, `Fn::Sub` |
//! | `Definition` | the object |
//! | `DefinitionUri` (SAM) | a file beside the template |
//! | `DefinitionS3Location` | the CDK's asset beside the template |
//!
//! `DefinitionSubstitutions` are put into the text. Not known here: conditions, mappings, other stacks.

use std::path::PathBuf;

use serde_json::{Map, Value, json};
use server::app::Place;

/// How deep functions may stand in each other.
const DEPTH_MAX: usize = 64;

/// A template.
pub(super) struct Template<'t> {
    root: &'t Value,
    place: &'t Place,
}

/// A state machine of a template.
pub(super) struct StateMachine<'t> {
    /// Its logical id.
    pub(super) id: String,
    /// Its name.
    pub(super) name: String,
    /// Its definition.
    pub(super) definition: Found,
    /// `DefinitionSubstitutions`.
    pub(super) substitutions: Option<&'t Map<String, Value>>,
}

/// Where a definition is.
pub(super) enum Found {
    /// Here.
    Text(String),
    /// Beside the template.
    File(PathBuf),
}

impl<'t> Template<'t> {
    pub(super) fn of(root: &'t Value, place: &'t Place) -> Template<'t> {
        Template { root, place }
    }

    /// The state machine with this logical id, or the only one.
    ///
    /// # Errors
    /// One sentence: what is there instead.
    pub(super) fn state_machine(&self, id: Option<&str>) -> Result<StateMachine<'t>, String> {
        let resources = self.root["Resources"].as_object();
        let resources = resources.ok_or("it is no template: it has no Resources")?;
        let machines: Vec<(&String, &Value)> = resources
            .iter()
            .filter(|(_, resource)| is_state_machine(resource))
            .collect();
        let all = || -> Vec<&str> { machines.iter().map(|(id, _)| id.as_str()).collect() };
        let (id, resource) = match id {
            Some(wanted) => {
                // The CDK adds a hash to what the program calls it.
                let mut named = machines.iter().filter(|(id, _)| *id == wanted);
                let mut begin = machines.iter().filter(|(id, _)| id.starts_with(wanted));
                let found = named.next().or_else(|| match (begin.next(), begin.next()) {
                    (only, None) => only,
                    _ => None,
                });
                *found.ok_or_else(|| {
                    let meant = asl::nearest(wanted, all().into_iter());
                    let meant = meant.map(|near| format!("did you mean {near}? "));
                    format!(
                        "it has no state machine {wanted}; {}there are {}",
                        meant.unwrap_or_default(),
                        listed(&all())
                    )
                })?
            }
            None => match machines.as_slice() {
                [only] => *only,
                [] => return Err("it has no state machine".to_owned()),
                _ => {
                    return Err(format!(
                        "it has several state machines; say which with `resource`: {}",
                        listed(&all())
                    ));
                }
            },
        };
        let properties = &resource["Properties"];
        Ok(StateMachine {
            id: id.clone(),
            name: self.name_of(id, resource)?,
            definition: self.definition(id, properties)?,
            substitutions: properties["DefinitionSubstitutions"].as_object(),
        })
    }

    fn definition(&self, id: &str, properties: &Value) -> Result<Found, String> {
        if let Some(text) = properties.get("DefinitionString") {
            return Ok(Found::Text(match self.value(text, 0)? {
                Value::String(text) => text,
                other => other.to_string(),
            }));
        }
        if let Some(definition) = properties.get("Definition") {
            return Ok(Found::Text(self.value(definition, 0)?.to_string()));
        }
        if let Some(Value::String(file)) = properties.get("DefinitionUri") {
            return Ok(Found::File(file.into()));
        }
        if let Some(location) = properties.get("DefinitionS3Location") {
            let key = self.text(&location["Key"], 0)?;
            return Ok(Found::File(format!("asset.{key}").into()));
        }
        Err(format!(
            "{id} has no definition that can be read here: DefinitionString, Definition, a DefinitionUri of a file, or a DefinitionS3Location of the CDK"
        ))
    }

    /// A definition with its substitutions put in.
    ///
    /// # Errors
    /// What of them is not known.
    pub(super) fn substituted(
        &self,
        text: &str,
        substitutions: &Option<&Map<String, Value>>,
    ) -> Result<String, String> {
        let mut text = text.to_owned();
        for (name, value) in substitutions.iter().flat_map(|all| all.iter()) {
            let value = self.text(value, 0)?;
            // What stands inside a JSON text is escaped as such.
            let quoted = Value::String(value).to_string();
            text = text.replace(&format!("${{{name}}}"), &quoted[1..quoted.len() - 1]);
        }
        Ok(text)
    }

    fn text(&self, value: &Value, depth: usize) -> Result<String, String> {
        Ok(match self.value(value, depth)? {
            Value::String(text) => text,
            other => other.to_string(),
        })
    }

    /// What a value is when the functions in it have been evaluated.
    fn value(&self, value: &Value, depth: usize) -> Result<Value, String> {
        if depth > DEPTH_MAX {
            return Err("its functions refer to each other for ever".to_owned());
        }
        match value {
            Value::Array(items) => {
                let items = items.iter().map(|item| self.value(item, depth + 1));
                items.collect()
            }
            Value::Object(members) => {
                if let Some((name, argument)) = function(members) {
                    return self.call(name, argument, depth + 1).map(Value::String);
                }
                let mut object = Map::new();
                for (name, member) in members {
                    object.insert(name.clone(), self.value(member, depth + 1)?);
                }
                Ok(Value::Object(object))
            }
            plain => Ok(plain.clone()),
        }
    }

    fn call(&self, name: &str, argument: &Value, depth: usize) -> Result<String, String> {
        match (name, argument) {
            ("Ref", Value::String(id)) => self.reference(id, depth),
            ("Fn::GetAtt", Value::String(path)) => {
                let (id, attribute) = path.split_once('.').unwrap_or((path, "Arn"));
                self.attribute(id, attribute)
            }
            ("Fn::GetAtt", Value::Array(path)) => {
                let id = path.first().and_then(Value::as_str).unwrap_or_default();
                let attribute = path.get(1).and_then(Value::as_str).unwrap_or("Arn");
                self.attribute(id, attribute)
            }
            ("Fn::Join", Value::Array(of)) => {
                let separator = of.first().and_then(Value::as_str).unwrap_or_default();
                let parts = of.get(1).and_then(Value::as_array).into_iter().flatten();
                let parts: Result<Vec<String>, String> =
                    parts.map(|part| self.text(part, depth + 1)).collect();
                Ok(parts?.join(separator))
            }
            ("Fn::Sub", Value::String(text)) => self.sub(text, &Map::new(), depth),
            ("Fn::Sub", Value::Array(of)) => {
                let text = of.first().and_then(Value::as_str).unwrap_or_default();
                let none = Map::new();
                self.sub(
                    text,
                    of.get(1).and_then(Value::as_object).unwrap_or(&none),
                    depth,
                )
            }
            ("Fn::ImportValue", exported) => self.text(exported, depth + 1),
            _ => Err(format!("the function {name} is not known here")),
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
            let name = &rest[at + 2..at + end];
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

    fn reference(&self, id: &str, depth: usize) -> Result<String, String> {
        let known = match id {
            "AWS::Region" => Some(self.place.region.as_str()),
            "AWS::AccountId" => Some(self.place.account.as_str()),
            "AWS::Partition" => Some("aws"),
            "AWS::URLSuffix" => Some("amazonaws.com"),
            "AWS::StackName" => Some("stack"),
            "AWS::NoValue" => Some(""),
            _ => None,
        };
        if let Some(known) = known {
            return Ok(known.to_owned());
        }
        if id == "AWS::StackId" {
            return Ok(self.arn("cloudformation", "stack/stack/1"));
        }
        if let Some(parameter) = self.root["Parameters"].get(id) {
            return match parameter.get("Default") {
                Some(default) => self.text(default, depth + 1),
                None => Ok(id.to_owned()),
            };
        }
        let resource = self.resource(id)?;
        let name = self.name_of(id, resource)?;
        Ok(match resource["Type"].as_str().unwrap_or_default() {
            "AWS::SQS::Queue" => format!(
                "https://sqs.{}.amazonaws.com/{}/{name}",
                self.place.region, self.place.account
            ),
            // These refer to themselves by their ARN.
            kind @ ("AWS::SNS::Topic"
            | "AWS::StepFunctions::StateMachine"
            | "AWS::Serverless::StateMachine"
            | "AWS::StepFunctions::Activity"
            | "AWS::SecretsManager::Secret"
            | "AWS::ECS::TaskDefinition"
            | "AWS::Lambda::Version"
            | "AWS::Lambda::Alias") => self.arn_of(kind, &name),
            _ => name,
        })
    }

    fn attribute(&self, id: &str, attribute: &str) -> Result<String, String> {
        let resource = self.resource(id)?;
        let name = self.name_of(id, resource)?;
        let kind = resource["Type"].as_str().unwrap_or_default();
        Ok(match attribute {
            "Arn" | "TopicArn" | "TableArn" => self.arn_of(kind, &name),
            "QueueUrl" => self.reference(id, 0)?,
            _ if attribute.ends_with("Name") => name,
            _ if attribute.ends_with("Arn") => self.arn_of(kind, &name),
            _ => format!("{name}.{attribute}"),
        })
    }

    fn resource(&self, id: &str) -> Result<&'t Value, String> {
        let resources = &self.root["Resources"];
        resources.get(id).ok_or_else(|| {
            let known = resources.as_object().into_iter().flatten();
            let meant = asl::nearest(id, known.map(|(id, _)| id.as_str()));
            match meant {
                Some(near) => format!("it refers to {id}, which is not there; {near} is"),
                None => format!("it refers to {id}, which is not there"),
            }
        })
    }

    /// The name that a resource is given, or its logical id.
    fn name_of(&self, id: &str, resource: &Value) -> Result<String, String> {
        let kind = resource["Type"].as_str().unwrap_or_default();
        let own = kind.rsplit("::").next().unwrap_or_default();
        let properties = &resource["Properties"];
        let given = [format!("{own}Name"), "Name".to_owned()];
        let given = given.iter().find_map(|name| properties.get(name.as_str()));
        match given {
            Some(name @ (Value::String(_) | Value::Object(_))) => self.text(name, DEPTH_MAX - 8),
            _ => Ok(id.to_owned()),
        }
    }

    fn arn_of(&self, kind: &str, name: &str) -> String {
        match kind {
            "AWS::Lambda::Function" | "AWS::Serverless::Function" => {
                self.arn("lambda", &format!("function:{name}"))
            }
            "AWS::SNS::Topic" => self.arn("sns", name),
            "AWS::SQS::Queue" => self.arn("sqs", name),
            "AWS::StepFunctions::StateMachine" | "AWS::Serverless::StateMachine" => {
                self.arn("states", &format!("stateMachine:{name}"))
            }
            "AWS::StepFunctions::Activity" => self.arn("states", &format!("activity:{name}")),
            "AWS::DynamoDB::Table" | "AWS::Serverless::SimpleTable" => {
                self.arn("dynamodb", &format!("table/{name}"))
            }
            "AWS::Events::EventBus" => self.arn("events", &format!("event-bus/{name}")),
            "AWS::S3::Bucket" => format!("arn:aws:s3:::{name}"),
            "AWS::IAM::Role" => format!("arn:aws:iam::{}:role/{name}", self.place.account),
            _ => {
                let service = kind.split("::").nth(1).unwrap_or("service");
                self.arn(&service.to_lowercase(), name)
            }
        }
    }

    fn arn(&self, service: &str, rest: &str) -> String {
        let Place { region, account } = self.place;
        format!("arn:aws:{service}:{region}:{account}:{rest}")
    }
}

fn is_state_machine(resource: &Value) -> bool {
    [
        json!("AWS::StepFunctions::StateMachine"),
        json!("AWS::Serverless::StateMachine"),
    ]
    .contains(&resource["Type"])
}

/// The function that an object is, if it is one.
fn function(members: &Map<String, Value>) -> Option<(&str, &Value)> {
    let (name, argument) = members.iter().next().filter(|_| members.len() == 1)?;
    (name == "Ref" || name.starts_with("Fn::")).then_some((name.as_str(), argument))
}

fn listed(names: &[&str]) -> String {
    match names.is_empty() {
        true => "none".to_owned(),
        false => names.join(", "),
    }
}
