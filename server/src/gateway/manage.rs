//! Routes over the API: `GET /rejoin/routes`, and `GET`, `PUT`, `DELETE /rejoin/routes/{name}`.
//!
//! A route that was made here is a document, and is there again after a restart. One of the
//! configuration is shown and can't be changed: its file would bring it back as it was. A stored route
//! that no longer fits the configuration (its topic is gone, its path is taken) does not keep the server
//! from starting; it is listed with its problem, and takes no callbacks.

use std::sync::Arc;

use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use store::{DocumentChange, Expect, StoreError, Table};

use super::record::{Reference, reference_key};
use super::route::Route;
use super::route::config::RouteConfig;
use super::routes::Routes;
use super::verify::UrlKey;
use super::verify::secret::SecretSource;
use super::{Gateway, NotStored, not_allowed, server_error};
use crate::http::{Call, Reply, percent_decode};

/// How many stored routes are read at a time.
const SCAN_PAGE: usize = 256;

impl Gateway {
    /// Takes up the routes that were made over the API.
    ///
    /// # Errors
    /// The store's.
    pub async fn load_routes(&self) -> Result<(), String> {
        let _turn = self.0.routes_turn.lock().await;
        let key = self.stored_url_key().await?;
        let _ = self.0.url_key.set(key);
        let mut routes = (*self.routes()).clone();
        for config in self.stored_routes().await? {
            match self.checked(&config, &routes) {
                Ok(with) => {
                    if let Some(route) = with.named(&config.name) {
                        self.0.expected.add(&route);
                    }
                    routes = with;
                }
                Err(what) => crate::log::say!(
                    "a stored route takes no callbacks: {what}; change it with PUT /rejoin/routes/{}",
                    config.name
                ),
            }
        }
        *self.0.routes.write() = Arc::new(routes);
        self.complete_keys().await
    }

    /// The key that callback URLs are signed with, made when the store is new: they stay good as long as
    /// the store does.
    async fn stored_url_key(&self) -> Result<UrlKey, String> {
        const KEY: &str = "callback-url-key";
        let found = self.0.store.get(Table::Meta, KEY).await;
        if let Some(document) = found.map_err(|StoreError(what)| what)? {
            let secret: [u8; 32] = document
                .content
                .try_into()
                .map_err(|_| "the store's key of callback URLs is damaged".to_owned())?;
            return Ok(UrlKey::new(&secret));
        }
        let mut secret = [0; 32];
        getrandom::fill(&mut secret)
            .map_err(|why| format!("the system gives no random bytes: {why}"))?;
        self.write_alone(Table::Meta, KEY, Some(secret.to_vec()))
            .await?;
        Ok(UrlKey::new(&secret))
    }

    /// `/rejoin/routes` and what is below it; `rest` is what follows.
    pub(super) async fn manage_routes(&self, rest: &str, call: &Call) -> Reply {
        let name = percent_decode(rest.trim_start_matches('/'));
        let answered = match (name.as_str(), &call.method) {
            ("", &Method::GET) => self.list_routes().await,
            ("", _) => Ok(not_allowed("GET")),
            (name, &Method::GET) => self.show_route(name).await,
            (name, &Method::PUT) => self.put_route(name, &call.body).await,
            (name, &Method::DELETE) => {
                let force = call.parameter("force").as_deref() == Some("true");
                self.delete_route(name, force).await
            }
            _ => Ok(not_allowed("GET, PUT, DELETE")),
        };
        answered.unwrap_or_else(|what| server_error(&what))
    }

    async fn list_routes(&self) -> Result<Reply, String> {
        let routes = self.routes();
        let stored = self.stored_routes().await?;
        let mut shown: Vec<Value> = routes
            .names()
            .into_iter()
            .filter_map(|name| routes.named(name))
            .map(|route| {
                let ours = stored.iter().any(|config| config.name == route.name);
                shown(&route.config, ours, None)
            })
            .collect();
        for config in &stored {
            if routes.named(&config.name).is_none() {
                let problem = self.checked(config, &routes).err();
                shown.push(self::shown(config, true, problem));
            }
        }
        Ok(Reply::json(StatusCode::OK, &json!({ "routes": shown })))
    }

    async fn show_route(&self, name: &str) -> Result<Reply, String> {
        let stored = self.stored_route(name).await?;
        let routes = self.routes();
        let found = match (routes.named(name), &stored) {
            (Some(route), stored) => shown(&route.config, stored.is_some(), None),
            (None, Some(config)) => shown(config, true, self.checked(config, &routes).err()),
            (None, None) => return Ok(no_such_route(name, &routes)),
        };
        Ok(Reply::json(StatusCode::OK, &found))
    }

    async fn put_route(&self, name: &str, body: &[u8]) -> Result<Reply, String> {
        let config = match written(name, body) {
            Ok(config) => config,
            Err(refusal) => return Ok(refusal),
        };
        let _turn = self.0.routes_turn.lock().await;
        let routes = self.routes();
        let stored = self.stored_route(name).await?;
        if stored.is_none() && routes.named(name).is_some() {
            return Ok(of_the_configuration(name));
        }
        let with = match self.checked(&config, &routes.without(name)) {
            Ok(with) => with,
            Err(what) => {
                return Ok(Reply::refusal(
                    StatusCode::BAD_REQUEST,
                    "InvalidRoute",
                    what,
                    "rejoin.sample.toml shows every key; what is there in TOML is here in JSON",
                ));
            }
        };
        let content = serde_json::to_vec(&config).expect("a configuration is plain data");
        self.store_route(name, Some(content)).await?;
        self.0.expected.remove(name);
        if let Some(route) = with.named(name) {
            self.0.expected.add(&route);
        }
        *self.0.routes.write() = Arc::new(with);
        let status = match stored {
            Some(_) => StatusCode::OK,
            None => StatusCode::CREATED,
        };
        Ok(Reply::json(status, &shown(&config, true, None)))
    }

    async fn delete_route(&self, name: &str, force: bool) -> Result<Reply, String> {
        let _turn = self.0.routes_turn.lock().await;
        let routes = self.routes();
        if self.stored_route(name).await?.is_none() {
            return Ok(match routes.named(name) {
                Some(_) => of_the_configuration(name),
                None => no_such_route(name, &routes),
            });
        }
        if !force && let Some(reference) = self.someone_waiting(name).await? {
            return Ok(Reply::refusal(
                StatusCode::CONFLICT,
                "RouteInUse",
                format!(
                    "a wait is registered on the route \"{name}\" under {reference:?}, and its callback would find nobody"
                ),
                "wait for it, or send DELETE with ?force=true",
            ));
        }
        self.store_route(name, None).await?;
        self.0.expected.remove(name);
        *self.0.routes.write() = Arc::new(routes.without(name));
        Ok(Reply::json(StatusCode::OK, &json!({ "deleted": name })))
    }

    /// These routes with one more, or what is wrong with it.
    fn checked(&self, config: &RouteConfig, routes: &Routes) -> Result<Routes, String> {
        self.0.engines.check(config)?;
        routes.with(Route::checked(config, &self.0.topics)?)
    }

    /// A reference of the route under which a wait is open.
    async fn someone_waiting(&self, route: &str) -> Result<Option<String>, String> {
        let prefix = reference_key(route, "");
        let mut after: Option<String> = None;
        loop {
            let page = self
                .0
                .store
                .scan(
                    Table::Reference,
                    &prefix,
                    after.as_deref(),
                    SCAN_PAGE,
                    false,
                )
                .await
                .map_err(|StoreError(what)| what)?;
            let last = page.len() < SCAN_PAGE;
            for (key, document) in page {
                let reference: Reference = super::read(&document)?;
                if let Some(holder) = reference.standing.holder()
                    && self.is_open(holder).await?
                {
                    return Ok(Some(reference.reference));
                }
                after = Some(key);
            }
            if last {
                return Ok(None);
            }
        }
    }

    async fn stored_route(&self, name: &str) -> Result<Option<RouteConfig>, String> {
        let found = self.document(Table::Route, name).await?;
        Ok(found.map(|(_, config)| config))
    }

    async fn stored_routes(&self) -> Result<Vec<RouteConfig>, String> {
        let mut all = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = self
                .0
                .store
                .scan(Table::Route, "", after.as_deref(), SCAN_PAGE, false)
                .await
                .map_err(|StoreError(what)| what)?;
            let last = page.len() < SCAN_PAGE;
            for (key, document) in page {
                all.push(super::read(&document)?);
                after = Some(key);
            }
            if last {
                return Ok(all);
            }
        }
    }

    async fn store_route(&self, name: &str, content: Option<Vec<u8>>) -> Result<(), String> {
        self.write_alone(Table::Route, name, content).await
    }

    /// Writes what nobody else writes.
    async fn write_alone(
        &self,
        table: Table,
        key: &str,
        content: Option<Vec<u8>>,
    ) -> Result<(), String> {
        let change = DocumentChange {
            table,
            key: key.to_owned(),
            expect: Expect::Any,
            content,
            due: None,
        };
        self.commit(vec![change])
            .await
            .map_err(|error| match error {
                NotStored::Server(what) => what,
                NotStored::Conflict => "a document that nobody else writes was written".into(),
            })
    }
}

/// The route that a request's body describes.
fn written(name: &str, body: &[u8]) -> Result<RouteConfig, Reply> {
    let wrong = |what: String, hint: &str| {
        Reply::refusal(StatusCode::BAD_REQUEST, "InvalidRoute", what, hint)
    };
    let mut value: Value = serde_json::from_slice(body).map_err(|why| {
        wrong(
            format!("the body is not JSON: {why}"),
            "send the route as JSON",
        )
    })?;
    if let Some(object) = value.as_object_mut() {
        object.entry("name").or_insert_with(|| name.into());
    }
    let config: RouteConfig = serde_json::from_value(value).map_err(|why| {
        wrong(
            format!("the body is not a route: {why}"),
            "rejoin.sample.toml shows every key; what is there in TOML is here in JSON",
        )
    })?;
    if config.name != name {
        return Err(wrong(
            format!(
                "the route in the body is called {:?}, and the one of the path {name:?}",
                config.name
            ),
            "leave the name out of the body",
        ));
    }
    let secrets = config.verify.iter().flat_map(|verify| &verify.secrets);
    if secrets
        .into_iter()
        .any(|secret| *secret == SecretSource::hidden())
    {
        return Err(wrong(
            "a secret is what this server shows instead of one".to_owned(),
            "send the secret itself, or env:NAME or file:PATH",
        ));
    }
    Ok(config)
}

/// A route for people: without its secrets.
fn shown(config: &RouteConfig, stored: bool, problem: Option<String>) -> Value {
    let mut config = config.clone();
    let secrets = config
        .verify
        .iter_mut()
        .flat_map(|verify| &mut verify.secrets);
    for secret in secrets {
        *secret = secret.without_literal();
    }
    let mut shown = serde_json::to_value(&config).expect("a configuration is plain data");
    shown["from"] = if stored { "api" } else { "configuration" }.into();
    if let Some(problem) = problem {
        shown["problem"] = problem.into();
    }
    shown
}

fn of_the_configuration(name: &str) -> Reply {
    Reply::refusal(
        StatusCode::CONFLICT,
        "RouteOfConfiguration",
        format!("the route \"{name}\" is in the configuration file"),
        "change it there, or take another name",
    )
}

pub(super) fn no_such_route(name: &str, routes: &Routes) -> Reply {
    let known = routes.names();
    let hint = match known.is_empty() {
        true => {
            "there are no routes; add [[routes]] to the configuration, or PUT /rejoin/routes/NAME"
                .to_owned()
        }
        false => super::words::did_you_mean(name, &known),
    };
    Reply::refusal(
        StatusCode::NOT_FOUND,
        "NoSuchRoute",
        format!("there is no route \"{name}\""),
        &hint,
    )
}
