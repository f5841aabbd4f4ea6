//! `SendTaskHeartbeat`.

use serde::Deserialize;

use crate::app::App;

use super::request::{Answer, Text, nothing, read};
use super::task;
use super::validation::{self, Check};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow)]
    task_token: Option<Text<'a>>,
}

pub(super) async fn answer(app: &App, body: &[u8]) -> Answer {
    let request: Request = read(body)?;
    let mut check = Check::new();
    let token = check.required("taskToken", &request.task_token, validation::TASK_TOKEN);
    check.done()?;
    app.runner.heartbeat(token).await.map_err(task::refused)?;
    nothing()
}
