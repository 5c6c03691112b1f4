//! Engines: the generation models in memory.

use inference::Generator;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// A generation model and the name that the site gave it.
#[derive(Clone)]
pub struct NamedGenerator {
    /// Name in the list of models.
    pub name: String,
    /// The model.
    pub generator: Generator,
}

/// The model in use, one that is tried beside it, and a larger one that takes over where the one in use is not sure. Cheap
/// to clone; clones see the same ones.
///
/// Whoever answers takes a handle and keeps it to the end, so an answer is finished by the model that began it, and a
/// model leaves memory when its last answer does.
#[derive(Clone, Default)]
pub struct Engines {
    slots: Arc<RwLock<Slots>>,
}

#[derive(Default)]
struct Slots {
    stable: Option<NamedGenerator>,
    experimental: Option<NamedGenerator>,
    larger: Option<NamedGenerator>,
}

impl Engines {
    /// Engines of which one is in use, or none.
    #[must_use]
    pub fn new(stable: Option<NamedGenerator>) -> Self {
        Self { slots: Arc::new(RwLock::new(Slots { stable, ..Slots::default() })) }
    }

    /// The model in use.
    #[must_use]
    pub fn stable(&self) -> Option<NamedGenerator> {
        self.read().stable.clone()
    }

    /// The model that is tried beside it.
    #[must_use]
    pub fn experimental(&self) -> Option<NamedGenerator> {
        self.read().experimental.clone()
    }

    /// The larger model that takes over where the one in use is not sure; none if that is the one in use.
    #[must_use]
    pub fn larger(&self) -> Option<NamedGenerator> {
        let slots = self.read();
        let in_use = slots.stable.as_ref().map(|stable| &stable.name);
        slots.larger.as_ref().filter(|larger| Some(&larger.name) != in_use).cloned()
    }

    /// The larger model, even if that is the one in use.
    #[must_use]
    pub fn configured_larger(&self) -> Option<NamedGenerator> {
        self.read().larger.clone()
    }

    /// Sets the larger model, or that there is none.
    pub fn escalate_to(&self, generator: Option<NamedGenerator>) {
        self.write().larger = generator;
    }

    /// The one of this name, if it runs.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<NamedGenerator> {
        let slots = self.read();
        [&slots.stable, &slots.experimental, &slots.larger]
            .into_iter()
            .flatten()
            .find(|known| known.name == name)
            .cloned()
    }

    /// Takes a model into use. If it was tried beside, it is so no longer.
    pub fn promote(&self, generator: NamedGenerator) {
        let mut slots = self.write();
        if slots.experimental.as_ref().is_some_and(|known| known.name == generator.name) {
            slots.experimental = None;
        }
        slots.stable = Some(generator);
    }

    /// Sets, or ends, what is tried beside the model in use.
    pub fn try_beside(&self, generator: Option<NamedGenerator>) {
        self.write().experimental = generator;
    }

    fn read(&self) -> RwLockReadGuard<'_, Slots> {
        self.slots.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Slots> {
        self.slots.write().unwrap_or_else(PoisonError::into_inner)
    }
}
