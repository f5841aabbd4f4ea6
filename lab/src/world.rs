//! A server with its clock, an outside that does as it is told, and time that moves from one thing to the next.
//!
//! The server lives in a runtime of its own, which ends with it: so a [`World::restart`] drops all that was in
//! flight, as the end of a process does, and what comes back is what was durable. The data is on a disk in memory,
//! the clock and what the outside is about to do outlive the server.

use std::collections::{BTreeMap, HashMap};
use std::net::TcpListener as StdListener;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use asl::{Data, Failure, Timestamp};
use engine::{ExecutionKey, Status};
use hyper::{HeaderMap, Method};
use mock::Played;
use mock::played::Callbacks;
use parking_lot::Mutex;
use serde_json::{Value, json};
use server::actors::{Acting, Actors};
use server::alerts::AlertsConfig;
use server::app::{App, Place};
use server::clock::{Busy, Clock};
use server::functions::FunctionConfig;
use server::gateway::RouteConfig;
use server::http::Call as Request;
use server::quotas::Quotas;
use server::services::Environment;
use server::status_changes::StatusChangeConfig;
use server::topics::TopicConfig;
use server::waits::policy::StuckWaits;
use store::log::disk::Memory;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use crate::part::{Act, Asked, Director, Part, Reply};
use crate::scenario::spoken;
use crate::seen::{Call, Done, Seen};
use crate::sign::{Sent, Signing};

mod children;
mod read;
mod services;

pub use services::Services;
pub(crate) use services::{header_map, named};

/// When every case begins, unless it says otherwise: a Tuesday.
const STARTED_AT: Timestamp = Timestamp(1_700_000_000_000);
/// For how long a case may go on in virtual time after its execution has ended: all that is kept for the sake of
/// callbacks is gone by then.
const AFTER_THE_END: i64 = 400 * 86_400_000;
/// For how long in real time, unless somebody says otherwise; a program that hangs is told of, and so is a machine
/// that starts itself.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// How often, in real time, it is looked whether something goes on without end.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How many executions may be open: a machine that waits for itself would take all memory.
const OPEN_MAX: u64 = 10_000;
/// How many moments a case may come to: two machines that wake each other would go on for ever.
const MOMENTS_MAX: usize = 200_000;

/// How the server of a case is configured.
#[derive(Clone)]
pub struct Settings {
    /// Which region and account its ARNs name.
    pub place: Place,
    /// `[functions]`.
    pub functions: BTreeMap<String, FunctionConfig>,
    /// `[topics]`.
    pub topics: BTreeMap<String, TopicConfig>,
    /// `[[routes]]`.
    pub routes: Vec<RouteConfig>,
    /// `[alerts]`.
    pub alerts: AlertsConfig,
    /// `[[status_changes]]`.
    pub status_changes: Vec<StatusChangeConfig>,
    /// `[stuck_waits]`.
    pub stuck_waits: StuckWaits,
    /// `[quotas]`.
    pub quotas: Quotas,
    /// Where other services are.
    pub environment: Environment,
    /// Services that are played.
    pub services: Option<Services>,
    /// When it begins.
    pub now: Timestamp,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            place: Place {
                region: "us-east-1".to_owned(),
                account: "123456789012".to_owned(),
            },
            functions: BTreeMap::new(),
            topics: BTreeMap::new(),
            routes: Vec::new(),
            alerts: AlertsConfig::default(),
            status_changes: Vec::new(),
            stuck_waits: StuckWaits::default(),
            quotas: Quotas::default(),
            environment: Environment::default(),
            services: None,
            now: STARTED_AT,
        }
    }
}

impl Settings {
    /// For tests: nobody outside is told of anything, what topics were told is looked at and not sent. Callbacks for an
    /// engine elsewhere are for the executions here. A function whose program is not built is not there: where cases
    /// say what answers, nobody has to build it.
    #[must_use]
    pub fn quiet(mut self) -> Settings {
        self.functions.retain(|_, function| {
            let program = function
                .program
                .as_ref()
                .and_then(|program| program.first());
            program.is_none_or(|program| !program.contains('/') || Path::new(program).is_file())
        });
        for topic in self.topics.values_mut() {
            topic.subscribers.clear();
        }
        for route in &mut self.routes {
            route.engine = None;
        }
        self
    }
}

/// A state machine of a case.
#[derive(Debug, Clone)]
pub struct Machine {
    /// Its name.
    pub name: String,
    /// Its definition, JSON text.
    pub definition: String,
}

/// A server, and the outside.
pub struct World {
    settings: Settings,
    disk: Arc<Memory>,
    clock: Clock,
    outside: Arc<Mutex<Outside>>,
    signing: Vec<Signing>,
    /// Where the server listens, whichever one it is: who was given its URL before a restart has it still.
    listener: StdListener,
    life: Option<Life>,
    /// The one execution that a case is about.
    execution: Option<(String, Timestamp)>,
    stuck: Option<String>,
    moments_max: Option<usize>,
    begun: Instant,
    patience: Duration,
}

/// A server from its start to its end.
struct Life {
    app: App,
    runtime: Runtime,
}

/// Who answers tasks, and what is yet to happen.
struct Outside {
    clock: Clock,
    director: Box<dyn Director>,
    attempts: HashMap<(String, String), u32>,
    /// By the token, with the place of its call: a task that goes out again after a restart has its part already.
    parts: HashMap<String, (Part, usize)>,
    /// The token of the last task of each state, as `STATE` and as `MACHINE.STATE`.
    last: HashMap<String, String>,
    calls: Vec<(Timestamp, Call)>,
    due: BTreeMap<(Timestamp, u64), Due>,
    /// The services of the case.
    services: Option<Arc<Played>>,
    sequence: u64,
    done: Vec<(Timestamp, Done)>,
}

/// What is yet to happen.
enum Due {
    /// The outside does something, at times as a step of a script.
    Act(Act, About, Option<usize>),
    /// A service calls back.
    Callback(Callbacks),
    /// A task is answered that somebody else had to be asked for.
    Answer(oneshot::Sender<Busy>),
}

/// Which task something is about.
enum About {
    /// The one with this token, if it is about one.
    Token(Option<String>),
    /// The last one of this state at that time.
    State(String),
}

impl Outside {
    fn schedule(&mut self, at: Timestamp, due: Due) {
        self.sequence += 1;
        self.due.insert((at, self.sequence), due);
    }
}

/// The outside as the server knows it.
struct Stagehand(Arc<Mutex<Outside>>);

impl Actors for Stagehand {
    fn items(&self, state: &str) -> Option<Vec<Value>> {
        self.0.lock().director.items(state)
    }

    fn takes_objects(&self) -> bool {
        self.0.lock().director.takes_objects()
    }

    fn act(&self, task: Asked, busy: Busy) -> Result<Acting, Busy> {
        let mut outside = self.0.lock();
        let now = outside.clock.now();
        let part = match outside.parts.get(&task.token) {
            Some((part, call)) => {
                let (part, call) = (part.clone(), *call);
                outside.calls[call].1.asked += 1;
                match part.asked {
                    true => outside.ask_again(&task, call, now),
                    false => part,
                }
            }
            None => outside.begin_part(&task, now),
        };
        let Part { reply, delay, .. } = part;
        let clock = outside.clock.clone();
        let after_all = part.asked.then(|| {
            let (answer, answered) = oneshot::channel();
            outside.schedule(now.plus_millis(delay), Due::Answer(answer));
            answered
        });
        drop(outside);
        let answer = match reply {
            Reply::Real => return Err(busy),
            Reply::Return(output) => Ok(output),
            Reply::Throw(failure) => Err(failure),
            Reply::Never => return Ok(Box::pin(never(busy))),
        };
        Ok(Box::pin(async move {
            if let Some(answered) = after_all {
                drop(busy);
                let busy = answered.await;
                // With the world goes the server, and nobody takes the answer.
                return (answer, busy.unwrap_or_else(|_| clock.busy()));
            }
            if delay <= 0 {
                return (answer, busy);
            }
            drop(busy);
            let busy = clock.sleep_until(now.plus_millis(delay)).await;
            (answer, busy)
        }))
    }
}

async fn never(busy: Busy) -> (Result<Data, Failure>, Busy) {
    drop(busy);
    std::future::pending().await
}

impl Outside {
    fn begin_part(&mut self, task: &Asked, now: Timestamp) -> Part {
        let counted = (task.execution_arn.clone(), task.state.clone());
        let count = self.attempts.entry(counted).or_default();
        let attempt = *count;
        *count += 1;
        let part = self.director.part(task, attempt);
        let call = Call {
            at: 0,
            machine: task.machine.clone(),
            execution_arn: task.execution_arn.clone(),
            state: task.state.clone(),
            attempt,
            asked: 1,
            resource: task.resource.as_written().to_string(),
            parameters: task.parameters.value().clone(),
        };
        self.calls.push((now, call));
        self.plan_part(&part, &task.token, now);
        let full = format!("{}.{}", task.machine, task.state);
        for name in [task.state.clone(), full] {
            self.last.insert(name, task.token.clone());
        }
        let place = self.calls.len() - 1;
        self.parts.insert(task.token.clone(), (part.clone(), place));
        part
    }

    /// What follows from a part; what services call back comes first, as they have their own ways.
    fn plan_part(&mut self, part: &Part, token: &str, now: Timestamp) {
        for callbacks in &part.callbacks {
            self.schedule(callbacks.due(), Due::Callback(callbacks.clone()));
        }
        for deed in &part.deeds {
            let about = About::Token(Some(token.to_owned()));
            let at = now.plus_millis(deed.after);
            self.schedule(at, Due::Act(deed.act.clone(), about, None));
        }
    }
}

/// Why time goes no further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stopped {
    /// What was waited for has come.
    There,
    /// Nothing is due any more.
    NothingDue,
    /// The limit of virtual time is reached.
    Limit,
    /// It has come to as many moments as it may.
    NoEnd,
}

impl World {
    /// A server with nothing in it.
    ///
    /// # Errors
    /// One sentence: what of the settings is wrong.
    pub fn open(settings: Settings, director: Box<dyn Director>) -> Result<World, String> {
        let clock = Clock::standing_at(settings.now);
        let outside = Outside {
            clock: clock.clone(),
            director,
            attempts: HashMap::new(),
            parts: HashMap::new(),
            last: HashMap::new(),
            calls: Vec::new(),
            due: BTreeMap::new(),
            services: settings
                .services
                .as_ref()
                .map(|services| services.play(&clock)),
            sequence: 0,
            done: Vec::new(),
        };
        let listener = services::listener()?;
        let mut settings = settings;
        let signing = settings.routes.iter_mut().map(Signing::of).collect();
        let mut world = World {
            settings,
            disk: Arc::default(),
            clock,
            outside: Arc::new(Mutex::new(outside)),
            signing,
            listener,
            life: None,
            execution: None,
            stuck: None,
            moments_max: None,
            begun: Instant::now(),
            patience: PATIENCE,
        };
        world.begin()?;
        Ok(world)
    }

    /// How long it may take in real time, from its opening on.
    pub fn be_patient_for(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// How many moments the execution may come to; then it is [`Stopped::NoEnd`].
    pub fn end_after_moments(&mut self, many: usize) {
        self.moments_max = Some(many);
    }

    fn begin(&mut self) -> Result<(), String> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| format!("no runtime can be started: {e}"))?;
        let own = self.settings.clone();
        let stagehand = Arc::new(Stagehand(self.outside.clone()));
        let (clock, disk) = (self.clock.clone(), self.disk.clone());
        let listener = self.listener.try_clone();
        let app = runtime.block_on(async move {
            let listener = listener.and_then(tokio::net::TcpListener::from_std);
            let listener = listener.map_err(|e| format!("the port can't be listened on: {e}"))?;
            let address = listener
                .local_addr()
                .map_err(|e| format!("the listening address is not known: {e}"))?;
            let settings = server::app::Settings {
                place: own.place,
                clock,
                directory: None,
                retention_days: 90,
                quotas: own.quotas,
                functions: own.functions,
                topics: own.topics,
                alerts: own.alerts,
                status_changes: own.status_changes,
                routes: own.routes,
                stuck_waits: own.stuck_waits,
                address,
                environment: own
                    .environment
                    .beside(stagehand.clone())
                    .played_by(stagehand),
            };
            let (app, _) = App::open_on(settings, disk).await?;
            tokio::spawn(server::http::serve(app.clone(), listener));
            Ok::<_, String>(app)
        })?;
        self.life = Some(Life { app, runtime });
        Ok(())
    }

    /// The server ends as if its process were killed, and another one starts so many milliseconds later.
    ///
    /// # Errors
    /// If what is on the disk can't be opened.
    pub fn restart(&mut self, down: i64) -> Result<(), String> {
        self.life = None;
        self.clock.detach();
        if down > 0 {
            // Nothing is in flight, and nobody sleeps: it is there at once.
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            let runtime = runtime.map_err(|e| format!("no runtime can be started: {e}"))?;
            let then = self.clock.now().plus_millis(down);
            while let Some((at, callbacks)) = self.next_callback(then) {
                drop(runtime.block_on(self.clock.advance(at)));
                self.call_back(callbacks);
            }
            drop(runtime.block_on(self.clock.advance(then)));
        }
        self.begin()
    }

    fn life(&self) -> &Life {
        self.life.as_ref().expect("the server runs")
    }

    fn wait_for<T>(&self, work: impl Future<Output = T>) -> T {
        self.life().runtime.block_on(work)
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Makes a state machine, and the activities that it is for; gives its ARN.
    ///
    /// # Errors
    /// What `CreateStateMachine` said.
    pub fn create(&mut self, machine: &Machine) -> Result<String, String> {
        if let Ok(parsed) = asl::parse(&machine.definition).machine.ok_or(()) {
            for arn in parsed.activities() {
                let name = arn.rsplit(':').next().unwrap_or(arn);
                self.operation("CreateActivity", json!({ "name": name }))?;
            }
        }
        let account = &self.settings.place.account;
        let made = json!({
            "name": machine.name,
            "definition": machine.definition,
            "roleArn": format!("arn:aws:iam::{account}:role/lab"),
        });
        let made = self.operation("CreateStateMachine", made)?;
        let arn = made["stateMachineArn"].as_str();
        arn.map(str::to_owned)
            .ok_or_else(|| "a state machine was made without an ARN".to_owned())
    }

    /// Starts the execution that the case is about, and lets what is due have its turn; gives its ARN.
    ///
    /// # Errors
    /// What `StartExecution` said.
    pub fn start(&mut self, machine_arn: &str, name: &str, input: &str) -> Result<String, String> {
        let start = json!({ "stateMachineArn": machine_arn, "name": name, "input": input });
        let at = self.clock.now();
        let started = self.operation("StartExecution", start)?;
        let arn = started["executionArn"].as_str();
        let arn = arn.ok_or("a start gave no ARN")?.to_owned();
        self.execution = Some((arn.clone(), at));
        self.settle()?;
        Ok(arn)
    }

    /// Plans something for so many milliseconds from now. What is about a task is about the one with the token.
    pub fn plan(&mut self, after: i64, act: Act, token: Option<String>) {
        let at = self.clock.now().plus_millis(after);
        let due = Due::Act(act, About::Token(token), None);
        self.outside.lock().schedule(at, due);
    }

    /// Plans a step of a script, which [`Done::step`] tells from the others. It may be about the task that a state is
    /// in by then; `STATE` or `MACHINE.STATE`.
    pub fn plan_step(&mut self, step: usize, after: i64, act: Act, state: Option<&str>) {
        let at = self.clock.now().plus_millis(after);
        let about = match state {
            Some(state) => About::State(state.to_owned()),
            None => About::Token(None),
        };
        let due = Due::Act(act, about, Some(step));
        self.outside.lock().schedule(at, due);
    }

    /// Returns when all that is due now has had its turn.
    fn settle(&self) -> Result<(), String> {
        self.move_to(self.clock.now())
    }

    /// Moves time. What keeps time standing for ever, since it always has something to do at once, is cut off.
    fn move_to(&self, until: Timestamp) -> Result<(), String> {
        loop {
            let left = self.patience.saturating_sub(self.begun.elapsed());
            let clock = &self.clock;
            let moving =
                async { tokio::time::timeout(left.min(LOOK_EVERY), clock.advance(until)).await };
            if self.wait_for(moving).map(drop).is_ok() {
                return Ok(());
            }
            let patience = i64::try_from(self.patience.as_millis()).unwrap_or(i64::MAX);
            if left <= LOOK_EVERY {
                let why = format!("it takes more than {} of real time", spoken(patience));
                return Err(self.runs_away(&why));
            }
            if self.life().app.store.count_status(Status::Running) > OPEN_MAX {
                return Err(self.runs_away("it starts executions without end"));
            }
        }
    }

    /// Why it was cut off, and what it does.
    fn runs_away(&self, why: &str) -> String {
        let store = &self.life().app.store;
        let all = [
            Status::Running,
            Status::Succeeded,
            Status::Failed,
            Status::TimedOut,
            Status::Aborted,
        ];
        let counts = all.map(|status| store.count_status(status));
        let (open, started): (u64, u64) = (counts[0], counts.iter().sum());
        let what = match self.has_ended() {
            true => "the execution has ended, and what came of it goes on".to_owned(),
            false => self.waits_for().unwrap_or_default(),
        };
        let started = match started {
            0 | 1 => String::new(),
            _ => format!("; {started} executions were started so far, {open} of them are open"),
        };
        format!("{why}: {what}{started}")
    }

    /// What the execution waits for; nothing if there is none.
    fn waits_for(&self) -> Option<String> {
        let (arn, _) = self.execution.as_ref()?;
        let found = self.wait_for(self.life().app.runner.execution(ExecutionKey::of(arn)));
        let execution = found.ok()??;
        Some(server::time_control::what_it_waits_for(&execution))
    }

    /// Goes on until the execution has ended, `limit` milliseconds from now at most.
    ///
    /// # Errors
    /// If it takes too long in real time, or a restart fails.
    pub fn until_ended(&mut self, limit: i64) -> Result<Stopped, String> {
        let end = self.clock.now().plus_millis(limit);
        let stopped = self.go(end, true)?;
        if stopped == Stopped::NothingDue {
            self.stuck = self.waits_for();
        }
        Ok(stopped)
    }

    /// Goes on until nothing is due any more: what the execution's end does not end, such as late callbacks.
    ///
    /// # Errors
    /// As [`World::until_ended`].
    pub fn until_quiet(&mut self) -> Result<Stopped, String> {
        let end = self.clock.now().plus_millis(AFTER_THE_END);
        self.go(end, false)
    }

    /// Goes on for so many milliseconds.
    ///
    /// # Errors
    /// As [`World::until_ended`].
    pub fn advance(&mut self, millis: i64) -> Result<Stopped, String> {
        let end = self.clock.now().plus_millis(millis);
        let stopped = self.go(end, false)?;
        if self.clock.now() < end {
            self.move_to(end)?;
        }
        Ok(stopped)
    }

    /// From one thing that is due to the next.
    fn go(&mut self, end: Timestamp, only_until_ended: bool) -> Result<Stopped, String> {
        let limit = self.moments_max.filter(|_| only_until_ended);
        for moment in 0..MOMENTS_MAX {
            self.settle()?;
            if limit.is_some_and(|limit| moment >= limit) {
                return Ok(Stopped::NoEnd);
            }
            if self.do_what_is_due()? {
                continue;
            }
            if only_until_ended && self.has_ended() {
                return Ok(Stopped::There);
            }
            let planned = self.outside.lock().due.keys().next().map(|(at, _)| *at);
            let next = match (self.clock.next_timer(), planned) {
                (Some(a), Some(b)) => a.min(b),
                (a, b) => match a.or(b) {
                    Some(next) => next,
                    None => return Ok(Stopped::NothingDue),
                },
            };
            if next > end {
                self.move_to(end)?;
                return Ok(Stopped::Limit);
            }
            self.move_to(next)?;
        }
        Err(format!(
            "it has come to {MOMENTS_MAX} moments at which something happens, and no end"
        ))
    }

    /// Whether there is an execution.
    pub fn has_begun(&self) -> bool {
        self.execution.is_some()
    }

    fn has_ended(&self) -> bool {
        let Some((arn, _)) = &self.execution else {
            return true;
        };
        let summary = self.wait_for(self.life().app.store.summary(ExecutionKey::of(arn)));
        !matches!(summary, Ok(Some(summary)) if summary.status == Status::Running)
    }

    /// Does what the outside has planned for now; whether there was anything.
    fn do_what_is_due(&mut self) -> Result<bool, String> {
        let now = self.clock.now();
        let due = {
            let mut outside = self.outside.lock();
            match outside.due.first_entry() {
                Some(first) if first.key().0 <= now => first.remove(),
                _ => return Ok(false),
            }
        };
        let (act, about, step) = match due {
            Due::Act(act, about, step) => (act, about, step),
            Due::Callback(callbacks) => {
                self.call_back(callbacks);
                return Ok(true);
            }
            Due::Answer(answer) => {
                // Whoever waited for it may be gone: its server was killed.
                let _ = answer.send(self.clock.busy());
                return Ok(true);
            }
        };
        let what = act.words();
        let token = match about {
            About::Token(token) => token,
            About::State(state) => match self.outside.lock().last.get(&state) {
                Some(token) => Some(token.clone()),
                None => {
                    return Err(format!(
                        "{what} is about the task of {state}, which has not gone out by then"
                    ));
                }
            },
        };
        let answer = self.perform(act, token.clone())?;
        let mut outside = self.outside.lock();
        let part = token.and_then(|token| outside.parts.get(&token));
        let done = Done {
            at: 0,
            what,
            answer,
            call: part.map(|(_, call)| *call),
            step,
        };
        outside.done.push((now, done));
        drop(outside);
        Ok(true)
    }

    fn perform(&mut self, act: Act, token: Option<String>) -> Result<(u16, Value), String> {
        let needed = || token.clone().ok_or("it is about a task, and none is named");
        let execution = || match &self.execution {
            Some((arn, _)) => Ok(arn.clone()),
            None => Err("no execution was started"),
        };
        Ok(match act {
            Act::Succeed(output) => {
                let request = json!({ "taskToken": needed()?, "output": output.to_string() });
                self.ask("SendTaskSuccess", request)
            }
            Act::Fail(failure) => {
                let mut request = described(&failure);
                request["taskToken"] = needed()?.into();
                self.ask("SendTaskFailure", request)
            }
            Act::Heartbeat => self.ask("SendTaskHeartbeat", json!({ "taskToken": needed()? })),
            Act::Register { route, reference } => {
                let path = format!("/rejoin/references/{route}/{}", percent_encoded(&reference));
                let body = json!({ "taskToken": needed()? }).to_string();
                self.request(Method::PUT, &path, &[], body.into_bytes())
            }
            Act::Callback(callback) => {
                let mut headers = callback.headers;
                let path = callback.path.split('?').next().unwrap_or_default();
                for signing in &self.signing {
                    if signing.is_for(path) {
                        let sent = Sent {
                            path: &callback.path,
                            body: &callback.body,
                            forged: callback.forged,
                        };
                        signing.add(&mut headers, &sent, self.clock.now());
                    }
                }
                self.request(Method::POST, &callback.path, &headers, callback.body)
            }
            Act::Stop(failure) => {
                let mut request = described(&failure);
                request["executionArn"] = execution()?.into();
                self.ask("StopExecution", request)
            }
            Act::Redrive => self.ask("RedriveExecution", json!({ "executionArn": execution()? })),
            Act::Restart(down) => {
                self.restart(down)?;
                (200, Value::Null)
            }
        })
    }

    /// Calls an operation of the API, which has to succeed.
    ///
    /// # Errors
    /// What it said.
    pub fn operation(&self, operation: &str, request: Value) -> Result<Value, String> {
        match self.ask(operation, request) {
            (200, said) => Ok(said),
            (_, said) => Err(match said["message"].as_str() {
                Some(message) => message.to_owned(),
                None => format!("{operation}: {said}"),
            }),
        }
    }

    fn ask(&self, operation: &str, request: Value) -> (u16, Value) {
        let target = format!("AWSStepFunctions.{operation}");
        let headers = [("x-amz-target".to_owned(), target)];
        self.request(
            Method::POST,
            "/",
            &headers,
            request.to_string().into_bytes(),
        )
    }

    /// Gets a page, which has to be there.
    ///
    /// # Errors
    /// What was said instead.
    pub fn get(&self, path_and_query: &str) -> Result<Value, String> {
        match self.request(Method::GET, path_and_query, &[], Vec::new()) {
            (200, said) => Ok(said),
            (status, said) => Err(format!("{path_and_query}: {status} {said}")),
        }
    }

    /// Makes a request as it comes from a socket; gives the status and the body.
    pub fn request(
        &self,
        method: Method,
        path_and_query: &str,
        headers: &[(String, String)],
        body: Vec<u8>,
    ) -> (u16, Value) {
        let parsed = headers
            .iter()
            .filter_map(|(name, value)| Some((name.parse().ok()?, value.parse().ok()?)));
        let (path, query) = path_and_query
            .split_once('?')
            .unwrap_or((path_and_query, ""));
        let app = self.life().app.clone();
        let call = Request {
            method,
            path: path.to_owned(),
            query: query.to_owned(),
            headers: parsed.collect::<HeaderMap>(),
            body: body.into(),
            peer: ([127, 0, 0, 1], 4000).into(),
            busy: self.clock.busy(),
        };
        let reply = self.wait_for(server::routes::answer(app, call));
        let said = match reply.body.is_empty() {
            true => Value::Null,
            false => serde_json::from_slice(&reply.body)
                .unwrap_or_else(|_| String::from_utf8_lossy(&reply.body).into()),
        };
        (reply.status.as_u16(), said)
    }

    /// What came of it all.
    ///
    /// # Errors
    /// If something can't be read.
    pub fn seen(&self) -> Result<Seen, String> {
        read::seen(self)
    }
}

fn described(failure: &Failure) -> Value {
    let mut request = json!({});
    if let Some(error) = &failure.error {
        request["error"] = json!(error);
    }
    if let Some(cause) = &failure.cause {
        request["cause"] = json!(cause);
    }
    request
}

/// A reference as one segment of a path.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'-' | b'_' | b'.' | b'~' => encoded.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}
