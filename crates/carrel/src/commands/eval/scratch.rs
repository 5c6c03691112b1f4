//! A data directory of its own for sets that bring their documents: imported as a site's own are, with the models of the
//! data directory that the command was given.

use super::beir::{Text, file_name};
use crate::commands::collection;
use crate::site::{Failure, Site};
use ::audit::Actor;
use domain::{Clearance, Label, Permission, Role};
use identity::NewUser;
use ingest::{Incoming, Origin};
use std::path::Path;

/// Who asks there.
pub(crate) const READER: &str = "reader";

const COLLECTION: &str = "Set";

/// A site in `folder` that holds `documents`, read and embedded.
pub(crate) async fn site(own: &Site, folder: &Path, documents: &[Text]) -> Result<Site, Failure> {
    let site = own.scratch(folder).await?;
    collection::create(&site, COLLECTION, "", Label::Public).await?;
    let new = NewUser {
        name: READER.to_owned(),
        display_name: READER.to_owned(),
        role: Role::Staff,
        clearance: Clearance(Label::Public),
    };
    let password = identity::random_password(site.store.environment());
    site.identity.create_user(&new, &password, &Actor::console(), site.operation()).await?;
    collection::grant(&site, COLLECTION, READER, Some(Permission::Read)).await?;
    let (stage, collection) = (site.stage()?, site.collection(COLLECTION).await?);
    for document in documents {
        let text = format!("# {}\n\n{}\n", document.title.replace('_', " "), document.text);
        let file = Incoming::new(file_name(&document.id), text.into_bytes());
        stage.submit(&Origin::of(&collection), file, &Actor::console(), site.operation()).await?;
    }
    let retrieval = site.own_retrieval().await?;
    site.worker(&retrieval).await?.run_until_idle().await?;
    Ok(site)
}
