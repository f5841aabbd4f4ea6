//! A bare HTTP/1.1 client on one kept connection: it writes a request and reads one answer with a
//! `Content-Length`, which is all that the server under test sends.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// One connection.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer's status and body.
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The body as text.
    pub body: String,
}

impl Connection {
    /// Connects.
    pub async fn open(address: SocketAddr) -> Result<Connection, String> {
        let stream = TcpStream::connect(address)
            .await
            .map_err(|e| format!("{address} can't be reached: {e}"))?;
        stream
            .set_nodelay(true)
            .map_err(|e| format!("the connection can't be set up: {e}"))?;
        Ok(Connection {
            stream,
            buffer: Vec::with_capacity(4096),
        })
    }

    /// Calls an operation of the Step Functions API; an answer other than 200 is an error.
    pub async fn call(&mut self, operation: &str, body: &str) -> Result<String, String> {
        let request = format!(
            "POST / HTTP/1.1\r\nHost: rejoin\r\nContent-Type: application/x-amz-json-1.0\r\nX-Amz-Target: AWSStepFunctions.{operation}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = self.exchange(&request).await?;
        if answer.status == 200 {
            Ok(answer.body)
        } else {
            Err(format!("{operation}: {} {}", answer.status, answer.body))
        }
    }

    /// Gets a path.
    pub async fn get(&mut self, path: &str) -> Result<Answer, String> {
        self.exchange(&format!("GET {path} HTTP/1.1\r\nHost: rejoin\r\n\r\n"))
            .await
    }

    /// Sends a body to a path; each of `headers` ends with CR LF.
    pub async fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &str,
        body: &str,
    ) -> Result<Answer, String> {
        let length = body.len();
        self.exchange(&format!(
            "{method} {path} HTTP/1.1\r\nHost: rejoin\r\nContent-Type: application/json\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
        ))
        .await
    }

    async fn exchange(&mut self, request: &str) -> Result<Answer, String> {
        let lost = |e: std::io::Error| format!("the connection to the server broke: {e}");
        self.stream
            .write_all(request.as_bytes())
            .await
            .map_err(lost)?;
        self.buffer.clear();
        let (head, length) = loop {
            if self.stream.read_buf(&mut self.buffer).await.map_err(lost)? == 0 {
                return Err("the server closed the connection".into());
            }
            if let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
                let length = header(&head, "content-length")
                    .and_then(|text| text.parse().ok())
                    .unwrap_or(0);
                self.buffer.drain(..end + 4);
                break (head, length);
            }
        };
        while self.buffer.len() < length {
            if self.stream.read_buf(&mut self.buffer).await.map_err(lost)? == 0 {
                return Err("the server closed the connection within an answer".into());
            }
        }
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|code| code.parse().ok())
            .ok_or("the answer has no status")?;
        Ok(Answer {
            status,
            body: String::from_utf8_lossy(&self.buffer[..length]).into_owned(),
        })
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
}
