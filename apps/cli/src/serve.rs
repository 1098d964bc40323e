//! `internvit serve`

mod asked;
mod body;
mod connections;
mod counts;
mod embeddings;
mod fetch;
mod multipart;
mod refusal;
mod routes;
mod service;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Parser;
use internvit::error::short;
use internvit::hub::Web;
use internvit::{Error, Result};
use serde_json::json;
use tokio::sync::Notify;

use super::compute::Compute;
use super::model::Model;
use super::terminal;
use service::{Limits, Service};

/// A server of embeddings, with OpenAI's interface.
///
/// POST /v1/embeddings takes photographs (data URLs in JSON, or multipart/form-data) and, of models that read
/// texts, texts; GET /v1/models and /healthz tell what is there. Requests that come while the device is at work
/// are encoded together. Addresses in requests are not fetched, but for those of --allow-url. Ctrl-C stops it when what was asked is
/// answered, a second one at once.
#[derive(Parser)]
#[command(after_help = "Examples:\n  internvit serve\n  \
    internvit serve --model openai/clip-vit-base-patch32 --port 8080\n  \
    INTERNVIT_API_KEY=secret internvit serve --host 0.0.0.0 --max-body 8MB --json\n  \
    curl http://127.0.0.1:8000/v1/embeddings -F image=@cat.jpg")]
pub(super) struct Args {
    #[command(flatten)]
    model: Model,
    /// What clients call the model; its own name if left out
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The address to listen on: 0.0.0.0 for all of this machine
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    host: String,
    /// The port to listen on; 0 takes a free one
    #[arg(long, value_name = "N", default_value_t = 8000)]
    port: u16,
    /// What clients must send as "Authorization: Bearer KEY"; nothing if left out (or INTERNVIT_API_KEY, which
    /// other users of this machine do not see)
    #[arg(long, value_name = "KEY")]
    api_key: Option<String>,
    /// Pages of this origin may ask, as in https://example.org; * for all. Several times for several; no page
    /// may if left out
    #[arg(long, value_name = "ORIGIN", value_parser = origin)]
    cors: Vec<String>,
    /// Photographs may be given by addresses that begin so, as in https://example.org/photos/; several times for
    /// several. None is fetched if left out
    #[arg(long, value_name = "ADDRESS")]
    allow_url: Vec<String>,
    /// The most bytes of a request, and of what is fetched for it
    #[arg(long, value_name = "SIZE", default_value = "20MB", value_parser = internvit::budget::parse_size)]
    max_body: u64,
    /// The most pixels of a photograph, by its header
    #[arg(long, value_name = "N", default_value_t = 50_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    max_pixels: u64,
    /// Photographs and texts that may wait for their answers; further ones are refused with status 429
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    max_queue: u32,
    /// Photographs that are encoded at once, at most
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1024))]
    max_batch: u32,
    /// Seconds that a request may take to arrive, and an answer without any of it being read
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
    #[command(flatten)]
    compute: Compute,
    /// Print a JSON object a line, for every request too
    #[arg(long)]
    json: bool,
    /// Print nothing for a request
    #[arg(long)]
    quiet: bool,
}

fn origin(text: &str) -> std::result::Result<String, String> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let is_origin = host.is_some_and(|host| !host.is_empty() && !host.contains(['/', ' ']));
    match text == "*" || is_origin {
        true => Ok(text.into()),
        false => Err("expected * or scheme, host and port alone, as in https://example.org".into()),
    }
}

/// What names the key in the environment.
const KEY: &str = "INTERNVIT_API_KEY";

/// How long what was asked may take to be answered once the server is to stop.
const GRACE: Duration = Duration::from_secs(30);

/// Threads that read what requests hold.
const READERS: usize = 4;

/// Asks the server to stop.
static STOP: Notify = Notify::const_new();
/// Whether a server runs that was not yet asked to.
static RUNNING: AtomicBool = AtomicBool::new(false);

/// Asks the server to stop when what was asked is answered; tells whether there was one to ask.
pub(super) fn stop() -> bool {
    let asked = RUNNING.swap(false, Ordering::SeqCst);
    if asked {
        STOP.notify_one();
    }
    asked
}

pub(super) async fn run(args: Args) -> Result<()> {
    let service = open(&args).await?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(READERS)
        .build();
    runtime.map_err(|e| Error::io("the server", e))?.block_on(listen(&args, service))
}

impl Args {
    fn limits(&self) -> Limits {
        Limits {
            body: self.max_body,
            pixels: self.max_pixels,
            queue: self.max_queue,
            batch: self.max_batch as usize,
            time: Duration::from_secs(self.timeout),
        }
    }

    /// The key that clients must send: what is given, else what the environment says.
    fn key(&self) -> Result<Option<String>> {
        let said = || std::env::var(KEY).ok().filter(|key| !key.is_empty());
        match self.api_key.clone().or_else(said) {
            Some(key) if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) => {
                Err(Error::input("the API key: expected visible ASCII characters without spaces"))
            }
            key => Ok(key),
        }
    }
}

/// Brings the model to its device, and encodes once: what is wrong with them is told now, and kernels are compiled.
async fn open(args: &Args) -> Result<Service> {
    let key = args.key()?;
    let web = match args.allow_url.as_slice() {
        [] => None,
        allowed => Some(Web::new(allowed)?),
    };
    let checkpoint = args.model.open_whole().await?;
    let bar = Arc::new(super::progress::bytes("loading", checkpoint.bytes()));
    let shown = bar.clone();
    let tokenizer = match checkpoint.text() {
        None => None,
        Some(_) => internvit::words::Tokenizer::beside(&checkpoint)
            .inspect_err(|why| note!("texts are refused: {why}"))
            .ok(),
    };
    let known = checkpoint.notes.len();
    let name = args.name.clone().unwrap_or_else(|| args.model.label());
    let limits = args.limits();
    // Half of the memory is for what arrives, half for decoding it.
    let memory = super::memory::budget().limit() / 2;
    let model = internvit::Model::options()
        .compute(args.compute.to_compute())
        .batch(limits.batch)
        .memory(memory)
        .progress(move |done, _| shown.set_position(done))
        .open(checkpoint)?;
    bar.finish_and_clear();
    model.with(|encoder| super::lose_on_purpose(encoder))?;
    let mut service = Service::new(name, model, tokenizer, limits, memory)?;
    service.model.notes().iter().skip(known).for_each(|note| note!("{note}"));
    service.key = key;
    service.origins.clone_from(&args.cors);
    service.web = web;
    service.log = args.into();
    Ok(service)
}

async fn listen(args: &Args, service: Service) -> Result<()> {
    let (host, port) = (args.host.as_str(), args.port);
    let at = format!("{}:{port}", short(host, 200));
    let listener = tokio::net::TcpListener::bind((host, port)).await;
    let listener = listener.map_err(|e| Error::io(&at, e))?;
    let address = listener.local_addr().map_err(|e| Error::io(&at, e))?;
    if !address.ip().is_loopback() && service.key.is_none() {
        note!("whoever reaches {address} may use this server: --api-key asks for a key");
    }
    RUNNING.store(true, Ordering::SeqCst);
    let (name, device) = (&service.name, service.model.device());
    if args.json {
        terminal::json_line(&json!({
            "event": "listening", "address": format!("http://{address}"), "model": name, "device": device,
        }));
    } else {
        say!("http://{address} answers with {name} on {device}; Ctrl-C stops it");
    }
    let limit = service.limits.time;
    let router = routes::router(Arc::new(service));
    let left = connections::serve(listener, router, limit, STOP.notified(), GRACE).await;
    if left > 0 {
        let left = internvit::error::counted(left as u64, "connection");
        note!("{left} were cut off: no answer within {} s", GRACE.as_secs());
    }
    Ok(())
}
