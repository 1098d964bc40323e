//! Requests that are wrong, too large or too many, and clients that are slow or go away.

use std::io::{ErrorKind, Write};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::server::*;
use super::{FORM, form};
use crate::classify::with_words;
use crate::common::*;
use crate::run::{fails, text};

/// The error of an answer, in OpenAI's form.
#[track_caller]
fn refused(reply: &Reply, status: u16, code: &str, message: &str) {
    assert_eq!(reply.status, status, "{}", reply.text);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let body = reply.json();
    let error = &body["error"];
    let text = error["message"].as_str().unwrap();
    assert_eq!(error["code"], code, "{text}");
    assert!(text.contains(message), "expected {message:?} in {text:?}");
    assert!(text.len() < 2100 && !text.chars().any(char::is_control), "{text:?}");
    let kind = error["type"].as_str().unwrap();
    let expected = match status {
        401 => "authentication_error",
        403 => "permission_error",
        429 => "rate_limit_error",
        500.. => "server_error",
        _ => "invalid_request_error",
    };
    assert_eq!((kind, error.get("param").is_some()), (expected, true));
}

/// Each wrong request has one clear error, and the server goes on.
#[test]
fn wrong_requests() {
    let server = Server::start(&["--device", "cpu", "--max-queue", "4", "--max-pixels", "1000000"]);
    let cat = std::fs::read(sample("chelsea.png")).unwrap();
    let url = data_url(&png(8, [0; 3]));
    let ask = |body: Value, status, code: &str, message: &str| {
        refused(&server.ask(&body), status, code, message);
    };
    let input =
        |input: Value, message: &str| ask(json!({ "input": input }), 400, "invalid_value", message);
    let image = |bytes: &[u8], message: &str| {
        ask(json!({ "input": data_url(bytes) }), 400, "invalid_image", message);
    };
    input(json!([]), "expected a photograph or a text");
    input(json!([1, 2]), "input[0]: numbers of tokens are not taken");
    input(json!([[1, 2]]), "input[0]: numbers of tokens are not taken");
    input(json!(null), "input[0]: expected a text");
    input(json!("  "), "input[0]: the text is empty");
    input(json!({ "type": "audio" }), "input[0]: type \"audio\": expected one of text");
    input(json!({ "image_url": 7 }), "input[0]: expected either text or image_url");
    input(json!({ "image_url": "cat.png" }), "input[0]: cat.png: no data URL");
    input(json!("data:image/png;base64,***"), "input[0]: no base64: ");
    input(json!("data:image/png,abc"), "no data URL of base64");
    // Nothing is fetched, wherever it lies.
    for address in ["http://127.0.0.1:1/x.png", "HTTPS://example.org/x.png"] {
        input(json!([&url, address]), "input[1]: addresses are not fetched");
        input(json!({ "image_url": { "url": address } }), "input[0]: addresses are not fetched");
    }
    input(json!({ "image_url": "file:///etc/passwd" }), "no data URL of base64");
    image(b"", "input[0]: the file is empty");
    image(b"no picture at all", "input[0]: not a picture this program can read");
    image(&cat[..cat.len() / 2], "cut off");
    ask(json!({ "input": "a cat", "model": "gpt" }), 404, "model_not_found", "\"internvit-tiny\"");
    ask(json!({ "input": "a cat", "dimensions": 64 }), 400, "invalid_value", "have 192 values");
    ask(json!({ "input": "a cat", "encoding_format": "int8" }), 400, "invalid_value", "\"base64\"");
    ask(json!({ "input": "a cat", "imput": 1 }), 400, "unknown_field", "imput: no such field");
    ask(json!([1]), 400, "invalid_json", "expected a JSON object");
    // Larger than it may be by its header: 30 bytes of a picture that nothing follows.
    let mut bomb = png(8, [0; 3]);
    bomb[16..24].copy_from_slice(&[0, 0, 0x4e, 0x20, 0, 0, 0x4e, 0x20]);
    ask(
        json!({ "input": data_url(&bomb) }),
        413,
        "too_many_pixels",
        "400000000 pixels, this server takes 1000000",
    );
    ask(
        json!({ "input": vec![&url; 5] }),
        400,
        "invalid_value",
        "5 photographs and texts, this server takes 4",
    );
    // One that is wrong fails its request alone, and says which it is.
    ask(json!({ "input": [&url, &data_url(b"x"), &url] }), 400, "invalid_image", "input[1]: ");
    let json_type = ("content-type", "application/json");
    refused(&server.post(b"{\"input\": ", &[json_type]), 400, "invalid_json", "line 1 column 10");
    refused(
        &server.post(b"{}", &[("content-type", "text/plain")]),
        415,
        "content_type",
        "expected application/json",
    );
    refused(
        &server.post(b"{}", &[("content-type", "multipart/form-data")]),
        400,
        "invalid_multipart",
        "boundary",
    );
    let cut = &form(&[("name=\"image\"; filename=\"a\"", &cat)])[..900];
    refused(&server.post(cut, &[FORM]), 400, "invalid_multipart", "incomplete");
    let other = form(&[("name=\"picture\"", b"x")]);
    refused(&server.post(&other, &[FORM]), 400, "unknown_field", "picture: no such field");
    refused(&server.get("/v1/embeddings", &[]), 405, "method", "GET");
    refused(&server.get("/v1/models/other/name", &[]), 404, "model_not_found", "other/name");
    refused(&server.get("/nothing", &[]), 404, "not_found", "/nothing: nothing is here");
    assert_eq!(server.ask(&json!({ "input": url })).status, 200);
    let (_, notes) = server.stop();
    assert_eq!(notes, "");
    fails(&["serve", "--max-queue", "0"], "0 is not in 1..=65536");
    fails(&["serve", "--cors", "example.org"], "expected * or scheme, host and port alone");
    fails(&["serve", "--api-key", "two words"], "the API key: expected visible ASCII");
    fails(&["serve", "--host", "nowhere.invalid", "--device", "cpu"], "nowhere.invalid:8000: ");
}

/// Too long is refused before it is read, and told to clients that write all the same.
#[test]
fn long_requests() {
    let server = Server::start(&["--device", "cpu", "--max-body", "100kB"]);
    let long = json!({ "input": "x".repeat(3_000_000) });
    refused(&server.ask(&long), 413, "too_large", "more than 100.0 kB (100000 bytes)");
    // In pieces, whose number nobody knows before.
    let mut stream = server.connect();
    let head = "POST /v1/embeddings HTTP/1.1\r\nhost: here\r\ncontent-type: application/json\r\n";
    write!(stream, "{head}transfer-encoding: chunked\r\n\r\n").unwrap();
    for _ in 0..200 {
        write!(stream, "400\r\n{}\r\n", "x".repeat(1024)).unwrap();
    }
    write!(stream, "0\r\n\r\n").unwrap();
    let answer = answered(&mut stream);
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    server.stop();
}

#[test]
fn keys_origins_and_numbers() {
    let server = Server::start_with(
        &["--device", "cpu", "--cors", "https://example.org"],
        &[("INTERNVIT_API_KEY", "secret")],
    );
    let body = json!({ "input": data_url(&png(8, [0; 3])) }).to_string();
    let json_type = ("content-type", "application/json");
    let key = ("authorization", "Bearer secret");
    let page = ("origin", "https://example.org");
    for wrong in ["Bearer secre", "Bearer secret2", "secret", "Basic secret"] {
        let reply = server.post(body.as_bytes(), &[json_type, ("authorization", wrong)]);
        refused(&reply, 401, "invalid_api_key", "Authorization: Bearer KEY");
        assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
    }
    refused(&server.get("/v1/models", &[]), 401, "invalid_api_key", "");
    assert_eq!(server.get("/healthz", &[]).status, 200);
    let reply = server.post(body.as_bytes(), &[json_type, key, page, ("x-request-id", "mine-7")]);
    assert_eq!((reply.status, reply.header("x-request-id")), (200, Some("mine-7")));
    assert_eq!(reply.header("access-control-allow-origin"), Some("https://example.org"));
    assert_eq!(reply.header("vary"), Some("origin"));
    let reply = server.post(body.as_bytes(), &[json_type, key]);
    assert_eq!((reply.status, reply.header("access-control-allow-origin")), (200, None));
    assert!(reply.header("x-request-id").is_some_and(|number| number != "mine-7"));
    // Pages of other origins, also of one whose name leads to this machine.
    for origin in ["https://example.org.evil", "null", "http://localhost:8000"] {
        let reply = server.post(body.as_bytes(), &[json_type, key, ("origin", origin)]);
        refused(&reply, 403, "origin", "may not ask this server");
        assert_eq!(reply.header("access-control-allow-origin"), None);
    }
    // A browser asks first, without the key.
    let ask_first = |origin: &str| {
        let mut stream = server.connect();
        let method =
            "access-control-request-method: POST\r\naccess-control-request-headers: authorization";
        write!(
            stream,
            "OPTIONS /v1/embeddings HTTP/1.1\r\nhost: h\r\norigin: {origin}\r\n{method}\r\n\r\n"
        )
        .unwrap();
        answered(&mut stream)
    };
    let granted = ask_first("https://example.org");
    assert!(granted.starts_with("HTTP/1.1 204 "), "{granted}");
    assert!(granted.contains("access-control-allow-headers: authorization\r\n"), "{granted}");
    assert!(ask_first("https://evil.org").starts_with("HTTP/1.1 403 "));
    server.stop();
}

/// What finds no place is refused at once and told when to come again; who waits is answered.
#[test]
fn too_many_requests() {
    let server = Server::start(&["--device", "cpu", "--max-queue", "24"]);
    let url = data_url(&png(64, [1, 2, 3]));
    let mut first = server.send(&json!({ "input": vec![&url; 24] }));
    server.until("waiting", |waiting| waiting == 24);
    let reply = server.ask(&json!({ "input": url }));
    refused(&reply, 429, "rate_limit_exceeded", "24 of 24 places are taken");
    let soon: u64 = reply.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&soon));
    assert!(answered(&mut first).starts_with("HTTP/1.1 200 OK\r\n"));
    server.until("waiting", |waiting| waiting == 0);
    assert_eq!(server.ask(&json!({ "input": url })).status, 200);
    server.stop();
}

/// A device that is lost, and lost again as soon as it is opened, costs one answer, which says so; then all goes on.
#[test]
fn a_device_that_is_lost_twice_costs_one_answer() {
    if gpu().is_none() {
        return;
    }
    let model = with_words("clip_quick_gelu");
    let args = ["--model", text(&model), "--device", "gpu"];
    let server = Server::start_with(&args, &[("INTERNVIT_LOSE_AFTER", "12,3")]);
    let mut lost = 0;
    for shade in 0..20 {
        let reply = server.ask(&json!({ "input": data_url(&png(64, [shade, 2, 3])) }));
        let health = server.get("/healthz", &[]);
        if reply.status == 200 {
            assert_eq!(health.status, 200, "{}", health.text);
            continue;
        }
        lost += 1;
        refused(&reply, 503, "device", "stopped");
        let soon: u64 = reply.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=60).contains(&soon));
        assert_eq!(health.status, 503, "{}", health.text);
        assert_eq!(health.json()["status"], "failing");
        assert!(health.json()["reason"].as_str().unwrap().contains("stopped"), "{}", health.text);
    }
    let (lines, notes) = server.stop();
    assert_eq!(lost, 1, "{lines:?} {notes}");
}

/// Clients that go away, send half a request, nonsense, or nothing hold neither place nor device.
#[test]
fn broken_clients() {
    let server = Server::start(&["--device", "cpu", "--max-queue", "40", "--timeout", "1"]);
    let url = data_url(&png(64, [1, 2, 3]));
    // One that says nothing, one that stays in the middle of its head, one in the middle of its body.
    let silent = server.connect();
    let mut head = server.connect();
    write!(head, "POST /v1/embeddings HTTP/1.1\r\nhost").unwrap();
    let mut half = server.connect();
    let begin = "POST /v1/embeddings HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\n";
    write!(half, "{begin}content-length: 5000\r\n\r\n{{\"input\"").unwrap();
    let mut nonsense = server.connect();
    nonsense.write_all(&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, 10, 10]).unwrap();
    assert!(answered(&mut nonsense).starts_with("HTTP/1.1 400 "));
    // One that goes away while its photographs wait: what was not begun is not computed.
    let gone = server.send(&json!({ "input": vec![&url; 40] }));
    server.until("waiting", |waiting| waiting == 40);
    drop(gone);
    server.until("waiting", |waiting| waiting == 0);
    let start = Instant::now();
    assert_eq!(server.ask(&json!({ "input": url })).status, 200);
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    let runs = server.metric("batches_total");
    assert!(runs < 6, "40 photographs of nobody took {runs} runs");
    // Half a request is given up after its time.
    let answer = answered(&mut half);
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("longer than 1 s"), "{answer}");
    assert_eq!(server.metric("requests_total{status=\"0\"}"), 1);
    drop((silent, head));
    let (lines, _) = server.stop();
    assert!(lines.iter().any(|line| line["status"] == Value::Null && line["event"] == "request"));
}

/// An answer that nobody reads ends its connection.
#[test]
fn answers_that_nobody_reads() {
    let server = Server::start(&["--device", "cpu", "--timeout", "1"]);
    let mut stream = server.connect();
    // Requests one behind the other, until what they are answered with fills all that lies between.
    stream.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
    let request = format!("GET /{} HTTP/1.1\r\nhost: h\r\n\r\n", "x".repeat(180));
    let many = request.repeat(2000);
    let ended = (0..400).find_map(|_| stream.write_all(many.as_bytes()).err());
    let ended = ended.expect("800,000 answers were kept for somebody who reads none").kind();
    assert!(matches!(ended, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{ended}");
    assert_eq!(server.get("/healthz", &[]).status, 200);
    server.stop();
}
