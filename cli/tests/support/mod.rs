//! A server as a child process, and a plain blocking client for it.

// Each test program takes what it needs of this.
#![allow(dead_code)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

/// A server; killed when dropped.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
}

impl Server {
    /// Starts `rejoin serve` on a free port and waits until it says where it listens.
    pub fn start(directory: &Path, more: &[&str]) -> Server {
        Server::start_by(Command::new(env!("CARGO_BIN_EXE_rejoin")), directory, more)
    }

    /// The same by a command that ends in the program's name.
    pub fn start_by(mut command: Command, directory: &Path, more: &[&str]) -> Server {
        let mut child = command
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(directory)
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let mut line = String::new();
        let output = child
            .stdout
            .take()
            .expect("the server's output was asked for");
        BufReader::new(output)
            .read_line(&mut line)
            .expect("the server says something");
        let address = line
            .trim()
            .rsplit_once("http://")
            .and_then(|(_, address)| address.parse().ok());
        let address =
            address.unwrap_or_else(|| panic!("the server did not say where it listens: {line:?}"));
        Server { child, address }
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.child.kill().expect("the server can be killed");
        self.child.wait().expect("the server's end can be seen");
    }

    /// SIGTERM, and the exit status.
    pub fn terminate(&mut self) -> std::process::ExitStatus {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &id])
                .status()
                .expect("kill runs")
                .success()
        );
        self.child.wait().expect("the server's end can be seen")
    }

    pub fn client(&self) -> Client {
        Client::at(self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder under the target directory, empty at first and removed at the end.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Folder {
        let path =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).expect("a folder can be made");
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Keeps one connection and opens another when that breaks.
pub struct Client {
    address: SocketAddr,
    stream: Option<BufReader<TcpStream>>,
}

/// An answer: status and body.
pub type Answer = (u16, Value);

impl Client {
    /// For a server at this address.
    pub fn at(address: SocketAddr) -> Client {
        Client {
            address,
            stream: None,
        }
    }

    /// One exchange; an error means that no whole answer came, so nothing is known.
    pub fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &str,
        body: &str,
    ) -> std::io::Result<Answer> {
        let outcome = self.exchange(method, path, headers, body);
        if outcome.is_err() {
            self.stream = None;
        }
        outcome
    }

    fn exchange(
        &mut self,
        method: &str,
        path: &str,
        headers: &str,
        body: &str,
    ) -> std::io::Result<Answer> {
        if self.stream.is_none() {
            let stream = TcpStream::connect_timeout(&self.address, Duration::from_secs(5))?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(Duration::from_secs(90)))?;
            self.stream = Some(BufReader::new(stream));
        }
        let stream = self.stream.as_mut().expect("it was opened");
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: test\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.get_mut().write_all(request.as_bytes())?;
        let broken = || std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let status = line
            .split(' ')
            .nth(1)
            .and_then(|code| code.parse().ok())
            .ok_or_else(broken)?;
        let mut length = 0;
        loop {
            line.clear();
            if stream.read_line(&mut line)? == 0 {
                return Err(broken());
            }
            if line == "\r\n" {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().map_err(|_| broken())?;
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body)?;
        Ok((status, serde_json::from_slice(&body).unwrap_or(Value::Null)))
    }

    /// An operation of the Step Functions API.
    pub fn call(&mut self, operation: &str, body: &Value) -> std::io::Result<Answer> {
        let headers = format!(
            "Content-Type: application/x-amz-json-1.0\r\nX-Amz-Target: AWSStepFunctions.{operation}\r\n"
        );
        self.send("POST", "/", &headers, &body.to_string())
    }

    /// Fetches a task: its token, and the execution that its input names.
    pub fn fetch(&mut self, activity: &str) -> std::io::Result<Option<(String, String)>> {
        let (status, task) = self.call("GetActivityTask", &json!({ "activityArn": activity }))?;
        assert_eq!(status, 200, "GetActivityTask: {task}");
        let Some(token) = task["taskToken"].as_str() else {
            return Ok(None);
        };
        let input: Value = serde_json::from_str(task["input"].as_str().unwrap_or_default())?;
        let execution = input["execution"]
            .as_str()
            .expect("the task's input names its execution");
        Ok(Some((token.to_owned(), execution.to_owned())))
    }

    /// An operation that has to succeed.
    pub fn must(&mut self, operation: &str, body: &Value) -> Value {
        let (status, answer) = self
            .call(operation, body)
            .unwrap_or_else(|e| panic!("{operation}: {e}"));
        assert_eq!(status, 200, "{operation} {body}: {answer}");
        answer
    }

    /// An activity, and a machine with one task for it whose input is `{"execution": ARN}`; gives the two ARNs.
    pub fn make_machine(&mut self, name: &str) -> (String, String) {
        let activity = self.must("CreateActivity", &json!({ "name": name }));
        let activity = activity["activityArn"]
            .as_str()
            .expect("an activity has an ARN")
            .to_owned();
        let definition = json!({
            "StartAt": "Ask",
            "States": { "Ask": {
                "Type": "Task",
                "Resource": activity,
                "Parameters": { "execution.$": "$$.Execution.Id" },
                "TimeoutSeconds": 86400,
                "End": true
            } }
        });
        let machine = self.must(
            "CreateStateMachine",
            &json!({ "name": name, "definition": definition.to_string(), "roleArn": "arn:aws:iam::123456789012:role/test" }),
        );
        (
            activity,
            machine["stateMachineArn"]
                .as_str()
                .expect("a machine has an ARN")
                .to_owned(),
        )
    }
}
