//! A hub that is slow, endless or wrong, in milliseconds.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::*;

/// A server that answers each request by `answer`, and counts them.
fn serve(
    answer: impl Fn(&mut TcpStream, &str) + Send + Sync + 'static,
) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (count, answer) = (Arc::new(AtomicUsize::new(0)), Arc::new(answer));
    let counted = count.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (mut stream, answer, counted) = (stream, answer.clone(), counted.clone());
            std::thread::spawn(move || {
                let mut request = Vec::new();
                let mut buffer = [0; 4096];
                while !request.ends_with(b"\r\n\r\n") {
                    match stream.read(&mut buffer) {
                        Ok(read) if read > 0 => request.extend_from_slice(&buffer[..read]),
                        _ => return,
                    }
                }
                counted.fetch_add(1, Ordering::SeqCst);
                answer(&mut stream, &String::from_utf8_lossy(&request));
            });
        }
    });
    (address, count)
}

fn http(address: &str) -> Http {
    let mut http = Http::new(address.into(), Some("hf_secret".into())).unwrap();
    http.bounds = Bounds {
        wait: Duration::from_millis(1),
        silence: Duration::from_secs(10),
        window: Duration::from_millis(150),
        least: 1000,
        answer: Duration::from_millis(400),
        ..Bounds::default()
    };
    http
}

fn model() -> Name {
    Name::parse("a/b").unwrap()
}

/// What asking for a list ends with.
fn list(http: &Http) -> String {
    let asked = http.text(&model(), "/list", false, &mut |_| ControlFlow::Continue(()));
    asked.unwrap_or_else(|fault| fault.error(&model()).to_string())
}

/// What asking for weights of a million bytes ends with.
fn weights(http: &Http) -> String {
    let url = format!("{}/model.safetensors", http.endpoint);
    let model = model();
    let ask = Ask { model: &model, file: "model.safetensors", url, size: 1_000_000 };
    let tell: &mut Tell<'_> = &mut |_| ControlFlow::Continue(());
    let done = http.bytes(&ask, 0..ask.size, tell, &mut |_| Ok(()));
    done.map_or_else(|error| error.to_string(), |()| "whole".into())
}

fn head(stream: &mut TcpStream, length: usize) {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
    let _ = stream.write_all(head.as_bytes());
}

/// Sends a byte now and then, until the client is gone.
fn trickle(stream: &mut TcpStream) {
    while stream.write_all(b"x").is_ok() {
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_byte_a_connection_is_not_borne_for_ever() {
    let (address, count) = serve(|stream, _| {
        head(stream, 1_000_000);
        let _ = stream.write_all(b"x");
    });
    let error = weights(&http(&address));
    assert!(error.contains("model.safetensors: "), "{error}");
    assert_eq!(count.load(Ordering::SeqCst), 5);
}

#[test]
fn a_least_speed_is_wanted() {
    let (address, count) = serve(|stream, _| {
        head(stream, 1_000_000);
        trickle(stream);
    });
    let begin = Instant::now();
    let error = weights(&http(&address));
    assert!(error.contains("too slow: ") && begin.elapsed().as_secs() < 10, "{error}");
    assert_eq!(count.load(Ordering::SeqCst), 5);
    // Much at first does not pay for nothing later.
    let (address, count) = serve(|stream, _| {
        head(stream, 1_000_000);
        let _ = stream.write_all(&[0; 40_000]);
        trickle(stream);
    });
    let error = weights(&http(&address));
    assert!(error.contains("too slow: "), "{error}");
    assert_eq!(count.load(Ordering::SeqCst), 5);
}

/// A hub that knows no ranges sends what is here already again and again.
#[test]
fn what_is_here_already_brings_nothing() {
    let (address, count) = serve(|stream, _| {
        head(stream, 1_000_000);
        let _ = stream.write_all(&[0; 300_000]);
    });
    let error = weights(&http(&address));
    assert!(error.contains("model.safetensors: "), "{error}");
    assert_eq!(count.load(Ordering::SeqCst), 5);
}

#[test]
fn lists_have_an_end() {
    // In bytes,
    let (address, count) = serve(|stream, _| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n");
        while stream.write_all(&[b'x'; 1 << 16]).is_ok() {}
    });
    let mut patient = http(&address);
    patient.bounds.answer = Duration::from_secs(60);
    let error = list(&patient);
    assert!(error.contains("an answer of more than 33554432 bytes"), "{error}");
    assert_eq!(count.load(Ordering::SeqCst), 1);
    // and in time, however quick it is.
    let (address, count) = serve(|stream, _| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n");
        while stream.write_all(&[b'x'; 1000]).is_ok() {
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    let error = list(&http(&address));
    assert!(error.contains("an answer that has no end"), "{error}");
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[test]
fn what_lasts_is_not_asked_again() {
    for (answer, expected, times) in [
        ("400 Bad Request\r\n", "the hub answers 400", 1),
        ("410 Gone\r\n", "the hub answers 410", 1),
        ("501 No\r\n", "the hub answers 501", 1),
        ("511 Sign in\r\n", "the network wants you to sign in first (511)", 1),
        ("416 No\r\n", "the hub answers 416", 1),
        ("302 Found\r\nlocation: nowhere\\://x y\r\n", "redirected in a circle", 8),
        ("302 Found\r\nlocation: ftp://x/y\r\n", "which is no address", 1),
        ("302 Found\r\nlocation: localhost:1/y\r\n", "which is no address", 1),
        ("302 Found\r\nlocation: http://\r\n", "which is no address", 1),
        ("302 Found\r\nlocation: /again\r\n", "redirected in a circle", 8),
        ("302 Found\r\n", "the hub answers 302", 1),
        ("408 Timeout\r\n", "the hub is in trouble (408)", 5),
        ("500 Trouble\r\n", "the hub is in trouble (500)", 5),
    ] {
        let text = format!("HTTP/1.1 {answer}content-length: 0\r\nconnection: close\r\n\r\n");
        let (address, count) = serve(move |stream, _| {
            let _ = stream.write_all(text.as_bytes());
        });
        let error = list(&http(&address));
        assert!(error.contains(expected), "{answer:?}: {error}");
        assert_eq!(count.load(Ordering::SeqCst), times, "{answer:?}");
    }
}

/// Redirects of every form lead on, and the token stays with the hub.
#[test]
fn redirects_lead_on_without_the_token() {
    let (other, asked) = serve(|stream, request| {
        assert!(request.starts_with("GET /a%20b?c=d HTTP"), "{request}");
        assert!(!request.contains("hf_secret"), "{request}");
        head(stream, 2);
        let _ = stream.write_all(b"ok");
    });
    let host = other.strip_prefix("http:").unwrap().to_string();
    for location in
        [format!("{other}/a b?c=d#e"), format!("{host}/a%20b?c=d"), format!("HTTP:{host}/a b?c=d")]
    {
        let (hub, _) = serve(move |stream, request| {
            assert!(request.contains("Bearer hf_secret"), "{request}");
            let head = "HTTP/1.1 307 Go\r\ncontent-length: 0\r\nconnection: close\r\nlocation: ";
            let _ = stream.write_all(format!("{head}{location}\r\n\r\n").as_bytes());
        });
        assert_eq!(list(&http(&hub)), "ok");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 3);
    // Relative to where it was found.
    for location in ["/there", "there", "./x/../there", "?there"] {
        let (hub, count) = serve(move |stream, request| {
            if request.contains("there") {
                head(stream, 2);
                let _ = stream.write_all(b"ok");
                return;
            }
            let head = "HTTP/1.1 302 Go\r\ncontent-length: 0\r\nconnection: close\r\nlocation: ";
            let _ = stream.write_all(format!("{head}{location}\r\n\r\n").as_bytes());
        });
        assert_eq!(list(&http(&hub)), "ok", "{location}");
        assert_eq!(count.load(Ordering::SeqCst), 2);
    }
}

/// Where there is something in place of the answer, it is not waited for long.
#[test]
fn a_hub_that_can_be_done_without() {
    let (address, count) = serve(|stream, _| {
        let busy = "HTTP/1.1 503 Busy\r\nretry-after: 60\r\ncontent-length: 0\r\n\r\n";
        let _ = stream.write_all(busy.as_bytes());
    });
    let begin = Instant::now();
    let asked = http(&address).text(&model(), "/", true, &mut |_| ControlFlow::Continue(()));
    assert!(asked.is_err() && begin.elapsed().as_secs() < 5);
    assert_eq!(count.load(Ordering::SeqCst), 1);
    // Silence, too.
    let (address, count) = serve(|stream, _| while stream.read(&mut [0]).is_ok_and(|n| n > 0) {});
    let mut silent = http(&address);
    silent.bounds.silence = Duration::from_millis(100);
    let asked = silent.text(&model(), "/", true, &mut |_| ControlFlow::Continue(()));
    assert!(asked.is_err() && begin.elapsed().as_secs() < 10);
    assert_eq!(count.load(Ordering::SeqCst), 1);
}
