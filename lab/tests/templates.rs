//! State machines out of templates of CloudFormation, SAM and the CDK: what is put in for what is not there yet.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use lab::Settings;
use lab::scenario;
use serde_json::Value;

/// A folder with a template, what lies beside it, and a scenario of one of its machines.
struct Folder(PathBuf);

impl Folder {
    fn of(name: &str, files: &[(&str, &str)]) -> Folder {
        let folder = format!("rejoin-template-{}-{name}", std::process::id());
        let folder = Folder(std::env::temp_dir().join(folder));
        for (file, text) in files {
            let path = folder.0.join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        folder
    }

    /// The machine's name and its definition, or what is said instead.
    fn read(&self, template: &str, resource: &str) -> Result<(String, Value), String> {
        let resource = match resource {
            "" => String::new(),
            resource => format!(", resource: {resource}"),
        };
        let text = format!("definition: {{template: {template}{resource}}}\n");
        let path = self.0.join("case.test.yaml");
        std::fs::write(&path, text).unwrap();
        let configured = |_: &Path| Ok(Settings::default());
        let mut read = scenario::read(&path, &configured, source::report::plain);
        match read.faults {
            Some(faults) => {
                let line = faults.lines().next().unwrap();
                let folder = format!("{}/", self.0.display());
                Err(line.replace(&folder, ""))
            }
            None => {
                let case = read.cases.remove(0);
                let definition = serde_json::from_str(&case.definition.text).unwrap();
                Ok((case.machine, definition))
            }
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const BESIDE: &str = r#"{"StartAt":"Go","States":{"Go":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","Parameters":{"FunctionName":"${Function}","Payload":{"note":"${Note}","most":${Most}}},"End":true}}}"#;

const SAM: &str = r#"
Transform: AWS::Serverless-2016-10-31
Parameters:
  Stage: {Type: String, Default: dev}
  Most: {Type: Number, Default: 3}
Mappings:
  Notes: {dev: {text: try it}, prod: {text: mind it}}
Conditions:
  IsProd: !Equals [!Ref Stage, prod]
  IsDev: !Not [{Condition: IsProd}]
  Both: !And [{Condition: IsProd}, {Condition: IsDev}]
  Either: !Or [{Condition: IsProd}, {Condition: IsDev}]
Resources:
  Worker: {Type: AWS::Serverless::Function, Properties: {FunctionName: !Sub "worker-${Stage}"}}
  Jobs: {Type: AWS::SQS::Queue}
  Orders: {Type: AWS::DynamoDB::Table, Properties: {TableName: orders}}
  Beside:
    Type: AWS::Serverless::StateMachine
    Properties:
      Name: !Sub "${AWS::StackName}-beside"
      DefinitionUri: machines/beside.asl.json
      DefinitionSubstitutions: {Function: !GetAtt Worker.Arn, Note: 'say "hi"', Most: !Ref Most}
  Chosen:
    Type: AWS::Serverless::StateMachine
    Properties:
      DefinitionUri: machines/beside.asl.json
      DefinitionSubstitutions:
        Function: !If [Either, !Select [1, !Split ["|", "a|b|c"]], !Ref Nowhere]
        Note: !FindInMap [Notes, !Ref Stage, text]
        Most: !If [Both, 1, !If [IsDev, 2, 3]]
  Inline:
    Type: AWS::Serverless::StateMachine
    Properties:
      Definition:
        StartAt: Go
        States:
          Go:
            Type: Task
            Resource: arn:aws:states:::sqs:sendMessage
            Parameters:
              QueueUrl: !Ref Jobs
              MessageBody: !Sub "arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:${Jobs.QueueName} ${!kept}"
            End: true
  Subbed:
    Type: AWS::StepFunctions::StateMachine
    Properties:
      DefinitionString: !Sub
        - '{"StartAt":"Go","States":{"Go":{"Type":"Task","Resource":"${Arn}","Parameters":{"table":"${Orders}"},"End":true}}}'
        - Arn: !GetAtt Worker.Arn
  Text:
    Type: AWS::StepFunctions::StateMachine
    Properties:
      DefinitionString: !ToJsonString {StartAt: Go, States: {Go: {Type: Task, Resource: !GetAtt [Worker, Arn], End: true}}}
  Mistyped:
    Type: AWS::Serverless::StateMachine
    Properties:
      DefinitionUri: machines/beside.asl.json
      DefinitionSubstitutions: {Function: f, Note: n, Mots: 1}
  NoCondition:
    Type: AWS::Serverless::StateMachine
    Properties: {DefinitionUri: machines/beside.asl.json, DefinitionSubstitutions: {Function: !If [IsPord, a, b]}}
  NoResource:
    Type: AWS::Serverless::StateMachine
    Properties: {DefinitionUri: machines/beside.asl.json, DefinitionSubstitutions: {Function: !GetAtt Workr.Arn}}
  NoMapping:
    Type: AWS::Serverless::StateMachine
    Properties: {DefinitionUri: machines/beside.asl.json, DefinitionSubstitutions: {Note: !FindInMap [Notes, test, text]}}
  Unknown:
    Type: AWS::Serverless::StateMachine
    Properties: {DefinitionUri: machines/beside.asl.json, DefinitionSubstitutions: {Note: !Cidr [a, b]}}
  Uploaded:
    Type: AWS::Serverless::StateMachine
    Properties: {DefinitionUri: {Bucket: b, Key: k}}
  Quick:
    Type: AWS::Serverless::StateMachine
    Properties:
      Type: EXPRESS
      Definition: {StartAt: Go, States: {Go: {Type: Task, Resource: "arn:aws:states:::sqs:sendMessage.waitForTaskToken", Parameters: {"t.$": $$.Task.Token}, End: true}}}
"#;

const CDK: &str = r#"{"Resources": {
  "Worker1A": {"Type": "AWS::Lambda::Function", "Properties": {}},
  "Joined5F3A": {"Type": "AWS::StepFunctions::StateMachine", "Properties": {"DefinitionString": {"Fn::Join": ["", [
    "{\"StartAt\":\"Go\",\"States\":{\"Go\":{\"Type\":\"Task\",\"Resource\":\"arn:", {"Ref": "AWS::Partition"},
    ":states:::lambda:invoke\",\"Parameters\":{\"FunctionName\":\"", {"Fn::GetAtt": ["Worker1A", "Arn"]}, "\"},\"End\":true}}}"]]}}},
  "Asset77": {"Type": "AWS::StepFunctions::StateMachine", "Properties": {
    "DefinitionS3Location": {"Bucket": {"Fn::Sub": "cdk-hnb659fds-assets-${AWS::AccountId}-${AWS::Region}"}, "Key": "abc123.json"},
    "DefinitionSubstitutions": {"Function": {"Fn::GetAtt": ["Worker1A", "Arn"]}, "Note": "", "Most": "7"}}}
}}"#;

#[test]
fn a_definition_is_what_aws_would_make_of_the_template() {
    let folder = Folder::of(
        "right",
        &[
            ("sam.yaml", SAM),
            ("machines/beside.asl.json", BESIDE),
            ("cdk.out/Stack.template.json", CDK),
            ("cdk.out/asset.abc123.json", BESIDE),
        ],
    );
    const WORKER: &str = "arn:aws:lambda:us-east-1:123456789012:function:worker-dev";
    const OF_CDK: &str = "arn:aws:lambda:us-east-1:123456789012:function:Worker1A";
    let jobs = "arn:aws:sqs:us-east-1:123456789012:Jobs ${kept}";
    let cdk = "cdk.out/Stack.template.json";
    for (template, resource, name, pointer, expected) in [
        (
            "sam.yaml",
            "Beside",
            "stack-beside",
            "/Parameters/FunctionName",
            WORKER,
        ),
        (
            "sam.yaml",
            "Beside",
            "stack-beside",
            "/Parameters/Payload/note",
            "say \"hi\"",
        ),
        (
            "sam.yaml",
            "Beside",
            "stack-beside",
            "/Parameters/Payload/most",
            "3",
        ),
        (
            "sam.yaml",
            "Chosen",
            "Chosen",
            "/Parameters/FunctionName",
            "b",
        ),
        (
            "sam.yaml",
            "Chosen",
            "Chosen",
            "/Parameters/Payload/note",
            "try it",
        ),
        (
            "sam.yaml",
            "Chosen",
            "Chosen",
            "/Parameters/Payload/most",
            "2",
        ),
        (
            "sam.yaml",
            "Inline",
            "Inline",
            "/Parameters/QueueUrl",
            "https://sqs.us-east-1.amazonaws.com/123456789012/Jobs",
        ),
        (
            "sam.yaml",
            "Inline",
            "Inline",
            "/Parameters/MessageBody",
            jobs,
        ),
        ("sam.yaml", "Subbed", "Subbed", "/Resource", WORKER),
        (
            "sam.yaml",
            "Subbed",
            "Subbed",
            "/Parameters/table",
            "orders",
        ),
        ("sam.yaml", "Text", "Text", "/Resource", WORKER),
        // The hash that the CDK adds need not be known.
        (
            cdk,
            "Joined",
            "Joined5F3A",
            "/Resource",
            "arn:aws:states:::lambda:invoke",
        ),
        (
            cdk,
            "Joined",
            "Joined5F3A",
            "/Parameters/FunctionName",
            OF_CDK,
        ),
        (cdk, "Asset", "Asset77", "/Parameters/FunctionName", OF_CDK),
        (cdk, "Asset", "Asset77", "/Parameters/Payload/most", "7"),
    ] {
        let (machine, definition) = folder.read(template, resource).unwrap();
        assert_eq!(machine, name);
        let found = definition.pointer(&format!("/States/Go{pointer}")).unwrap();
        let found = found
            .as_str()
            .map_or_else(|| found.to_string(), str::to_owned);
        assert_eq!(found, expected, "{resource} {pointer}");
    }
}

#[test]
fn what_a_template_does_not_have_is_named() {
    let folder = Folder::of(
        "wrong",
        &[
            ("sam.yaml", SAM),
            ("machines/beside.asl.json", BESIDE),
            ("Stack.template.json", CDK),
            ("torn.yaml", "Resources:\n  A: [\n"),
            ("none.yaml", "Resources: {Jobs: {Type: AWS::SQS::Queue}}\n"),
            ("text.yaml", "hello\n"),
        ],
    );
    for (template, resource, expected) in [
        (
            "sam.yaml",
            "",
            "error: sam.yaml: it has several state machines; say which with `resource`: Beside, Chosen, Inline, Subbed, Text, Mistyped, NoCondition, NoResource, NoMapping, Unknown, Uploaded, Quick",
        ),
        (
            "Stack.template.json",
            "Asett",
            "error: Stack.template.json: it has no state machine Asett; there are Joined5F3A, Asset77",
        ),
        (
            "sam.yaml",
            "Besides",
            "error: sam.yaml: it has no state machine Besides; did you mean Beside? there are Beside, Chosen, Inline, Subbed, Text, Mistyped, NoCondition, NoResource, NoMapping, Unknown, Uploaded, Quick",
        ),
        (
            "sam.yaml",
            "Mistyped",
            "error: sam.yaml: Mistyped: its definition has ${Most}, which DefinitionSubstitutions do not name: there are Function, Note, Mots; did you mean Mots?",
        ),
        (
            "sam.yaml",
            "NoCondition",
            "error: sam.yaml: NoCondition: it has no condition IsPord; there are IsProd, IsDev, Both, Either",
        ),
        (
            "sam.yaml",
            "NoResource",
            "error: sam.yaml: NoResource: it refers to Workr, which is not there; Worker is",
        ),
        (
            "sam.yaml",
            "NoMapping",
            "error: sam.yaml: NoMapping: its Mappings have no Notes.test.text",
        ),
        (
            "sam.yaml",
            "Unknown",
            "error: sam.yaml: Unknown: the function Fn::Cidr is not known here",
        ),
        (
            "sam.yaml",
            "Uploaded",
            "error: sam.yaml: Uploaded has no definition that can be read here: DefinitionString, Definition, a DefinitionUri of a file, or a DefinitionS3Location of the CDK",
        ),
        ("sam.yaml", "Quick", "error: the definition is not right"),
        (
            "Stack.template.json",
            "Asset",
            "error: asset.abc123.json, of Stack.template.json, can't be read: No such file or directory (os error 2)",
        ),
        ("none.yaml", "", "error: none.yaml: it has no state machine"),
        (
            "text.yaml",
            "",
            "error: text.yaml: it is no template: it has no Resources",
        ),
        (
            "gone.yaml",
            "",
            "error: gone.yaml can't be read: No such file or directory (os error 2)",
        ),
    ] {
        assert_eq!(folder.read(template, resource).unwrap_err(), expected);
    }
    let torn = folder.read("torn.yaml", "").unwrap_err();
    assert!(
        torn.starts_with("error: torn.yaml is no template: "),
        "{torn}"
    );
}
