//! From a principal to what it may read now.

use crate::{Identity, IdentityError};
use domain::{AccessScope, Clearance, CollectionId, Label, Permission, Principal, PrincipalId, User};
use std::collections::BTreeMap;

impl Identity {
    /// The principal behind a user, with the groups of this moment.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn principal(&self, user: User) -> Result<Principal, IdentityError> {
        let groups = self.store.groups_of(user.id).await?.into_iter().map(|group| group.id).collect();
        Ok(Principal { user, groups })
    }

    /// What `principal` may read, resolved from the grants of this moment: a change holds for the next call.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn scope(&self, principal: &Principal) -> Result<AccessScope, IdentityError> {
        let names = principal_ids(principal);
        let collections = self.store.permissions(&names).await?;
        Ok(AccessScope::issue(names, collections.into_keys(), principal.user.clearance))
    }

    /// The collections that `principal` was granted, each with the highest permission.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn permissions(
        &self,
        principal: &Principal,
    ) -> Result<BTreeMap<CollectionId, Permission>, IdentityError> {
        Ok(self.store.permissions(&principal_ids(principal)).await?)
    }
}

/// The scope under which a measurement reads the collection that it made itself.
#[must_use]
pub fn scope_of_evaluation(collection: CollectionId) -> AccessScope {
    AccessScope::issue([], [collection], Clearance(Label::Public))
}

fn principal_ids(principal: &Principal) -> Vec<PrincipalId> {
    std::iter::once(principal.user.id.into()).chain(principal.groups.iter().map(|group| (*group).into())).collect()
}
