//! The server in this process, and the one execution that it runs.

use std::net::SocketAddr;

use asl::{Data, Failure, StateMachine, Timestamp};
use engine::{Event, ExecutionKey, HistoryEvent, Status, Token, WaitId, history};
use serde_json::{Value, json};
use server::app::{App, Place, Settings};
use server::mocks::Mocks;

use super::narrator::Waiting;
use crate::config::{ClockKind, Config};
use crate::connection::Connection;
use crate::serve::{ACCOUNT_DEFAULT, REGION_DEFAULT, RETENTION_DAYS_DEFAULT, bind, variables};
use crate::validate::MachineKind;

const LISTEN: &str = "127.0.0.1:0";

/// The server.
pub(super) struct Stage {
    pub(super) app: App,
    address: SocketAddr,
    region: String,
}

/// What came of the execution.
pub(super) struct Ended {
    pub arn: String,
    pub status: Status,
    pub started_at: Timestamp,
    pub stopped_at: Timestamp,
    pub output: Option<Data>,
    pub failure: Option<Failure>,
    pub history: Vec<HistoryEvent>,
    /// How many more events the history has.
    pub left_out: u64,
}

impl Stage {
    /// Opens a server with what the configuration names and the activities that the machine is for.
    pub(super) async fn open(
        config: Config,
        mocks: Option<Mocks>,
        clock: ClockKind,
        listen: Option<&str>,
        machine: &StateMachine,
    ) -> Result<Stage, String> {
        let listener = bind(listen.unwrap_or(LISTEN)).await?;
        let address = listener
            .local_addr()
            .map_err(|e| format!("the listening address is not known: {e}"))?;
        let (region, account) = place(&config, machine);
        let clock = clock.start();
        let (app, _) = App::open(Settings {
            place: Place {
                region: region.clone(),
                account,
            },
            clock: clock.clone(),
            directory: None,
            retention_days: RETENTION_DAYS_DEFAULT,
            functions: config.functions,
            topics: config.topics,
            routes: config.routes,
            alerts: Default::default(),
            status_changes: Vec::new(),
            address,
            stuck_waits: Default::default(),
            environment: config.services.environment(variables()).mocked_by(mocks),
            quotas: config.quotas,
        })
        .await?;
        tokio::spawn(server::http::serve(app.clone(), listener));
        clock.set_automatic(true);
        let stage = Stage {
            app,
            address,
            region,
        };
        for arn in machine.activities() {
            let name = arn.rsplit(':').next().unwrap_or(arn);
            stage
                .call("CreateActivity", &json!({ "name": name }))
                .await?;
        }
        Ok(stage)
    }

    /// Makes the machine and starts the execution; gives its ARN.
    pub(super) async fn start(
        &self,
        machine: &str,
        kind: MachineKind,
        definition: &str,
        test_case: Option<&str>,
        name: Option<&str>,
        input: &str,
    ) -> Result<String, String> {
        let machine = json!({
            "name": machine,
            "type": kind.name(),
            "definition": definition,
            "roleArn": "arn:aws:iam::123456789012:role/rejoin-run",
        });
        let made = self.call("CreateStateMachine", &machine).await?;
        let mut arn = made["stateMachineArn"]
            .as_str()
            .ok_or("a state machine was made without an ARN")?
            .to_owned();
        if let Some(case) = test_case {
            arn.push('#');
            arn.push_str(case);
        }
        let mut start = json!({ "stateMachineArn": arn, "input": input });
        if let Some(name) = name {
            start["name"] = json!(name);
        }
        let started = self.call("StartExecution", &start).await?;
        let arn = started["executionArn"].as_str();
        arn.map(str::to_owned)
            .ok_or_else(|| "a start gave no ARN".to_owned())
    }

    /// All that has happened so far.
    pub(super) async fn events(&self, execution: &str) -> Result<Vec<Event>, String> {
        self.app.runner.events(ExecutionKey::of(execution)).await
    }

    /// Waits for the end.
    pub(super) async fn ended(&self, execution: &str) -> Result<Ended, String> {
        let key = ExecutionKey::of(execution);
        drop(self.app.runner.until_ended(key).await?);
        let events = self.app.runner.events(key).await?;
        let gone = || "the execution is gone".to_owned();
        let ended = self.app.runner.execution(key).await?.ok_or_else(gone)?;
        let closing = ended.closing().ok_or_else(gone)?;
        Ok(Ended {
            arn: execution.to_owned(),
            status: ended.status(),
            started_at: events.first().map_or(closing.at, |first| first.at),
            stopped_at: closing.at,
            output: closing.output.clone(),
            failure: closing.failure.clone(),
            history: history::project(&events, true),
            left_out: 0,
        })
    }

    /// Stops the execution, if it has not ended by itself.
    pub(super) async fn stop(
        &self,
        execution: &str,
        error: Option<&str>,
        cause: &str,
    ) -> Result<(), String> {
        let key = ExecutionKey::of(execution);
        let error = error.map(str::to_owned);
        let stopped = self.app.runner.stop(key, error, Some(cause.to_owned()));
        stopped.await.map(drop)
    }

    /// What to type to answer a task that waits: for its token, or for a worker of an activity.
    pub(super) fn how_to_answer(&self, execution: &str, wait: Waiting<'_>) -> String {
        let aws = format!(
            "AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any aws stepfunctions --region {} --endpoint-url http://{}",
            self.region, self.address
        );
        match wait {
            Waiting::Activity(arn, _) => {
                format!("{aws} get-activity-task --activity-arn {arn}")
            }
            Waiting::Token(wait) => {
                let token = self.token(execution, wait);
                format!("{aws} send-task-success --task-output '{{}}' --task-token {token}")
            }
        }
    }

    fn token(&self, execution: &str, wait: WaitId) -> String {
        let execution = ExecutionKey::of(execution);
        self.app.runner.token(Token { execution, wait })
    }

    /// Ends what it has started.
    pub(super) async fn close(&self) {
        self.app.functions.stop().await;
    }

    async fn call(&self, operation: &str, body: &Value) -> Result<Value, String> {
        let mut connection = Connection::open(self.address).await?;
        let answer = connection.call(operation, &body.to_string()).await;
        let answer = answer.map_err(|refused| {
            // What the API says is a sentence; what surrounds it is for programs.
            let said = refused.split_once('{').map(|(_, rest)| format!("{{{rest}"));
            let said = said.and_then(|json| serde_json::from_str::<Value>(&json).ok());
            let message = said.as_ref().and_then(|said| said["message"].as_str());
            message.map_or(refused.clone(), str::to_owned)
        })?;
        serde_json::from_str(&answer)
            .map_err(|e| format!("{operation} did not answer with JSON: {e}"))
    }
}

/// Region and account: the configuration's, or those of the machine's activities, which are looked
/// for under their ARNs.
fn place(config: &Config, machine: &StateMachine) -> (String, String) {
    let activity = machine.activities().next();
    let mut parts = activity.map(|arn| arn.split(':').skip(3));
    let mut next = |configured: &Option<String>, default: &str| {
        let named = parts.as_mut().and_then(Iterator::next);
        let found = configured.as_deref().or(named).unwrap_or(default);
        found.to_owned()
    };
    let region = next(&config.server.region, REGION_DEFAULT);
    let account = next(&config.server.account, ACCOUNT_DEFAULT);
    (region, account)
}
