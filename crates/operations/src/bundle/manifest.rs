//! What a bundle says of itself.

use super::Refusal;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Component, Path};

/// The format that is written and understood.
const FORMAT: u64 = 1;
/// Most members, and longest name of one, in bytes.
const MEMBERS: usize = 20_000;
const NAME: usize = 400;

/// What a bundle brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The root of an appliance, for the slot that does not run.
    System,
    /// A release for a host that is there already.
    Program,
    /// Model packs.
    Models,
    /// Vocabulary of the site.
    Lists,
    /// Lists of revoked certificates of people.
    Crl,
    /// Passwords that are refused.
    Passwords,
    /// Nothing but a change of the trusted keys.
    Keys,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 7] =
        [Self::System, Self::Program, Self::Models, Self::Lists, Self::Crl, Self::Passwords, Self::Keys];

    /// The kind's stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Program => "program",
            Self::Models => "models",
            Self::Lists => "lists",
            Self::Crl => "crl",
            Self::Passwords => "passwords",
            Self::Keys => "keys",
        }
    }

    /// Whether an older one may be taken if somebody says so. Not what protects: an older release brings old holes back, an
    /// older list of revoked certificates lets in who was thrown out. Those go back by a rollback alone, one step.
    #[must_use]
    pub const fn may_go_back(self) -> bool {
        matches!(self, Self::Models | Self::Lists)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A file of the bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its relative path.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// SHA-256, hexadecimal.
    pub sha256: String,
}

/// Keys that come and go with a bundle, by the word of a key that is trusted already.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rotation {
    /// Public keys (PEM) that are trusted from then on.
    pub add: Vec<String>,
    /// Ids of keys that are no longer.
    pub remove: Vec<String>,
}

impl Rotation {
    /// Whether nothing changes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.add.is_empty() && self.remove.is_empty()
    }
}

/// The first member of a bundle, as far as this release knows it. Fields that it does not know are passed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The format's number.
    pub format: u64,
    /// `carrel`.
    pub product: String,
    /// What it brings.
    pub kind: Kind,
    /// Its version, for people.
    pub version: String,
    /// Its place in the order of its kind: only a higher one than the last is taken.
    #[serde(default)]
    pub sequence: u64,
    /// `x86_64` and the like, or `any`.
    pub architecture: String,
    /// When it was made (RFC 3339).
    pub created: String,
    /// Id of the key that signs: SHA-256 of its public half in DER, hexadecimal.
    pub key: String,
    /// Keys that come and go.
    #[serde(default, skip_serializing_if = "Rotation::is_empty")]
    pub keys: Rotation,
    /// Its files, in the order in which they stand in the archive.
    #[serde(default)]
    pub members: Vec<Member>,
}

/// What is looked at before the rest is understood.
#[derive(Deserialize)]
struct Beginning {
    format: u64,
    product: String,
    kind: String,
}

impl Manifest {
    /// Reads a manifest whose signature was checked.
    ///
    /// # Errors
    /// `Format`, `Product`, `Kind`, `Architecture`, or `Manifest` for one that cannot be meant.
    pub fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        let unusable = |error: serde_json::Error| Refusal::Manifest(error.to_string());
        let beginning: Beginning = serde_json::from_slice(bytes).map_err(unusable)?;
        if beginning.format != FORMAT {
            return Err(Refusal::Format(beginning.format));
        }
        if beginning.product != "carrel" {
            return Err(Refusal::Product(beginning.product));
        }
        if Kind::ALL.iter().all(|kind| kind.as_str() != beginning.kind) {
            let sentence =
                format!("this release knows no bundles of the kind '{}'; update the program first", beginning.kind);
            return Err(Refusal::Kind(sentence));
        }
        let manifest: Self = serde_json::from_slice(bytes).map_err(unusable)?;
        if !["any", std::env::consts::ARCH].contains(&manifest.architecture.as_str()) {
            return Err(Refusal::Architecture(manifest.architecture));
        }
        manifest.sound()?;
        Ok(manifest)
    }

    fn sound(&self) -> Result<(), Refusal> {
        let wrong = |sentence: String| Err(Refusal::Manifest(sentence));
        if self.members.len() > MEMBERS {
            return wrong(format!("it names more than {MEMBERS} files"));
        }
        if self.members.is_empty() == (self.kind != Kind::Keys) {
            return wrong("a bundle has files, unless it brings nothing but keys".to_owned());
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '+' | '~');
        if self.version.is_empty()
            || self.version.len() > 80
            || self.version.starts_with('.')
            || !self.version.chars().all(plain)
        {
            return wrong(format!("'{}' is no version", self.version));
        }
        let mut names: Vec<&str> = self.members.iter().map(|member| member.name.as_str()).collect();
        names.sort_unstable();
        if names.windows(2).any(|pair| pair[0] == pair[1]) {
            return wrong("it names a file twice".to_owned());
        }
        for Member { name, sha256, .. } in &self.members {
            let plain = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
            let whole = !name.is_empty() && name.len() <= NAME && !name.ends_with('/') && !name.contains(['\0', '\\']);
            if !plain || !whole || name.contains("//") || name.contains("/./") {
                return wrong(format!("'{name}' is no plain relative name"));
            }
            if sha256.len() != 64 || !sha256.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
                return wrong(format!("'{name}' has no SHA-256"));
            }
        }
        Ok(())
    }

    /// Bytes of all members together.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.members.iter().fold(0, |sum, member| sum.saturating_add(member.size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn manifest() -> Value {
        json!({
            "format": 1, "product": "carrel", "kind": "lists", "version": "2026-11", "sequence": 3, "architecture": "any",
            "created": "2026-01-01T00:00:00Z", "key": "00", "future": true,
            "members": [{ "name": "glossary.csv", "size": 3, "sha256": "0".repeat(64) }],
        })
    }

    fn refused(change: impl FnOnce(&mut Value)) -> &'static str {
        let mut value = manifest();
        change(&mut value);
        Manifest::read(value.to_string().as_bytes()).map_or_else(|refusal| refusal.code(), |_| "taken")
    }

    #[test]
    fn each_field_is_looked_at() {
        assert_eq!(refused(|_| {}), "taken", "fields of later releases are passed over");
        assert_eq!(refused(|value| value["format"] = 2.into()), "format");
        assert_eq!(refused(|value| value["product"] = "lectern".into()), "other_product");
        assert_eq!(refused(|value| value["kind"] = "firmware".into()), "kind");
        assert_eq!(refused(|value| value["architecture"] = "sparc".into()), "other_architecture");
        assert_eq!(refused(|value| value["version"] = "../1".into()), "manifest");
        assert_eq!(refused(|value| value["members"] = json!([])), "manifest");
        assert_eq!(refused(|value| value["members"][0]["sha256"] = "AB".into()), "manifest");
        for name in ["/etc/passwd", "../a", "a/../b", "", "a/", "a//b", "a\\b", "./a"] {
            assert_eq!(refused(|value| value["members"][0]["name"] = name.into()), "manifest", "{name:?}");
        }
        assert_eq!(
            refused(|value| {
                let member = value["members"][0].clone();
                value["members"] = json!([member, member]);
            }),
            "manifest"
        );
    }
}
