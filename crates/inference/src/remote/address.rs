//! The configured address, read once.

use hyper::Uri;

/// Where the engine listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) host: String,
    pub(super) port: u16,
    /// Value of the `Host` header.
    pub(super) authority: String,
    /// Path of the chat completions.
    pub(super) path: String,
}

impl Address {
    /// Reads `http://host:port`, with or without a path before `/v1`, and with or without that.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let invalid = || format!("'{text}' is no address; write it like http://10.0.0.5:8000");
        let uri: Uri = text.trim().parse().map_err(|_| invalid())?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => {
                return Err(format!(
                    "'{text}' asks for TLS, which Carrel does not speak as a client; use http:// inside the enclave, \
                     or a tunnel on this machine"
                ));
            }
            _ => return Err(invalid()),
        }
        let authority = uri.authority().ok_or_else(invalid)?;
        if authority.as_str().contains('@') {
            return Err(format!("'{}' carries a name or password; put the key into key_file", authority.host()));
        }
        if uri.query().is_some() {
            return Err(format!("'{text}' has a query; give only host, port and path"));
        }
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        let base = uri.path().trim_end_matches('/');
        let base = base.strip_suffix("/chat/completions").unwrap_or(base);
        let base = base.strip_suffix("/v1").unwrap_or(base);
        Ok(Self {
            host,
            port: authority.port_u16().unwrap_or(80),
            authority: authority.as_str().to_owned(),
            path: format!("{base}/v1/chat/completions"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_host_port_and_perhaps_a_path() {
        for (text, host, port, path) in [
            ("http://10.0.0.5:8000", "10.0.0.5", 8000, "/v1/chat/completions"),
            ("http://engine/", "engine", 80, "/v1/chat/completions"),
            ("http://[::1]:8080/v1/", "::1", 8080, "/v1/chat/completions"),
            ("http://engine:1/llm/v1/chat/completions", "engine", 1, "/llm/v1/chat/completions"),
        ] {
            let address = Address::parse(text).unwrap();
            assert_eq!((address.host.as_str(), address.port, address.path.as_str()), (host, port, path));
        }
    }

    #[test]
    fn what_cannot_be_used_is_refused_with_its_reason() {
        for (text, reason) in [
            ("", "no address"),
            ("10.0.0.5:8000", "no address"),
            ("ftp://engine", "no address"),
            ("https://engine", "TLS"),
            ("http://user:secret@engine", "key_file"),
            ("http://engine?x=1", "query"),
        ] {
            let error = Address::parse(text).unwrap_err();
            assert!(error.contains(reason) && !error.contains("secret"), "{error}");
        }
    }
}
