//! Requests: the token to the hub alone, bounded patience, bytes in order.

use std::cell::{Cell, OnceCell};
use std::io::Read;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use ureq::http::Response;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body};

use super::address::{origin, resolved};
use super::pace::{Bounds, Pace};
use super::refused::refused;
use super::{Name, Step, Tell, report};
use crate::budget::MAX_LIST;
use crate::{Error, Result};

/// Why a request failed.
pub(super) enum Fault {
    /// It may succeed later, after `wait` if the hub says how long.
    Passing { reason: String, wait: Option<Duration> },
    /// It will not.
    Final(Error),
}

/// What a request brought.
pub(super) type Tried<T> = std::result::Result<T, Fault>;

impl Fault {
    pub(super) fn passing(reason: impl std::fmt::Display) -> Self {
        Self::Passing { reason: reason.to_string(), wait: None }
    }

    pub(super) fn error(self, model: &Name) -> Error {
        match self {
            Self::Passing { reason, .. } => Error::hub(model, reason),
            Self::Final(error) => error,
        }
    }
}

/// A file as it is asked for.
pub(super) struct Ask<'a> {
    pub(super) model: &'a Name,
    pub(super) file: &'a str,
    pub(super) url: String,
    /// Bytes of the whole file.
    pub(super) size: u64,
}

pub(super) struct Http {
    agent: OnceCell<Agent>,
    pub(super) endpoint: String,
    pub(super) token: Option<String>,
    bounds: Bounds,
    /// Whether anything has answered: what was never reached is not asked again.
    reached: Cell<bool>,
}

/// What asks servers like the one at an address.
pub(super) fn agent(address: &str) -> Result<Agent> {
    let mut config = Agent::config_builder()
        .user_agent(concat!("internvit/", env!("CARGO_PKG_VERSION")))
        .http_status_as_error(false)
        // Redirects are followed here: the token stays behind, and an error names who failed.
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_connect(Some(Duration::from_secs(15)));
    if address.starts_with("https://") {
        let found = rustls_native_certs::load_native_certs();
        if found.certs.is_empty() {
            return Err(Error::input(format!(
                "{address}: this machine has no certificates of authorities to check it by"
            )));
        }
        let roots = found.certs.iter().map(|c| Certificate::from_der(c).to_owned()).collect();
        let crypto = Arc::new(rustls::crypto::ring::default_provider());
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::Specific(Arc::new(roots)))
            .unversioned_rustls_crypto_provider(crypto);
        config = config.tls_config(tls.build());
    }
    Ok(config.build().new_agent())
}

impl Http {
    pub(super) fn new(endpoint: String, token: Option<String>) -> Result<Self> {
        if !endpoint.starts_with("https://") && !endpoint.starts_with("http://") {
            return Err(Error::input(format!(
                "HF_ENDPOINT {endpoint}: expected an address that begins with https://"
            )));
        }
        let bounds = Bounds::default();
        Ok(Self { agent: OnceCell::new(), endpoint, token, bounds, reached: Cell::new(false) })
    }

    /// Made when it is first needed: what is on this machine needs no certificates.
    fn agent(&self) -> Result<&Agent> {
        if let Some(agent) = self.agent.get() {
            return Ok(agent);
        }
        let agent = agent(&self.endpoint)?;
        Ok(self.agent.get_or_init(|| agent))
    }

    /// The hub's answer to `path` as text, of a bounded length. With `briefly` it is not waited for long.
    pub(super) fn text(
        &self,
        model: &Name,
        path: &str,
        briefly: bool,
        tell: &mut Tell<'_>,
    ) -> Tried<String> {
        let url = format!("{}{path}", self.endpoint);
        let bounds = if briefly { self.bounds.briefly() } else { self.bounds };
        self.patiently(model, bounds, tell, |_, _| {
            let response = self.get(model, &url, None, bounds)?;
            if response.status() != 200 {
                return Err(refused(self, model, "", &response));
            }
            let mut reader = response.into_body().into_reader();
            let mut pace = Pace::new(bounds, false);
            let (mut text, mut buffer) = (Vec::new(), vec![0; 1 << 16]);
            loop {
                let read = reader.read(&mut buffer).map_err(Fault::passing)?;
                pace.more(read, read)?;
                text.extend_from_slice(&buffer[..read]);
                if text.len() as u64 > MAX_LIST {
                    let reason = format!("an answer of more than {MAX_LIST} bytes to {path}");
                    return Err(Fault::Final(Error::hub(model, reason)));
                }
                if read == 0 {
                    return Ok(String::from_utf8_lossy(&text).into_owned());
                }
            }
        })
    }

    /// Hands the bytes `range` of a file to `sink`, in order and each once, and goes on where a
    /// connection broke off.
    pub(super) fn bytes(
        &self,
        ask: &Ask<'_>,
        range: Range<u64>,
        tell: &mut Tell<'_>,
        sink: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let mut at = range.start;
        let done = self.patiently(ask.model, self.bounds, tell, |tell, moved| {
            if at == range.end {
                return Ok(());
            }
            self.read(ask, at..range.end, (tell, moved), &mut |piece| {
                at += piece.len() as u64;
                sink(piece)
            })
        });
        done.map_err(|fault| match fault {
            Fault::Passing { reason, .. } => {
                Error::hub(ask.model, format!("{}: {reason}", ask.file))
            }
            Fault::Final(error) => error,
        })
    }

    /// Tries until it succeeds, or has brought next to nothing too many times.
    fn patiently<T>(
        &self,
        model: &Name,
        bounds: Bounds,
        tell: &mut Tell<'_>,
        mut attempt: impl FnMut(&mut Tell<'_>, &mut bool) -> Tried<T>,
    ) -> Tried<T> {
        let mut tries = 0;
        loop {
            let mut moved = false;
            let (reason, wait) = match attempt(tell, &mut moved) {
                Err(Fault::Passing { reason, wait }) => (reason, wait),
                other => return other,
            };
            tries = if moved { 1 } else { tries + 1 };
            let wait_for = wait.unwrap_or(bounds.wait * (1 << (tries - 1)));
            let given_up = tries >= bounds.tries || wait_for > bounds.patience;
            if given_up || !self.reached.get() {
                return Err(Fault::Passing { reason, wait });
            }
            let seconds = wait_for.as_secs_f32();
            let note = format!("{model}: {reason}; asking again in {seconds:.1} s");
            report(tell, Step::Note(&note)).map_err(Fault::Final)?;
            std::thread::sleep(wait_for);
        }
    }

    /// One answer's bytes, as far as they come.
    fn read(
        &self,
        ask: &Ask<'_>,
        range: Range<u64>,
        (tell, moved): (&mut Tell<'_>, &mut bool),
        sink: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Tried<()> {
        let whole = range == (0..ask.size);
        let response = self.get(ask.model, &ask.url, (!whole).then_some(&range), self.bounds)?;
        let (begin, size) = match response.status().as_u16() {
            200 => (0, header(&response, "content-length").and_then(|n| n.parse().ok())),
            206 => content_range(&response)
                .map(|(begin, size)| (begin, Some(size)))
                .ok_or_else(|| Fault::passing("an answer without content-range"))?,
            _ => return Err(refused(self, ask.model, ask.file, &response)),
        };
        if let Some(size) = size.filter(|size| *size != ask.size) {
            let reason = format!("{}: expected {} bytes, the hub sends {size}", ask.file, ask.size);
            return Err(Fault::Final(Error::hub(ask.model, reason)));
        }
        if begin > range.start {
            return Err(Fault::passing("the hub sends another range than the one asked for"));
        }
        // What knows no ranges sends all from the start.
        let mut skip = range.start - begin;
        let mut left = range.end - range.start;
        let mut reader = response.into_body().into_reader();
        let mut buffer = vec![0; 1 << 16];
        let mut pace = Pace::new(self.bounds, ask.file.ends_with(".safetensors"));
        while left > 0 {
            let read = reader.read(&mut buffer).map_err(Fault::passing)?;
            // What is skipped brings nothing.
            let from = skip.min(read as u64);
            skip -= from;
            let to = (read as u64).min(from + left);
            let paced = pace.more(read, (to - from) as usize);
            *moved = pace.moved();
            paced?;
            if read == 0 {
                return Err(Fault::passing(format!("broken off, {left} bytes are missing")));
            }
            let piece = &buffer[from as usize..to as usize];
            sink(piece).map_err(Fault::Final)?;
            left -= to - from;
            report(tell, Step::Bytes(to - from)).map_err(Fault::Final)?;
        }
        Ok(())
    }

    fn get(
        &self,
        model: &Name,
        url: &str,
        range: Option<&Range<u64>>,
        bounds: Bounds,
    ) -> Tried<Response<Body>> {
        let agent = self.agent().map_err(Fault::Final)?;
        let never = |reason: String| Fault::Final(Error::hub(model, reason));
        let mut url = url.to_string();
        for _ in 0..8 {
            let mut request = agent.get(&url);
            let host = origin(&url).unwrap_or_default();
            if let Some(token) = &self.token
                && origin(&self.endpoint).is_some_and(|own| own == host)
            {
                request = request.header("authorization", format!("Bearer {token}"));
            }
            if let Some(range) = range {
                request =
                    request.header("range", format!("bytes={}-{}", range.start, range.end - 1));
            }
            let silence = Some(bounds.silence);
            let request = request.config().timeout_recv_response(silence);
            let request = request.timeout_per_read(silence).build();
            let response = request.call().map_err(|e| {
                let reason = format!("no answer from {host}: {e}");
                if is_lasting(&e) { never(reason) } else { Fault::passing(reason) }
            })?;
            self.reached.set(true);
            if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
                return Ok(response);
            }
            let Some(to) = response.headers().get("location") else { return Ok(response) };
            url = resolved(&url, to.as_bytes()).ok_or_else(|| {
                let to = String::from_utf8_lossy(to.as_bytes());
                never(format!("redirected to {to}, which is no address"))
            })?;
            if self.endpoint.starts_with("https:") && !origin(&url).is_some_and(is_secure) {
                return Err(never(format!("redirected to {url}, which is not secure")));
            }
        }
        Err(never("redirected in a circle".into()))
    }
}

fn is_secure(origin: String) -> bool {
    origin.starts_with("https:")
}

/// Whether a request that failed so will fail always: an address that is none, a certificate that is
/// not trusted.
fn is_lasting(error: &ureq::Error) -> bool {
    let certificate = |error: &rustls::Error| {
        matches!(error, rustls::Error::InvalidCertificate(_) | rustls::Error::UnsupportedNameType)
    };
    match error {
        ureq::Error::Http(_)
        | ureq::Error::BadUri(_)
        | ureq::Error::InvalidProxyUrl
        | ureq::Error::Pem(_)
        | ureq::Error::RequireHttpsOnly(_)
        | ureq::Error::LargeResponseHeader(..) => true,
        ureq::Error::Rustls(error) => certificate(error),
        ureq::Error::Io(error) => error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<rustls::Error>())
            .is_some_and(certificate),
        _ => false,
    }
}

pub(super) fn header<'a>(response: &'a Response<Body>, name: &str) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

/// The first byte and the size of the whole: `bytes 5-9/100`.
fn content_range(response: &Response<Body>) -> Option<(u64, u64)> {
    let text = header(response, "content-range")?.strip_prefix("bytes ")?;
    let (range, size) = text.split_once('/')?;
    Some((range.split_once('-')?.0.parse().ok()?, size.parse().ok()?))
}

#[cfg(test)]
mod tests;
