//! A mail server: as much of SMTP as a client needs, over TLS if it is asked to.

use std::collections::VecDeque;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use parking_lot::Mutex;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// How a mail server is talked to.
#[derive(Clone, Copy, PartialEq)]
pub enum Secrecy {
    Plain,
    Starttls,
    Tls,
}

/// A letter that came.
#[derive(Debug, Default)]
pub struct Mail {
    pub from: String,
    pub to: Vec<String>,
    /// Who signed in, as `PLAIN` says it.
    pub signed_in: Option<String>,
    pub secret: bool,
    pub data: String,
}

/// A mail server and what came.
pub struct Mails {
    pub port: u16,
    received: mpsc::UnboundedReceiver<Mail>,
}

impl Mails {
    /// The first letters are answered like this; those after them are taken.
    pub async fn start(secrecy: Secrecy, answers: &[&str]) -> Mails {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("it is bound").port();
        let (keep, received) = mpsc::unbounded_channel();
        let answers: VecDeque<String> = answers.iter().map(|&answer| answer.to_owned()).collect();
        let answers = Arc::new(Mutex::new(answers));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (keep, answers) = (keep.clone(), answers.clone());
                // A client that breaks off is none of the test's business.
                tokio::spawn(async move { drop(serve(stream, secrecy, keep, answers).await) });
            }
        });
        Mails { port, received }
    }

    pub async fn next(&mut self) -> Mail {
        self.received.recv().await.expect("a letter")
    }

    pub fn none_yet(&mut self) -> bool {
        self.received.try_recv().is_err()
    }
}

type Answers = Arc<Mutex<VecDeque<String>>>;
type Keep = mpsc::UnboundedSender<Mail>;

async fn serve(
    stream: TcpStream,
    secrecy: Secrecy,
    keep: Keep,
    answers: Answers,
) -> std::io::Result<()> {
    if secrecy == Secrecy::Tls {
        let stream = acceptor().accept(stream).await?;
        return talk(stream, true, false, true, keep, answers)
            .await
            .map(drop);
    }
    let starttls = secrecy == Secrecy::Starttls;
    let plain = talk(stream, false, starttls, true, keep.clone(), answers.clone()).await?;
    if let Some(stream) = plain {
        let stream = acceptor().accept(stream).await?;
        talk(stream, true, false, false, keep, answers).await?;
    }
    Ok(())
}

/// Gives the stream back if TLS is to begin on it.
async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    secret: bool,
    starttls: bool,
    greet: bool,
    keep: Keep,
    answers: Answers,
) -> std::io::Result<Option<S>> {
    let mut stream = BufReader::new(stream);
    if greet {
        stream.write_all(b"220 mail.test ESMTP\r\n").await?;
    }
    let mut mail = Mail {
        secret,
        ..Mail::default()
    };
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        let command = line.trim_end().to_owned();
        let address = || {
            let (_, rest) = command.split_once('<').unwrap_or_default();
            rest.split('>').next().unwrap_or_default().to_owned()
        };
        let answer = match command.split([' ', ':']).next().unwrap_or_default() {
            "EHLO" if starttls => "250-mail.test\r\n250-AUTH PLAIN\r\n250 STARTTLS".to_owned(),
            "EHLO" => "250-mail.test\r\n250 AUTH PLAIN".to_owned(),
            "STARTTLS" if starttls => {
                stream.write_all(b"220 go on\r\n").await?;
                return Ok(Some(stream.into_inner()));
            }
            "AUTH" => {
                let said = command.rsplit(' ').next().unwrap_or_default();
                let said = STANDARD.decode(said).unwrap_or_default();
                mail.signed_in = Some(String::from_utf8_lossy(&said).into_owned());
                "235 welcome".to_owned()
            }
            "MAIL" => {
                mail.from = address();
                "250 ok".to_owned()
            }
            "RCPT" => {
                mail.to.push(address());
                "250 ok".to_owned()
            }
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await?;
                loop {
                    line.clear();
                    stream.read_line(&mut line).await?;
                    if line == ".\r\n" {
                        break;
                    }
                    mail.data.push_str(line.strip_prefix('.').unwrap_or(&line));
                }
                let answer = answers.lock().pop_front();
                if answer.is_none() {
                    let signed_in = mail.signed_in.clone();
                    let _ = keep.send(std::mem::replace(
                        &mut mail,
                        Mail {
                            secret,
                            signed_in,
                            ..Mail::default()
                        },
                    ));
                }
                answer.unwrap_or_else(|| "250 taken".to_owned())
            }
            "QUIT" => {
                stream.write_all(b"221 bye\r\n").await?;
                return Ok(None);
            }
            _ => "250 ok".to_owned(),
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
}

fn acceptor() -> TlsAcceptor {
    let certificate = include_bytes!("../certificates/localhost.der");
    let key = include_bytes!("../certificates/localhost.key.der");
    let provider = tokio_rustls::rustls::crypto::ring::default_provider();
    let config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .expect("ring has them")
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from(certificate.to_vec())],
            PrivateKeyDer::try_from(key.to_vec()).expect("a key"),
        )
        .expect("they belong together");
    TlsAcceptor::from(Arc::new(config))
}

impl Mail {
    /// A header's value, unfolded.
    pub fn header(&self, name: &str) -> String {
        let head = self.data.split("\r\n\r\n").next().unwrap_or_default();
        let head = head.replace("\r\n ", " ");
        let found = head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name)
                .then(|| value.trim().to_owned())
        });
        found.unwrap_or_else(|| panic!("no header {name}: {}", self.data))
    }

    /// The letter's text, whatever it was sent as.
    pub fn text(&self) -> String {
        let (_, body) = self.data.split_once("\r\n\r\n").expect("a body");
        match self.header("Content-Transfer-Encoding").as_str() {
            "base64" => {
                let body: String = body.split_whitespace().collect();
                String::from_utf8(STANDARD.decode(body).expect("base64")).expect("text")
            }
            "quoted-printable" => {
                let body = body.replace("=\r\n", "");
                let mut bytes = Vec::new();
                let mut rest = body.as_bytes();
                while let [first, after @ ..] = rest {
                    if *first == b'=' {
                        let hex = std::str::from_utf8(&after[..2]).expect("hex");
                        bytes.push(u8::from_str_radix(hex, 16).expect("hex"));
                        rest = &after[2..];
                    } else {
                        bytes.push(*first);
                        rest = after;
                    }
                }
                String::from_utf8(bytes).expect("text")
            }
            _ => body.to_owned(),
        }
    }
}
