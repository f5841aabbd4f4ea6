//! The valuation service's stand-in as a program, in real time: `valuation-service [ADDRESS]`.

use std::process::ExitCode;

use loan_processor::service::{VALUATIONS_PATH, ValuationService};
use server::client::Client;
use server::clock::Clock;
use tokio::net::TcpListener;

/// Where it listens if nothing is said; `rejoin.toml` beside this example looks for it there.
const DEFAULT_ADDRESS: &str = "127.0.0.1:8090";

#[tokio::main]
async fn main() -> ExitCode {
    let address = std::env::args().nth(1);
    let address = address.as_deref().unwrap_or(DEFAULT_ADDRESS);
    let listener = match TcpListener::bind(address).await {
        Ok(listener) => listener,
        Err(why) => {
            eprintln!(
                "valuation-service: can't listen on {address}: {why}; give another address, for example 127.0.0.1:0"
            );
            return ExitCode::FAILURE;
        }
    };
    match listener.local_addr() {
        Ok(bound) => println!("The valuation service takes POST http://{bound}{VALUATIONS_PATH}"),
        Err(why) => eprintln!("valuation-service: {why}"),
    }
    let service = ValuationService::new(Clock::real(), Client::new());
    match service.serve(listener).await {
        Ok(never) => match never {},
        Err(why) => {
            eprintln!("valuation-service: the listener failed: {why}");
            ExitCode::FAILURE
        }
    }
}
