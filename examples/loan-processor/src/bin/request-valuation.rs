//! The function `request-valuation` as a program: here and on AWS the same.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    loan_processor::request::run_function().await
}
