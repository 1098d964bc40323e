//! Files at addresses that were allowed before.

use std::io::Read;
use std::time::Duration;

use ureq::Agent;
use ureq::http::Uri;

use super::address::{origin, resolved};
use super::http::agent;
use crate::error::short;
use crate::{Error, Result};

/// Redirects that are followed.
const REDIRECTS: usize = 5;

/// Fetches files from addresses that begin as was allowed, and from no others: no redirect leads elsewhere.
pub struct Web {
    agent: Agent,
    /// Origins, and the paths below which files are.
    allowed: Vec<(String, String)>,
}

impl Web {
    /// What fetches files below these addresses: scheme and host, and a path where not all of the host is meant.
    ///
    /// # Errors
    /// [`Error::Input`] for what is no such address, and where this machine has no certificates to check hosts by.
    pub fn new(allowed: &[String]) -> Result<Self> {
        let read = |text: &String| {
            place(text).ok_or_else(|| {
                let found = short(text, 200);
                Error::input(format!("{found}: expected an address as https://example.org/photos/"))
            })
        };
        let secure = allowed.iter().find(|address| address.starts_with("https:"));
        let agent = agent(secure.map_or("http:", String::as_str))?;
        Ok(Self { agent, allowed: allowed.iter().map(read).collect::<Result<_>>()? })
    }

    /// The bytes of a file, at most `most`, within a time.
    ///
    /// # Errors
    /// [`Error::Input`] where the address is not allowed, where a redirect leads to one that is not, and where there is
    /// no such file, a longer one, or no answer in time.
    pub fn get(&self, address: &str, most: u64, time: Duration) -> Result<Vec<u8>> {
        let mut url = address.to_string();
        let failed = |why: String| Error::input(format!("{}: {why}", short(address, 200)));
        for _ in 0..=REDIRECTS {
            if !self.allows(&url) {
                let led = if url == address { "it is" } else { "it leads to an address that is" };
                return Err(failed(format!("{led} not among those that are fetched")));
            }
            let request = self.agent.get(&url).config().timeout_global(Some(time)).build();
            let response = request.call().map_err(|e| failed(format!("no answer: {e}")))?;
            let status = response.status().as_u16();
            let to = response.headers().get("location").filter(|_| (300..400).contains(&status));
            if let Some(to) = to {
                let to = resolved(&url, to.as_bytes());
                url = to.ok_or_else(|| failed("it leads to what is no address".into()))?;
                continue;
            }
            if status != 200 {
                return Err(failed(format!("the server answers {status}")));
            }
            let mut bytes = Vec::new();
            let mut body = response.into_body().into_reader().take(most.saturating_add(1));
            body.read_to_end(&mut bytes).map_err(|e| failed(format!("broken off: {e}")))?;
            return match bytes.len() as u64 > most {
                true => Err(failed(format!("more than {most} bytes"))),
                false => Ok(bytes),
            };
        }
        Err(failed("redirected in a circle".into()))
    }

    fn allows(&self, url: &str) -> bool {
        let Some((host, path)) = place(url) else { return false };
        // Servers may take these for the folder above.
        let spelled =
            path.to_lowercase().replace("%2e", ".").replace("%2f", "/").replace("%5c", "/");
        if spelled.split(['/', '\\']).any(|part| part == "..") {
            return false;
        }
        self.allowed.iter().any(|(own, below)| {
            let rest = path.strip_prefix(below.as_str()).filter(|_| host == *own);
            rest.is_some_and(|rest| {
                below.ends_with('/') || rest.is_empty() || rest.starts_with('/')
            })
        })
    }
}

/// An address's origin and path.
fn place(url: &str) -> Option<(String, String)> {
    let uri: Uri = url.parse().ok()?;
    let web = matches!(uri.scheme_str(), Some("http" | "https"));
    Some((origin(url).filter(|_| web)?, uri.path().to_string()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn what_is_allowed() {
        let allowed = ["http://photos.test/a/", "http://photos.test/b", "http://other.test:81"];
        let web = Web::new(&allowed.map(String::from)).unwrap();
        for url in [
            "http://photos.test/a/x.png",
            "http://PHOTOS.test:80/a/b/x.png?size=3",
            "http://photos.test/b",
            "http://photos.test/b/x.png",
            "http://other.test:81/x",
        ] {
            assert!(web.allows(url), "{url}");
        }
        for url in [
            "https://photos.test/a/x.png",
            "http://photos.test/a",
            "http://photos.test/bc",
            "http://photos.test/a/../c",
            "http://photos.test/a/%2E%2e/c",
            "http://photos.test/a/x%2f..%2f..%2fc",
            "http://photos.test/a/..%5cc",
            "http://photos.test@evil.test/a/x.png",
            "http://photos.test.evil.test/a/x.png",
            "http://photos.test:81/a/x.png",
            "http://other.test/x",
            "ftp://photos.test/a/x.png",
            "photos.test/a/x.png",
        ] {
            assert!(!web.allows(url), "{url}");
        }
        assert!(Web::new(&["example.org".into()]).is_err());
    }
}
