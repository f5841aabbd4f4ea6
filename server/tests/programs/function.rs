//! A function that does what its payload says, for the tests: it speaks the Lambda Runtime API by hand.
//!
//! The first argument says how it starts: `works`, `exits`, `cannot` (reports an init error), `silent`
//! (never asks for work). The payload says how it answers, by its member `do`:
//!
//! | `do` | what it does |
//! | --- | --- |
//! | `tell` | answers with its process id, its environment, the headers and the payload |
//! | `fail` | reports an error of the type `error_type`, or without a type |
//! | `exit` | ends with the status `status`; `die`: by SIGKILL |
//! | `hang` | never answers |
//! | `say` | answers with the text `text`, JSON or not |
//! | `large` | answers with `bytes` bytes |
//! | `meet` | connects to `address`, sends its process id, waits until that is closed, answers with it |

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

fn main() {
    let address = std::env::var("AWS_LAMBDA_RUNTIME_API").expect("the server sets it");
    match std::env::args().nth(1).as_deref() {
        Some("exits") => {
            println!("nothing to do here");
            std::process::exit(7);
        }
        Some("cannot") => {
            let error = json!({"errorType": "Extension.NoDatabase", "errorMessage": "no database"});
            exchange(&address, "POST", "init/error", &error.to_string());
            std::process::exit(1);
        }
        Some("silent") => loop {
            std::thread::park();
        },
        _ => {}
    }
    loop {
        let (headers, body) = exchange(&address, "GET", "invocation/next", "");
        let id = headers["lambda-runtime-aws-request-id"].clone();
        let event: Value = serde_json::from_str(&body).expect("a payload is JSON");
        let (to, answer) = answer(&event, &headers);
        exchange(&address, "POST", &format!("invocation/{id}/{to}"), &answer);
    }
}

fn answer(event: &Value, headers: &BTreeMap<String, String>) -> (&'static str, String) {
    let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
    let process = std::process::id();
    match event["do"].as_str() {
        Some("fail") => {
            let mut error = json!({"errorMessage": "as told", "stackTrace": ["here"]});
            if event["error_type"].is_string() {
                error["errorType"] = event["error_type"].clone();
            }
            ("error", error.to_string())
        }
        Some("exit") => std::process::exit(event["status"].as_i64().unwrap_or(0) as i32),
        Some("die") => {
            let own = rustix::process::getpid();
            rustix::process::kill_process(own, rustix::process::Signal::KILL)
                .expect("a process may kill itself");
            unreachable!("nobody survives SIGKILL")
        }
        Some("hang") => loop {
            std::thread::park();
        },
        Some("say") => ("response", text("text")),
        Some("large") => {
            let bytes = event["bytes"].as_u64().expect("bytes") as usize;
            ("response", format!("\"{}\"", "x".repeat(bytes - 2)))
        }
        Some("meet") => {
            let mut other = TcpStream::connect(text("address")).expect("the test listens");
            writeln!(other, "{process}").expect("the test reads");
            other.read_to_end(&mut Vec::new()).expect("the test closes");
            ("response", json!({ "process": process }).to_string())
        }
        _ => {
            println!("telling");
            let environment: BTreeMap<String, String> = std::env::vars().collect();
            let told = json!({
                "process": process,
                "arguments": std::env::args().skip(1).collect::<Vec<_>>(),
                "environment": environment,
                "headers": headers,
                "payload": event,
            });
            ("response", told.to_string())
        }
    }
}

/// One request on a connection of its own.
fn exchange(
    address: &str,
    method: &str,
    path: &str,
    body: &str,
) -> (BTreeMap<String, String>, String) {
    let mut stream = TcpStream::connect(address).expect("the Runtime API is there");
    let length = body.len();
    let head = format!(
        "{method} /2018-06-01/runtime/{path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
    );
    // The answer may come before the body is sent, if that is too long.
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(body.as_bytes());
    let mut reader = BufReader::new(stream);
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        match reader.read_line(&mut line) {
            Ok(count) if count > 0 => {}
            _ => return (headers, String::new()),
        }
        if line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':') {
            headers.insert(name.to_lowercase(), value.trim().to_owned());
        }
    }
    let mut body = String::new();
    reader
        .read_to_string(&mut body)
        .expect("the body of an answer");
    (headers, body)
}
