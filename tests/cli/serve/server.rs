//! A server that a test started, and its clients.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::ops::Deref;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::run::program;

/// A server on a port of its own; it ends with its guard.
pub(crate) struct Server {
    child: Child,
    client: Client,
    /// What it printed after its first line.
    lines: Arc<Mutex<Vec<Value>>>,
    reader: Option<JoinHandle<()>>,
}

impl Deref for Server {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

/// A client with connections of its own.
pub(crate) struct Client {
    pub(crate) address: String,
    agent: ureq::Agent,
}

/// What a client got.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: ureq::http::HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The embeddings, in the order of their numbers.
    #[track_caller]
    pub(crate) fn embeddings(&self) -> Vec<Vec<f32>> {
        assert_eq!(self.status, 200, "{}", self.text);
        let body = self.json();
        let rows = body["data"].as_array().unwrap();
        let row = |(at, row): (usize, &Value)| {
            assert_eq!(
                (row["index"].as_u64(), &row["object"]),
                (Some(at as u64), &json!("embedding"))
            );
            match &row["embedding"] {
                Value::String(packed) => {
                    let bytes = BASE64_STANDARD.decode(packed).unwrap();
                    bytes.as_chunks().0.iter().map(|value| f32::from_le_bytes(*value)).collect()
                }
                values => {
                    // As a client that reads numbers of 32 bits.
                    serde_json::from_str(&values.to_string()).unwrap()
                }
            }
        };
        rows.iter().enumerate().map(row).collect()
    }
}

impl Server {
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::start_with(args, &[])
    }

    /// With variables in its environment.
    pub(crate) fn start_with(args: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut command = program();
        command.args(["serve", "--port", "0", "--json"]).args(args);
        command.envs(environment.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        output.read_line(&mut first).unwrap();
        if first.is_empty() {
            let output = child.wait_with_output().unwrap();
            panic!("the server did not start: {}", String::from_utf8_lossy(&output.stderr));
        }
        let told: Value = serde_json::from_str(&first).unwrap();
        assert_eq!(told["event"], "listening");
        let address = told["address"].as_str().unwrap().to_string();
        let lines: Arc<Mutex<Vec<Value>>> = Arc::default();
        let kept = lines.clone();
        let reader = spawn(move || {
            for line in output.lines() {
                kept.lock().unwrap().push(serde_json::from_str(&line.unwrap()).unwrap());
            }
        });
        Self { child, client: Client::of(&address), lines, reader: Some(reader) }
    }

    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: &str) {
        Command::new("kill").args([signal, &self.process().to_string()]).status().unwrap();
    }

    /// Waits for its end: its status, what it printed after its first line, and its notes.
    pub(crate) fn end(mut self) -> (ExitStatus, Vec<Value>, String) {
        let mut notes = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut notes).unwrap();
        let status = self.child.wait().unwrap();
        self.reader.take().unwrap().join().unwrap();
        (status, std::mem::take(&mut self.lines.lock().unwrap()), notes)
    }

    /// Stops it: it ends by itself, with success.
    #[track_caller]
    pub(crate) fn stop(self) -> (Vec<Value>, String) {
        self.signal("-INT");
        let (status, lines, notes) = self.end();
        assert!(status.success(), "{status}: {notes}");
        (lines, notes)
    }
}

impl Client {
    pub(crate) fn of(address: &str) -> Self {
        let config = ureq::Agent::config_builder().http_status_as_error(false);
        let config = config.timeout_global(Some(Duration::from_secs(120))).build();
        Self { address: address.into(), agent: config.into() }
    }

    pub(crate) fn get(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        let mut request = self.agent.get(format!("{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        reply(request.call().unwrap())
    }

    pub(crate) fn post(&self, body: &[u8], headers: &[(&str, &str)]) -> Reply {
        self.try_post(body, headers).unwrap()
    }

    pub(crate) fn try_post(
        &self,
        body: &[u8],
        headers: &[(&str, &str)],
    ) -> Result<Reply, ureq::Error> {
        let mut request = self.agent.post(format!("{}/v1/embeddings", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send(body).map(reply)
    }

    pub(crate) fn ask(&self, body: &Value) -> Reply {
        self.post(body.to_string().as_bytes(), &[("content-type", "application/json")])
    }

    /// A connection of a client that speaks for itself.
    pub(crate) fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address.strip_prefix("http://").unwrap()).unwrap()
    }

    /// A whole request for embeddings, sent on a connection of its own.
    pub(crate) fn send(&self, body: &Value) -> TcpStream {
        let (mut stream, body) = (self.connect(), body.to_string());
        let head =
            "POST /v1/embeddings HTTP/1.1\r\nhost: here\r\ncontent-type: application/json\r\n";
        write!(stream, "{head}content-length: {}\r\n\r\n{body}", body.len()).unwrap();
        stream
    }

    /// A number of `/metrics`, 0 where it is not there.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let page = self.get("/metrics", &[]).text;
        let value = |line: &str| line.strip_prefix(&format!("internvit_{name} "))?.parse().ok();
        page.lines().find_map(value).unwrap_or(0)
    }

    /// Waits until a number of `/metrics` is as wanted.
    #[track_caller]
    pub(crate) fn until(&self, name: &str, wanted: impl Fn(u64) -> bool) {
        let start = Instant::now();
        while !wanted(self.metric(name)) {
            assert!(start.elapsed() < Duration::from_secs(60), "{name} is {}", self.metric(name));
            sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn reply(mut response: ureq::http::Response<ureq::Body>) -> Reply {
    let text = response.body_mut().read_to_string().unwrap();
    Reply { status: response.status().as_u16(), headers: response.headers().clone(), text }
}

/// What an answer on a connection of one's own begins with; nothing where it was closed.
pub(crate) fn answered(stream: &mut TcpStream) -> String {
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut text = vec![0; 1 << 16];
    let length = stream.read(&mut text).unwrap_or(0);
    String::from_utf8_lossy(&text[..length]).into_owned()
}

/// The data URL of a file.
pub(crate) fn data_url(bytes: &[u8]) -> String {
    format!("data:image/png;base64,{}", BASE64_STANDARD.encode(bytes))
}

/// A PNG of one colour and size.
pub(crate) fn png(side: u32, colour: [u8; 3]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, side, side);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header().unwrap();
    // Colours change over the picture, so that places matter.
    let pixel = |at: u32| colour.map(|value| value.wrapping_add((at % side * 3) as u8));
    let pixels: Vec<u8> = (0..side * side).flat_map(pixel).collect();
    writer.write_image_data(&pixels).unwrap();
    writer.finish().unwrap();
    bytes
}
