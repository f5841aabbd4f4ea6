//! The services of a case, and what they do wrong in it: `services` and `faults`.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use mock::{Fault, Mock};
use serde_json::Value;
use source::Source;

use super::given::Given;
use crate::world::Services;

const WHAT: &str = "It is what a mock's file has below `services`, or the name of such a file, or a list of these.";

/// Files of services that were read; none is of one that is not right.
#[derive(Default)]
pub(super) struct Files(HashMap<PathBuf, Option<Mock>>);

impl Files {
    /// Reads both members. Nothing if something is wrong with them; none inside if there are none.
    #[expect(
        clippy::option_option,
        reason = "what is wrong was said, what is not there is no fault"
    )]
    pub(super) fn read(
        &mut self,
        services: Option<&Given<'_>>,
        faults: Option<&Given<'_>>,
        folder: &Path,
        files: &mut BTreeSet<PathBuf>,
    ) -> Option<Option<Services>> {
        let mut mock: Option<Mock> = None;
        for layer in services.map(Given::layers).into_iter().flatten() {
            for given in layer.items() {
                let read = match given.value {
                    Value::String(file) => self.file(&given, folder.join(file), files)?,
                    Value::Object(_) => inline(&given)?,
                    _ => {
                        given.wrong_but("these are no services", WHAT);
                        return None;
                    }
                };
                mock = Some(match mock {
                    Some(mock) => mock.with(&read),
                    None => read,
                });
            }
        }
        let entries = faults.map(Given::entries).unwrap_or_default();
        let names: Vec<&str> = mock.iter().flat_map(Mock::services).collect();
        let mut forced: Vec<(String, Fault)> = Vec::new();
        for (service, given) in entries {
            if !names.contains(&service) {
                given.unknown_name("service", service, &names);
                return None;
            }
            let mock = mock.as_ref()?;
            match mock.fault(service, given.value, "") {
                Ok(fault) => forced.push((service.to_owned(), fault)),
                Err(wrong) => {
                    wrong
                        .into_iter()
                        .for_each(|wrong| given.wrong_in_mock(wrong));
                    return None;
                }
            }
        }
        Some(mock.map(|mock| Services {
            mock,
            faults: forced,
        }))
    }

    fn file(
        &mut self,
        given: &Given<'_>,
        path: PathBuf,
        files: &mut BTreeSet<PathBuf>,
    ) -> Option<Mock> {
        if let Some(known) = self.0.get(&path) {
            return known.clone();
        }
        files.insert(path.clone());
        let mock = of_file(given, &path);
        self.0.insert(path, mock.clone());
        mock
    }
}

fn inline(given: &Given<'_>) -> Option<Mock> {
    match Mock::of_services(given.value, "") {
        Ok(mock) => Some(mock),
        Err(wrong) => {
            wrong
                .into_iter()
                .for_each(|wrong| given.wrong_in_mock(wrong));
            None
        }
    }
}

fn of_file(given: &Given<'_>, path: &Path) -> Option<Mock> {
    let source = match Source::read(&path.to_string_lossy()) {
        Ok(source) => source,
        Err(why) => {
            given.wrong(why);
            return None;
        }
    };
    if let Ok(mock) = Mock::read(&source) {
        return Some(mock);
    }
    given.wrong_services(Box::new(source));
    None
}
