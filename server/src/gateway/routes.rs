//! All routes of a server, by name and by path.

use std::sync::Arc;

use hashbrown::HashMap;
use hyper::Method;

use super::route::Route;

/// The routes. It does not change; another one takes its place.
#[derive(Default, Clone)]
pub(super) struct Routes {
    by_name: HashMap<String, Arc<Route>>,
    /// The paths without parameters.
    fixed: HashMap<String, Vec<Place>>,
    /// The others.
    patterns: Vec<Place>,
}

/// A route, and which of its entrances.
pub(super) type Place = (Arc<Route>, usize);

/// Who answers at a path.
pub(super) enum Found {
    Nobody,
    /// This route, at this entrance, with the parameters of its path.
    Route(Arc<Route>, usize, Vec<(String, String)>),
    /// Somebody, with one of these methods.
    OtherMethod(Place, Vec<(String, String)>, String),
}

impl Routes {
    /// These routes and another one.
    ///
    /// # Errors
    /// One sentence: which routes are in each other's way.
    pub fn with(&self, route: Route) -> Result<Routes, String> {
        if self.by_name.contains_key(&route.name) {
            return Err(format!(
                "two routes have the name \"{}\"; give one of them another `name`",
                route.name
            ));
        }
        for entrance in &route.entrances {
            let all = self.by_name.values();
            let rival = all
                .flat_map(|other| other.entrances.iter().map(move |at| (other, at)))
                .find(|(_, at)| at.rivals(entrance));
            if let Some((other, at)) = rival {
                let (mine, theirs) = (entrance.address.text(), at.address.text());
                return Err(match mine == theirs {
                    true => format!(
                        "the routes \"{}\" and \"{}\" have the same path {mine:?}; give one of them another `path`",
                        other.name, route.name
                    ),
                    false => format!(
                        "the paths {theirs:?} of the route \"{}\" and {mine:?} of the route \"{}\" may mean the same; give one of them another `path`",
                        other.name, route.name
                    ),
                });
            }
        }
        let all = self.by_name.values().cloned();
        Ok(Routes::of(all.chain([Arc::new(route)])))
    }

    /// These routes without the one of this name.
    pub fn without(&self, name: &str) -> Routes {
        let all = self.by_name.values();
        Routes::of(all.filter(|route| route.name != name).cloned())
    }

    fn of(all: impl Iterator<Item = Arc<Route>>) -> Routes {
        let mut routes = Routes::default();
        for route in all {
            for (index, entrance) in route.entrances.iter().enumerate() {
                let place = (route.clone(), index);
                match entrance.address.is_fixed() {
                    true => {
                        let text = entrance.address.text().to_owned();
                        routes.fixed.entry(text).or_default().push(place);
                    }
                    false => routes.patterns.push(place),
                }
            }
            routes.by_name.insert(route.name.clone(), route);
        }
        routes
    }

    /// The route of this name.
    pub fn named(&self, name: &str) -> Option<Arc<Route>> {
        self.by_name.get(name).cloned()
    }

    /// All of them, in no order.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.by_name.values()
    }

    /// All names, in order.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.by_name.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }

    /// Who answers at `path`. A path that is spelled out goes before one with parameters.
    pub fn at(&self, path: &str, method: &Method) -> Found {
        let fixed = self.fixed.get(path).into_iter().flatten();
        let fixed = fixed.map(|place| (place, Vec::new()));
        let patterns = self.patterns.iter().filter_map(|place| {
            let parameters = place.0.entrances[place.1].address.fits(path)?;
            Some((place, parameters))
        });
        let mut first = None;
        let mut others = Vec::new();
        for ((route, index), parameters) in fixed.chain(patterns) {
            let takes = &route.entrances[*index].method;
            if takes == method {
                return Found::Route(route.clone(), *index, parameters);
            }
            others.push(takes.as_str());
            first.get_or_insert(((route.clone(), *index), parameters));
        }
        match first {
            None => Found::Nobody,
            Some((place, parameters)) => Found::OtherMethod(place, parameters, others.join(", ")),
        }
    }

    /// Who may be meant by a path at which nobody is, with the parameters of its path.
    pub fn meant(&self, path: &str) -> Option<(Place, Vec<(String, String)>)> {
        let fixed = self.fixed.values().flatten();
        let mut meant = fixed.chain(&self.patterns).filter_map(|place| {
            let parameters = place.0.entrances[place.1].address.resembles(path)?;
            Some((place.clone(), parameters))
        });
        meant.next()
    }
}
