//! A mock at work: its listeners, what it remembers, and what can be done to it.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use asl::Timestamp;
use parking_lot::Mutex;
use server::client::Client;
use server::clock::Clock;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::call::Seed;
use crate::definition::{Mock, Route, Service};
use crate::event::{Answered, Asked, Event, Sent};
use crate::fault::Fault;
use crate::plan::{Answer, fits};
use crate::serve;

/// As many requests, callbacks and works are remembered; the oldest go first.
const KEPT_MAX: usize = 10_000;

/// Hears of everything as it happens.
pub type Heard = Arc<dyn Fn(&Event) + Send + Sync>;

/// What a mock needs to work.
pub struct Start {
    /// The clock that it waits by.
    pub clock: Clock,
    /// Sends the callbacks.
    pub client: Client,
    /// Where the services listen.
    pub listen: Listen,
    /// What ids are made from, if the file does not say.
    pub seed: u64,
    /// Who hears of everything.
    pub heard: Option<Heard>,
}

/// Where the services listen: each has a port of its own, as the real ones have.
#[derive(Debug, Clone, Copy)]
pub enum Listen {
    /// On ports of the system's choice, on 127.0.0.1: for tests.
    Free,
    /// On the ports that the file names; those that it does not, from this one on.
    AsWritten(SocketAddr),
    /// From this port on, in the order of the file.
    From(SocketAddr),
}

/// A mock at work. Dropping it ends the work.
pub struct Running {
    inner: Arc<Inner>,
    addresses: Vec<(String, SocketAddr)>,
    /// Everybody stops once this is gone.
    _stop: watch::Sender<()>,
}

pub(crate) struct Inner {
    pub mock: Mock,
    pub clock: Clock,
    pub seed: Seeds,
    heard: Option<Heard>,
    state: Mutex<State>,
    /// Who sends the callbacks, and when all stops; none where somebody else carries everything.
    own: Option<(Client, watch::Receiver<()>)>,
}

/// A seed that several threads draw from by name.
pub(crate) struct Seeds(u64);

impl Seeds {
    pub fn named(&self, name: impl std::fmt::Display) -> Seed {
        Seed::of(self.0).named(name)
    }
}

#[derive(Default)]
struct State {
    asked: u64,
    requests: VecDeque<Asked>,
    sent: VecDeque<Sent>,
    kept: Kept,
    forced: HashMap<(String, String), Fault>,
}

/// Of which service, which route, which key.
type Of = (usize, String, String);

/// What is remembered by key: counts, and the references of works.
#[derive(Default)]
struct Kept {
    counts: HashMap<Of, u64>,
    works: HashMap<Of, String>,
    /// The keys in the order of their first coming.
    order: VecDeque<Of>,
}

impl Mock {
    /// Binds the services' ports and begins to work.
    ///
    /// # Errors
    /// One sentence: which service can't listen where, and why.
    pub async fn start(&self, start: Start) -> Result<Running, String> {
        let mut listeners = Vec::new();
        let mut next = match start.listen {
            Listen::Free => SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            Listen::From(first) | Listen::AsWritten(first) => first,
        };
        for service in &self.0.services {
            let at = place(service, start.listen, &mut next)?;
            let listener = TcpListener::bind(at).await.map_err(|why| {
                format!("{} can't listen on {at}: {why}; give it another port, or 0 for any that is free", service.name)
            })?;
            let address = listener
                .local_addr()
                .map_err(|why| format!("where {} listens is not known: {why}", service.name))?;
            listeners.push((listener, address));
        }
        let (stop, stopped) = watch::channel(());
        let mut inner = Inner::of(self, start.clock, start.seed);
        inner.heard = start.heard;
        inner.own = Some((start.client, stopped));
        let inner = Arc::new(inner);
        let mut addresses = Vec::new();
        for (index, (listener, address)) in listeners.into_iter().enumerate() {
            addresses.push((self.0.services[index].name.clone(), address));
            inner.spawn(serve::listen(inner.clone(), index, listener));
        }
        Ok(Running {
            inner,
            addresses,
            _stop: stop,
        })
    }
}

/// Where a service listens; `next` moves on with those that have no port of their own.
fn place(service: &Service, listen: Listen, next: &mut SocketAddr) -> Result<SocketAddr, String> {
    match (listen, service.port) {
        (Listen::AsWritten(first), Some(port)) => Ok(SocketAddr::new(first.ip(), port)),
        (Listen::From(_) | Listen::AsWritten(_), _) => {
            let at = *next;
            if at.port() != 0 {
                let port = at.port().checked_add(1);
                next.set_port(
                    port.ok_or_else(|| {
                        format!("there is no port after {at} for {}", service.name)
                    })?,
                );
            }
            Ok(at)
        }
        (Listen::Free, _) => Ok(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0)),
    }
}

impl Running {
    /// Where each service listens, in the order of the file.
    pub fn addresses(&self) -> &[(String, SocketAddr)] {
        &self.addresses
    }

    /// A service's URL, without a path, if there is such a service.
    pub fn url(&self, service: &str) -> Option<String> {
        let found = self.addresses.iter().find(|(name, _)| name == service);
        found.map(|(_, address)| format!("http://{address}"))
    }

    /// What was asked, oldest first.
    pub fn requests(&self) -> Vec<Asked> {
        self.inner.requests()
    }

    /// The callbacks that were sent, and how they were answered, in the order of the answers.
    pub fn sent(&self) -> Vec<Sent> {
        self.inner.sent_so_far()
    }

    /// From now on every request to a route (`POST /valuations`) meets this fault, whatever the file says; with none,
    /// what the file says again.
    ///
    /// # Errors
    /// One sentence: there is no such service or route, or it can't go wrong like that.
    pub fn force(&self, service: &str, route: &str, fault: Option<Fault>) -> Result<(), String> {
        let services = &self.inner.mock.0.services;
        let found = services
            .iter()
            .find(|known| known.name == service)
            .ok_or_else(|| {
                let known: Vec<&str> = self.inner.mock.services().collect();
                format!(
                    "there is no service {service:?}; there are {}",
                    known.join(", ")
                )
            })?;
        let mut routes = found
            .routes
            .iter()
            .filter(|known| known.name == route)
            .peekable();
        if routes.peek().is_none() {
            let known: Vec<&str> = self.inner.mock.routes(service).collect();
            return Err(format!(
                "{service} has no route {route:?}; there are {}",
                known.join(", ")
            ));
        }
        let key = (service.to_owned(), route.to_owned());
        let Some(fault) = fault else {
            self.inner.state.lock().forced.remove(&key);
            return Ok(());
        };
        for route in routes {
            can(&fault, found, route)?;
        }
        self.inner.force(key, fault);
        Ok(())
    }
}

/// Whether a route of a service can go wrong in this way.
pub(crate) fn can(fault: &Fault, service: &Service, route: &Route) -> Result<(), String> {
    let proof = service.proof.as_ref();
    let timed = proof.is_some_and(|proof| proof.right.is_timed());
    fits(fault, route, proof.is_some(), timed).map_err(|why| {
        format!(
            "{} of {} can't be `{}`: {why}",
            route.name,
            service.name,
            fault.word()
        )
    })
}

impl Inner {
    /// One that has not been asked anything yet, and whose callbacks somebody else sends.
    pub fn of(mock: &Mock, clock: Clock, seed: u64) -> Inner {
        Inner {
            mock: mock.clone(),
            clock,
            seed: Seeds(mock.0.seed.unwrap_or(seed)),
            heard: None,
            state: Mutex::default(),
            own: None,
        }
    }

    fn own(&self) -> &(Client, watch::Receiver<()>) {
        let own = self.own.as_ref();
        own.expect("who listens has a client, and an end")
    }

    pub fn client(&self) -> &Client {
        &self.own().0
    }

    pub fn service(&self, index: usize) -> &Service {
        &self.mock.0.services[index]
    }

    /// Works until it is done or the mock is.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut stopped = self.own().1.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = stopped.changed() => {}
                () = work => {}
            }
        });
    }

    /// The how-many-eth request of its route and key this is.
    pub fn count(&self, service: usize, route: &str, key: &str) -> u64 {
        let mut state = self.state.lock();
        let of = (service, route.to_owned(), key.to_owned());
        state.kept.note(&of);
        let count = state.kept.counts.entry(of).or_default();
        *count += 1;
        *count
    }

    /// The reference of the work that there is for this key.
    pub fn work(&self, service: usize, route: &str, key: &str) -> Option<String> {
        let state = self.state.lock();
        let of = (service, route.to_owned(), key.to_owned());
        state.kept.works.get(&of).cloned()
    }

    pub fn keep_work(&self, service: usize, route: &str, key: &str, reference: &str) {
        let mut state = self.state.lock();
        let of = (service, route.to_owned(), key.to_owned());
        state.kept.note(&of);
        state.kept.works.insert(of, reference.to_owned());
    }

    pub fn requests(&self) -> Vec<Asked> {
        self.state.lock().requests.iter().cloned().collect()
    }

    pub fn sent_so_far(&self) -> Vec<Sent> {
        self.state.lock().sent.iter().cloned().collect()
    }

    /// From now on a route of a service goes wrong in this way.
    pub fn force(&self, of: (String, String), fault: Fault) {
        self.state.lock().forced.insert(of, fault);
    }

    pub fn forced(&self, service: &str, route: &str) -> Option<Fault> {
        let state = self.state.lock();
        if state.forced.is_empty() {
            return None;
        }
        state
            .forced
            .get(&(service.to_owned(), route.to_owned()))
            .cloned()
    }

    /// Notes a request; gives its number.
    pub fn asked(&self, mut asked: Asked) -> u64 {
        {
            let mut state = self.state.lock();
            state.asked += 1;
            asked.id = state.asked;
            push(&mut state.requests, asked.clone());
        }
        let id = asked.id;
        self.tell(&Event::Request(asked));
        id
    }

    /// Notes how a request is answered, or that it is not.
    pub fn settled(
        &self,
        id: u64,
        service: usize,
        at: Timestamp,
        status: u16,
        manner: &Answer,
        text: &str,
    ) {
        let comes = manner.comes();
        self.answered(Answered {
            id,
            at: at.to_string(),
            service: self.service(service).name.clone(),
            status: comes.then_some(status),
            body: if comes {
                text.to_owned()
            } else {
                String::new()
            },
            remark: manner.remark().map(str::to_owned),
        });
    }

    pub fn answered(&self, answered: Answered) {
        {
            let mut state = self.state.lock();
            let first = state.requests.front().map_or(0, |asked| asked.id);
            let at = usize::try_from(answered.id.wrapping_sub(first)).unwrap_or(usize::MAX);
            if let Some(asked) = state.requests.get_mut(at) {
                asked.answered = Some(answered.clone());
            }
        }
        self.tell(&Event::Answer(answered));
    }

    pub fn sent(&self, sent: Sent) {
        push(&mut self.state.lock().sent, sent.clone());
        self.tell(&Event::Callback(sent));
    }

    fn tell(&self, event: &Event) {
        if let Some(heard) = &self.heard {
            heard(event);
        }
    }
}

fn push<T>(kept: &mut VecDeque<T>, one: T) {
    if kept.len() == KEPT_MAX {
        kept.pop_front();
    }
    kept.push_back(one);
}

impl Kept {
    /// Makes room for a key that is new.
    fn note(&mut self, of: &Of) {
        if self.counts.contains_key(of) || self.works.contains_key(of) {
            return;
        }
        if self.order.len() == KEPT_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.counts.remove(&oldest);
            self.works.remove(&oldest);
        }
        self.order.push_back(of.clone());
    }
}
