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
//! `DefinitionSubstitutions` are put into the text. Functions, conditions and mappings are in [`functions`]. Not known
//! here: other stacks, and what AWS alone knows (availability zones, exported values).

mod functions;

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
    /// Whether it is an Express machine. It is checked as one, and played as a Standard one: what an Express
    /// execution did is kept nowhere.
    pub(super) express: bool,
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
            express: ["Type", "StateMachineType"]
                .iter()
                .any(|name| properties[name] == "EXPRESS"),
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
        let names = substitutions.iter().flat_map(|all| all.keys());
        let names: Vec<&str> = names.map(String::as_str).collect();
        match left_over(&text).filter(|_| !names.is_empty()) {
            None => Ok(text),
            Some(name) => {
                let meant = asl::nearest(name, names.iter().copied());
                let meant = meant.map(|near| format!("; did you mean {near}?"));
                Err(format!(
                    "its definition has ${{{name}}}, which DefinitionSubstitutions do not name: there are {}{}",
                    names.join(", "),
                    meant.unwrap_or_default()
                ))
            }
        }
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
                if let Some((name, argument)) = functions::function(members) {
                    return self.call(name, argument, depth + 1);
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

/// A name in `${...}` that nothing was put in for.
fn left_over(text: &str) -> Option<&str> {
    let places = text.split("${").skip(1);
    let mut names = places.filter_map(|rest| Some(rest.split_once('}')?.0));
    names.find(|name| !name.is_empty() && name.bytes().all(|c| c.is_ascii_alphanumeric()))
}

fn is_state_machine(resource: &Value) -> bool {
    [
        json!("AWS::StepFunctions::StateMachine"),
        json!("AWS::Serverless::StateMachine"),
    ]
    .contains(&resource["Type"])
}

fn listed(names: &[&str]) -> String {
    match names.is_empty() {
        true => "none".to_owned(),
        false => names.join(", "),
    }
}
