//! The server, the function, the valuation service: `examples/loan-processor`, in one process but
//! for the function, which is this program again.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use loan_processor::service::{SERVICE, VALUATIONS_PATH, valuation_service};
use mock::{Listen, Running, Start};
use serde_json::{Value, json};
use server::app::{App, Place, Settings};
use server::clock::Clock;

use super::rows::Row;
use crate::config::{ClockKind, Config};
use crate::connection::Connection;
use crate::screen::show;
use crate::serve::{bind, until_told_to_stop};

/// Where `--serve` listens: the port of `rejoin serve`.
const SERVE_LISTEN: &str = "127.0.0.1:8083";
const ACCOUNT: &str = "123456789012";
const REGION: &str = "us-east-1";
const RETENTION_DAYS: u32 = 90;

/// Everything that the workflow needs. Cloning is a reference count.
#[derive(Clone)]
pub struct Stage {
    /// The clock of all parts.
    pub clock: Clock,
    app: App,
    address: SocketAddr,
    service: Arc<Running>,
    folder: Arc<PathBuf>,
}

impl Stage {
    /// Sets the stage on a free port.
    pub async fn open(real_time: bool) -> Result<Stage, String> {
        let clock = if real_time {
            ClockKind::Real
        } else {
            ClockKind::Virtual
        };
        let folder = std::env::temp_dir().join(format!("rejoin-demo-{}", std::process::id()));
        Stage::set(clock.start(), "127.0.0.1:0", folder).await
    }

    async fn set(clock: Clock, listen: &str, folder: PathBuf) -> Result<Stage, String> {
        let listener = bind(listen).await?;
        let address = listener
            .local_addr()
            .map_err(|e| format!("the listening address is not known: {e}"))?;
        // The service calls through the same client as the server; which it is makes no difference.
        let start = Start {
            clock: clock.clone(),
            client: server::client::Client::new(),
            listen: Listen::Free,
            seed: Clock::machine_time().0.unsigned_abs(),
            heard: None,
        };
        let service = valuation_service().start(start).await?;
        let valuations = service
            .url(SERVICE)
            .map(|url| format!("{url}{VALUATIONS_PATH}"))
            .unwrap_or_default();
        let app = open_app(clock.clone(), &folder, address, &valuations).await?;
        tokio::spawn(server::http::serve(app.clone(), listener));
        let stage = Stage {
            clock,
            app,
            address,
            service: Arc::new(service),
            folder: Arc::new(folder),
        };
        for (name, definition) in [
            (loan_processor::STATE_MACHINE, loan_processor::DEFINITION),
            (
                loan_processor::STATE_MACHINE_WITH_HEARTBEATS,
                loan_processor::DEFINITION_WITH_HEARTBEATS,
            ),
        ] {
            let machine = json!({
                "name": name,
                "definition": definition,
                "roleArn": format!("arn:aws:iam::{ACCOUNT}:role/loan-processor"),
            });
            stage.call("CreateStateMachine", &machine).await?;
        }
        Ok(stage)
    }

    /// Starts a row's execution; gives its ARN.
    pub async fn start(&self, row: &Row) -> Result<String, String> {
        let machine = if row.heartbeats {
            loan_processor::STATE_MACHINE_WITH_HEARTBEATS
        } else {
            loan_processor::STATE_MACHINE
        };
        let name: String = row
            .scenario
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .collect();
        let request = json!({
            "stateMachineArn": machine_arn(machine),
            "name": name,
            "input": application(row.property).to_string(),
        });
        let started = self.call("StartExecution", &request).await?;
        started["executionArn"]
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| "a start gave no ARN".to_owned())
    }

    /// What the gateway kept of the callbacks that were sent about a row's property, oldest first.
    pub async fn deliveries_about(&self, row: &Row) -> Result<Vec<Value>, String> {
        let sent = self.service.sent();
        let mut about = Vec::new();
        for brief in self.deliveries().await? {
            let delivery = self
                .get(&format!(
                    "/rejoin/deliveries/{}",
                    brief["id"].as_str().unwrap_or_default()
                ))
                .await?;
            let ours = |sent: &mock::Sent| {
                let property = &sent.request["body"]["property"];
                property["nameOrNumber"] == row.property && delivery["body"] == *sent.body
            };
            if sent.iter().any(ours) {
                about.push(delivery);
            }
        }
        Ok(about)
    }

    /// All messages on the error topic, oldest first.
    pub async fn alerts(&self) -> Result<Vec<Value>, String> {
        let path = format!(
            "/rejoin/topics/{}/messages?limit=1000",
            loan_processor::TOPIC
        );
        let listed = self.get(&path).await?;
        let messages = listed["messages"].as_array().into_iter().flatten();
        let mut alerts: Vec<Value> = messages.map(|message| message["message"].clone()).collect();
        alerts.reverse();
        Ok(alerts)
    }

    /// All callbacks that were received, oldest first.
    pub async fn deliveries(&self) -> Result<Vec<Value>, String> {
        let listed = self.get("/rejoin/deliveries?limit=1000").await?;
        Ok(listed["deliveries"]
            .as_array()
            .into_iter()
            .flatten()
            .rev()
            .cloned()
            .collect())
    }

    /// All executions that are not running any more.
    pub async fn ended(&self) -> Result<Vec<Value>, String> {
        let mut ended = Vec::new();
        for machine in [
            loan_processor::STATE_MACHINE,
            loan_processor::STATE_MACHINE_WITH_HEARTBEATS,
        ] {
            let listed = self
                .call(
                    "ListExecutions",
                    &json!({ "stateMachineArn": machine_arn(machine) }),
                )
                .await?;
            let executions = listed["executions"].as_array().into_iter().flatten();
            ended.extend(
                executions
                    .filter(|execution| execution["status"] != "RUNNING")
                    .cloned(),
            );
        }
        Ok(ended)
    }

    /// Gets a path as JSON.
    pub async fn get(&self, path: &str) -> Result<Value, String> {
        let answer = Connection::open(self.address).await?.get(path).await?;
        match answer.status {
            200 => {
                serde_json::from_str(&answer.body).map_err(|e| format!("{path} is not JSON: {e}"))
            }
            status => Err(format!("{path}: {status} {}", answer.body)),
        }
    }

    async fn call(&self, operation: &str, body: &Value) -> Result<Value, String> {
        let answer = Connection::open(self.address)
            .await?
            .call(operation, &body.to_string())
            .await?;
        serde_json::from_str(&answer)
            .map_err(|e| format!("{operation} did not answer with JSON: {e}"))
    }

    /// Ends the function and removes the data.
    pub async fn close(self) -> Result<(), String> {
        self.app.functions.stop().await;
        std::fs::remove_dir_all(&*self.folder)
            .map_err(|e| format!("{} can't be removed: {e}", self.folder.display()))
    }
}

/// The example's configuration, with the function and the addresses of this demo.
async fn open_app(
    clock: Clock,
    folder: &Path,
    address: SocketAddr,
    valuations: &str,
) -> Result<App, String> {
    let mut config: Config = toml::from_str(loan_processor::CONFIGURATION)
        .map_err(|e| format!("the example's configuration is not right: {e}"))?;
    let this = std::env::current_exe()
        .map_err(|e| format!("this program's own file is not known: {e}"))?;
    for function in config.functions.values_mut() {
        function.program = Some(vec![
            this.to_string_lossy().into_owned(),
            "function".to_owned(),
        ]);
        function
            .environment
            .insert("VALUATION_SERVICE_URL".to_owned(), valuations.to_owned());
    }
    for topic in config.topics.values_mut() {
        // The report shows what the topic heard; there is no need to log it as well.
        topic.subscribers.clear();
    }
    let settings = Settings {
        place: Place {
            region: REGION.to_owned(),
            account: ACCOUNT.to_owned(),
        },
        clock,
        directory: Some(folder.to_owned()),
        retention_days: RETENTION_DAYS,
        quotas: Default::default(),
        functions: config.functions,
        topics: config.topics,
        routes: config.routes,
        alerts: Default::default(),
        status_changes: Vec::new(),
        address,
        stuck_waits: Default::default(),
        environment: Default::default(),
    };
    Ok(App::open(settings).await?.0)
}

fn machine_arn(name: &str) -> String {
    format!("arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{name}")
}

/// A loan application for a property.
fn application(property: &str) -> Value {
    json!({
        "applicationReference": "A-2041",
        "property": { "nameOrNumber": property, "postcode": "SW1Y 4JH" },
    })
}

/// `rejoin demo --serve`: the stage, until it is told to stop.
pub async fn serve(listen: Option<String>, clock: ClockKind) -> Result<ExitCode, String> {
    let folder = std::env::temp_dir().join(format!("rejoin-demo-{}", std::process::id()));
    let listen = listen.as_deref().unwrap_or(SERVE_LISTEN);
    let stage = Stage::set(clock.start(), listen, folder).await?;
    say_how_to_use(&stage);
    until_told_to_stop().await?;
    stage.close().await?;
    Ok(ExitCode::SUCCESS)
}

/// The first line says where it listens; programs read that.
fn say_how_to_use(stage: &Stage) {
    let url = format!("http://{}", stage.address);
    let time = if stage.clock.is_virtual() {
        format!("on a virtual clock that stands at {}", stage.clock.now())
    } else {
        "in real time".to_owned()
    };
    let input = application("Late callback");
    show!("The loan processor is up at {url}, {time}. Try:\n");
    show!("  export AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any AWS_DEFAULT_REGION={REGION}");
    show!("  aws stepfunctions start-execution --endpoint-url {url} \\");
    show!(
        "    --state-machine-arn arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{} \\",
        loan_processor::STATE_MACHINE
    );
    show!("    --input '{input}'\n");
    show!("nameOrNumber may be: {}.", faults());
    if stage.clock.is_virtual() {
        show!("A minute on:   curl -X POST {url}/rejoin/clock/advance -d '{{\"seconds\": 60}}'");
    }
    show!("What arrived:  curl {url}/rejoin/deliveries");
    show!(
        "What is wrong: curl {url}/rejoin/topics/{}/messages\n",
        loan_processor::TOPIC
    );
    show!("Ctrl-C ends it and removes its data.");
}

fn faults() -> String {
    let service = valuation_service();
    let names: Vec<String> = service
        .fault_names(SERVICE)
        .map(|name| format!("{name:?}"))
        .collect();
    format!("{}, or any other", names.join(", "))
}

/// The function, when this program is started as one.
pub async fn run_function() -> Result<ExitCode, String> {
    loan_processor::request::run_function()
        .await
        .map_err(|e| format!("the function ended: {e}"))?;
    Ok(ExitCode::SUCCESS)
}
