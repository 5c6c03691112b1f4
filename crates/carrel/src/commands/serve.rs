//! `carrel serve`

use crate::Outcome;
use crate::config::Configuration;
use crate::door::Door;
use crate::evaluations::Evaluator;
use crate::examination::{cleaned, subject};
use crate::site::{Failure, Site, organisation_of};
use crate::{sources, upkeep};
use ::audit::{Action, Actor, Event};
use answer::Live;
use inference::Arithmetic;
use ingest::Watcher;
use serde_json::json;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use web::{App, Metrics, Openings};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Address and port [default: 127.0.0.1:8080, or what the configuration says]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Take connections from the listening socket that standard input is (systemd's `StandardInput=socket`)
    #[arg(long, conflicts_with = "listen")]
    on_stdin: bool,
}

pub(crate) async fn run(arguments: Arguments, configuration: &Configuration) -> Outcome {
    let mut configuration = configuration.clone();
    configuration.listen = arguments.listen.unwrap_or(configuration.listen);
    let site = Site::open(&configuration).await?;
    serve(&site, &configuration, arguments.on_stdin, |door| {
        println!("Carrel is at {}", door.url());
        if let Some(fingerprint) = door.fingerprint() {
            println!("SHA-256 of its certificate: {fingerprint}");
        }
        if let Some(warning) = Arithmetic::of_this_machine().warning() {
            println!("Note: {warning}");
        }
    })
    .await
}

/// Serves until interrupted; `ready` is told where once it answers. With `on_stdin`, standard input is the listening
/// socket: such a process needs no network of its own.
pub(crate) async fn serve(
    site: &Site,
    configuration: &Configuration,
    on_stdin: bool,
    ready: impl FnOnce(&Door),
) -> Outcome {
    log_arithmetic(&Arithmetic::of_this_machine());
    let in_use = "another process works on this data directory; stop it first, or use another --data";
    let retrieval = site.retrieval().await?.ok_or(in_use)?;
    // A server without a model can still be searched, and an admin can mend it on its pages.
    let wanted = configuration.answer.enabled;
    let (generator, failure) = match wanted {
        false => (None, None),
        true => match site.generator().await {
            Ok(generator) => (generator, None),
            Err(error) => (None, Some(error.to_string())),
        },
    };
    if !wanted {
        tracing::info!("answers are switched off: no generation model is loaded, and searching is the first page");
    } else if generator.is_none() {
        let reason = failure.as_deref().unwrap_or("'carrel model import' adds one");
        tracing::warn!("no generation model is in use: search works, answers do not; {reason}");
    }
    let answering = site.answering(&retrieval, generator).await?;
    let models = models::Models::of_server(site.store.clone(), answering.engines().clone(), site.model_settings());
    if let Some(reason) = failure {
        models.failed_at_start(&reason).await?;
    }
    let door = Door::open(site, configuration, on_stdin).await?;
    record_start(site).await?;
    sources::watch_drop_folder(site).await?;
    let watcher = Watcher::new(site.stage()?);
    let pages = crate::reading::pages(site.content()?);

    let (setup, code) = match site.identity.is_empty().await? {
        true => {
            let (setup, code) = web::Setup::waiting(site.store.environment());
            setup.show_in(site.data.join(SETUP_CODE), &code)?;
            (setup, Some(code))
        }
        false => {
            // Left by a start whose site got its people otherwise.
            let _ = std::fs::remove_file(site.data.join(SETUP_CODE));
            (web::Setup::done(), None)
        }
    };
    let evaluated = answering.clone();
    let app = App {
        setup,
        store: site.store.clone(),
        identity: site.identity.clone(),
        answering,
        live: Live::new(Duration::from_secs(configuration.patience_seconds)),
        stage: site.stage()?,
        content: site.content()?,
        pages: pages.clone(),
        openings: Openings::default(),
        publisher: retrieval.publisher.clone(),
        index: Arc::clone(&retrieval.index),
        models: models.clone(),
        metrics: Metrics::new(site.store.environment().now()),
        watcher: watcher.clone(),
        exports: web::Exports::default(),
        signing_key: Arc::new(site.signing_key()?),
        site: Arc::new(web::Site {
            names: web::Names::new(words(site, configuration).await?),
            secure_cookies: door.secure_cookies(),
            data: site.data.clone(),
            subject: subject(configuration, site.store.environment().clone()),
            configuration: cleaned(configuration),
            metrics_allow: configuration.metrics.allow.clone(),
            examples: examples(site).await?,
            answers: wanted,
            watch_in: site.sources().allow.clone(),
        }),
    };
    let stop = CancellationToken::new();
    let worker = site.worker(&retrieval).await?;
    let ingest = tokio::spawn({
        let stop = stop.clone();
        async move { worker.run(stop).await }
    });
    let evaluator = Evaluator { site: site.clone(), answering: evaluated, models: models.clone() };
    let evaluate = tokio::spawn(evaluator.run(stop.clone()));
    let follow = tokio::spawn({
        let stop = stop.clone();
        // Without answers no model is loaded, whatever the list of models says.
        async move {
            if wanted {
                models.follow(stop).await;
            }
        }
    });
    let watch = tokio::spawn({
        let stop = stop.clone();
        async move { watcher.run(stop).await }
    });
    let mut upkeep = upkeep::start(site, &stop)?;
    if configuration.directory()?.is_some() {
        let environment = site.store.environment().clone();
        upkeep.push(tokio::spawn(crate::directory::nightly(site.identity.clone(), environment, stop.clone())));
    }
    let sweep = tokio::spawn(sources::sweep(site.store.clone(), site.content()?, stop.clone()));
    let backups = tokio::spawn(crate::backups::run(site.clone(), configuration.backup.clone(), stop.clone()));
    let tidy = tokio::spawn(sources::tidy(pages, site.store.clone(), stop.clone()));
    let shown = tokio::spawn(crate::setup_code::keep(site.clone(), code.clone(), stop.clone()));
    ready(&door);
    if let Some(code) = code {
        println!("Nobody has an account yet. Open {}/setup and give this code: {code}", door.url());
    }
    // An open event stream would keep a graceful end waiting: after a moment the rest is cut.
    let server = tokio::spawn(door.serve(web::router(app), stop.clone()));
    interrupted().await;
    tracing::info!("stopping");
    stop.cancel();
    let _ = tokio::time::timeout(Duration::from_secs(3), server).await;
    let _ = tokio::time::timeout(Duration::from_secs(10), ingest).await;
    for rest in [evaluate, follow, watch, sweep, backups, tidy, shown].into_iter().chain(upkeep) {
        let _ = tokio::time::timeout(Duration::from_secs(1), rest).await;
    }
    let mut act = site.store.begin().await?;
    act.record(Event::new(Action::ServerStopped, &Actor::system(), site.operation())).await?;
    act.commit().await?;
    Ok(())
}

/// Where the code of a site without people lies for whoever stands at its console. The folder is its owner's alone.
const SETUP_CODE: &str = "setup-code";

/// Says once what models compute with here.
fn log_arithmetic(arithmetic: &Arithmetic) {
    match arithmetic.warning() {
        Some(warning) => tracing::warn!(arithmetic = arithmetic.name(), "{warning}"),
        None => tracing::info!(arithmetic = arithmetic.name(), "what models of this machine compute with"),
    }
}

/// Writes down the start, and ends what a power cut left unfinished.
async fn record_start(site: &Site) -> Result<(), Failure> {
    let mut act = site.store.begin().await?;
    let unfinished = act.fail_unfinished_answers().await?;
    let detail = json!({ "version": env!("CARGO_PKG_VERSION"), "unfinished_answers": unfinished });
    act.record(Event::new(Action::ServerStarted, &Actor::system(), site.operation()).detail(detail)).await?;
    act.commit().await?;
    Ok(())
}

/// What the site calls itself and its labels: as it was set up, or else as the configuration has it.
async fn words(site: &Site, configuration: &Configuration) -> Result<web::Words, Failure> {
    let labels = site.store.setting("labels").await?;
    let labels = labels.map(serde_json::from_value).transpose()?.map(web::LabelWords);
    Ok(web::Words {
        organisation: organisation_of(&site.store, configuration).await?,
        labels: labels.unwrap_or_default(),
    })
}

/// Questions that people who have asked nothing yet are offered.
async fn examples(site: &Site) -> Result<Vec<(String, String)>, Failure> {
    let stored = site.store.setting("examples").await?;
    Ok(stored.map(serde_json::from_value).transpose()?.unwrap_or_default())
}

/// Ends when the process is asked to end.
pub(crate) async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        let _ = tokio::signal::ctrl_c().await;
        return;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
