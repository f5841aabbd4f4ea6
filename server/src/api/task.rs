//! What the `SendTask` operations share: how a token that is of no use is told, and whether a key is.

use crate::app::App;
use crate::runner::TokenError;

use super::error::ApiError;
use super::keys;

pub(super) fn refused(error: TokenError) -> ApiError {
    match error {
        TokenError::Invalid => ApiError::invalid_token(),
        TokenError::Ended(_) => ApiError::task_timed_out(),
        TokenError::Gone => ApiError::task_does_not_exist(),
        TokenError::Server(what) => ApiError::server(what),
    }
}

/// Checks the key of the machine whose task it is. A token that is of no use is told by who uses it.
pub(super) async fn check_key(app: &App, token: &str) -> Result<(), ApiError> {
    match app.runner.check(token) {
        Ok(token) => keys::check_execution_at(app, token.execution).await,
        Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_never_was_is_told_from_one_that_is_no_more() {
        let invalid = refused(TokenError::Invalid);
        assert_eq!(invalid.kind, "InvalidToken");
        assert_eq!(invalid.message, "Invalid Token: 'Invalid token'");
        assert_eq!(refused(TokenError::Gone).kind, "TaskDoesNotExist");
        let server = refused(TokenError::Server("disk".to_owned()));
        assert_eq!(
            (server.status.as_u16(), server.log.as_deref()),
            (500, Some("disk"))
        );
        assert!(!server.message.contains("disk"));
    }
}
