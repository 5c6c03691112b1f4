//! `carrel demo`: what `cargo xtask demo` runs once models and binary are there.

use super::{collection, import, model};
use crate::Outcome;
use crate::config::Configuration;
use crate::site::{Failure, Site};
use ::audit::{Action, Actor, Event};
use domain::{Clearance, Label, Permission, Role};
use identity::NewUser;
use inference::ModelKind;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Instant;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Port on 127.0.0.1
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Folder of the sample documents, with demo.toml
    #[arg(long, value_name = "DIR")]
    samples: PathBuf,
    /// The generation model (GGUF)
    #[arg(long, value_name = "FILE")]
    generate: PathBuf,
    /// The embedding model (folder)
    #[arg(long, value_name = "DIR")]
    embed: PathBuf,
    /// The model pack for the text in pictures (folder)
    #[arg(long, value_name = "DIR")]
    recognize: Option<PathBuf>,
    /// Load everything and end instead of serving
    #[arg(long)]
    load_only: bool,
}

/// `demo.toml`
#[derive(Deserialize)]
struct Plan {
    organisation: Organisation,
    collection: Vec<PlannedCollection>,
    group: Vec<PlannedGroup>,
    user: Vec<PlannedUser>,
    grant: Vec<PlannedGrant>,
}

#[derive(Deserialize)]
struct Organisation {
    name: String,
}

#[derive(Deserialize)]
struct PlannedCollection {
    name: String,
    folder: String,
    description: String,
    label: Label,
    #[serde(default)]
    questions: Vec<String>,
}

#[derive(Deserialize)]
struct PlannedGroup {
    name: String,
}

#[derive(Deserialize)]
struct PlannedUser {
    name: String,
    display_name: String,
    role: Role,
    clearance: Label,
    groups: Vec<String>,
}

#[derive(Deserialize)]
struct PlannedGrant {
    collection: String,
    to: String,
    permission: Permission,
}

/// The demo's accounts in the clear, so that a second start can show them again. Only a demo does this.
#[derive(Serialize, Deserialize, Default)]
struct Accounts {
    account: Vec<Account>,
}

#[derive(Serialize, Deserialize)]
struct Account {
    name: String,
    password: String,
    role: Role,
    display_name: String,
}

pub(crate) async fn run(arguments: Arguments, configuration: &Configuration) -> Outcome {
    let mut configuration = configuration.clone();
    configuration.listen = SocketAddr::from(([127, 0, 0, 1], arguments.port));
    let plan = std::fs::read_to_string(arguments.samples.join("demo.toml"))
        .map_err(|error| format!("{}: {error}", arguments.samples.join("demo.toml").display()))?;
    let plan: Plan = toml::from_str(&plan)?;
    let site = Site::open(&configuration).await?;

    use_model(&site, ModelKind::Embed, &arguments.embed).await?;
    use_model(&site, ModelKind::Generate, &arguments.generate).await?;
    if let Some(pack) = arguments.recognize.filter(|_| !recognize::Pack::is_at(&site.recognition())) {
        model::import_recognition(&site, &pack).await?;
    }
    let accounts = make_accounts(&site, &plan).await?;
    make_collections(&site, &plan).await?;
    load(&site, &plan, &arguments.samples).await?;

    if arguments.load_only {
        return Ok(());
    }
    super::serve::serve(&site, &configuration, false, |door| {
        println!("\nCarrel is at {}\n", door.url());
        println!("  {:10} {:28} {:8} who", "name", "password", "role");
        for account in &accounts.account {
            let Account { name, password, role, display_name } = account;
            println!("  {name:10} {password:28} {role:8} {display_name}");
        }
        println!("\nSign in as ada and ask: How many days of annual leave do I get in my first year?");
        println!("Then as ben, who has no grant for the handbook, and as emil, the auditor. Ctrl-C stops.");
    })
    .await
}

/// Imports the model unless its like is here, and takes it into use.
async fn use_model(site: &Site, kind: ModelKind, path: &Path) -> Outcome {
    let name = path.file_name().map(|name| name.to_string_lossy().trim_end_matches(".gguf").to_owned());
    let name = name.unwrap_or_default();
    let models = site.store.models().await?;
    match models.iter().find(|model| model.name == name) {
        Some(model) if model.active => {}
        Some(_) => {
            let mut act = site.store.begin().await?;
            act.promote_model(&name).await?;
            let event = Event::new(Action::ModelPromoted, &Actor::console(), site.operation());
            act.record(event.on("model", &name, &name)).await?;
            act.commit().await?;
        }
        None => {
            eprintln!("taking in the {kind} model {name}");
            let model = model::import(site, path, Some(name.clone())).await?;
            if !model.active {
                Box::pin(use_model(site, kind, path)).await?;
            }
        }
    }
    Ok(())
}

async fn make_accounts(site: &Site, plan: &Plan) -> Result<Accounts, Failure> {
    let file = site.data.join("demo-accounts.toml");
    let mut accounts: Accounts = match std::fs::read_to_string(&file) {
        Ok(text) => toml::from_str(&text)?,
        Err(_) => Accounts::default(),
    };
    let (actor, operation) = (Actor::console(), site.operation());
    for group in &plan.group {
        if site.store.group_by_name(&group.name).await?.is_none() {
            site.identity.create_group(&group.name, &actor, operation).await?;
        }
    }
    for planned in &plan.user {
        if site.store.user_by_name(&planned.name).await?.is_some() {
            continue;
        }
        let password = identity::random_password(site.store.environment());
        let new = NewUser {
            name: planned.name.clone(),
            display_name: planned.display_name.clone(),
            role: planned.role,
            clearance: Clearance(planned.clearance),
        };
        let user = site.identity.create_user(&new, &password, &actor, operation).await?;
        for name in &planned.groups {
            let group = site.store.group_by_name(name).await?.ok_or("demo.toml names an unknown group")?;
            site.identity.set_membership(group.id, user.id, true, &actor, operation).await?;
        }
        accounts.account.push(Account { name: user.name, password, role: user.role, display_name: user.display_name });
        write_private(&file, &toml::to_string(&accounts)?)?;
    }
    Ok(accounts)
}

async fn make_collections(site: &Site, plan: &Plan) -> Outcome {
    let mut made = Vec::new();
    for planned in &plan.collection {
        if site.store.collection_by_name(&planned.name).await?.is_none() {
            collection::create(site, &planned.name, &planned.description, planned.label).await?;
            made.push(&planned.name);
        }
    }
    // Grants belong to the first start: one that somebody took away since stays away.
    for planned in plan.grant.iter().filter(|planned| made.contains(&&planned.collection)) {
        collection::grant(site, &planned.collection, &planned.to, Some(planned.permission)).await?;
    }
    let questions = plan.collection.iter();
    let examples: Vec<(&str, &str)> =
        questions.flat_map(|c| c.questions.iter().map(|q| (c.name.as_str(), q.as_str()))).collect();
    if site.store.setting("examples").await? != Some(json!(examples)) {
        let mut act = site.store.begin().await?;
        act.set_setting("examples", &json!(examples)).await?;
        act.set_setting("organisation", &json!(plan.organisation.name)).await?;
        let event = Event::new(Action::ConfigurationChanged, &Actor::console(), site.operation());
        act.record(event.detail(json!({ "organisation": plan.organisation.name, "examples": examples }))).await?;
        act.commit().await?;
    }
    Ok(())
}

async fn load(site: &Site, plan: &Plan, samples: &Path) -> Outcome {
    let in_use = "another process works on this data directory; stop it first, or use another --data";
    let retrieval = site.retrieval().await?.ok_or(in_use)?;
    eprintln!("loading the sample documents");
    for planned in &plan.collection {
        let begin = Instant::now();
        let collection = site.collection(&planned.name).await?;
        let folder = [samples.join(&planned.folder)];
        let report = import::import(site, Some(&retrieval), &folder, &collection, None).await?;
        print!("  {:12} ", planned.name);
        import::print_report(&report, begin.elapsed().as_secs_f64());
    }
    Ok(())
}

fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = std::fs::File::options().create(true).truncate(true).write(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}
