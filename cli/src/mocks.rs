//! Where the mock configuration comes from: a flag, the variables of Step Functions Local and of LocalStack,
//! `[mocks]`, or the file that Step Functions Local looks for where it is started.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use server::mocks::{Mocks, Validation};

/// The first that is set counts.
const VARIABLES: [&str; 2] = ["SFN_MOCK_CONFIG", "LOCALSTACK_SFN_MOCK_CONFIG"];
const FILE_DEFAULT: &str = "MockConfigFile.json";

/// The flags.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct MockFlags {
    /// Test cases, in the format of Step Functions Local [default: $SFN_MOCK_CONFIG, or MockConfigFile.json if it is here]
    #[arg(long, value_name = "FILE")]
    pub(crate) mock_config: Option<PathBuf>,
    /// How mocked results are held against the models of services: strict, present or none [default: strict]
    #[arg(long, value_name = "MODE")]
    pub(crate) mock_validation: Option<Validation>,
}

/// `[mocks]`: what the flags say too; a flag wins.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MocksConfig {
    /// `--mock-config`.
    pub file: Option<PathBuf>,
    /// `--mock-validation`.
    pub validation: Option<Validation>,
}

impl MockFlags {
    /// Reads the file, if there is one.
    ///
    /// # Errors
    /// As [`Mocks::read`].
    pub(crate) fn read(self, config: MocksConfig) -> Result<Option<Mocks>, String> {
        let variables = VARIABLES.map(std::env::var_os);
        let there = Path::new(FILE_DEFAULT)
            .is_file()
            .then(|| FILE_DEFAULT.into());
        let file = chosen(self.mock_config, variables, config.file, there);
        let validation = self.mock_validation.or(config.validation);
        file.map(|file| Mocks::read(&file, validation.unwrap_or_default()))
            .transpose()
    }
}

fn chosen(
    flag: Option<PathBuf>,
    variables: [Option<OsString>; 2],
    config: Option<PathBuf>,
    there: Option<PathBuf>,
) -> Option<PathBuf> {
    let mut variables = variables.into_iter().flatten();
    let variable = variables.find(|value| !value.is_empty());
    flag.or(variable.map(PathBuf::from)).or(config).or(there)
}

/// For the line that a server says of it.
pub(crate) fn told(mocks: &Mocks) -> String {
    let many = |count: usize, what: &str| match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    };
    let (machines, cases) = mocks.counts();
    format!(
        "mocks of {}: {} of {}; start one with #CASE after the state machine's ARN",
        mocks.file(),
        many(cases, "test case"),
        many(machines, "state machine")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_last_and_closest_counts() {
        let path = |text: &str| Some(PathBuf::from(text));
        let variable = |text: &str| Some(OsString::from(text));
        let all = chosen(path("f"), [variable("s"), None], path("c"), path("t"));
        assert_eq!(all, path("f"));
        let variables = [variable("s"), variable("l")];
        assert_eq!(chosen(None, variables, path("c"), path("t")), path("s"));
        let variables = [variable(""), variable("l")];
        assert_eq!(chosen(None, variables, path("c"), None), path("l"));
        assert_eq!(chosen(None, [None, None], path("c"), path("t")), path("c"));
        assert_eq!(chosen(None, [None, None], None, path("t")), path("t"));
        assert_eq!(chosen(None, [None, None], None, None), None);
    }
}
