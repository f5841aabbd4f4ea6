//! `SendTaskSuccess`.

use asl::Data;
use engine::Outcome;
use serde::Deserialize;

use crate::app::App;

use super::error::ApiError;
use super::request::{Answer, Text, nothing, read};
use super::validation::{self, Check};
use super::{jackson, task};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow)]
    task_token: Option<Text<'a>>,
    output: Option<Text<'a>>,
}

pub(super) async fn answer(app: &App, body: &[u8]) -> Answer {
    let request: Request = read(body)?;
    let mut check = Check::within(&app.quotas);
    let token = check.required("taskToken", &request.task_token, validation::TASK_TOKEN);
    let output = check.required("output", &request.output, validation::DATA);
    check.done()?;
    let outcome = Outcome::Success(accept_output(output)?);
    task::check_key(app, token).await?;
    let completed = app.runner.complete(token, outcome).await;
    completed.map_err(task::refused)?;
    nothing()
}

/// An output that is JSON, or what is wrong with it.
fn accept_output(text: &str) -> Result<Data, ApiError> {
    Data::parse(text).map_err(|error| {
        let fault = jackson::explain(text, &error);
        ApiError::invalid_output(&fault)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_that_is_not_json_is_refused() {
        assert!(accept_output("\"text\"").is_ok());
        let error = accept_output("text").expect_err("it is refused");
        assert_eq!(error.kind, "InvalidOutput");
        assert_eq!(
            error.message,
            "Invalid Output: 'Unrecognized token 'text': was expecting (JSON String, Number, Array, \
             Object or token 'null', 'true' or 'false')'"
        );
    }
}
