//! Another signing key: the old one signs the new one, and the log holds that signature.

use crate::{Action, Event, PublicKey, SigningKey, hex};
use serde_json::{Value, json};

/// One key handing over to the next. Whoever trusts the first may trust the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    /// The key until now.
    pub from: PublicKey,
    /// The key from now on.
    pub to: PublicKey,
}

impl Rotation {
    /// The detail of the `audit.key_rotated` event: both public keys and the old key's signature over them.
    #[must_use]
    pub fn detail(old: &SigningKey, new: &PublicKey) -> Value {
        let rotation = Self { from: old.public(), to: *new };
        let signature = hex::encode(&old.sign(&rotation.statement()));
        json!({ "from": rotation.from.to_string(), "to": rotation.to.to_string(), "signature": signature })
    }

    /// What the event says, if it is such an event and the old key did sign it.
    #[must_use]
    pub fn of(event: &Event) -> Option<Self> {
        if event.action != Action::AuditKeyRotated {
            return None;
        }
        let text = |name: &str| event.detail.get(name).and_then(Value::as_str);
        let key = |name: &str| PublicKey::from_hex(text(name)?);
        let rotation = Self { from: key("from")?, to: key("to")? };
        let signature = hex::read(text("signature")?)?;
        rotation.from.signed(&rotation.statement(), &signature).then_some(rotation)
    }

    fn statement(&self) -> Vec<u8> {
        format!("carrel audit key v1\n{}\n{}\n", self.from, self.to).into_bytes()
    }
}

/// The keys that speak for one appliance, as far as its log shows.
#[derive(Debug, Clone, Default)]
pub struct Lineage {
    rotations: Vec<Rotation>,
}

impl Lineage {
    /// Takes the event in if it is a rotation that the old key signed.
    pub fn see(&mut self, event: &Event) {
        self.rotations.extend(Rotation::of(event));
    }

    /// Number of rotations seen.
    #[must_use]
    pub fn rotations(&self) -> u64 {
        self.rotations.len() as u64
    }

    /// Whether `key` is `trusted`, or was handed over to by it in one or more steps.
    #[must_use]
    pub fn leads(&self, trusted: &PublicKey, key: &PublicKey) -> bool {
        let mut reached = vec![*trusted];
        // Rotations stand in the log in the order in which they happened.
        for rotation in &self.rotations {
            if reached.contains(&rotation.from) {
                reached.push(rotation.to);
            }
        }
        reached.contains(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Actor;
    use domain::{Environment, OperationId};

    #[test]
    fn trust_goes_from_a_key_to_the_ones_that_it_signed_and_not_back() {
        let environment = Environment::system();
        let [a, b, c, stranger] = [(); 4].map(|()| SigningKey::generate(&environment));
        let event = |detail| {
            Event::new(Action::AuditKeyRotated, &Actor::console(), OperationId::new(&environment)).detail(detail)
        };
        let mut lineage = Lineage::default();
        lineage.see(&event(Rotation::detail(&a, &b.public())));
        lineage.see(&event(Rotation::detail(&b, &c.public())));
        assert!(lineage.leads(&a.public(), &c.public()) && lineage.leads(&a.public(), &a.public()));
        assert!(!lineage.leads(&c.public(), &a.public()));

        let mut forged = Rotation::detail(&stranger, &stranger.public());
        forged["from"] = json!(c.public().to_string());
        lineage.see(&event(forged));
        assert!(!lineage.leads(&a.public(), &stranger.public()));
        assert_eq!(lineage.rotations(), 2);
        let mut other = event(Rotation::detail(&a, &b.public()));
        other.action = Action::ConfigurationChanged;
        assert_eq!(Rotation::of(&other), None);
    }
}
