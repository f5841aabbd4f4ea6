//! An HTTP service that misbehaves as it is told.
//!
//! A file of a few lines ([`definition`]) says what a service that callers depend on answers, which callbacks it sends
//! to the URL it was given, and what it does wrong. Everything in it is checked as it is read, and templates are
//! compiled. The same file serves a test on the virtual clock and a deployed system on the real one:
//!
//! ```yaml
//! services:
//!   valuation:
//!     secret: whsec_dGhlIHNlY3JldA==
//!     routes:
//!       - post: /valuations
//!         reply: {status: 201, body: {valuationReference: '{% $reference %}'}}
//!         callbacks:
//!           - after: 6s
//!             to: '{% $request.body.callbackUrl %}'
//!             body: {valuationReference: '{% $reference %}', propertyValue: 425000}
//!         fault: '{% $request.body.property.nameOrNumber %}'
//!     faults:
//!       Late callback: {late: {after: 45s}}
//! ```
//!
//! What a service does wrong is a [`Fault`]: one that a route always has, one that the request chooses, or one that
//! whoever embeds the mock forces on it ([`Running::force`]).
//!
//! | fault | what the service does | settings |
//! | --- | --- | --- |
//! | `none` | nothing wrong | |
//! | `no-answer` | takes the request, does nothing, never answers | |
//! | `delay` | answers late; its callbacks come as ever | `after` (30s) |
//! | `error` | does nothing and says so | `status` (500), `body` |
//! | `reset` | does nothing and resets the connection | |
//! | `slow-body` | sends half of the answer's body, and the rest later | `after` (30s) |
//! | `malformed-reply` | answers with half of a body | |
//! | `crash` | does the work, then resets the connection instead of answering | |
//! | `no-callback` | never calls back | |
//! | `late` | calls back late | `after` (1h), counted from the request |
//! | `early` | calls back before it has answered the request | |
//! | `duplicate` | calls back twice, saying the same | `after` (2s), counted from the first |
//! | `contradicting` | calls back twice, saying different things | `after` (2s), `body` (sees `$body`, the first one) |
//! | `out-of-order` | the last callback comes first; of one alone, a heartbeat comes after it | |
//! | `wrong-reference` | calls back with a `$reference` that it never gave; where the caller chooses the reference, `malformed` or a `body` of `contradicting` is what there is | |
//! | `malformed` | calls back with half of a body | |
//! | `forged` | somebody else calls back, who does not know the secret | |
//! | `unsigned` | calls back without a signature | |
//! | `expired` | calls back with a signature that was made too long ago | `ago` (1h) |
//! | `failed` | calls back to say that it failed (the callback's `failure`) | |
//! | `heartbeats` | heartbeats, then the callback, which is no fault at all | `every` (5s), `count` (4) |
//! | `heartbeats-stop` | heartbeats, then silence | `every` (5s), `count` (3) |
//! | `heartbeats-only` | heartbeats that go on until nobody takes them, and never a callback | `every` (5s) |
//!
//! While it works on a request or sends a callback it keeps virtual time standing; while it waits it sleeps on the
//! clock. Ids and randomness come from a seed and from what was asked, so the same requests get the same answers.
//!
//! In reading order: [`definition`] and [`fault`] (what a file says), `read`, `reading` and `template` (how it is read),
//! [`call`] (a request as templates see it), `choose`, `plan` and `decide` (which route answers, what a fault makes of it, what follows), `agenda`
//! (which callback is next),
//! `serve`, `said` and `send` (what is done), [`event`] (what is told of it), [`running`] (a mock at work), [`played`] (one
//! without sockets, whose requests and callbacks somebody else carries).
//!
//! Not known here: flags, files, scenarios, state machines, and what a callback's receiver makes of it.

mod agenda;
pub mod call;
mod choose;
mod decide;
pub mod definition;
pub mod event;
pub mod fault;
mod plan;
pub mod played;
mod read;
mod reading;
pub mod running;
mod said;
mod send;
mod serve;
mod template;

pub use definition::Mock;
pub use event::{Asked, Event, Sent};
pub use fault::Fault;
pub use played::Played;
pub use reading::Wrong;
pub use running::{Listen, Running, Start};
