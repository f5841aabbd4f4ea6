//! A mock without sockets: whoever plays it brings the requests, waits where there is something to wait for, and
//! sends the callbacks, so that everything happens in the order that he wants. It does not wait for anything itself.

use std::sync::Arc;

use asl::Timestamp;
use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{HeaderMap, Method, StatusCode};
use server::clock::Clock;

use crate::agenda::{Agenda, Due};
use crate::call;
use crate::decide::{Decided, decide};
use crate::definition::Mock;
use crate::event::{Asked, Sent};
use crate::fault::Fault;
use crate::plan::Answer;
use crate::running::Inner;
use crate::said::half;
pub use crate::send::Ready;
use crate::send::Work;

/// A mock that is played. What it remembers it keeps for as long as it lives.
pub struct Played(Arc<Inner>);

/// A request as it is brought.
#[derive(Debug, Clone)]
pub struct Request {
    /// `POST`, for example.
    pub method: Method,
    /// The path, with the query if there is one.
    pub path: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// What a request comes to.
#[derive(Debug)]
pub struct Told {
    /// How many milliseconds later the answer is there, as a whole; or the connection is reset.
    pub after: i64,
    /// The answer.
    pub answer: Given,
    /// The callbacks, if there are any. Those of an early one are due before the answer.
    pub callbacks: Option<Callbacks>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Given {
    /// This.
    Reply {
        /// Its status.
        status: StatusCode,
        /// Its headers.
        headers: HeaderMap,
        /// Its body.
        body: Bytes,
    },
    /// The connection is reset.
    Reset,
    /// None, ever.
    Nothing,
}

/// The callbacks of a request that are yet to be sent, the next one first.
#[derive(Clone)]
pub struct Callbacks {
    work: Arc<Work>,
    agenda: Agenda,
    next: Due,
}

/// A callback, to be sent now.
pub struct Callback {
    of: Callbacks,
    at: Timestamp,
    ready: Result<Ready, String>,
}

impl std::fmt::Debug for Callbacks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "callbacks of request {}, from {} on",
            self.work.id, self.next.deed
        )
    }
}

impl Mock {
    /// Begins to play it; `seed` is what ids are made from, if the file does not say.
    pub fn play(&self, clock: Clock, seed: u64) -> Played {
        Played(Arc::new(Inner::of(self, clock, seed)))
    }
}

impl Played {
    /// From now on each route of a service that can goes wrong in this way, whatever the file says.
    pub fn force(&self, service: &str, fault: &Fault) {
        for route in self.0.mock.routes(service) {
            let of = (service.to_owned(), route.to_owned());
            self.0.force(of, fault.clone());
        }
    }

    /// The mock.
    pub fn mock(&self) -> &Mock {
        &self.0.mock
    }

    /// Asks a service; nothing if there is none of that name.
    pub fn ask(&self, service: &str, request: &Request) -> Option<Told> {
        let index = self.0.mock.services().position(|known| known == service)?;
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let method = request.method.as_str();
        let asked = call::request(method, path, query, &request.headers, &request.body);
        let reply = |status, headers, body: String| Given::Reply {
            status,
            headers,
            body: body.into(),
        };
        let typed = |kind| {
            let kinds = [(CONTENT_TYPE, HeaderValue::from_static(kind))];
            kinds.into_iter().collect::<HeaderMap>()
        };
        let decided = match decide(&self.0, index, asked) {
            Ok(decided) => decided,
            Err(refused) => {
                refused.note(&self.0, index);
                return Some(Told {
                    after: 0,
                    answer: reply(refused.status, typed("application/json"), refused.body()),
                    callbacks: None,
                });
            }
        };
        let Decided {
            id,
            at,
            status,
            headers,
            kind,
            text,
            delay,
            manner,
            work,
        } = decided;
        let (after, text) = match manner {
            // Whoever reads the whole of it has it when the rest is there.
            Answer::SlowBody(millis) => (delay + millis, text),
            Answer::HalfBody => (delay, half(&text).to_owned()),
            _ => (delay, text),
        };
        self.0
            .settled(id, index, at.plus_millis(after), status, &manner, &text);
        let answer = match manner {
            Answer::Never => Given::Nothing,
            Answer::Reset | Answer::ResetAfterWork => Given::Reset,
            _ => {
                let mut all = kind.map(typed).unwrap_or_default();
                all.extend(headers);
                let status =
                    StatusCode::from_u16(status).expect("statuses are checked as they are read");
                reply(status, all, text)
            }
        };
        let callbacks = work.and_then(|work| {
            let agenda = Agenda::of(&work.plan);
            Callbacks::of(Arc::new(work), agenda)
        });
        Some(Told {
            after,
            answer,
            callbacks,
        })
    }

    /// What was asked, oldest first.
    pub fn requests(&self) -> Vec<Asked> {
        self.0.requests()
    }

    /// The callbacks that were sent, and how they were answered, oldest first.
    pub fn sent(&self) -> Vec<Sent> {
        self.0.sent_so_far()
    }
}

impl Callbacks {
    fn of(work: Arc<Work>, agenda: Agenda) -> Option<Callbacks> {
        let next = agenda.next()?;
        Some(Callbacks { work, agenda, next })
    }

    /// When the next one is to be sent.
    pub fn due(&self) -> Timestamp {
        self.work.request.at.plus_millis(self.next.after)
    }

    /// The next one, as it is sent now.
    pub fn take(self) -> Callback {
        Callback {
            at: self.work.inner.clock.now(),
            ready: self.work.ready(self.next.deed),
            of: self,
        }
    }
}

impl Callback {
    /// What is sent.
    ///
    /// # Errors
    /// One sentence: why it can't be sent.
    pub fn sends(&self) -> Result<&Ready, String> {
        self.ready.as_ref().map_err(Clone::clone)
    }

    /// `POST`, as a rule.
    pub fn method(&self) -> &Method {
        &self.of.work.callback(self.of.next.deed).method
    }

    /// The service that sends it.
    pub fn service(&self) -> &str {
        &self.of.work.request.asked.service
    }

    /// The word of what goes wrong.
    pub fn fault(&self) -> &'static str {
        self.of.work.request.fault.word()
    }

    /// Notes how it was answered, or why it was not; gives those that follow.
    pub fn answered(self, answer: Result<StatusCode, String>) -> Option<Callbacks> {
        let Callbacks {
            work,
            mut agenda,
            next,
        } = self.of;
        work.note(self.at, next, &mut agenda, self.ready, answer);
        Callbacks::of(work, agenda)
    }
}
