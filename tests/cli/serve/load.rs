//! Many clients at once, a device that is lost and clients that break off in the middle: nothing is lost, every
//! answer is right, and memory stays flat. The long run, by hand:
//!
//! `npm run test:load`

use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::server::*;
use super::with_words;
use crate::common::*;
use crate::run::text;

/// Growth that is still flat.
const FLAT: f64 = 0.01;

/// Inputs that differ, each with its embedding.
struct Known {
    inputs: Vec<Value>,
    embeddings: Vec<Vec<f32>>,
}

impl Known {
    fn ask(client: &Client) -> Self {
        let photo =
            |at: u8| json!(data_url(&png(40 + u32::from(at), [at * 30, 99, 255 - at * 20])));
        let texts = ["a cat", "a dog", "red car", "a photo of a red cat"].map(|text| json!(text));
        let inputs: Vec<Value> = (0..8).map(photo).chain(texts).collect();
        let embeddings = client.ask(&json!({ "input": inputs })).embeddings();
        Self { inputs, embeddings }
    }

    /// The inputs of a request by its number: mostly one, each seventh time three.
    fn of(&self, number: usize) -> Vec<usize> {
        let count = if number.is_multiple_of(7) { 3 } else { 1 };
        (0..count).map(|at| (number * 5 + at * 3) % self.inputs.len()).collect()
    }
}

/// What clients saw.
#[derive(Default)]
struct Seen {
    seconds: Vec<f64>,
    refused: usize,
    wrong: Vec<String>,
}

/// Asks until so many requests were made, by all clients together.
fn client(address: &str, known: &Known, next: &AtomicUsize, requests: usize, seen: &Mutex<Seen>) {
    let client = Client::of(address);
    loop {
        let number = next.fetch_add(1, SeqCst);
        if number >= requests {
            return;
        }
        let places = known.of(number);
        let inputs: Vec<&Value> = places.iter().map(|at| &known.inputs[*at]).collect();
        let format = ["float", "base64"][number % 2];
        let body = json!({ "input": inputs, "encoding_format": format }).to_string();
        let start = Instant::now();
        // Who is told to come again does.
        let reply = loop {
            let reply = client.try_post(body.as_bytes(), &[("content-type", "application/json")]);
            match reply {
                Ok(reply) if reply.status == 429 => {
                    seen.lock().unwrap().refused += 1;
                    let soon = reply.header("retry-after").unwrap().parse().unwrap();
                    sleep(Duration::from_secs(soon));
                }
                reply => break reply,
            }
        };
        let right = reply.as_ref().is_ok_and(|reply| {
            reply.status == 200
                && reply
                    .embeddings()
                    .iter()
                    .zip(&places)
                    .all(|(row, at)| *row == known.embeddings[*at])
        });
        let mut seen = seen.lock().unwrap();
        seen.seconds.push(start.elapsed().as_secs_f64());
        if !right {
            seen.wrong.push(format!("{number}: {reply:?}"));
        }
    }
}

/// Breaks off in every way, again and again.
fn broken(client: &Client, known: &Known, ended: &AtomicBool) -> usize {
    let mut times = 0;
    while !ended.load(SeqCst) {
        let whole = json!({ "input": known.inputs });
        // After the whole request; and after a half, beside a whole one.
        drop(client.send(&whole));
        let mut half = client.connect();
        let _ =
            write!(half, "POST /v1/embeddings HTTP/1.1\r\ncontent-length: 9\r\nhost: h\r\n\r\n{{");
        let mut nonsense = client.connect();
        let _ = nonsense.write_all(&[0xff; 64]);
        sleep(Duration::from_millis(100));
        times += 3;
    }
    times
}

/// Bytes of a process in memory, every 50 ms until the end.
fn memory(process: u32, ended: &AtomicBool) -> Vec<f64> {
    let mut found = Vec::new();
    while !ended.load(SeqCst) {
        let text = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        found.extend(kilobytes.map(|kilobytes| 1024.0 * kilobytes));
        sleep(Duration::from_millis(50));
    }
    found
}

/// So many clients make so many requests, while the device is lost after so many submissions. The memory at the
/// beginning and at the end.
fn load(clients: usize, requests: usize, lost: &str) -> [f64; 2] {
    let (model, on_gpu) = (with_words("clip_quick_gelu"), gpu().is_some());
    let device = if on_gpu { "gpu" } else { "cpu" };
    let args = ["--model", text(&model), "--device", device, "--max-queue", "512"];
    let server = Server::start_with(&args, &[("INTERNVIT_LOSE_AFTER", lost)]);
    let known = Known::ask(&server);
    let (next, seen, ended) =
        (AtomicUsize::new(0), Mutex::<Seen>::default(), AtomicBool::new(false));
    let start = Instant::now();
    let (breaks, memory) = scope(|scope| {
        let watched = scope.spawn(|| memory(server.process(), &ended));
        let breaking = scope.spawn(|| broken(&server, &known, &ended));
        let asking: Vec<_> = (0..clients)
            .map(|_| scope.spawn(|| client(&server.address, &known, &next, requests, &seen)))
            .collect();
        asking.into_iter().for_each(|client| client.join().unwrap());
        ended.store(true, SeqCst);
        (breaking.join().unwrap(), watched.join().unwrap())
    });
    let seconds = start.elapsed().as_secs_f64();
    let Seen { seconds: mut times, refused, wrong } = seen.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} of {requests} were lost or wrong: {:?}", wrong.len(), wrong[0]);
    assert_eq!(times.len(), requests);
    server.until("waiting", |waiting| waiting == 0);
    let answered = server.metric("requests_total{status=\"200\"}") as usize;
    assert!(answered > requests, "{answered}");
    let photographs = server.metric("inputs_total{kind=\"photograph\"}") as f64;
    let each = photographs / server.metric("batches_total") as f64;
    let (lines, notes) = server.stop();
    assert_eq!(notes, "");
    // Where in the log the device was lost, in percent.
    let at =
        |(at, line): (usize, &Value)| (line["event"] == "note").then_some(100 * at / lines.len());
    let losses: Vec<usize> = lines.iter().enumerate().filter_map(at).collect();
    let middle = |at: &usize| (2..98).contains(at);
    assert!(!on_gpu || losses.iter().any(middle), "the device was lost at {losses:?} %");
    times.sort_by(f64::total_cmp);
    let at = |share: f64| 1e3 * times[((times.len() - 1) as f64 * share) as usize];
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
    let tenths: Vec<f64> =
        (0..10).map(|at| mean(&memory[at * memory.len() / 10..][..memory.len() / 10])).collect();
    let told: Vec<String> = tenths.iter().map(|bytes| format!("{:.1}", bytes / 1e6)).collect();
    let told = told.join(" ");
    // By half of the time all that is made once is made, and what threads keep for themselves.
    let ends = [&tenths[5..7], &tenths[8..]].map(mean);
    println!(
        "{clients} clients, {requests} requests on {device} in {seconds:.1} s ({:.0} a second): all answered, \
         {refused} told to come again, the device lost at {losses:?} %, {breaks} broken clients; ms: {:.0} median, \
         {:.0} of 95 %, {:.0} at most; {each:.1} photographs a run; MB by tenths {told}",
        requests as f64 / seconds,
        at(0.5),
        at(0.95),
        at(1.0)
    );
    ends
}

#[test]
fn short() {
    load(16, 400, "100");
}

#[test]
#[ignore = "minutes"]
fn long() {
    let [early, late] = load(64, 10_000, "2000,2000");
    assert!(late / early - 1.0 < FLAT, "{:.1} % more memory", 100.0 * (late / early - 1.0));
}
