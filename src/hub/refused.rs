//! What a status other than success means, and what helps.

use std::time::Duration;

use ureq::Body;
use ureq::http::Response;

use super::Name;
use super::http::{Fault, Http, header};
use crate::Error;

/// Why the hub, or who answers in its place, does not give `file`.
pub(super) fn refused(http: &Http, model: &Name, file: &str, response: &Response<Body>) -> Fault {
    let status = response.status().as_u16();
    // What a server cannot do, or who must sign in first, stays so.
    if matches!(status, 408 | 429) || (status >= 500 && !matches!(status, 501 | 505 | 510 | 511)) {
        let wait = header(response, "retry-after").and_then(|s| s.parse().ok());
        let reason = match (status, wait) {
            (429, Some(s)) => format!("too many requests (429), the hub asks to wait {s} s"),
            (429, None) => "too many requests (429)".into(),
            _ => format!("the hub is in trouble ({status})"),
        };
        return Fault::Passing { reason, wait: wait.map(Duration::from_secs) };
    }
    let page = format!("{}/{}", http.endpoint, model.repository());
    let code = header(response, "x-error-code").unwrap_or_default();
    let reason = match (status, code) {
        (_, "GatedRepo") => {
            let token = match http.token {
                Some(_) => "",
                None => ", and set HF_TOKEN to a token of your account",
            };
            format!("not open to everyone ({status}): accept its licence on {page}{token}")
        }
        // The hub itself says why.
        (403, "") => format!(
            "refused (403) without the hub's reason: a proxy or a firewall on the way may forbid \
             {}",
            http.endpoint
        ),
        (403, code) => format!("refused by the hub (403, {code}): see {page}"),
        (404, "RevisionNotFound") => format!("no revision {} on the hub", model.revision()),
        (404, _) if !file.is_empty() => format!("{file}: not on the hub (404)"),
        (401 | 404, _) if http.token.is_some() => {
            format!("no such repository on the hub, or HF_TOKEN may not read it ({status})")
        }
        (401 | 404, _) => format!(
            "no such repository on the hub, or a private one ({status}): set HF_TOKEN to a token \
             that may read it"
        ),
        (511, _) => "the network wants you to sign in first (511)".into(),
        (407, _) => "a proxy asks who you are (407): put name and password into its address".into(),
        _ if file.is_empty() => format!("the hub answers {status}"),
        _ => format!("{file}: the hub answers {status}"),
    };
    Fault::Final(Error::hub(model, reason))
}
