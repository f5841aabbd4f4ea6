//! Tasks to their resources, once their scheduling is durable.
//!
//! A dispatch may happen twice: if the server dies before the answer is stored, the task goes out
//! again after the restart with the same idempotency key, `EXECUTION_ARN/WAIT`. What a resource
//! answers comes back as a command; if the wait is over by then, the answer is of no consequence.

use std::sync::{Arc, Weak};

use asl::{Data, Failure, Pattern, Resource};
use engine::{CommandKind, Dispatch, ExecutionKey, Identity, Outcome, Status, Token, WaitId};
use serde_json::Value;

use crate::activities::ActivityQueues;
use crate::actors::{Acting, Asked};
use crate::clock::{Busy, Clock};
use crate::gateway::{Choosing, Gateway, Phase};
use crate::map_runs::MapRuns;
use crate::mocks;
use crate::runner::{NotDone, Runner};
use crate::scheduler::Retention;
use crate::services::{Caller, Exchange, Services, unsupported};
use crate::trace::Sent;

/// Takes tasks to their resources. Cloning is a reference count.
#[derive(Clone)]
pub struct Dispatcher(Arc<Inner>);

struct Inner {
    resources: Resources,
}

/// A dispatcher as the runner knows it: if each held the other, an app that is dropped would never let
/// go of its store.
pub struct WeakDispatcher(Weak<Inner>);

impl WeakDispatcher {
    /// The dispatcher, as long as its app is there.
    pub fn upgrade(&self) -> Option<Dispatcher> {
        self.0.upgrade().map(Dispatcher)
    }
}

/// What tasks can be given to, and who is told of waits.
pub struct Resources {
    /// Which the answers go back to.
    pub runner: Runner,
    /// What keeps virtual time standing while a task is with its resource.
    pub clock: Clock,
    /// Activity tasks.
    pub activities: ActivityQueues,
    /// All else.
    pub services: Services,
    /// Told of waits for a token.
    pub gateway: Gateway,
    /// Distributed Map states, and told of their children's ends.
    pub map_runs: MapRuns,
    /// Told of ends.
    pub retention: Retention,
}

impl Dispatcher {
    /// A dispatcher to these resources.
    pub fn new(resources: Resources) -> Dispatcher {
        Dispatcher(Arc::new(Inner { resources }))
    }

    /// For the runner.
    pub fn downgrade(&self) -> WeakDispatcher {
        WeakDispatcher(Arc::downgrade(&self.0))
    }

    /// Hands a task to its resource; returns at once.
    pub fn dispatch(&self, key: ExecutionKey, identity: &Identity, dispatch: Dispatch) {
        let resources = &self.0.resources;
        if let Some(outcome) = mocks::answer(resources.services.mocks(), identity, &dispatch) {
            let (this, busy) = (self.clone(), resources.clock.busy());
            tokio::spawn(async move { this.mocked(key, dispatch.wait, outcome, busy).await });
            return;
        }
        let choosing = match waits_for_token(&dispatch) {
            true => resources.gateway.wait_opened(
                key,
                dispatch.wait,
                identity.defined_machine_arn(),
                &dispatch.state_name,
            ),
            false => Choosing::default(),
        };
        let mut busy = resources.clock.busy();
        if let Some(actors) = resources.services.actors() {
            match actors.act(self.asked(key, identity, &dispatch), busy) {
                Ok(acting) => {
                    let this = self.clone();
                    tokio::spawn(async move { this.played(key, dispatch, choosing, acting).await });
                    return;
                }
                Err(declined) => busy = declined,
            }
        }
        if let Resource::Activity { arn } = &dispatch.resource {
            resources.activities.offer(arn, key, dispatch.wait, busy);
            return;
        }
        let caller = Caller {
            execution_arn: identity.arn.clone(),
            state_machine_arn: identity.state_machine_arn.clone(),
        };
        let sent = Sent::of(identity, dispatch.wait);
        let services = resources.services.traced(sent);
        let this = self.clone();
        tokio::spawn(async move {
            this.call(key, &caller, services, dispatch, choosing, busy)
                .await
        });
    }

    /// Runs the children of a distributed Map state; returns at once.
    pub fn start_map_run(&self, key: ExecutionKey, wait: WaitId) {
        let resources = &self.0.resources;
        resources.map_runs.start(key, wait, resources.clock.busy());
    }

    /// Asks a resource once for `TestState`, whose answer goes to no execution, and says what went over the wire
    /// if it is an HTTP endpoint. `None`: it is an activity, or
    /// its pattern waits for something else than the resource's answer.
    pub(crate) async fn ask_once(
        &self,
        identity: &Identity,
        dispatch: &Dispatch,
    ) -> Option<(Result<Data, Failure>, Exchange)> {
        let busy = self.0.resources.clock.busy();
        let services = &self.0.resources.services;
        match &dispatch.resource {
            Resource::Activity { .. } => return None,
            Resource::Service { pattern, .. } if *pattern != Pattern::RequestResponse => {
                return None;
            }
            Resource::Service {
                service, action, ..
            } if (&**service, &**action) == ("http", "invoke") => {
                let parameters = dispatch.parameters.value();
                return Some(services.http_exchange(parameters, busy).await);
            }
            _ => {}
        }
        let caller = Caller {
            execution_arn: identity.arn.clone(),
            state_machine_arn: identity.state_machine_arn.clone(),
        };
        let (outcome, _) = Dispatcher::ask(services, &caller, dispatch, busy).await;
        Some((outcome, Exchange::default()))
    }

    /// A wait is over.
    pub fn wait_ended(&self, key: ExecutionKey, wait: WaitId) {
        let resources = &self.0.resources;
        let busy = resources.clock.busy();
        resources.map_runs.wait_ended(key, wait, busy);
        self.0.resources.gateway.wait_ended(key, wait);
        self.0.resources.activities.wait_ended(key, wait);
    }

    /// An execution is over.
    pub fn execution_ended(&self, identity: &Identity, status: Status) {
        let resources = &self.0.resources;
        let busy = resources.clock.busy();
        resources.map_runs.execution_ended(identity, status, busy);
        resources.retention.sweep_sometimes();
    }

    /// Brings what a test case says instead of the resource.
    async fn mocked(self, key: ExecutionKey, wait: WaitId, outcome: Outcome, _busy: Busy) {
        // Without the server the task goes out again after its next start.
        let Some(_app) = self.0.resources.services.app() else {
            return;
        };
        self.bring(key, CommandKind::Mocked { wait, outcome }).await;
    }

    /// What an actor is asked.
    fn asked(&self, key: ExecutionKey, identity: &Identity, dispatch: &Dispatch) -> Asked {
        let token = Token {
            execution: key,
            wait: dispatch.wait,
        };
        Asked {
            execution: key,
            execution_arn: identity.arn.to_string(),
            machine: identity.defined_machine_name().to_owned(),
            state: dispatch.state_name.to_string(),
            resource: dispatch.resource.clone(),
            parameters: dispatch.parameters.clone(),
            token: self.0.resources.runner.token(token),
        }
    }

    /// Brings what an actor says instead of the resource.
    async fn played(
        self,
        key: ExecutionKey,
        dispatch: Dispatch,
        choosing: Choosing,
        acting: Acting,
    ) {
        let wait = dispatch.wait;
        if waits_for_token(&dispatch) {
            let request = dispatch.parameters.value();
            let registered = self.register(key, wait, &choosing, Phase::Request, request);
            if let Err(failure) = registered.await {
                return self.complete(key, wait, Err(failure)).await;
            }
        }
        let (answer, _busy) = acting.await;
        // Without the server the task goes out again after its next start.
        let Some(_app) = self.0.resources.services.app() else {
            return;
        };
        if waits_for_token(&dispatch) {
            return self.taken(key, wait, &choosing, answer).await;
        }
        let outcome = match answer {
            Ok(output) => Outcome::Success(output),
            Err(failure) => Outcome::Failure(failure),
        };
        self.bring(key, CommandKind::Mocked { wait, outcome }).await;
    }

    /// Calls the resource and brings its answer back.
    async fn call(
        self,
        key: ExecutionKey,
        caller: &Caller,
        services: Services,
        dispatch: Dispatch,
        choosing: Choosing,
        busy: Busy,
    ) {
        let wait = dispatch.wait;
        if let Resource::Service {
            pattern: Pattern::Sync,
            ..
        } = &dispatch.resource
        {
            return self.run(key, caller, services, dispatch, busy).await;
        }
        // Without the server the task goes out again after its next start.
        let Some(_app) = self.0.resources.services.app() else {
            return;
        };
        let request = dispatch.parameters.value();
        let registered = self.register(key, wait, &choosing, Phase::Request, request);
        if let Err(failure) = registered.await {
            return self.complete(key, wait, Err(failure)).await;
        }
        let (answer, _busy) = Dispatcher::ask(&services, caller, &dispatch, busy).await;
        match waits_for_token(&dispatch) {
            true => self.taken(key, wait, &choosing, answer).await,
            false => self.complete(key, wait, answer).await,
        }
    }

    /// The request of a task that waits for its token was answered.
    async fn taken(
        &self,
        key: ExecutionKey,
        wait: WaitId,
        choosing: &Choosing,
        answer: Result<Data, Failure>,
    ) {
        let output = match answer {
            Ok(output) => output,
            failed => return self.complete(key, wait, failed).await,
        };
        let registered = self.register(key, wait, choosing, Phase::Result, output.value());
        if let Err(failure) = registered.await {
            return self.complete(key, wait, Err(failure)).await;
        }
        self.bring(key, CommandKind::Submitted { wait, output })
            .await;
    }

    /// Registers the reference that the workflow has chosen for a wait, if it has.
    async fn register(
        &self,
        execution: ExecutionKey,
        wait: WaitId,
        choosing: &Choosing,
        phase: Phase,
        said: &Value,
    ) -> Result<(), Failure> {
        if choosing.is_empty() {
            return Ok(());
        }
        let Resources {
            runner, gateway, ..
        } = &self.0.resources;
        let token = runner.token(Token { execution, wait });
        gateway.register_chosen(choosing, &token, phase, said).await
    }

    /// What the resource answers. The `Busy` comes back with the answer; a resource that hangs loses
    /// it for a while, so that virtual time can come to its timeout.
    async fn ask(
        services: &Services,
        caller: &Caller,
        dispatch: &Dispatch,
        busy: Busy,
    ) -> (Result<Data, Failure>, Busy) {
        let parameters = &dispatch.parameters;
        match &dispatch.resource {
            Resource::Function { arn } => services.invoke_function(arn, parameters, busy).await,
            Resource::Service {
                service, action, ..
            } => {
                let operation = action.split('.').next().unwrap_or(action);
                let parameters = parameters.value();
                if (&**service, operation) == ("states", "startExecution") {
                    let pattern = Pattern::RequestResponse;
                    let started =
                        services.start_execution(caller, dispatch.wait, parameters, pattern);
                    return (started.await.map(Data::from), busy);
                }
                services
                    .call(caller, service, operation, parameters, busy)
                    .await
            }
            Resource::Activity { .. } => unreachable!("an activity task is fetched, not sent"),
        }
    }

    /// `.sync`: starts an execution, says so, and brings what it came to.
    async fn run(
        self,
        key: ExecutionKey,
        caller: &Caller,
        services: Services,
        dispatch: Dispatch,
        busy: Busy,
    ) {
        let (wait, resources) = (dispatch.wait, &self.0.resources);
        let Resource::Service {
            service, action, ..
        } = &dispatch.resource
        else {
            unreachable!("only a service is called in this pattern");
        };
        if &**service != "states" {
            let failure = unsupported(service, action);
            return self.complete(key, wait, Err(failure)).await;
        }
        let Some(app) = services.app() else {
            return;
        };
        let parameters = dispatch.parameters.value();
        let started = match services
            .start_execution(caller, wait, parameters, Pattern::Sync)
            .await
        {
            Ok(started) => started,
            Err(failure) => return self.complete(key, wait, Err(failure)).await,
        };
        let child: Arc<str> = started["ExecutionArn"].as_str().unwrap_or_default().into();
        let output = Data::from(started);
        if !self
            .bring(key, CommandKind::Submitted { wait, output })
            .await
        {
            // The wait ended while its execution was being started, so nobody knew of that one then.
            let child = ExecutionKey::of(&child);
            if let Err(what) = resources.runner.stop(child, None, None).await {
                let about = resources.runner.about(key).await;
                crate::log::say_about!(
                    about,
                    "the execution of a task that was given up could not be stopped: {what}"
                );
            }
            return;
        }

        // Time may go on while the execution runs, and the server may go: the task goes out again after
        // the next start.
        let ending = resources.runner.ending(ExecutionKey::of(&child)).await;
        let weak = self.downgrade();
        drop((self, app, services, busy));
        let _busy = match ending {
            Ok(ending) => ending.await,
            Err(what) => {
                if let Some(this) = weak.upgrade() {
                    let about = this.0.resources.runner.about(key).await;
                    crate::log::say_about!(about, "a task's execution was lost sight of: {what}");
                }
                return;
            }
        };
        let Some(this) = weak.upgrade() else {
            return;
        };
        let Some(_app) = this.0.resources.services.app() else {
            return;
        };
        let as_json = action.ends_with(".sync:2");
        let services = &this.0.resources.services;
        let result = services.execution_result(&child, as_json).await;
        this.complete(key, wait, result).await;
    }

    async fn complete(&self, key: ExecutionKey, wait: WaitId, answer: Result<Data, Failure>) {
        let outcome = match answer {
            Ok(output) => Outcome::Success(output),
            Err(failure) => Outcome::Failure(failure),
        };
        self.bring(key, CommandKind::Complete { wait, outcome })
            .await;
    }

    /// Whether the wait was still there for it.
    async fn bring(&self, key: ExecutionKey, kind: CommandKind) -> bool {
        match self.0.resources.runner.command(key, kind).await {
            Ok(()) => true,
            // Refused: the wait ended while the resource was at work, which the history shows.
            Err(NotDone::Refused(_) | NotDone::Unknown) => false,
            Err(NotDone::Server(what)) => {
                let about = self.0.resources.runner.about(key).await;
                crate::log::say_about!(about, "the answer to a task could not be stored: {what}");
                true
            }
        }
    }
}

/// Whether the resource's answer is only that it took the request.
fn waits_for_token(dispatch: &Dispatch) -> bool {
    matches!(
        dispatch.resource,
        Resource::Service {
            pattern: Pattern::WaitForTaskToken,
            ..
        }
    )
}
