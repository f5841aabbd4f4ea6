//! Plays a scenario on the engine alone, with a clock moved by hand.
//!
//! After every step the promises of [`crate::rebuild`] and [`crate::spans`] are checked, so that a scenario is a
//! test of recovery, and of traces, as well.

use std::sync::Arc;

use asl::{Data, Failure, StateMachine, Timestamp};
use engine::{
    Command, CommandKind, Effect, Event, Execution, ExecutionKey, Outcome, Token, TokenKey, WaitId,
    history, wait_end,
};

use crate::outline::outline;
use crate::scenario::Scenario;
use crate::script::{Action, Step, WaitName};
use crate::waits;
use crate::world::{self, EXECUTION_ARN, STARTED_AT};
use crate::{rebuild, spans};

/// The outline of what comes of a scenario.
///
/// # Errors
/// A sentence that says which step did not go as the script says, or that the definition is refused.
pub fn play(scenario: &Scenario) -> Result<String, String> {
    Ok(player(scenario)?.outline())
}

/// The events of a scenario's execution.
///
/// # Errors
/// As [`play`].
pub fn events(scenario: &Scenario) -> Result<Vec<Event>, String> {
    Ok(player(scenario)?.events)
}

fn player(scenario: &Scenario) -> Result<Player, String> {
    let machine = world::machine(&scenario.definition)?;
    let (input, steps) = scenario.steps();
    let input = Data::parse(input).map_err(|e| format!("the input is not JSON: {e}"))?;
    let mut player = Player::start(machine, input)?;
    for step in steps {
        player
            .step(step)
            .map_err(|e| format!("{}: {e}", step.text))?;
    }
    Ok(player)
}

struct Player {
    machine: Arc<StateMachine>,
    execution: Execution,
    events: Vec<Event>,
    tokens: TokenKey,
    now: Timestamp,
    seed: u64,
}

impl Player {
    fn start(machine: Arc<StateMachine>, input: Data) -> Result<Player, String> {
        let identity = world::identity(input);
        let tokens = world::tokens();
        let (execution, events) = Execution::begin(machine.clone(), identity, 1, &tokens);
        let player = Player {
            machine,
            execution,
            events,
            tokens,
            now: STARTED_AT,
            seed: 1,
        };
        player.check_rebuilt()?;
        Ok(player)
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        let kind = match &step.action {
            Action::Start(_) => return Err("only the first step starts".to_owned()),
            Action::Advance(millis) => return self.advance(*millis),
            Action::Oversleep(millis) => {
                self.now = self.now.plus_millis(*millis);
                return Ok(());
            }
            Action::Ended(wait, how) => return self.check_ended(self.wait(wait)?, how),
            Action::Complete(wait, output) => CommandKind::Complete {
                wait: self.wait(wait)?,
                outcome: Outcome::Success(data(output)?),
            },
            Action::Fail(wait, error, cause) => {
                let failure = Failure {
                    error: error.clone().map(Into::into),
                    cause: cause.clone(),
                };
                CommandKind::Complete {
                    wait: self.wait(wait)?,
                    outcome: Outcome::Failure(failure),
                }
            }
            Action::Submit(wait, output) => CommandKind::Submitted {
                wait: self.wait(wait)?,
                output: data(output)?,
            },
            Action::PickUp(wait, worker) => CommandKind::PickedUp {
                wait: self.wait(wait)?,
                worker: worker.clone(),
            },
            Action::Heartbeat(wait) => CommandKind::Heartbeat {
                wait: self.wait(wait)?,
            },
            Action::Tick => CommandKind::Tick,
            Action::Register(..)
            | Action::Release(_)
            | Action::CallBack(_)
            | Action::Forge(_)
            | Action::Forget => {
                return Err(
                    "the engine alone has no callback gateway and forgets nothing".to_owned(),
                );
            }
            Action::Redrive => CommandKind::Redrive {
                past: self.events.clone().into(),
                client_token: None,
            },
            Action::Stop(error, cause) => CommandKind::Stop {
                error: error.clone(),
                cause: cause.clone(),
            },
        };
        match (self.command(kind)?, &step.refusal) {
            (None, None) => Ok(()),
            (Some(got), Some(wanted)) if got == *wanted => Ok(()),
            (None, Some(wanted)) => Err(format!("was to be refused with {wanted}, and was not")),
            (Some(got), _) => Err(format!("was refused with {got}")),
        }
    }

    /// Sends a command; gives the refusal's name, if it was refused.
    fn command(&mut self, kind: CommandKind) -> Result<Option<String>, String> {
        self.seed += 1;
        let before = self.execution.snapshot();
        match self.execution.decide(
            Command {
                at: self.now,
                seed: self.seed,
                kind,
            },
            &self.tokens,
        ) {
            Ok(events) => {
                self.check_effects(&events)?;
                self.events.extend(events);
                self.check_rebuilt()?;
                Ok(None)
            }
            Err(refusal) => {
                if self.execution.snapshot() != before {
                    return Err("a refused command has changed the execution".to_owned());
                }
                Ok(Some(format!("{refusal:?}")))
            }
        }
    }

    /// Moves the clock from timer to timer.
    fn advance(&mut self, millis: i64) -> Result<(), String> {
        let until = self.now.plus_millis(millis);
        while let Some(at) = self.execution.next_timer().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.command(CommandKind::Tick)?;
            if self.execution.next_timer() == Some(at) {
                return Err("a tick left what was due".to_owned());
            }
        }
        self.now = until;
        Ok(())
    }

    /// A wait by a script's name for it.
    fn wait(&self, name: &WaitName) -> Result<WaitId, String> {
        Ok(waits::find(&self.events, &self.execution, name)?.wait)
    }

    fn check_ended(&self, wait: WaitId, how: &str) -> Result<(), String> {
        let ended = wait_end(&self.events, wait).ok_or("the wait has not ended")?;
        let got = waits::ending(&ended);
        if got == how {
            Ok(())
        } else {
            Err(format!("it {got}"))
        }
    }

    /// Every dispatch is for a wait that is open, and every wait that is over has been reported once.
    fn check_effects(&self, events: &[Event]) -> Result<(), String> {
        for effect in self.execution.effects(events) {
            match effect {
                Effect::Dispatch(dispatch) if self.execution.open_wait(dispatch.wait).is_none() => {
                    return Err(format!(
                        "{:?} was dispatched and is not open",
                        dispatch.wait
                    ));
                }
                Effect::WaitEnded(wait) if self.execution.open_wait(wait).is_some() => {
                    return Err(format!("{wait:?} was reported ended and is open"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn check_rebuilt(&self) -> Result<(), String> {
        rebuild::check(&self.machine, &self.execution, &self.events)?;
        spans::check(&self.execution, &self.events)
    }

    fn outline(&self) -> String {
        let history = history::project(&self.events, true);
        let text = outline(&self.execution, &history);
        let execution = ExecutionKey::of(EXECUTION_ARN);
        waits::name_tokens(text, &self.events, |wait| {
            self.tokens.mint(Token { execution, wait })
        })
    }
}

fn data(text: &str) -> Result<Data, String> {
    Data::parse(text).map_err(|e| format!("not JSON: {e}"))
}
